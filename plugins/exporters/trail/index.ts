// Exporter `trail`: delivers records as CloudTrail log files into a folder. A file appears whole,
// under a name that its batch decides, and is on the disk before the batch counts as delivered.

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
import { FolderStore } from "./folder-store.ts";
import { planFiles, type PlannedFile, type TrailPlace } from "./plan.ts";
import type { TrailStore } from "./store.ts";

const BATCH_BYTES = 4 * 1024 * 1024;
// A batch's text: its records, and the few bytes around and between them.
const TEXT_BYTES = BATCH_BYTES + 64 * 1024;

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
  readonly #store: TrailStore;
  /** Where the text of a log file is put together; kept between files. */
  #room: Uint8Array | undefined;
  #host: Host | undefined;

  constructor(options: TrailConfig, context: ComponentContext) {
    this.#config = options;
    this.#context = context;
    this.#store = new FolderStore(options.directory, options.name);
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
      await this.#store.open(new AbortController().signal);
      host.report("running");
    } catch (error) {
      host.report("degraded", error instanceof Error ? error.message : String(error));
    }
  }

  async stop(): Promise<void> {
    this.#host = undefined;
    await this.#store.close();
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
    const about = { contentType: "application/json", contentEncoding: "gzip" };
    try {
      await this.#store.put(file.key, this.#compress(file), about, signal);
    } catch (error) {
      if (!signal.aborted && error instanceof Error) this.#host?.report("degraded", error.message);
      throw error;
    }
  }

  async *#compress(file: PlannedFile): AsyncGenerator<Uint8Array> {
    // Used again, for so large an array would wait for the garbage collector with each file; and not
    // at hand meanwhile, for an export that was given up may still be compressing.
    const room = this.#room ?? new Uint8Array(TEXT_BYTES);
    this.#room = undefined;
    const text = logFileText(file.records, room);
    const gzip = await this.#context.runtime.gzip([text], this.#config.compression_level);
    this.#room = room;
    yield gzip;
  }
}
