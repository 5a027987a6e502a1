// Lines of `journalctl -o json` -> entries, from a child's output and from files alike. Older
// journalctl, and people, make one JSON list of them: its brackets and commas are passed over.

import { Buffer, isUtf8 } from "node:buffer";
import { RejectedInput } from "../../sdk/index.ts";
import { LineSplitter } from "../../sdk/lines.ts";
import type { JournalFields } from "./entry.ts";

/** Takes what a reader of entries finds. */
export interface EntryTaker {
  /** An entry, and the offset of what follows it. What it throws makes the entry a reject. */
  entry(fields: JournalFields, end: number): void;
  /** Bytes that are no entry, verbatim but cut at the limit, where they begin, and why. */
  reject(raw: Uint8Array, offset: number, reason: string): void;
}

/** A reader of entries: bytes in any cut, entries out. */
export interface EntryReader {
  /** The offset behind the last entry that was handed out whole. */
  readonly done: number;
  push(bytes: Uint8Array, taker: EntryTaker): void;
  /** There is nothing more: hands out a last entry that has no end. */
  finish(taker: EntryTaker): void;
}

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Reads JSON lines; `offset` is that of the first byte. */
export class JsonReader implements EntryReader {
  readonly #lines: LineSplitter;
  #carry: Uint8Array = new Uint8Array(0);
  #base: number;

  constructor(entryBytesMax: number, offset = 0) {
    this.#lines = new LineSplitter(entryBytesMax);
    this.#base = offset;
  }

  get done(): number {
    return this.#base;
  }

  push(bytes: Uint8Array, taker: EntryTaker): void {
    const all = this.#carry.length === 0 ? bytes : Buffer.concat([this.#carry, bytes]);
    const used = this.#lines.split(all, 0, this.#base, lineTaker(taker));
    this.#carry = all.slice(used);
    this.#base += used;
  }

  finish(taker: EntryTaker): void {
    const rest = this.#carry;
    this.#carry = new Uint8Array(0);
    // A line that is still being written is read when its end has come.
    if (rest.length > 0 && isWhole(rest)) {
      this.#lines.finish(rest, this.#base, lineTaker(taker));
      this.#base += rest.length;
    } else this.#carry = rest;
  }
}

function lineTaker(taker: EntryTaker) {
  return {
    line: (line: Uint8Array, offset: number) => {
      try {
        const fields = parseJsonEntry(line);
        if (fields !== undefined) taker.entry(fields, offset + line.length + 1);
      } catch (error) {
        taker.reject(line, offset, error instanceof Error ? error.message : String(error));
      }
      return true;
    },
    reject: (raw: Uint8Array, offset: number, reason: string) => {
      taker.reject(raw, offset, reason);
      return true;
    },
  };
}

function isWhole(line: Uint8Array): boolean {
  try {
    parseJsonEntry(line);
    return true;
  } catch {
    return false;
  }
}

/** The fields of a line; undefined for a list's bracket. Throws RejectedInput. */
export function parseJsonEntry(line: Uint8Array): JournalFields | undefined {
  if (!isUtf8(line)) throw new RejectedInput("Is not UTF-8");
  let end = line.length;
  while (end > 0 && line[end - 1]! <= 0x20) end--;
  if (end > 0 && line[end - 1] === COMMA) end--;
  const only = end === 1 ? line[0] : undefined;
  if (end === 0 || only === OPEN_BRACKET || only === CLOSE_BRACKET) return undefined;
  const text = Buffer.from(line.buffer, line.byteOffset, end).toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which may hold a secret.
    throw new RejectedInput("Is not JSON", { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JournalFields;
  }
  throw new RejectedInput("Is JSON, but no object");
}
