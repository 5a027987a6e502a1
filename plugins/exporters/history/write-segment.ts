// Sealing, the work of it: what a log has of one day becomes a segment. Blocks that are large go over
// as they are; the small ones of a quiet time are joined. Formats: segment.ts.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { atomicFileCalls, makeFolderDurable } from "../../sdk/atomic-file.ts";
import type { Runtime } from "../../sdk/index.ts";
import type { LiveLog } from "./live-log.ts";
import { type ColumnName, COLUMNS, DAY_MS } from "./rows.ts";
import {
  DELTAS,
  SEGMENT_MARK,
  type SegmentColumn,
  type SegmentFooter,
  segmentName,
  TRAILER_BYTES,
} from "./segment.ts";

// A block with less text is joined with those beside it.
const SMALL_BLOCK_BYTES = 65_536;
const JOINED_BYTES_MAX = 131_072;
const TEXT_LEVEL = 3;
const COLUMN_LEVEL = 3;

/** A segment that was written. */
export interface WrittenSegment {
  /** Below the history's folder. */
  readonly name: string;
  readonly events: number;
  /** Of the whole file, in hexadecimal. */
  readonly sha256: string;
}

/** The folder's name of a day. */
export function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/**
 * Writes the segment of a day; resolves when it is on the disk under its name. Whatever stood there
 * is replaced: a crash may have come in between. Undefined where nothing of the day can be read.
 */
export async function writeSegment(
  folder: string,
  log: LiveLog,
  day: number,
  gzip: Runtime["gzip"],
): Promise<WrittenSegment | undefined> {
  const name = join(dayName(day), segmentName(log.log));
  const path = join(folder, name);
  const temporary = `${path}.tmp`;
  await makeFolderDurable(dirname(path), { mode: 0o700 });
  const file = await open(temporary, "w", 0o600);
  try {
    const out = new HashedFile(file);
    await out.write(SEGMENT_MARK);
    const { starts, moved } = await writeBlocks(out, log, day, gzip);
    const rows = await rowsOf(log, day, moved);
    if (rows.length === 0) {
      await atomicFileCalls.remove(temporary);
      return undefined;
    }
    await writeColumns(out, { log, day, rows, starts, moved, gzip });
    await file.sync();
    await atomicFileCalls.rename(temporary, path);
    await atomicFileCalls.syncFolder(dirname(path));
    return { name, events: rows.length, sha256: out.digest() };
  } catch (error) {
    await atomicFileCalls.remove(temporary).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

/** Where a block of the log went: its block in the segment, and how far into it. */
type Moved = ReadonlyMap<number, { readonly block: number; readonly offset: number }>;

class HashedFile {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#file.writeFile(bytes);
    this.length += bytes.length;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

async function writeBlocks(
  out: HashedFile,
  log: LiveLog,
  day: number,
  gzip: Runtime["gzip"],
): Promise<{ starts: number[]; moved: Moved }> {
  const starts: number[] = [];
  const moved = new Map<number, { block: number; offset: number }>();
  let texts: Uint8Array[] = [];
  let joined = 0;
  const flush = async () => {
    if (texts.length === 0) return;
    starts.push(out.length);
    await out.write(await gzip(texts, TEXT_LEVEL));
    texts = [];
    joined = 0;
  };
  for (const [number, place] of log.blocks.entries()) {
    if (place?.day !== day) continue;
    const isSmall = place.textBytes < SMALL_BLOCK_BYTES;
    // A large block comes behind what is before it.
    if (!isSmall || joined + place.textBytes > JOINED_BYTES_MAX) await flush();
    if (!isSmall) {
      moved.set(number, { block: starts.length, offset: 0 });
      starts.push(out.length);
      await out.write(await log.read(place));
      continue;
    }
    // What cannot be read is left out; it was told.
    const text = await log.block(number);
    if (text === undefined) continue;
    moved.set(number, { block: starts.length, offset: joined });
    texts.push(text);
    joined += text.length;
  }
  await flush();
  starts.push(out.length);
  return { starts, moved };
}

/** The rows of a day that can be read, by time and arrival. */
async function rowsOf(log: LiveLog, day: number, moved: Moved): Promise<Uint32Array> {
  const [days, times, blocks] = await Promise.all([
    log.column("day"),
    log.column("time"),
    log.column("block"),
  ]);
  const rows: number[] = [];
  for (let row = 0; row < days.length; row++) {
    if (days[row] === day && moved.has(blocks[row]!)) rows.push(row);
  }
  const sorted = Uint32Array.from(rows);
  // What comes in order, as most does, is not sorted again.
  const isLater = (i: number) => i === 0 || times[rows[i - 1]!]! <= times[rows[i]!]!;
  if (!rows.every((_, i) => isLater(i))) sorted.sort((a, b) => times[a]! - times[b]! || a - b);
  return sorted;
}

interface ColumnSource {
  readonly log: LiveLog;
  readonly day: number;
  readonly rows: Uint32Array;
  readonly starts: readonly number[];
  readonly moved: Moved;
  readonly gzip: Runtime["gzip"];
}

async function writeColumns(out: HashedFile, source: ColumnSource): Promise<void> {
  const { log, day, rows, starts, gzip } = source;
  const columns: Record<string, readonly [number, number]> = {};
  for (const [name, numbers] of await columnsOf(source, starts)) {
    const packed = await gzip([encode(name, numbers)], COLUMN_LEVEL);
    columns[name] = [out.length, packed.length];
    await out.write(packed);
  }
  const times = await log.column("time");
  const footer: SegmentFooter = {
    version: 1,
    log: log.log,
    day,
    rows: rows.length,
    oldest: day * DAY_MS + times[rows[0]!]!,
    newest: day * DAY_MS + times[rows.at(-1)!]!,
    columns,
  };
  const text = Buffer.from(JSON.stringify(footer));
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt32LE(text.length);
  trailer.writeUInt32LE(crc32(text), 4);
  SEGMENT_MARK.copy(trailer, 8);
  await out.write(text);
  await out.write(trailer);
}

async function columnsOf(
  { log, rows, moved }: ColumnSource,
  starts: readonly number[],
): Promise<Map<SegmentColumn, Uint32Array>> {
  const columns = new Map<SegmentColumn, Uint32Array>();
  const from = {} as Record<ColumnName, Uint32Array>;
  for (const name of COLUMNS) from[name] = await log.column(name);
  for (const name of COLUMNS) {
    if (name === "day" || isPair(name)) continue;
    columns.set(name, rows.map((row) => from[name][row]!));
  }
  columns.set("block", rows.map((row) => moved.get(from.block[row]!)!.block));
  columns.set(
    "offset",
    rows.map((row) => from.offset[row]! + moved.get(from.block[row]!)!.offset),
  );
  columns.set("row", rows);
  columns.set("blocks", Uint32Array.from(starts));
  const total = from.EventId.length;
  for (const name of ["ResourceName", "ResourceType"] as const) {
    const { prints, owners } = pairsOf(rows, total, from[name], from[`${name}.row`]);
    columns.set(name, prints);
    columns.set(`${name}.row`, owners);
  }
  return columns;
}

/** The pairs of the rows, in the order of these. The log has them in the order of its own rows. */
function pairsOf(
  rows: Uint32Array,
  total: number,
  prints: Uint32Array,
  owners: Uint32Array,
): { prints: Uint32Array; owners: Uint32Array } {
  // Pairs of row r stand from starts[r] to starts[r + 1].
  const starts = new Uint32Array(total + 1);
  for (const owner of owners) starts[owner + 1]!++;
  for (let row = 0; row < total; row++) starts[row + 1]! += starts[row]!;
  const chosen = { prints: new Uint32Array(owners.length), owners: new Uint32Array(owners.length) };
  let count = 0;
  for (const [moved, row] of rows.entries()) {
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      chosen.prints[count] = prints[at]!;
      chosen.owners[count++] = moved;
    }
  }
  return { prints: chosen.prints.slice(0, count), owners: chosen.owners.slice(0, count) };
}

function isPair(name: ColumnName): boolean {
  return name.startsWith("Resource");
}

function encode(name: SegmentColumn, numbers: Uint32Array): Uint8Array {
  const coded = numbers.slice();
  if (DELTAS.has(name)) { for (let i = coded.length - 1; i > 0; i--) coded[i]! -= coded[i - 1]!; }
  return new Uint8Array(coded.buffer);
}
