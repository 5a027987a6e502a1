// A file named by the operator: what its first bytes say it is decides who reads it. A file that is
// not there yet, or empty, is looked for again.

import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { describeError } from "../../sdk/follow-files.ts";
import { pause } from "../../sdk/follow-wait.ts";
import { type ExportKind, ExportSource } from "./export-source.ts";
import { JournalSource } from "./journal-source.ts";
import type { Source, SourceOptions } from "./source.ts";

const LOOK_MS = 250;
const SIGNATURE = "LPKSHHRH";
const JSON_STARTS: ReadonlySet<number> = new Set([0x7b, 0x5b]);

/** See the top of the file. */
export class FileSource implements Source {
  readonly #path: string;
  readonly #options: SourceOptions;
  #source: Source | undefined;
  #looking: Promise<void> | undefined;

  constructor(path: string, options: SourceOptions) {
    this.#path = path;
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#look();
  }

  async drain(): Promise<void> {
    if (this.#source === undefined) await this.#look();
    await this.#source?.drain();
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (this.#source === undefined && !signal.aborted) {
      await pause(LOOK_MS, signal);
      await this.#look();
    }
    if (!signal.aborted) await this.#source?.run();
  }

  #look(): Promise<void> {
    return this.#looking ??= this.#find().finally(() => this.#looking = undefined);
  }

  /** Finds out what the file is, once it holds something. */
  async #find(): Promise<void> {
    const { report } = this.#options;
    try {
      const kind = await kindOf(this.#path);
      if (this.#source !== undefined) return;
      if (kind === undefined) await this.#forget();
      else await this.#open(kind);
    } catch (error) {
      report(`Cannot read "${this.#path}": ${describeError(error)}`);
    }
  }

  /** An empty file holds nothing of what was read of it: what comes is read from its beginning. */
  async #forget(): Promise<void> {
    const { intake, signal } = this.#options;
    const key = `file:${this.#path}`;
    if (intake.position()?.[key] == null) return;
    await intake.events([], { position: { [key]: null }, signal });
  }

  async #open(kind: ExportKind | "journal"): Promise<void> {
    const { config, context } = this.#options;
    const source = kind === "journal"
      ? new JournalSource({
        key: `file:${this.#path}`,
        args: [`--file=${this.#path}`],
        own: false,
        startAt: context.once ? "beginning" : config.start_at ?? "beginning",
      }, this.#options)
      : new ExportSource(this.#path, kind, this.#options);
    await source.start();
    this.#source = source;
  }
}

async function kindOf(path: string): Promise<ExportKind | "journal" | undefined> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(SIGNATURE.length);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead === 0) return undefined;
    if (head.toString("latin1") === SIGNATURE) return "journal";
    return JSON_STARTS.has(head[0]!) ? "json" : "export";
  } finally {
    await file.close();
  }
}
