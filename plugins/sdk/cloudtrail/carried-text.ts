// The bytes a record splitter has at hand: the present block, and before it what the last block
// left unfinished. Bounded: of a value too long to carry only an excerpt and the last few bytes
// stay.

import { EXCERPT_BYTES_MAX } from "./span.ts";

// What is kept of a value too long to carry, so that a key across two blocks is still read whole;
// the longest looked for is "Records".
const TAIL_BYTES = 16;

const NONE = new Uint8Array(0);

/** A piece of the text: where it begins in the whole, and its bytes. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A moving window over a text. Indexes count from its first byte, offsets from the text's. */
export class CarriedText {
  bytes: Uint8Array = NONE;
  /** Offset of the first byte at hand. */
  base = 0;
  /**
   * Index of the next byte to look at; past the end where the next block's first byte is skipped.
   */
  next = 0;
  /** Index where the present value begins: all from here on is carried into the next block. */
  start = 0;
  /** Begin of the present value, once it is too long to be carried. */
  tooLong: Piece | undefined;

  /** Makes what is unfinished and the block one; copying a block is cheaper than looking in two. */
  join(block: Uint8Array, carriedBytesMax: number): void {
    this.#drop(this.start);
    this.start = 0;
    if (this.bytes.length > carriedBytesMax) this.tooLong ??= this.excerpt();
    if (this.tooLong !== undefined) this.#drop(Math.max(0, this.bytes.length - TAIL_BYTES));
    if (this.bytes.length === 0) {
      this.bytes = block;
      return;
    }
    const joined = new Uint8Array(this.bytes.length + block.length);
    joined.set(this.bytes);
    joined.set(block, this.bytes.length);
    this.bytes = joined;
  }

  /** The present value's begin, in memory of its own; up to index `end` where that is known. */
  excerpt(end = this.bytes.length): Piece {
    const offset = this.tooLong?.offset ?? this.base + this.start;
    const bytes = this.tooLong?.bytes ??
      this.bytes.slice(this.start, this.start + EXCERPT_BYTES_MAX);
    return { offset, bytes: bytes.subarray(0, this.base + end - offset) };
  }

  /** A new value begins at `index`, or none: nothing before it is needed. */
  begin(index: number): void {
    this.start = index;
    this.next = index;
    this.tooLong = undefined;
  }

  /** True where the text between two offsets is `wanted`. */
  holds(wanted: Uint8Array, start: number, end: number): boolean {
    const from = start - this.base;
    return end - start === wanted.length &&
      wanted.every((byte, i) => this.bytes[from + i] === byte);
  }

  #drop(bytes: number): void {
    this.bytes = this.bytes.subarray(bytes);
    this.base += bytes;
    this.next -= bytes;
  }
}
