// Blocks of memory that the JSON texts of a batch are written into, one behind the other: a text is
// garbage as soon as it is written, and is not measured first. Used by draft.ts.

import { Buffer } from "node:buffer";

/** Longest block, apart from those for one longer text. */
const BLOCK_BYTES_MAX = 512 * 1024;
/** What a text is taken to need before the first is known. */
const TEXT_BYTES = 2048;
/** No UTF-16 unit takes more bytes of UTF-8. */
const UNIT_BYTES_MAX = 3;

/** Takes the texts of one batch. */
export class Slab {
  #texts: number;
  #block = Buffer.alloc(0);
  #at = 0;

  /** `texts` is how many are to come: blocks are no longer than they need. */
  constructor(texts: number) {
    this.#texts = texts;
  }

  /** The text as UTF-8. */
  write(text: string): Buffer {
    const most = text.length * UNIT_BYTES_MAX;
    if (this.#block.length - this.#at < most) {
      const wanted = Math.min(BLOCK_BYTES_MAX, this.#texts * Math.max(TEXT_BYTES, text.length));
      this.#block = Buffer.allocUnsafeSlow(Math.max(wanted, most));
      this.#at = 0;
    }
    this.#texts = Math.max(1, this.#texts - 1);
    const begin = this.#at;
    this.#at += this.#block.write(text, begin);
    return this.#block.subarray(begin, this.#at);
  }
}
