// JSON as bytes: what can be done to a record's text without parsing and writing it again, so that
// number spellings, escapes and unknown fields survive. Splitting a file is in record-splitter.ts.

import { Buffer } from "node:buffer";

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * The same JSON text on one line: where the text holds a line break, whitespace between its parts
 * is taken out; else the same bytes come back, not a copy. Nothing inside strings changes.
 */
export function compactJson(bytes: Uint8Array): Uint8Array {
  if (!holdsLineBreak(bytes)) return bytes;
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (isSpace(bytes[i]!)) continue;
    if (bytes[i] !== QUOTE) {
      out[length++] = bytes[i]!;
      continue;
    }
    const string = bytes.subarray(i, endOfString(bytes, i + 1));
    out.set(string, length);
    length += string.length;
    i += string.length - 1;
  }
  return out.subarray(0, length);
}

/** Every record is asked: a text is looked through much faster than bytes, its making included. */
function holdsLineBreak(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  return text.includes("\n") || text.includes("\r");
}

/** True for the four bytes that JSON allows between its parts. */
export function isSpace(byte: number): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}

/**
 * Where a member's value lies in the text of a valid JSON object: first index and the one behind
 * its end. Of members of one name the last counts, as for JSON.parse; undefined where there is
 * none. Only objects and lists are found: what they need is brackets.
 */
export function memberSpan(bytes: Uint8Array, name: string): [number, number] | undefined {
  const key = JSON.stringify(name);
  let found: [number, number] | undefined;
  let depth = 0;
  let lastString = "";
  let start = -1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      const end = endOfString(bytes, i + 1);
      if (depth === 1) lastString = textOf(bytes, i, end);
      i = end - 1;
    } else if (byte === OPEN || byte === OPEN_LIST) {
      if (depth++ === 1 && lastString === key) start = i;
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (--depth === 1 && start >= 0) {
        found = [start, i + 1];
        start = -1;
      }
    } else if (byte === COMMA && depth === 1) lastString = "";
  }
  return found;
}

/**
 * Index behind the string's closing quote; past the end plus one where the block ends inside it.
 */
export function endOfString(bytes: Uint8Array, from: number): number {
  let i = from;
  while (i < bytes.length) {
    const byte = bytes[i++]!;
    if (byte === QUOTE) return i;
    if (byte === BACKSLASH) i++;
  }
  return i + 1;
}

/** A string with its quotes, its escapes resolved. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  return JSON.stringify(JSON.parse(new TextDecoder().decode(bytes.subarray(start, end))));
}
