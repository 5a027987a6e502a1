// The events of one day that came in with one log, sealed: a file that is never changed.
//
//   mark "CHS1" · blocks: gzip of texts, each with a line end · columns: gzip of numbers
//   · footer (JSON) · u32 length and u32 CRC-32 of the footer · mark "CHS1"
//
// Rows are in the order of time, then of arrival. A column holds u32 in little-endian order; those
// that grow (DELTAS) hold the difference to the one before. Column `blocks` says where each block
// begins, and where the last ends.

import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { type Part, type PartColumn, PartGoneError, type TellDamage } from "./part.ts";
import { numbersOf } from "./rows.ts";
import { unzip } from "./unzip.ts";

/** Begins and ends the file. */
export const SEGMENT_MARK = Buffer.from("CHS1");
/** What stands behind the footer: its length, its checksum, the mark. */
export const TRAILER_BYTES = 12;
/** Columns that are written as differences. */
export const DELTAS: ReadonlySet<SegmentColumn> = new Set([
  "time",
  "row",
  "block",
  "offset",
  "ResourceName.row",
  "ResourceType.row",
  "blocks",
]);
// A footer names seventeen columns.
const FOOTER_BYTES_MAX = 65_536;
const NAME = /^(\d{8,})\.seg$/;

/** The columns of a segment. `day` is one for all, so it stands in the footer. */
export type SegmentColumn = Exclude<PartColumn, "day"> | "blocks";

/** What a segment says of itself. */
export interface SegmentFooter {
  readonly version: 1;
  readonly log: number;
  /** From the epoch. */
  readonly day: number;
  readonly rows: number;
  readonly oldest: number;
  readonly newest: number;
  /** Where each column begins, and how many bytes it has. */
  readonly columns: Readonly<Partial<Record<SegmentColumn, readonly [at: number, bytes: number]>>>;
}

/** Keeps what was read, as long as there is room. */
export interface ReadCache {
  get(key: string): Uint8Array | Uint32Array | undefined;
  set(key: string, value: Uint8Array | Uint32Array): unknown;
}

/** The file's name of a log's segment. */
export function segmentName(log: number): string {
  return `${String(log).padStart(8, "0")}.seg`;
}

/** The log that a file's name tells; undefined where it is no segment. */
export function segmentLog(name: string): number | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** A sealed segment; its file is open only while it is read. */
export class Segment implements Part {
  readonly path: string;
  /** Its path below the history's folder, as seals name it. */
  readonly name: string;
  /** Of the file. */
  readonly bytes: number;
  readonly #footer: SegmentFooter;
  readonly #cache: ReadCache;
  readonly #tell: TellDamage;

  private constructor(
    path: string,
    bytes: number,
    footer: SegmentFooter,
    cache: ReadCache,
    tell: TellDamage,
  ) {
    this.path = path;
    this.name = join(basename(dirname(path)), basename(path));
    this.bytes = bytes;
    this.#footer = footer;
    this.#cache = cache;
    this.#tell = tell;
  }

  /** Reads the footer; undefined where it is damaged, which was told. */
  static async open(
    path: string,
    cache: ReadCache,
    tell: TellDamage,
  ): Promise<Segment | undefined> {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      return new Segment(path, size, await readFooter(file, size), cache, tell);
    } catch (error) {
      tell(path, `its footer: ${error instanceof Error ? error.message : error}`);
      return undefined;
    } finally {
      await file.close();
    }
  }

  get log(): number {
    return this.#footer.log;
  }

  get day(): number {
    return this.#footer.day;
  }

  get rows(): number {
    return this.#footer.rows;
  }

  get oldest(): number {
    return this.#footer.oldest;
  }

  get newest(): number {
    return this.#footer.newest;
  }

  async column(name: PartColumn | "blocks"): Promise<Uint32Array> {
    if (name === "day") return new Uint32Array(this.rows).fill(this.day);
    const key = `${this.path} ${name}`;
    const cached = this.#cache.get(key);
    if (cached instanceof Uint32Array) return cached;
    const numbers = await this.#readColumn(name);
    this.#cache.set(key, numbers);
    return numbers;
  }

  async block(block: number): Promise<Uint8Array | undefined> {
    const starts = await this.column("blocks");
    const at = starts[block];
    const end = starts[block + 1];
    if (at === undefined || end === undefined) return undefined;
    try {
      return unzip(await this.#read(at, end - at));
    } catch (error) {
      if (error instanceof PartGoneError) throw error;
      this.#tell(this.path, `block ${block}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  /** The numbers of a column; where they are damaged, none, so that nothing is found here. */
  async #readColumn(name: SegmentColumn): Promise<Uint32Array> {
    const place = this.#footer.columns[name];
    if (place === undefined) return new Uint32Array();
    try {
      const numbers = numbersOf(unzip(await this.#read(...place)));
      if (DELTAS.has(name)) {
        for (let i = 1; i < numbers.length; i++) numbers[i]! += numbers[i - 1]!;
      }
      return numbers;
    } catch (error) {
      if (error instanceof PartGoneError) throw error;
      this.#tell(this.path, `column ${name}: ${error instanceof Error ? error.message : error}`);
      return new Uint32Array();
    }
  }

  async #read(at: number, bytes: number): Promise<Uint8Array> {
    let file: FileHandle;
    try {
      file = await open(this.path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new PartGoneError(`"${this.path}" is gone`, { cause: error });
    }
    try {
      const read = new Uint8Array(bytes);
      await file.read(read, 0, bytes, at);
      return read;
    } finally {
      await file.close();
    }
  }
}

async function readFooter(file: FileHandle, size: number): Promise<SegmentFooter> {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  await file.read(trailer, 0, TRAILER_BYTES, Math.max(0, size - TRAILER_BYTES));
  const length = trailer.readUInt32LE(0);
  if (trailer.compare(SEGMENT_MARK, 0, 4, 8, 12) !== 0 || length > FOOTER_BYTES_MAX) {
    throw new Error("there is none");
  }
  const text = Buffer.alloc(length);
  await file.read(text, 0, length, size - TRAILER_BYTES - length);
  if (crc32(text) !== trailer.readUInt32LE(4)) throw new Error("checksum wrong");
  const footer = JSON.parse(text.toString("utf8")) as SegmentFooter;
  if (footer.version !== 1) {
    throw new Error(`is of format ${footer.version}: a newer agent wrote it`);
  }
  return footer;
}
