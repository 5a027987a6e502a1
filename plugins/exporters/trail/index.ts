// Exporter `trail`: delivers records as CloudTrail log files into a folder. A file appears whole,
// under a name that its batch decides, and is on the disk before the batch counts as delivered.

import { rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { atomicFileCalls, makeFolderDurable, writeFileAtomic } from "../../sdk/atomic-file.ts";
import { checkWritableFolder } from "../../sdk/check-path.ts";
import { logFileText } from "../../sdk/cloudtrail/log-file.ts";
import {
  type ComponentContext,
  ConfigError,
  defineExporter,
  type ExportBatch,
  type Exporter,
  type Host,
  PermanentError,
} from "../../sdk/index.ts";
import { config, type TrailConfig } from "./config.ts";
import { diskError } from "./disk-error.ts";
import { planFiles, type PlannedFile, type TrailPlace } from "./plan.ts";

// What the agent writes is for its own account and its group, as logs are.
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

const BATCH_BYTES = 4 * 1024 * 1024;
// A batch's text: its records, and the few bytes around and between them.
const TEXT_BYTES = BATCH_BYTES + 64 * 1024;

const KNOWN_FOLDERS_MAX = 10_000;

export default defineExporter({
  type: "trail",
  stability: "beta",
  summary: "CloudTrail log files in a folder, laid out and named as CloudTrail does in a bucket",
  config,
  // One batch is held three times for a moment (read, joined, compressed), and the next one is read
  // ahead, so 4 MiB keeps the agent small; gzip gains nothing by more. A minute is as fresh as files
  // need to be and leaves few small ones on a quiet host.
  batch: { maxRecords: 10_000, maxBytes: BATCH_BYTES, maxAgeMs: 60_000 },
  check: ({ directory }) => checkWritableFolder(directory, "directory"),
  create: (options, context) => new TrailExporter(options, context),
});

class TrailExporter implements Exporter {
  readonly #config: TrailConfig;
  readonly #context: ComponentContext;
  readonly #directory: string;
  readonly #temporary: string;
  /** Folders of this trail whose names are on the disk. */
  readonly #folders = new Set<string>();
  /** Where the text of a log file is put together; kept between files. */
  #room: Uint8Array | undefined;
  #host: Host | undefined;

  constructor(options: TrailConfig, context: ComponentContext) {
    this.#config = options;
    this.#context = context;
    this.#directory = resolve(options.directory);
    // In the trail's folder, since a rename does not cross disks; hidden, and one for each trail.
    this.#temporary = join(this.#directory, `.${options.name}.incomplete`);
  }

  async start(host: Host): Promise<void> {
    const { organization } = this.#config;
    if (organization && this.#context.agent.organizationId === undefined) {
      throw new ConfigError([{
        path: `exporters.${this.#context.id}.organization`,
        problem: "No organization is known",
        fix: "set agent.organization_id",
      }]);
    }
    this.#host = host;
    try {
      // Whatever a crash left half written is written again by the batch it belongs to.
      await rm(this.#temporary, { recursive: true, force: true });
      host.report("running");
    } catch (error) {
      host.report("degraded", diskError("clear folder", this.#temporary, error).message);
    }
  }

  async stop(): Promise<void> {
    this.#host = undefined;
    // Empty unless a write was cut off; either way nothing in it was ever delivered.
    await rm(this.#temporary, { recursive: true, force: true }).catch(() => {});
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const { files, refused } = planFiles(batch, this.#place());
    for (const file of files) {
      signal.throwIfAborted();
      await this.#write(file, signal);
    }
    this.#host?.report("running");
    if (refused.length === 0) return;
    throw new PermanentError("Cannot name log file: account or region is not spelled as such", {
      failed: refused.map((record) => record.sequence),
    });
  }

  #place(): TrailPlace {
    const { agent, id } = this.#context;
    const { name, prefix, organization } = this.#config;
    const owner = organization && agent.organizationId !== undefined
      ? { organizationId: agent.organizationId }
      : {};
    return { prefix, ...owner, identity: [agent.accountId, agent.host, id, name] };
  }

  async #write(file: PlannedFile, signal: AbortSignal): Promise<void> {
    const path = join(this.#directory, ...file.key.split("/"));
    try {
      if (await isDelivered(path)) {
        // Written before a crash, perhaps without its name having reached the disk.
        return await atomicFileCalls.syncFolder(dirname(path));
      }
      const gzip = await this.#compress(file);
      signal.throwIfAborted();
      await this.#makeFolders(dirname(path));
      const temporaryPath = join(this.#temporary, file.key.replaceAll("/", "+").slice(-200));
      await writeFileAtomic(path, gzip, { mode: FILE_MODE, temporaryPath });
    } catch (error) {
      // Folders may be gone: they are looked at anew.
      this.#folders.clear();
      if (signal.aborted) throw error;
      const problem = diskError("write log file", path, error);
      this.#host?.report("degraded", problem.message);
      throw problem;
    }
  }

  async #compress(file: PlannedFile): Promise<Uint8Array> {
    // Used again, for so large an array would wait for the garbage collector with each file; and not
    // at hand meanwhile, for an export that was given up may still be compressing.
    const room = this.#room ?? new Uint8Array(TEXT_BYTES);
    this.#room = undefined;
    const text = logFileText(file.records, room);
    const gzip = await this.#context.runtime.gzip([text], this.#config.compression_level);
    this.#room = room;
    return gzip;
  }

  /** Days and regions add folders all the time: those made long ago need not be remembered. */
  async #makeFolders(folder: string): Promise<void> {
    const known = this.#folders;
    if (known.size > KNOWN_FOLDERS_MAX) known.clear();
    if (!known.has(this.#directory)) {
      await makeFolderDurable(this.#directory, { mode: FOLDER_MODE });
      known.add(this.#directory);
    }
    await makeFolderDurable(folder, { mode: FOLDER_MODE, known });
    // It may have been taken away while the agent runs, with all else in the trail's folder.
    await makeFolderDurable(this.#temporary, { mode: FOLDER_MODE });
  }
}

/** True where a file of that name is there: names come from content, and appear only when whole. */
async function isDelivered(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
