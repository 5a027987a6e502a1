// The journal's export format -> entries. An entry is lines `NAME=text`, or a line `NAME`, eight
// bytes of length (little-endian), that many bytes and a line end; an empty line ends it. Fields
// that no event is made of are stepped over, however long they are, without being kept.

import { Buffer } from "node:buffer";
import { ADDRESS_FIELDS, bytesToText, FIELDS, type JournalValue } from "./entry.ts";
import type { EntryReader, EntryTaker } from "./parse-json.ts";

const LF = 10;
const EQUALS = 0x3d;
const NAME_BYTES_MAX = 64;
const LENGTH_BYTES = 8;
// The journal's own limit on a field is 768 MiB; a length above it is no length.
const FIELD_BYTES_MAX = 2 ** 30;
const NO_ENTRY = "Is no journal entry in export format";

const WANTED: ReadonlySet<string> = new Set([...FIELDS, ...ADDRESS_FIELDS]);
// Length and first byte of those names: most other fields are told apart without making a string.
const SHAPES: ReadonlySet<number> = new Set(
  [...WANTED].map((name) => (name.length << 8) | name.charCodeAt(0)),
);

/** Reads export format; `offset` is that of the first byte, where an entry begins. */
export class ExportReader implements EntryReader {
  readonly #fieldBytesMax: number;
  #carry: Buffer = Buffer.alloc(0);
  /** Offset of the carry's first byte. */
  #base: number;
  #entryStart: number;
  #fields: Record<string, JournalValue> = {};
  #count = 0;
  /** Bytes of a field's value still to be stepped over, with its line end. */
  #skip = 0;
  /** Stepping over the rest of a line. */
  #skipLine = false;
  /** Why the entry at hand cannot be read; its end is looked for. */
  #bad: string | undefined;
  /** The first bytes of the entry at hand, to be kept should it be unreadable. */
  #raw: { readonly bytes: Buffer; readonly from: number; to: number }[] = [];
  #rawBytes = 0;

  constructor(fieldBytesMax: number, offset = 0) {
    this.#fieldBytesMax = fieldBytesMax;
    this.#base = offset;
    this.#entryStart = offset;
  }

  get done(): number {
    return this.#entryStart;
  }

  push(bytes: Uint8Array, taker: EntryTaker): void {
    const added = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const all = this.#carry.length === 0 ? added : Buffer.concat([this.#carry, added]);
    let at = 0;
    for (let before = -1; at < all.length && at !== before;) {
      before = at;
      at = this.#step(all, at, taker);
    }
    // A copy: the block is read into again.
    this.#carry = Buffer.from(all.subarray(at));
    this.#base += at;
  }

  finish(taker: EntryTaker): void {
    if (this.#skip > 0 || this.#skipLine || this.#carry.length > 0) return;
    if (this.#count > 0 || this.#bad !== undefined) this.#end(this.#base, taker);
  }

  /** One field, one line or one stretch of bytes; the same index where more bytes are needed. */
  #step(all: Buffer, at: number, taker: EntryTaker): number {
    if (this.#skip > 0) {
      const some = Math.min(this.#skip, all.length - at);
      this.#skip -= some;
      return at + some;
    }
    const end = all.indexOf(LF, at);
    if (this.#skipLine) {
      this.#skipLine = end < 0;
      return end < 0 ? all.length : end + 1;
    }
    if (end < 0) return this.#unfinished(all, at);
    if (end === at) {
      if (this.#count > 0 || this.#bad !== undefined) this.#end(this.#base + end + 1, taker);
      else this.#begin(this.#base + end + 1);
      return end + 1;
    }
    this.#keep(all, at, end + 1);
    if (this.#bad !== undefined) return end + 1;
    const nameEnd = nameEndIn(all, at, end);
    const isText = all[nameEnd] === EQUALS;
    if (nameEnd === at || (!isText && nameEnd !== end)) {
      this.#bad = NO_ENTRY;
      return end + 1;
    }
    const name = wantedName(all, at, nameEnd);
    if (!isText) return this.#binary(all, at, end, name);
    this.#count++;
    if (name !== undefined) this.#add(name, all, nameEnd + 1, end);
    return end + 1;
  }

  /** A line without its end: kept for later, unless it is too long for that. */
  #unfinished(all: Buffer, at: number): number {
    if (all.length - at <= this.#fieldBytesMax) return at;
    this.#keep(all, at, all.length);
    const nameEnd = nameEndIn(all, at, all.length);
    if (nameEnd > at && all[nameEnd] === EQUALS) this.#tooLong(wantedName(all, at, nameEnd));
    else this.#bad ??= NO_ENTRY;
    this.#skipLine = true;
    return all.length;
  }

  #binary(all: Buffer, at: number, end: number, name: string | undefined): number {
    const begin = end + 1 + LENGTH_BYTES;
    if (all.length < begin) return this.#wait(at);
    const length = all.readUInt32LE(end + 1) + all.readUInt32LE(end + 5) * 2 ** 32;
    if (length > FIELD_BYTES_MAX) {
      this.#bad = NO_ENTRY;
      return end + 1;
    }
    if (name === undefined || length > this.#fieldBytesMax) {
      this.#tooLong(name);
      this.#skip = length + 1;
      return begin;
    }
    if (all.length < begin + length + 1) return this.#wait(at);
    this.#count++;
    this.#keep(all, end + 1, begin + length + 1);
    if (all[begin + length] !== LF) this.#bad = "Has a field without an end";
    else this.#add(name, all, begin, begin + length);
    return begin + length + 1;
  }

  /** Takes back what was kept of a field that will be read again. */
  #wait(at: number): number {
    const last = this.#raw.at(-1);
    if (last === undefined) return at;
    this.#rawBytes -= Math.max(0, last.to - at);
    last.to = Math.min(last.to, at);
    return at;
  }

  #tooLong(name: string | undefined): void {
    this.#count++;
    if (name !== undefined) this.#fields[name] ??= null;
  }

  #add(name: string, all: Buffer, from: number, to: number): void {
    // The first counts, as everywhere else a field is read.
    if (Object.hasOwn(this.#fields, name)) return;
    this.#fields[name] = bytesToText(all.subarray(from, to));
  }

  #keep(all: Buffer, from: number, to: number): void {
    const room = this.#fieldBytesMax - this.#rawBytes;
    const end = Math.min(to, from + Math.max(room, 0));
    const last = this.#raw.at(-1);
    if (last !== undefined && last.bytes === all && last.to === from) last.to = end;
    else this.#raw.push({ bytes: all, from, to: end });
    this.#rawBytes += end - from;
  }

  #end(end: number, taker: EntryTaker): void {
    let reason = this.#bad;
    if (reason === undefined) {
      try {
        taker.entry(this.#fields, end);
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
    }
    if (reason !== undefined) {
      const raw = this.#raw.map(({ bytes, from, to }) => bytes.subarray(from, to));
      taker.reject(Buffer.concat(raw), this.#entryStart, reason);
    }
    this.#begin(end);
  }

  #begin(offset: number): void {
    this.#entryStart = offset;
    this.#fields = {};
    this.#count = 0;
    this.#bad = undefined;
    this.#raw = [];
    this.#rawBytes = 0;
  }
}

/** Where a field's name that begins at `at` ends: at the first byte that is no part of a name. */
function nameEndIn(all: Buffer, at: number, end: number): number {
  const max = Math.min(end, at + NAME_BYTES_MAX);
  let to = at;
  while (to < max && isNameByte(all[to]!)) to++;
  return to;
}

function isNameByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f || (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a);
}

function wantedName(all: Buffer, at: number, end: number): string | undefined {
  if (!SHAPES.has(((end - at) << 8) | all[at]!)) return undefined;
  const name = all.toString("latin1", at, end);
  return WANTED.has(name) ? name : undefined;
}
