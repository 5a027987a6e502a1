// Which files are done, small enough to be part of a position: eight characters for each, of a hash
// of its path, spread over 4,096 keys so that finishing one file writes a key of a few hundred
// bytes. Six bytes and the bucket's twelve bits make one in ten million the chance that any two of
// 100,000 files are taken for one.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Position } from "../../sdk/index.ts";

const DONE = "done.";
const PART = "part.";
const NAME_LENGTH = 8;

interface Name {
  readonly bucket: string;
  readonly text: string;
}

/** The files a receiver is done with, and how far it is in those it is not. */
export class DoneFiles {
  readonly #buckets = new Map<string, string>();
  readonly #parts = new Map<string, number>();
  #size = 0;

  /** Takes up a position that an earlier run left; keys that are not its own are ignored. */
  constructor(position: Position = {}) {
    for (const [key, value] of Object.entries(position)) {
      if (key.startsWith(DONE) && typeof value === "string") {
        this.#buckets.set(key.slice(DONE.length), value);
        this.#size += value.length / NAME_LENGTH;
      } else if (key.startsWith(PART) && typeof value === "number") this.#parts.set(key, value);
    }
  }

  /** How many files are remembered as done. */
  get size(): number {
    return this.#size;
  }

  has(path: string): boolean {
    const { bucket, text } = nameOf(path);
    const names = this.#buckets.get(bucket) ?? "";
    for (let at = names.indexOf(text); at >= 0; at = names.indexOf(text, at + 1)) {
      if (at % NAME_LENGTH === 0) return true;
    }
    return false;
  }

  /** How many pieces of the file, from its beginning, are taken already. */
  taken(path: string): number {
    return this.#parts.get(partKey(path)) ?? 0;
  }

  /** Remembers how many pieces are taken; answers what changes in the position. */
  take(path: string, pieces: number): Position {
    this.#parts.set(partKey(path), pieces);
    return { [partKey(path)]: pieces };
  }

  /** Remembers a file as done; answers what changes in the position. */
  finish(path: string): Position {
    const { bucket, text } = nameOf(path);
    const names = (this.#buckets.get(bucket) ?? "") + text;
    this.#buckets.set(bucket, names);
    this.#size++;
    const done = { [DONE + bucket]: names };
    return this.#parts.delete(partKey(path)) ? { ...done, [partKey(path)]: null } : done;
  }

  /** Forgets the files that are not in `present`; answers what changes in the position. */
  keep(present: DoneFiles): Position {
    const changes: Record<string, string | null> = {};
    for (const [bucket, names] of this.#buckets) {
      const kept = present.#buckets.get(bucket);
      if (kept?.length === names.length) continue;
      changes[DONE + bucket] = kept ?? null;
      if (kept === undefined) this.#buckets.delete(bucket);
      else this.#buckets.set(bucket, kept);
    }
    this.#size = present.#size;
    return changes;
  }
}

function nameOf(path: string): Name {
  const hash = createHash("sha256").update(path).digest();
  return {
    bucket: hash.toString("hex", 0, 2).slice(0, 3),
    text: Buffer.from(hash.subarray(2, 8)).toString("base64url"),
  };
}

function partKey(path: string): string {
  const { bucket, text } = nameOf(path);
  return PART + bucket + text;
}
