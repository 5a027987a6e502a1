// The columns of the events that wait in the log: what a lookup compares, one number for each event.
// Events are added in order of arrival; what is added counts once it is committed.

import type { StoredRecord } from "../../sdk/index.ts";
import { fingerprint } from "./attributes.ts";
import { emptyPrints, fillPrints } from "./prints.ts";
import { RecordScanner } from "./scan.ts";

/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** Bit of column `flags`: it is an Insight event. */
export const INSIGHT = 1;
/** Bit of column `flags`: it has an errorCode. */
export const ERROR = 2;

/**
 * What each column holds. Those of attributes, `account` and `region`: fingerprints. `day` counts
 * from the epoch, `time` milliseconds of the day. `block` and `offset` say where the text is. A
 * resource is a pair: its fingerprint, and in `….row` the row it belongs to.
 */
export const COLUMNS = [
  "AccessKeyId",
  "EventId",
  "EventName",
  "EventSource",
  "ReadOnly",
  "Username",
  "account",
  "region",
  "flags",
  "day",
  "time",
  "block",
  "offset",
  "ResourceName",
  "ResourceName.row",
  "ResourceType",
  "ResourceType.row",
] as const;

/** The name of a column. */
export type ColumnName = (typeof COLUMNS)[number];

// The last moment that four digits of a year can name.
const TIME_MAX = 253_402_300_799_999;
// Accounts and regions whose fingerprints are remembered.
const PLACES_MAX = 1000;

/** Numbers of 32 bits that grow at their end. */
class Column {
  #numbers = new Uint32Array(256);
  length = 0;

  push(number: number): void {
    if (this.length === this.#numbers.length) this.#grow(this.length + 1);
    this.#numbers[this.length++] = number;
  }

  append(numbers: Uint32Array): void {
    this.#grow(this.length + numbers.length);
    this.#numbers.set(numbers, this.length);
    this.length += numbers.length;
  }

  /** A view; what is pushed later does not change it. */
  slice(from: number, to: number): Uint32Array {
    return this.#numbers.subarray(from, to);
  }

  #grow(room: number): void {
    if (room <= this.#numbers.length) return;
    const grown = new Uint32Array(Math.max(room, this.#numbers.length * 2));
    grown.set(this.#numbers.subarray(0, this.length));
    this.#numbers = grown;
  }
}

type Lengths = Record<ColumnName, number>;

/** The columns. */
export class Rows {
  readonly #columns: Record<ColumnName, Column>;
  readonly #scanner = new RecordScanner();
  readonly #prints = emptyPrints();
  readonly #places = new Map<string, number>();
  /** How long each column was at the last commit. */
  #committed: Lengths;
  #oldest = Number.POSITIVE_INFINITY;
  #newest = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#columns = byColumn(() => new Column());
    this.#committed = byColumn(() => 0);
  }

  /** Events committed. */
  get length(): number {
    return this.#committed.EventId;
  }

  /** Time of the oldest committed event; infinite without one. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Time of the newest committed event; minus infinity without one. */
  get newest(): number {
    return this.#newest;
  }

  /** The committed numbers of a column. */
  column(name: ColumnName): Uint32Array {
    return this.#columns[name].slice(0, this.#committed[name]);
  }

  /** Adds an event whose text stands at `offset` of block number `block`. */
  add(stored: StoredRecord, block: number, offset: number): void {
    const prints = this.#prints;
    const isInsight = stored.category === "Insight";
    // Insight and channel events say what they are about further down.
    const isScanned = stored.category === "Management" && this.#scanner.scan(stored.bytes, prints);
    if (!isScanned) fillPrints(stored.record, prints);
    const columns = this.#columns;
    const row = columns.EventId.length;
    const time = timeOf(stored);
    columns.AccessKeyId.push(prints.accessKeyId);
    columns.EventId.push(prints.eventId);
    columns.EventName.push(prints.eventName);
    columns.EventSource.push(prints.eventSource);
    columns.ReadOnly.push(prints.readOnly);
    columns.Username.push(prints.username);
    columns.account.push(this.#place(stored.accountId));
    columns.region.push(this.#place(stored.region));
    columns.flags.push((isInsight ? INSIGHT : 0) | (prints.isError ? ERROR : 0));
    const day = Math.floor(time / DAY_MS);
    columns.day.push(day);
    columns.time.push(time - day * DAY_MS);
    columns.block.push(block);
    columns.offset.push(offset);
    for (const print of prints.names) this.#addPair("ResourceName", row, print);
    for (const print of prints.types) this.#addPair("ResourceType", row, print);
  }

  /** Makes what was added since part of the history. */
  commit(): void {
    const { day, time } = this.#columns;
    const before = this.length;
    this.#committed = byColumn((name) => this.#columns[name].length);
    const days = day.slice(before, this.length);
    const times = time.slice(before, this.length);
    for (let i = 0; i < days.length; i++) {
      const at = days[i]! * DAY_MS + times[i]!;
      if (at < this.#oldest) this.#oldest = at;
      if (at > this.#newest) this.#newest = at;
    }
  }

  /** Forgets what was added since the last commit. */
  rollBack(): void {
    for (const name of COLUMNS) this.#columns[name].length = this.#committed[name];
  }

  /** What was added since the last commit, each column as bytes behind its length. */
  encodeAdded(): Uint8Array {
    const added = COLUMNS.map((name) =>
      this.#columns[name].slice(this.#committed[name], this.#columns[name].length)
    );
    const bytes = new Uint8Array(added.reduce((sum, numbers) => sum + 4 + numbers.byteLength, 0));
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const numbers of added) {
      view.setUint32(at, numbers.length, true);
      bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), at + 4);
      at += 4 + numbers.byteLength;
    }
    return bytes;
  }

  /**
   * Adds what encodeAdded() wrote when the first of it was row `first`, and commits it. Throws
   * RangeError where it is cut short.
   */
  append(bytes: Uint8Array, first: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const shift = first - this.length;
    let at = 0;
    for (const name of COLUMNS) {
      const length = view.getUint32(at, true);
      at += 4;
      const numbers = numbersOf(bytes.subarray(at, at + length * 4));
      // Rows before these may be gone, destroyed on the disk.
      if (name.endsWith(".row")) { for (let i = 0; i < length; i++) numbers[i]! -= shift; }
      this.#columns[name].append(numbers);
      at += length * 4;
    }
    this.commit();
  }

  #addPair(name: "ResourceName" | "ResourceType", row: number, print: number): void {
    this.#columns[name].push(print);
    this.#columns[`${name}.row`].push(row);
  }

  /** The fingerprint of an account or region: of a batch, most are the same. */
  #place(name: string): number {
    let print = this.#places.get(name);
    if (print === undefined) {
      if (this.#places.size >= PLACES_MAX) this.#places.clear();
      print = fingerprint(name);
      this.#places.set(name, print);
    }
    return print;
  }
}

/** Numbers out of bytes that may stand anywhere in their memory. */
export function numbersOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer);
}

/** When it happened: a whole number of milliseconds that a folder can be named for. */
export function timeOf({ time }: Pick<StoredRecord, "time">): number {
  return Number.isFinite(time) ? Math.min(Math.max(0, Math.trunc(time)), TIME_MAX) : 0;
}

function byColumn<T>(make: (name: ColumnName) => T): Record<ColumnName, T> {
  return Object.fromEntries(COLUMNS.map((name) => [name, make(name)])) as Record<ColumnName, T>;
}
