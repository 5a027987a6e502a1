// The file exporter's work. Before a range is written, the range, the file's identity and its length
// are made durable; when the range comes again the file is cut back to that length. So each record
// stands in the files exactly once, whatever stopped the agent in between.

import { dirname } from "node:path";
import { z } from "zod";
import {
  type ComponentContext,
  type ExportBatch,
  type Exporter,
  RetryableError,
} from "../../sdk/index.ts";
import type { FileConfig } from "./config.ts";
import { findMoved, identify, isSame, OutputFile } from "./output-file.ts";
import { type Beginning, isDue, prune, putAside } from "./rotation.ts";

const STATE_KEY = "range";

const writtenRange = z.object({
  first: z.number(),
  last: z.number(),
  plannedAt: z.number(),
  dev: z.string(),
  ino: z.string(),
  /** Length of the file before the range. */
  length: z.number(),
  began: z.object({ at: z.number(), first: z.number() }),
});

/** The range last written, or begun, and where. */
type WrittenRange = z.output<typeof writtenRange>;

type Context = Pick<ComponentContext, "log" | "state">;

/** Appends records to a file; resolves when they are on disk. */
export class FileExporter implements Exporter {
  readonly #config: FileConfig;
  readonly #context: Context;
  readonly #open: typeof OutputFile.open;
  #file: OutputFile | undefined;
  /** True once the end of the open file was seen to be a whole line. */
  #tailChecked = false;

  constructor(config: FileConfig, context: Context, open = OutputFile.open) {
    this.#config = config;
    this.#context = context;
    this.#open = open;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      await this.#write(batch, signal);
    } catch (error) {
      // What failed may be the open file itself (a stale mount): the next attempt opens it anew.
      await this.stop().catch(() => {});
      if (signal.aborted) throw signal.reason;
      throw explain(error, this.#config.path);
    }
  }

  async #write(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const last = this.#lastRange();
    let file = await this.#current();
    if (last !== undefined && isRange(last, batch)) await this.#takeBack(last, file);
    else if (this.#isDue(last, file, batch)) {
      await this.#rotate(beginning(last, file, batch));
      file = await this.#current();
    }
    await this.#mendTail(file, last);
    const length = file.length;
    const { first } = batch.range;
    const range: WrittenRange = {
      ...file.identity,
      first,
      last: batch.range.last,
      plannedAt: batch.plannedAt,
      length,
      began: beginning(last, file, batch),
    };
    await this.#context.state.set(STATE_KEY, range);
    try {
      await file.append(batch.records, signal);
      await file.sync();
    } catch (error) {
      // Half a line is of no use to a reader. Should this fail as well, the next attempt cuts.
      await file.cut(length).catch(() => {});
      throw error;
    }
  }

  #lastRange(): WrittenRange | undefined {
    return writtenRange.safeParse(this.#context.state.get(STATE_KEY)).data;
  }

  /** The file at the path, opened anew when another one stands there or none. */
  async #current(): Promise<OutputFile> {
    const { path } = this.#config;
    const there = await identify(path);
    if (this.#file !== undefined) {
      if (there !== undefined && isSame(there.identity, this.#file.identity)) {
        // Somebody may have emptied it (logrotate's copytruncate).
        if (there.length !== this.#file.length) this.#tailChecked = false;
        this.#file.length = there.length;
        return this.#file;
      }
      this.#context.log.info(`Opening "${path}" again: it was moved or removed`);
      await this.stop();
    }
    this.#tailChecked = false;
    return this.#file = await this.#open(path);
  }

  /** Cuts away what an earlier attempt at a range left behind, also in a file renamed since. */
  async #takeBack(last: WrittenRange, file: OutputFile): Promise<void> {
    const { path } = this.#config;
    if (isSame(last, file.identity)) {
      if (file.length > last.length) await file.cut(last.length);
      return;
    }
    const moved = await findMoved(dirname(path), last);
    if (moved === undefined) {
      this.#context.log.warn(
        `Records ${last.first} to ${last.last} may stand twice: the file they were last written ` +
          `to is no longer beside "${path}"`,
      );
      return;
    }
    const other = await this.#open(moved);
    try {
      if (other.length > last.length) await other.cut(last.length);
      await other.sync();
    } finally {
      await other.close();
    }
  }

  #isDue(last: WrittenRange | undefined, file: OutputFile, batch: ExportBatch): boolean {
    const { rotation } = this.#config;
    if (rotation.max_bytes === undefined && rotation.max_age === undefined) return false;
    const began = beginning(last, file, batch);
    const bytes = batch.records.reduce((sum, record) => sum + record.bytes.length + 1, 0);
    return isDue(rotation, { length: file.length, began }, { bytes, at: batch.plannedAt });
  }

  async #rotate(began: Beginning): Promise<void> {
    const { path, rotation } = this.#config;
    await this.stop();
    await putAside(path, began);
    if (rotation.max_files !== undefined) await prune(path, rotation.max_files, this.#context.log);
  }

  /** A torn line of ours is cut; a foreign file's last line is ended, for nothing there is ours. */
  async #mendTail(file: OutputFile, last: WrittenRange | undefined): Promise<void> {
    if (this.#tailChecked) return;
    const whole = await file.wholeLength();
    if (whole < file.length) {
      const torn = file.length - whole;
      if (last === undefined || !isSame(last, file.identity)) await file.endLine();
      else {
        await file.cut(whole);
        this.#context.log.warn(`Cut a torn line of ${torn} bytes off "${this.#config.path}"`);
      }
    }
    this.#tailChecked = true;
  }
}

function isRange(last: WrittenRange, { range, plannedAt }: ExportBatch): boolean {
  return last.first === range.first && last.last === range.last && last.plannedAt === plannedAt;
}

function beginning(
  last: WrittenRange | undefined,
  file: OutputFile,
  batch: ExportBatch,
): Beginning {
  const known = last !== undefined && file.length > 0 && isSame(last, file.identity);
  return known ? last.began : { at: batch.plannedAt, first: batch.range.first };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device; free some, or set rotation.max_files",
  EDQUOT: "the disk quota is used up; raise it, or set rotation.max_files",
  EACCES: "permission denied; let the agent's user write there",
  EPERM: "not permitted; let the agent's user write there",
  EROFS: "the file system is read-only; mount it writable",
  EISDIR: "it is a folder; name a file in it",
  ENOTREG: "it is not a regular file; name one, or use exporter debug for a terminal",
  ENOTDIR: "part of the path is not a folder",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
  EIO: "the device reports an error; check the disk",
};

/** Every failure here can be mended by an operator, so it is retried until it is. */
function explain(error: unknown, path: string): RetryableError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code === undefined ? undefined : REASONS[code]) ?? message;
  const options = { cause: error, code: "CAIRN_FILE_WRITE" };
  return new RetryableError(`Cannot write "${path}": ${reason}`, options);
}
