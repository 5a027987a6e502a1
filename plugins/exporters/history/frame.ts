// The file of a log: frames, one for each batch, appended and synced before the batch counts as kept.
//
//   frame    mark "CHF1", u32 length of the payload, u32 CRC-32 of the payload, payload
//   payload  u32 length of the head, head (JSON), columns of its rows (Rows.encodeAdded), blocks
//
// The first frame has no rows; it says what was kept before the log began. A frame cut short at the
// end of the file is a write that did not finish; a damaged one before others is stepped over.

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";

const MARK = Buffer.from("CHF1");
const HEADER_BYTES = 12;

/** A batch of the queue, as it was planned: how it is known when it comes again. */
export type BatchIdentity = readonly [first: number, last: number, plannedAt: number];

/** What a frame says of itself. */
export interface FrameHead {
  /** The log that it belongs to. */
  readonly log: number;
  /** When the log began, in milliseconds since the epoch. */
  readonly begunAt: number;
  /** The batch in it; in a first frame, the last one before; missing where there was none. */
  readonly batch?: BatchIdentity | undefined;
  /** Numbers of its first row and its first block in the log. */
  readonly row: number;
  readonly block: number;
  /** Bytes of its columns. */
  readonly columns: number;
  /** The day of each block, its bytes here, and those of its texts. */
  readonly blocks: readonly (readonly [day: number, bytes: number, textBytes: number])[];
}

/** A frame in a file. */
export interface ReadFrame {
  readonly head: FrameHead;
  readonly columns: Uint8Array;
  /** Where its blocks begin in the file. */
  readonly blocksAt: number;
  /** Where it ends in the file. */
  readonly end: number;
}

/** A stretch of the file that is no whole frame. */
export interface Damage {
  readonly at: number;
  readonly bytes: number;
  /** It is at the end and shorter than it says: a write that did not finish. */
  readonly isTorn: boolean;
}

/** Puts a frame together; `head.blocks` and `head.columns` have to fit. */
export function encodeFrame(
  head: FrameHead,
  columns: Uint8Array,
  blocks: readonly Uint8Array[],
): Uint8Array {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const payload = [length, json, columns, ...blocks];
  const header = Buffer.alloc(HEADER_BYTES);
  MARK.copy(header);
  const bytes = Buffer.concat([header, ...payload]);
  bytes.writeUInt32LE(bytes.length - HEADER_BYTES, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 8);
  return bytes;
}

/** Every whole frame of a file's bytes, and every stretch between that is none. */
export function* readFrames(bytes: Uint8Array): Generator<ReadFrame | Damage> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < buffer.length) {
    const frame = readFrame(buffer, at);
    if (frame !== undefined) {
      yield frame;
      at = frame.end;
      continue;
    }
    const next = findFrame(buffer, at + 1);
    const isTorn = next === buffer.length && isShort(buffer, at);
    yield { at, bytes: next - at, isTorn };
    at = next;
  }
}

function readFrame(buffer: Buffer, at: number): ReadFrame | undefined {
  const payloadAt = at + HEADER_BYTES;
  if (payloadAt + 4 > buffer.length || buffer.compare(MARK, 0, 4, at, at + 4) !== 0) {
    return undefined;
  }
  const end = payloadAt + buffer.readUInt32LE(at + 4);
  if (end > buffer.length || end < payloadAt + 4) return undefined;
  if (crc32(buffer.subarray(payloadAt, end)) !== buffer.readUInt32LE(at + 8)) return undefined;
  const columnsAt = payloadAt + 4 + buffer.readUInt32LE(payloadAt);
  const head = JSON.parse(buffer.toString("utf8", payloadAt + 4, columnsAt)) as FrameHead;
  const blocksAt = columnsAt + head.columns;
  return { head, columns: buffer.subarray(columnsAt, blocksAt), blocksAt, end };
}

/** Where the next whole frame begins, or the end. */
function findFrame(buffer: Buffer, from: number): number {
  let at = buffer.indexOf(MARK, from);
  while (at >= 0 && readFrame(buffer, at) === undefined) at = buffer.indexOf(MARK, at + 1);
  return at < 0 ? buffer.length : at;
}

function isShort(buffer: Buffer, at: number): boolean {
  if (buffer.length - at < HEADER_BYTES) return true;
  return at + HEADER_BYTES + buffer.readUInt32LE(at + 4) > buffer.length;
}
