// The segment: one file of the queue, and the header it opens with. queue.ts specifies the layout.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { isMap, packValue, readPositions, readTotals, unpackValue } from "./codec.ts";
import type { PositionText, Totals } from "./codec.ts";
import { readBytes } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";

/** The format this code writes, and the newest it reads. */
export const FORMAT_VERSION = 1;

/** Opens every copy of a segment's header. */
const HEADER_MAGIC = Buffer.from("CAIRNSEG", "latin1");
const FIXED_BYTES = 20;
// A header holds every receiver's position; 64 MiB is the longest frame, too.
const HEADER_BYTES_MAX = 64 * 1024 * 1024;
const HEADER_READ_BYTES = 64 * 1024;

/** What a segment's header says. */
export interface SegmentHeader {
  /** Sequence of the segment's first record. */
  readonly base: number;
  /** When the segment was begun, ms since the epoch. */
  readonly at: number;
  /** The books before this segment's first frame. */
  readonly totals: Totals;
  /** Every receiver's whole position before this segment's first frame. */
  readonly positions: readonly PositionText[];
}

/** A segment as the running queue knows it. The last one in the list is the one written to. */
export interface Segment {
  /** Its number and name; later segments have greater ones. */
  readonly ordinal: number;
  readonly path: string;
  /** Where its frames begin. */
  readonly start: number;
  /** First sequence. */
  readonly base: number;
  /** One past its last sequence. A frame from here on was taken back, and is not read. */
  end: number;
  /** Length, as far as it is durable. */
  bytes: number;
  /** When it was last written to, ms since the epoch; never too early. */
  at: number;
  /** Set when the file has gone. */
  gone: boolean;
}

/** A folder was written by a newer version. Its files are left as they are. */
export class QueueVersionError extends Error {
  override readonly name = "QueueVersionError";
  readonly code = "CAIRN_QUEUE_VERSION";
  constructor(path: string, version: number) {
    super(
      `Cannot open queue: "${path}" has format version ${version}, this Cairn reads up to version ` +
        `${FORMAT_VERSION}; start the newer Cairn that wrote it, or choose another data_dir`,
    );
  }
}

/** A segment's file name. */
export function segmentPath(folder: string, ordinal: number): string {
  return join(folder, `${String(ordinal).padStart(20, "0")}.seg`);
}

/** The number in a segment's file name; undefined where it is no segment's name. */
export function segmentOrdinal(name: string): number | undefined {
  const match = /^(\d{20})\.seg$/.exec(name);
  const ordinal = match === null ? 0 : Number(match[1]);
  return Number.isSafeInteger(ordinal) && ordinal > 0 ? ordinal : undefined;
}

/** A header's bytes: the same block twice, so that one damaged byte does not lose it. */
export function packHeader(header: SegmentHeader): Buffer {
  const payload = packValue({ codec: "msgpack", ...header });
  const block = Buffer.concat([Buffer.alloc(FIXED_BYTES), payload]);
  HEADER_MAGIC.copy(block, 0);
  block.writeUInt32BE(FORMAT_VERSION, 12);
  block.writeUInt32BE(payload.length, 16);
  block.writeUInt32BE(crc32(block.subarray(12)), 8);
  return Buffer.concat([block, block]);
}

/** A header and where the frames behind it begin. `damaged`: one of the two copies is unreadable. */
export interface FoundHeader {
  readonly header: SegmentHeader;
  readonly start: number;
  readonly damaged: boolean;
}

/**
 * Finds a segment's header, in either copy. Throws QueueVersionError where a readable copy says that
 * the file is of a newer format; answers undefined where neither copy can be read.
 */
export async function findHeader(
  file: OpenFile,
  path: string,
  size: number,
): Promise<FoundHeader | undefined> {
  let bytes = await readBytes(file, Buffer.allocUnsafe(Math.min(size, HEADER_READ_BYTES)), 0);
  const announced = bytes.length < FIXED_BYTES ? 0 : 2 * (FIXED_BYTES + bytes.readUInt32BE(16));
  if (announced > bytes.length && announced <= 2 * HEADER_BYTES_MAX) {
    bytes = await readBytes(file, Buffer.allocUnsafe(Math.min(size, announced)), 0);
  }
  const first = readBlock(bytes, 0, path);
  if (first !== undefined) {
    const second = readBlock(bytes, first.end, path);
    return { header: first.header, start: 2 * first.end, damaged: second === undefined };
  }
  for (let at = bytes.indexOf(HEADER_MAGIC, 1); at > 0; at = bytes.indexOf(HEADER_MAGIC, at + 1)) {
    const copy = readBlock(bytes, at, path);
    if (copy !== undefined) return { header: copy.header, start: copy.end, damaged: true };
  }
  return undefined;
}

function readBlock(
  bytes: Buffer,
  at: number,
  path: string,
): { header: SegmentHeader; end: number } | undefined {
  if (bytes.length - at < FIXED_BYTES) return undefined;
  if (bytes.compare(HEADER_MAGIC, 0, HEADER_MAGIC.length, at, at + HEADER_MAGIC.length) !== 0) {
    return undefined;
  }
  const end = at + FIXED_BYTES + bytes.readUInt32BE(at + 16);
  if (end > bytes.length) return undefined;
  if (crc32(bytes.subarray(at + 12, end)) !== bytes.readUInt32BE(at + 8)) return undefined;
  const version = bytes.readUInt32BE(at + 12);
  if (version > FORMAT_VERSION) throw new QueueVersionError(path, version);
  try {
    const value = unpackValue(bytes.subarray(at + FIXED_BYTES, end));
    if (!isMap(value) || !Number.isSafeInteger(value.base) || value.codec !== "msgpack") {
      return undefined;
    }
    const header = {
      base: Number(value.base),
      at: Number(value.at),
      totals: readTotals(value.totals),
      positions: readPositions(value.positions),
    };
    return { header, end };
  } catch {
    return undefined;
  }
}

/** Begins a segment: its header is durable, name included, when this resolves. */
export async function createSegment(
  files: Files,
  folder: string,
  ordinal: number,
  header: SegmentHeader,
): Promise<{ file: OpenFile; segment: Segment }> {
  const path = segmentPath(folder, ordinal);
  const file = await files.open(path, "create");
  try {
    const bytes = packHeader(header);
    await file.write(bytes, 0);
    await file.datasync();
    await files.syncFolder(folder);
    const { base, at } = header;
    const start = bytes.length;
    return {
      file,
      segment: { ordinal, path, start, base, end: base, bytes: start, at, gone: false },
    };
  } catch (error) {
    await file.close().catch(() => {});
    await files.remove(path).catch(() => {});
    throw error;
  }
}
