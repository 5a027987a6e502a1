// Splits the blocks of a byte stream into lines by index, without strings or copies. Followed files
// pass through here on their way to a format.

import { Buffer } from "node:buffer";

/** Takes what a LineSplitter finds; answers false when it wants no more for now. */
export interface LineTaker {
  /** A line without its line end, never empty. `offset` is that of its first byte. */
  line(bytes: Uint8Array, offset: number): boolean;
  /** Bytes that are no line, verbatim but cut at the limit, and why. */
  reject(bytes: Uint8Array, offset: number, reason: string): boolean;
}

/**
 * What the bytes up to the next line end are: `skip` is the rest of an overlong line, dropped;
 * `taken` follows a last line that was handed out before its line end came.
 */
export type LineRest = "skip" | "taken";

const LF = 10;
const CR = 13;

/** Splits one stream; keeps only what the next bytes mean, never the bytes. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #rest: LineRest | undefined;
  /** Inside a run of NUL bytes that was rejected already. */
  #nul = false;

  constructor(lineBytesMax: number, rest?: LineRest) {
    this.#lineBytesMax = lineBytesMax;
    this.#rest = rest;
  }

  /** To be stored beside the offset: a splitter made with it goes on in the same way. */
  get rest(): LineRest | undefined {
    return this.#rest;
  }

  /**
   * Hands out the whole lines of `bytes` from index `from` on; `base` is the offset of index 0.
   * Returns the index of the first byte that was not used: the taker is full, or the line has no
   * end yet. Then those bytes have to come again, with more behind them.
   */
  split(bytes: Uint8Array, from: number, base: number, taker: LineTaker): number {
    // As a Buffer: Node searches one several times faster than a plain array of the same bytes.
    const search = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = from;
    while (at < bytes.length) {
      if (bytes[at] === 0 && this.#rest === undefined) {
        const next = this.#zeros(bytes, at, base, taker);
        if (next === at) return at;
        at = next;
        continue;
      }
      this.#nul = false;
      const end = search.indexOf(LF, at);
      if (end < 0) return this.#unfinished(bytes, at, base, taker);
      const more = this.#finished(bytes, at, end, base, taker);
      at = end + 1;
      if (!more) return at;
    }
    return at;
  }

  /** Hands out the bytes of a last line that has no line end, and expects the end later. */
  finish(bytes: Uint8Array, base: number, taker: LineTaker): void {
    if (bytes.length === 0 || this.#rest !== undefined) return;
    if (bytes[0] === 0) taker.reject(bytes, base, "NUL bytes in place of text");
    else taker.line(bytes, base);
    this.#rest = "taken";
  }

  #finished(bytes: Uint8Array, at: number, end: number, base: number, taker: LineTaker): boolean {
    const stop = end > at && bytes[end - 1] === CR ? end - 1 : end;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest === "skip" || stop === at) return true;
    if (rest === "taken") {
      const reason = "Rest of a line that was read before it was complete";
      return taker.reject(bytes.subarray(at, stop), base + at, reason);
    }
    if (stop - at > this.#lineBytesMax) return this.#overlong(bytes, at, base, taker);
    return taker.line(bytes.subarray(at, stop), base + at);
  }

  #unfinished(bytes: Uint8Array, at: number, base: number, taker: LineTaker): number {
    if (this.#rest === "skip") return bytes.length;
    if (bytes.length - at <= this.#lineBytesMax) return at;
    this.#overlong(bytes, at, base, taker);
    this.#rest = "skip";
    return bytes.length;
  }

  #overlong(bytes: Uint8Array, at: number, base: number, taker: LineTaker): boolean {
    const head = bytes.subarray(at, at + this.#lineBytesMax);
    return taker.reject(head, base + at, `Line is longer than ${this.#lineBytesMax} bytes`);
  }

  /** Zeros where a line should begin: what a power loss leaves. Text behind them is a line again. */
  #zeros(bytes: Uint8Array, at: number, base: number, taker: LineTaker): number {
    let end = at;
    while (bytes[end] === 0) end++;
    if (!this.#nul) {
      // Zeros at the very end may be room that the writer is still going to fill.
      if (end === bytes.length && end - at <= this.#lineBytesMax) return at;
      const head = bytes.subarray(at, Math.min(end, at + this.#lineBytesMax));
      taker.reject(head, base + at, "NUL bytes in place of text");
    }
    this.#nul = end === bytes.length;
    return end;
  }
}
