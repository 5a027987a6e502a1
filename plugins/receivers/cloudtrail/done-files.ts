// Which files are done, small enough to be part of a position: eight characters for each, of a hash
// of its path, spread over 4,096 keys so that finishing one file writes a key of a few hundred
// bytes. Six bytes and the bucket's twelve bits make one in ten million the chance that any two of
// 100,000 files are taken for one.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Position } from "../../sdk/index.ts";
import type { Progress } from "./origin.ts";

const NAME_LENGTH = 8;

interface Name {
  readonly bucket: string;
  readonly text: string;
}

/** How many files are remembered, and under which keys. */
export interface DoneFilesOptions {
  /** Beyond so many, only those that are still there. */
  readonly rememberedMax?: number;
  /** Before the keys; "" by default. */
  readonly keys?: string;
}

/** The files a receiver is done with, and how far it is in those it is not. */
export class DoneFiles implements Progress {
  readonly #doneKey: string;
  readonly #partKey: string;
  readonly #leastMax: number;
  readonly #buckets = new Map<string, string>();
  readonly #parts = new Map<string, number>();
  #size = 0;
  #rememberedMax: number;
  /** Those that this round met; undefined where it need not be known. */
  #met: Map<string, string> | undefined;

  /** Takes up a position that an earlier run left; keys that are not its own are ignored. */
  constructor(position: Position = {}, options: DoneFilesOptions = {}) {
    const { rememberedMax = Infinity, keys = "" } = options;
    this.#rememberedMax = this.#leastMax = rememberedMax;
    this.#doneKey = `${keys}done.`;
    this.#partKey = `${keys}part.`;
    for (const [key, value] of Object.entries(position)) {
      if (key.startsWith(this.#doneKey) && typeof value === "string") {
        this.#buckets.set(key.slice(this.#doneKey.length), value);
        this.#size += value.length / NAME_LENGTH;
      } else if (key.startsWith(this.#partKey) && typeof value === "number") {
        this.#parts.set(key.slice(this.#partKey.length), value);
      }
    }
  }

  /** How many files are remembered as done. */
  get size(): number {
    return this.#size;
  }

  has(path: string): boolean {
    const name = nameOf(path);
    if (!holds(this.#buckets.get(name.bucket), name.text)) return false;
    this.#meet(name);
    return true;
  }

  taken(path: string): number {
    return this.#parts.get(partName(path)) ?? 0;
  }

  take(path: string, pieces: number): Position {
    const name = partName(path);
    this.#parts.set(name, pieces);
    return { [this.#partKey + name]: pieces };
  }

  /** Remembers a file as done; answers what changes in the position. */
  finish(path: string): Position {
    const name = nameOf(path);
    const names = (this.#buckets.get(name.bucket) ?? "") + name.text;
    this.#buckets.set(name.bucket, names);
    this.#size++;
    this.#meet(name);
    return { [this.#doneKey + name.bucket]: names, ...this.drop(path) };
  }

  /** Forgets how far a file is taken; answers what changes in the position. */
  drop(path: string): Position {
    const name = partName(path);
    return this.#parts.delete(name) ? { [this.#partKey + name]: null } : {};
  }

  /** Forgets everything; answers what changes in the position. */
  clear(): Position {
    const changes: Record<string, null> = {};
    for (const bucket of this.#buckets.keys()) changes[this.#doneKey + bucket] = null;
    for (const part of this.#parts.keys()) changes[this.#partKey + part] = null;
    this.#buckets.clear();
    this.#parts.clear();
    this.#size = 0;
    return changes;
  }

  /** A round begins, which asks has() for each file that is there. */
  beginRound(): void {
    this.#met = this.#size > this.#rememberedMax ? new Map() : undefined;
  }

  /** The round saw everything: files that it did not meet are forgotten where there are many. */
  endRound(): Position {
    const met = this.#met;
    this.#met = undefined;
    if (met === undefined) return {};
    const changes: Record<string, string | null> = {};
    this.#size = 0;
    for (const [bucket, names] of this.#buckets) {
      const kept = met.get(bucket) ?? "";
      this.#size += kept.length / NAME_LENGTH;
      if (kept.length === names.length) continue;
      changes[this.#doneKey + bucket] = kept === "" ? null : kept;
      if (kept === "") this.#buckets.delete(bucket);
      else this.#buckets.set(bucket, kept);
    }
    this.#rememberedMax = Math.max(this.#leastMax, 2 * this.#size);
    return changes;
  }

  #meet({ bucket, text }: Name): void {
    const names = this.#met?.get(bucket);
    if (!holds(names, text)) this.#met?.set(bucket, (names ?? "") + text);
  }
}

function holds(names: string | undefined, text: string): boolean {
  if (names === undefined) return false;
  for (let at = names.indexOf(text); at >= 0; at = names.indexOf(text, at + 1)) {
    if (at % NAME_LENGTH === 0) return true;
  }
  return false;
}

/** A path's hash, for keys of a position. */
export function nameOf(path: string): Name {
  const hash = createHash("sha256").update(path).digest();
  return {
    bucket: hash.toString("hex", 0, 2).slice(0, 3),
    text: Buffer.from(hash.subarray(2, 8)).toString("base64url"),
  };
}

function partName(path: string): string {
  const { bucket, text } = nameOf(path);
  return bucket + text;
}
