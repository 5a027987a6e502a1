// FileStream: the bytes of one file from a stored place on, whatever its name is by now. It knows
// when the file was truncated or replaced under it. The follower decides which stream to read.

import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Block } from "./follow-blocks.ts";
import type { JsonObject } from "./json.ts";
import { type LineRest, LineSplitter } from "./lines.ts";

/** Bytes at the front of a file by which it is known again. */
const HEAD_BYTES_MAX = 256;
/** How far back the beginning of an unfinished line is looked for. */
const LAST_LINE_BYTES_MAX = 65_536;

/** Where a stream stands; the value of its key in the receiver's position. */
export interface StreamPosition extends JsonObject {
  /** The followed path under which it was found. */
  readonly path: string;
  /** Identity of this file and generation, as formats see it. */
  readonly source: string;
  /** Truncations so far. */
  readonly generation: number;
  /** All before it is handed over and durable. */
  readonly offset: number;
  /** SHA-256 of the first `headBytes` bytes, to know the file again. */
  readonly head: string;
  readonly headBytes: number;
  /** The file's mtime then, in milliseconds since the epoch: which siblings are newer. */
  readonly time: number;
  readonly rest?: LineRest;
}

/**
 * What one read brought: bytes; nothing more for now; the news that other bytes are in the file
 * (truncated, or written anew); or that the file is no longer where it was.
 */
export type Read =
  | {
    readonly state: "bytes";
    readonly block: Block;
    /** What was carried over, and what was read behind it. */
    readonly bytes: Uint8Array;
    /** The file had no more when it was looked at. */
    readonly last: boolean;
  }
  | { readonly state: "end" | "renewed" | "moved" };

/** Same on Node and Deno, and over restarts: the key of a file in a position. */
export function fileKey(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

/** The first generation of a file. Its birth tells it from one that had the inode before. */
export function newPosition(path: string, stats: BigIntStats, offset: number): StreamPosition {
  const birth = Number(stats.birthtimeMs);
  return {
    path,
    source: `${fileKey(stats)}:${Number.isFinite(birth) ? birth : 0}`,
    generation: 0,
    offset,
    head: "",
    headBytes: 0,
    time: Number(stats.mtimeMs),
  };
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 32);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Reads a file's first bytes; undefined when another file has the path by now. */
async function readHead(path: string, key: string, bytes: number) {
  const handle = await open(path, "r");
  try {
    const stats = await handle.stat({ bigint: true });
    if (fileKey(stats) !== key) return undefined;
    const buffer = new Uint8Array(bytes);
    const { bytesRead } = await handle.read(buffer, 0, bytes, 0);
    return { size: Number(stats.size), head: buffer.subarray(0, bytesRead) };
  } finally {
    await handle.close();
  }
}

/** Where the last line of a file begins that has no line end yet: where following its end starts. */
export async function endOfLines(path: string, size: number): Promise<number> {
  const handle = await open(path, "r");
  try {
    const from = Math.max(0, size - LAST_LINE_BYTES_MAX);
    const tail = new Uint8Array(size - from);
    const { bytesRead } = await handle.read(tail, 0, tail.length, from);
    const end = tail.subarray(0, bytesRead).lastIndexOf(10);
    return end < 0 && from > 0 ? size : from + end + 1;
  } finally {
    await handle.close();
  }
}

/** The sizes a stream works with. */
export interface StreamLimits {
  readonly lineBytesMax: number;
  readonly blockBytes: number;
}

/** See the top of the file. */
export class FileStream {
  /** Its key in the position: device and inode. */
  readonly key: string;
  /** The followed path under which it was found. */
  readonly path: string;
  readonly source: string;
  readonly generation: number;
  readonly lines: LineSplitter;
  /** mtime when it became known: copies of bytes that it never saw are not older. */
  readonly since: number;
  /** Where the file is now. */
  location: string;
  /** Offset of the next line that was not handed out. */
  done: number;
  /** Offset of the next byte to read. */
  next: number;
  /** The bytes from `done` to `next`: a line without an end. */
  carry: Uint8Array = new Uint8Array(0);
  /** The last read found nothing more. */
  atEnd = false;
  /** There may be something to read. */
  ready = true;
  /** The file's size at the last scan, where one found it: drain() reads at least so far. */
  target = Infinity;
  /** When it was last found to have grown, by the caller's clock. */
  grownAt = 0;
  /** mtime at the last look, in milliseconds since the epoch. */
  time: number;
  /** No name leads to it any more. */
  unlinked = false;
  /** Nothing was read of it, and rotation may have copied and cut it unseen. */
  mayMissCopies = false;
  /** Scans in a row that did not find it anywhere. */
  missing = 0;
  /** Offset in the last position that was sent; -1 when none was. */
  saved = -1;
  readonly #limits: StreamLimits;
  #handle: FileHandle | undefined;
  #sizeSeen = -1;
  #timeSeen = -1n;
  /** Known from the stored position; replaced by the bytes themselves once they were compared. */
  #head: { readonly hash: string; readonly bytes: number };
  #headSeen: Uint8Array | undefined;

  constructor(key: string, location: string, from: StreamPosition, limits: StreamLimits) {
    this.key = key;
    this.location = location;
    this.path = from.path;
    this.source = from.source;
    this.generation = from.generation;
    this.done = from.offset;
    this.next = from.offset;
    this.time = from.time;
    this.since = from.time;
    this.lines = new LineSplitter(limits.lineBytesMax, from.rest);
    this.#limits = limits;
    this.#head = { hash: from.head, bytes: from.headBytes };
  }

  /** What to store when all before `offset` is durable. */
  position(offset: number): StreamPosition {
    const bytes = Math.min(offset, this.#headSeen?.length ?? 0);
    if (this.#headSeen !== undefined && bytes !== this.#head.bytes) {
      this.#head = { hash: hash(this.#headSeen.subarray(0, bytes)), bytes };
    }
    const { path, source, generation, time } = this;
    const [head, headBytes] = [this.#head.hash, this.#head.bytes];
    const rest = offset === this.done ? this.lines.rest : undefined;
    return { path, source, generation, offset, head, headBytes, time, ...(rest && { rest }) };
  }

  /** The generation that follows a truncation: the same file from its beginning. */
  renewed(): StreamPosition {
    const generation = this.generation + 1;
    const source = `${this.source.split(".")[0]}.${generation}`;
    const { path, time } = this;
    return { path, source, generation, offset: 0, head: "", headBytes: 0, time };
  }

  /** Reads the next block behind what was carried over. Throws what the file system says. */
  async read(take: (bytes: number) => Block): Promise<Read> {
    const handle = await this.#open();
    if (handle === undefined) return { state: "moved" };
    const stats = await handle.stat({ bigint: true });
    const size = Number(stats.size);
    this.unlinked = stats.nlink === 0n;
    if (size < this.next) return { state: "renewed" };
    if (size === this.next) {
      const unchanged = size === this.#sizeSeen && stats.mtimeNs === this.#timeSeen;
      if (!unchanged && !await this.#same(handle)) return { state: "renewed" };
      this.time = Number(stats.mtimeMs);
      this.#sizeSeen = size;
      this.#timeSeen = stats.mtimeNs;
      return { state: "end" };
    }
    const wanted = Math.min(size - this.next, this.#limits.blockBytes);
    const block = take(this.carry.length + wanted);
    block.buffer.set(this.carry);
    const { bytesRead } = await handle.read(block.buffer, this.carry.length, wanted, this.next);
    // Compared after the read: had the file been truncated before it, the bytes would be others.
    const same = bytesRead > 0 && await this.#same(handle);
    if (!same) {
      block.users--;
      return { state: bytesRead > 0 ? "renewed" : "end" };
    }
    this.next += bytesRead;
    this.time = Number(stats.mtimeMs);
    const bytes = block.buffer.subarray(0, this.carry.length + bytesRead);
    return { state: "bytes", block, bytes, last: this.next >= size };
  }

  /**
   * Whether a file begins as this one did and is as long as what was read of it; undefined when the
   * file is not at the path any more.
   */
  async isCopiedBy(path: string, key: string): Promise<boolean | undefined> {
    const bytes = this.#headSeen?.length ?? this.#head.bytes;
    // What is known is a whole line at least, and nothing of a file that was not read yet.
    if (bytes === 0) return false;
    const found = await readHead(path, key, bytes).catch(() => undefined);
    if (found === undefined) return undefined;
    if (found.size < this.next || found.head.length < bytes) return false;
    return this.#headSeen === undefined
      ? hash(found.head) === this.#head.hash
      : same(found.head, this.#headSeen);
  }

  /** The same for a copy of this file that is perhaps still being written. */
  async isBeingCopiedTo(path: string, key: string): Promise<boolean | undefined> {
    const known = this.#headSeen ?? new Uint8Array(0);
    const found = await readHead(path, key, known.length).catch(() => undefined);
    return found && same(found.head, known.subarray(0, found.head.length));
  }

  /** Takes back what was read, to be read again. Only before any of it was handed out. */
  rewind(): void {
    this.next = this.done;
    this.carry = new Uint8Array(0);
    this.ready = true;
  }

  /** Whether it holds a file handle. */
  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** Lets go of the file; the next read opens it again. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#handle !== undefined) return this.#handle;
    const handle = await open(this.location, "r");
    try {
      if (fileKey(await handle.stat({ bigint: true })) === this.key) return this.#handle = handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    return undefined;
  }

  /** Whether the file still begins with the bytes by which it is known; learns more of them. */
  async #same(handle: FileHandle): Promise<boolean> {
    const known = this.#headSeen;
    const buffer = new Uint8Array(HEAD_BYTES_MAX);
    const { bytesRead } = await handle.read(buffer, 0, HEAD_BYTES_MAX, 0);
    const head = buffer.subarray(0, bytesRead);
    if (known === undefined) {
      const { bytes } = this.#head;
      if (bytes > 0 && hash(head.subarray(0, bytes)) !== this.#head.hash) return false;
    } else if (!same(head.subarray(0, known.length), known)) return false;
    if (known === undefined || head.length > known.length) this.#headSeen = head;
    return true;
  }
}
