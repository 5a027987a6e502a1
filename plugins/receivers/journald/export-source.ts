// A file that journalctl wrote: read from where its last durable entry ended, and on when it grows.
// The position is the file's identity and that offset, so another file of the name is read anew.

import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import type { Json } from "../../sdk/index.ts";
import { describeError } from "../../sdk/follow-files.ts";
import { pause } from "../../sdk/follow-wait.ts";
import { EntryStream, lastMembers } from "./entry-stream.ts";
import { ExportReader } from "./parse-export.ts";
import { type EntryReader, type EntryTaker, JsonReader } from "./parse-json.ts";
import { type Source, type SourceOptions, Waiters } from "./source.ts";

const BLOCK_BYTES = 65_536;
const POLL_MS = 250;

/** The two formats that journalctl exports. */
export type ExportKind = "json" | "export";

/** See the top of the file. */
export class ExportSource implements Source {
  readonly #path: string;
  readonly #kind: ExportKind;
  readonly #options: SourceOptions;
  readonly #stream: EntryStream;
  readonly #drains = new Waiters();
  #wake = new AbortController();
  #refused = false;

  constructor(path: string, kind: ExportKind, options: SourceOptions) {
    const { context, intake, signal } = options;
    this.#path = path;
    this.#kind = kind;
    this.#options = options;
    this.#stream = new EntryStream({
      key: `file:${path}`,
      context,
      intake,
      signal,
      auditRecords: options.config.audit_records,
      describe: { ownHost: context.agent.host, ignored: (reason) => context.ignored(reason) },
      onDelivery: (failure) => {
        this.#refused = failure !== undefined;
        options.report(failure);
      },
    });
    signal.addEventListener("abort", () => this.#wake.abort());
  }

  async start(): Promise<void> {
    const { config, context } = this.#options;
    if (this.#stream.at !== null || config.start_at !== "end" || context.once) return;
    const { id, size } = await this.#with(async (file) => await identify(file));
    const position = { file: id, offset: size };
    this.#stream.moveTo(position);
  }

  drain(): Promise<void> {
    const drained = this.#drains.add();
    this.#wake.abort();
    return drained;
  }

  async run(): Promise<void> {
    const { signal, report } = this.#options;
    while (!signal.aborted) {
      const settle = this.#drains.some ? this.#drains.take() : undefined;
      this.#wake = new AbortController();
      const problem = await this.#with((file) => this.#read(file, settle !== undefined))
        .then(
          () => undefined,
          (error: unknown) => `Cannot read "${this.#path}": ${describeError(error)}`,
        );
      if (signal.aborted) return settle?.(signal.reason);
      if (!this.#refused) report(problem);
      settle?.(problem === undefined ? undefined : new Error(problem));
      if (this.#drains.some) continue;
      await pause(POLL_MS, this.#wake.signal);
    }
    this.#drains.take()(signal.reason);
  }

  async #with<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await open(this.#path);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** Reads to the end; with `all` also what has no end yet, and waits until it is durable. */
  async #read(file: FileHandle, all: boolean): Promise<void> {
    const { config, signal, context } = this.#options;
    const { id, size } = await identify(file);
    const stored = offsetIn(this.#stream.at, id);
    // Emptied and written anew: what comes again is told by its ids.
    const offset = stored > size ? 0 : stored;
    if (offset !== stored) this.#stream.moveTo({ file: id, offset });
    const reader: EntryReader = this.#kind === "json"
      ? new JsonReader(config.max_entry_bytes, offset)
      : new ExportReader(config.max_entry_bytes, offset);
    const taker = this.#taker(id);
    for (let at = offset; !signal.aborted;) {
      // Anew each time: entries that wait for more bytes keep views of it.
      const block = Buffer.allocUnsafe(BLOCK_BYTES);
      const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      reader.push(block.subarray(0, bytesRead), taker);
      await this.#stream.send();
    }
    if (signal.aborted) return;
    if (all) reader.finish(taker);
    this.#stream.flush(all ? Infinity : context.clock());
    if (all) await this.#stream.settled();
    else await this.#stream.send();
  }

  #taker(file: string): EntryTaker {
    return {
      entry: (fields, end) => {
        this.#stream.take(fields, (_cursor, last) => ({ file, offset: end, ...lastMembers(last) }));
      },
      reject: (raw, offset, reason) => this.#stream.reject(raw, reason, `${file}:${offset}`),
    };
  }
}

async function identify(file: FileHandle): Promise<{ readonly id: string; readonly size: number }> {
  const { dev, ino, size } = await file.stat({ bigint: true });
  return { id: `${dev}:${ino}`, size: Number(size) };
}

/** Where to go on in a file; its beginning when the position is another file's. */
function offsetIn(position: Json, id: string): number {
  if (typeof position !== "object" || position === null || Array.isArray(position)) return 0;
  const { file, offset } = position as Readonly<Record<string, Json>>;
  return file === id && typeof offset === "number" && offset >= 0 ? offset : 0;
}
