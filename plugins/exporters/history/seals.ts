// The chain of seals: a line of JSON for each log that was sealed and each day that was too old, each
// with the hash of the line before. Who changes a segment or a line breaks it from there on.

import { createHash } from "node:crypto";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicFileCalls } from "../../sdk/atomic-file.ts";
import type { WrittenSegment } from "./write-segment.ts";

/** The file's name in the history's folder. */
export const SEALS_FILE = "seals.jsonl";

const SEGMENT_NAME = /^\d{4}-\d{2}-\d{2}\/\d{8,}\.seg$/;

/** What is written of a step. */
export type Step =
  | { readonly log: number; readonly segments: readonly WrittenSegment[] }
  /** A day that retention took away. */
  | { readonly dropped: string };

/** One line. */
export type Seal = Step & {
  /** When, in ISO 8601. */
  readonly at: string;
  /** Hash of the line before; empty in the first. */
  readonly previous: string;
  /** SHA-256 of `previous` and the rest of this line, in hexadecimal. */
  readonly hash: string;
};

/** The hash that a seal has to have. */
export function sealHash({ hash: _, ...rest }: Seal): string {
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}

/** A line of the file: a seal, or text that is none. */
export type SealLine = { readonly seal: Seal } | { readonly broken: string };

/** Every line of the file; none where there is no file. A torn last line is left out. */
export async function readSeals(folder: string): Promise<readonly SealLine[]> {
  const text = await readFile(join(folder, SEALS_FILE), "utf8").catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  });
  return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").slice(0, -1).map(parseLine);
}

function parseLine(line: string): SealLine {
  try {
    const seal = JSON.parse(line) as Seal;
    const isWhole = typeof seal.hash === "string" && typeof seal.previous === "string" &&
      ("dropped" in seal || seal.segments.every(({ name }) => SEGMENT_NAME.test(name)));
    return isWhole ? { seal } : { broken: line };
  } catch {
    return { broken: line };
  }
}

/** The end of the chain, and what is sealed. */
export class Seals {
  readonly #folder: string;
  readonly #logs = new Set<number>();
  #last = "";

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads the file. */
  static async open(folder: string): Promise<Seals> {
    const seals = new Seals(folder);
    for (const line of await readSeals(folder)) {
      if (!("seal" in line)) continue;
      seals.#last = line.seal.hash;
      if ("log" in line.seal) seals.#logs.add(line.seal.log);
    }
    return seals;
  }

  /** Whether a log is sealed: its segments are whole, and are not written again. */
  has(log: number): boolean {
    return this.#logs.has(log);
  }

  /** The highest number of a sealed log, or 0. */
  get lastLog(): number {
    return Math.max(0, ...this.#logs);
  }

  /** Adds a line; resolves with its hash when it is on the disk. */
  async add(step: Step, atMs: number): Promise<string> {
    const unsigned = { ...step, at: new Date(atMs).toISOString(), previous: this.#last, hash: "" };
    const seal = { ...unsigned, hash: sealHash(unsigned) };
    const file = await open(join(this.#folder, SEALS_FILE), "a+", 0o600);
    try {
      await cutTornLine(file);
      await file.writeFile(`${JSON.stringify(seal)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await atomicFileCalls.syncFolder(this.#folder);
    this.#last = seal.hash;
    if ("log" in step) this.#logs.add(step.log);
    return seal.hash;
  }
}

/** A crash may have left half a line; it was never counted on. */
async function cutTornLine(file: FileHandle): Promise<void> {
  const bytes = await file.readFile();
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await file.truncate(whole);
}
