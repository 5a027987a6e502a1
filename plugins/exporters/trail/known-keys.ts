// A set of keys that can be asked once it is whole: eight bytes for each, so that years of log files
// fit into memory.

import { createHash } from "node:crypto";

const KEYS_MAX = 50_000_000;

/** See above. Two keys in a million of millions count as one. */
export class KnownKeys {
  #hashes = new Float64Array(1024);
  #count = 0;
  #isSorted = true;

  /** How many were added. */
  get size(): number {
    return this.#count;
  }

  /** Adds a key. Throws a RangeError beyond fifty million. */
  add(key: string): void {
    if (this.#count >= KEYS_MAX) throw new RangeError(`There are more than ${KEYS_MAX} log files`);
    if (this.#count === this.#hashes.length) {
      const more = new Float64Array(2 * this.#count);
      more.set(this.#hashes);
      this.#hashes = more;
    }
    this.#hashes[this.#count++] = hashOf(key);
    this.#isSorted = false;
  }

  /** True where the key was added. */
  has(key: string): boolean {
    if (!this.#isSorted) this.#hashes.subarray(0, this.#count).sort();
    this.#isSorted = true;
    const hash = hashOf(key);
    let from = 0;
    let to = this.#count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#hashes[middle]! < hash) from = middle + 1;
      else to = middle;
    }
    return from < this.#count && this.#hashes[from] === hash;
  }
}

/** 48 bits, which a number holds exactly. */
function hashOf(key: string): number {
  return createHash("sha256").update(key).digest().readUIntBE(0, 6);
}
