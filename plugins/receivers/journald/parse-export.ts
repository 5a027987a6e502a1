// The journal's export format -> entries. An entry is lines `NAME=text`, or a line `NAME`, eight
// bytes of length (little-endian), that many bytes and a line end; an empty line ends it. Fields
// that no event is made of are stepped over, however long they are, without being kept.

import { Buffer } from "node:buffer";
import { ADDRESS_FIELDS, bytesToText, FIELDS, type JournalValue } from "./entry.ts";
import type { EntryReader, EntryTaker } from "./parse-json.ts";

const LF = 10;
const EQUALS = 0x3d;
const NAME = /^[A-Za-z0-9_]{1,64}$/;
const LENGTH_BYTES = 8;
// The journal's own limit on a field is 768 MiB; a length above it is no length.
const FIELD_BYTES_MAX = 2 ** 30;

const WANTED: ReadonlySet<string> = new Set([...FIELDS, ...ADDRESS_FIELDS]);

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
  #raw: Buffer[] = [];
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
    const equals = all.indexOf(EQUALS, at);
    const isText = equals >= 0 && equals < end;
    const name = all.toString("latin1", at, isText ? equals : end);
    if (!NAME.test(name)) {
      this.#bad = "Is no journal entry in export format";
      return end + 1;
    }
    if (!isText) return this.#binary(all, at, end, name);
    this.#count++;
    if (WANTED.has(name)) this.#add(name, all, equals + 1, end);
    return end + 1;
  }

  /** A line without its end: kept for later, unless it is too long for that. */
  #unfinished(all: Buffer, at: number): number {
    if (all.length - at <= this.#fieldBytesMax) return at;
    this.#keep(all, at, all.length);
    const equals = all.indexOf(EQUALS, at);
    const name = equals < 0 ? "" : all.toString("latin1", at, Math.min(equals, at + 65));
    if (NAME.test(name)) this.#tooLong(name);
    else this.#bad ??= "Is no journal entry in export format";
    this.#skipLine = true;
    return all.length;
  }

  #binary(all: Buffer, at: number, end: number, name: string): number {
    const begin = end + 1 + LENGTH_BYTES;
    if (all.length < begin) return this.#wait(at);
    const length = all.readUInt32LE(end + 1) + all.readUInt32LE(end + 5) * 2 ** 32;
    if (length > FIELD_BYTES_MAX) {
      this.#bad = "Is no journal entry in export format";
      return end + 1;
    }
    if (!WANTED.has(name) || length > this.#fieldBytesMax) {
      this.#count++;
      if (WANTED.has(name)) this.#tooLong(name);
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
    this.#rawBytes -= this.#raw.pop()?.length ?? 0;
    return at;
  }

  #tooLong(name: string): void {
    this.#count++;
    this.#fields[name] ??= null;
  }

  #add(name: string, all: Buffer, from: number, to: number): void {
    // The first counts, as everywhere else a field is read.
    if (Object.hasOwn(this.#fields, name)) return;
    this.#fields[name] = bytesToText(all.subarray(from, to));
  }

  #keep(all: Buffer, from: number, to: number): void {
    const room = this.#fieldBytesMax - this.#rawBytes;
    const some = all.subarray(from, Math.min(to, from + Math.max(room, 0)));
    this.#raw.push(some);
    this.#rawBytes += some.length;
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
      taker.reject(Buffer.concat(this.#raw), this.#entryStart, reason);
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
