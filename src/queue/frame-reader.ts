// Walks the frames of one segment in large blocks, and steps over what is damaged. Recovery reads
// the newest segment with it, cursors read all of them.

import { Buffer } from "node:buffer";
import { readBytes } from "./files.ts";
import type { OpenFile } from "./files.ts";
import { FRAME_HEADER_BYTES, FRAME_MAGIC, frameIsWhole, readFrameHeader } from "./frame.ts";
import type { FrameHeader } from "./frame.ts";
import type { ReadBlocks } from "./read-blocks.ts";

/** Bytes read at once: enough to make the call cheap, little enough to keep several cursors. */
const BLOCK_BYTES = 512 * 1024;

/** Frames of one writer differ by less than a sixteenth, mostly. */
const LIKE_SHIFT = 4;

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(FRAME_MAGIC);

/** A whole frame with a right checksum; `payload` is a view of memory that is not written again. */
export interface FoundFrame extends FrameHeader {
  readonly kind: "frame";
  readonly payload: Buffer;
}

/** Bytes that are no frame, up to the next frame or the end of what may be read. */
export interface Damage {
  readonly kind: "damage";
  readonly offset: number;
  readonly bytes: number;
}

/** One segment's frames in order. Not for use by two callers at once. */
export class FrameReader {
  readonly #file: OpenFile;
  readonly #ordinal: number;
  readonly #blocks: ReadBlocks | undefined;
  #offset: number;
  #block: Buffer = Buffer.alloc(0);
  #blockOffset = 0;
  /** A block of this size most likely holds the next frame: it is about as long as the last one. */
  #expected = 0;

  /** Starts at a frame's first byte. Without `blocks`, all memory is left to the collector. */
  constructor(file: OpenFile, ordinal: number, offset: number, blocks?: ReadBlocks) {
    this.#file = file;
    this.#blocks = blocks;
    this.#ordinal = ordinal;
    this.#offset = offset;
  }

  /** Where the next call begins. */
  get offset(): number {
    return this.#offset;
  }

  /** The next frame or damage before `limit`; undefined where nothing is left before it. */
  async next(limit: number): Promise<FoundFrame | Damage | undefined> {
    if (this.#offset >= limit) return undefined;
    const frame = await this.#frameAt(this.#offset, limit);
    if (frame !== undefined) {
      this.#offset += frame.bytes;
      this.#expected = frame.bytes + (frame.bytes >> LIKE_SHIFT);
      return frame;
    }
    const offset = this.#offset;
    this.#offset = await this.#nextFrame(offset + 1, limit);
    return { kind: "damage", offset, bytes: this.#offset - offset };
  }

  async #frameAt(offset: number, limit: number): Promise<FoundFrame | undefined> {
    const fixed = await this.#view(offset, FRAME_HEADER_BYTES, limit);
    const header = readFrameHeader(fixed, { offset, limit, ordinal: this.#ordinal });
    if (header === undefined) return undefined;
    const frame = await this.#view(offset, header.bytes, limit);
    if (frame.length < header.bytes || !frameIsWhole(frame)) return undefined;
    return { kind: "frame", ...header, payload: frame.subarray(FRAME_HEADER_BYTES) };
  }

  /** Offset of the next whole frame, or the limit. */
  async #nextFrame(from: number, limit: number): Promise<number> {
    let offset = from;
    while (limit - offset >= FRAME_HEADER_BYTES) {
      const block = await this.#view(offset, Math.min(BLOCK_BYTES, limit - offset), limit);
      if (block.length < FRAME_HEADER_BYTES) return limit;
      const found = block.indexOf(MAGIC_BYTES);
      if (found < 0) {
        // The last three bytes may be the beginning of a frame's first four.
        offset += block.length - (MAGIC_BYTES.length - 1);
      } else if (await this.#frameAt(offset + found, limit) !== undefined) {
        return offset + found;
      } else {
        offset += found + 1;
      }
    }
    return limit;
  }

  /** The bytes at an offset, fewer at the limit or the file's end; a new block is read if needed. */
  async #view(offset: number, length: number, limit: number): Promise<Buffer> {
    const wanted = Math.min(length, limit - offset);
    const at = offset - this.#blockOffset;
    if (at < 0 || at + wanted > this.#block.length) {
      const size = Math.min(Math.max(BLOCK_BYTES, this.#expected, wanted), limit - offset);
      // Another block each time: the records handed out are views of the old one.
      const block = this.#blocks?.take(size) ?? Buffer.allocUnsafeSlow(size);
      // What is at hand of it need not be read again: the bytes before a limit do not change.
      const known = at >= 0 && at < this.#block.length ? this.#block.copy(block, 0, at) : 0;
      const read = await readBytes(this.#file, block.subarray(known), offset + known);
      this.#block = block.subarray(0, known + read.length);
      this.#blockOffset = offset;
      return this.#block.subarray(0, wanted);
    }
    return this.#block.subarray(at, at + wanted);
  }
}
