// The frame: what one fdatasync makes durable. Pure functions over bytes; queue.ts specifies the
// layout, codec.ts the payload, frame-reader.ts walks the frames of a file.

import type { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";

/** Length of a frame's fixed part. */
export const FRAME_HEADER_BYTES = 32;

/** Longest frame: it is read whole, so this bounds a reader's memory. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** A byte that UTF-8 never holds, then "CRN": no record's JSON text can look like a frame. */
export const FRAME_MAGIC = 0xf743524e;

/** A frame's fixed part. */
export interface FrameHeader {
  /** Where the frame begins in its segment. */
  readonly offset: number;
  /** Length of the whole frame. */
  readonly bytes: number;
  /** Sequence of its first record; of the next record to come where it holds none. */
  readonly sequence: number;
  /** How many records it holds. */
  readonly count: number;
}

/** Fills in the fixed part of a frame whose payload stands behind it, checksum last. */
export function sealFrame(
  frame: Buffer,
  at: { sequence: number; count: number; offset: number; ordinal: number },
): void {
  frame.writeUInt32BE(FRAME_MAGIC, 0);
  frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES, 8);
  frame.writeUInt32BE(at.count, 12);
  frame.writeBigUInt64BE(BigInt(at.sequence), 16);
  frame.writeUInt32BE(at.offset, 24);
  frame.writeUInt16BE(0, 28);
  frame.writeUInt16BE(at.ordinal & 0xffff, 30);
  frame.writeUInt32BE(crc32(frame.subarray(8)), 4);
}

/**
 * Reads a fixed part, unless it cannot be one: `offset` is where it stands in the segment, `limit`
 * where the segment ends. The payload's checksum is still to be checked.
 */
export function readFrameHeader(
  bytes: Buffer,
  at: { offset: number; limit: number; ordinal: number },
): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes.readUInt32BE(0) !== FRAME_MAGIC) return undefined;
  const length = bytes.readUInt32BE(8) + FRAME_HEADER_BYTES;
  if (length > FRAME_BYTES_MAX || at.offset + length > at.limit) return undefined;
  if (bytes.readUInt32BE(24) !== at.offset) return undefined;
  if (bytes.readUInt16BE(30) !== (at.ordinal & 0xffff)) return undefined;
  const sequence = Number(bytes.readBigUInt64BE(16));
  const count = bytes.readUInt32BE(12);
  if (sequence < 1 || count > length || !Number.isSafeInteger(sequence + count)) return undefined;
  return { offset: at.offset, bytes: length, sequence, count };
}

/** Whether a whole frame's checksum is right. */
export function frameIsWhole(frame: Buffer): boolean {
  return crc32(frame.subarray(8)) === frame.readUInt32BE(4);
}
