// One frame of JSON text -> one object that loses nothing: numbers that JavaScript would round become
// text, and a text that names a member twice says so.

import { Buffer, isAscii, isUtf8 } from "node:buffer";
import { RejectedInput } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";
import { isObject } from "./mapping-path.ts";

/** Limits of a frame of JSON. */
export interface JsonLimits {
  readonly bytesMax: number;
  readonly depthMax: number;
}

/** A parsed frame that holds an object. */
export interface ParsedObject extends ParsedJson {
  readonly root: JsonObject;
}

/** A parsed frame. */
export interface ParsedJson {
  readonly root: Json;
  /** The whole text, where a member is named twice: the object holds only the last of them. */
  readonly ambiguous?: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const POINT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
// A double holds 15 decimal digits exactly; longer numbers are looked at one by one.
const EXACT_DIGITS = 15;
// Each new name takes the parser microseconds: a few MiB of them would hold up everything else for
// many seconds. The largest batches of real senders hold some hundred thousand members.
const MEMBERS_MAX = 1_000_000;
// An empty object takes three bytes of text and some sixty of memory: a body of them, a few KiB when
// compressed, would take many seconds and a GiB.
const CONTAINERS_MAX = 3 * MEMBERS_MAX;

/** Parses a frame; undefined for a blank one. Throws RejectedInput with the reason otherwise. */
export function parseObject(frame: Uint8Array, limits: JsonLimits): ParsedObject | undefined {
  const parsed = parseJson(frame, limits);
  if (parsed === undefined || isParsedObject(parsed)) return parsed;
  throw new RejectedInput("Is JSON, but no object");
}

function isParsedObject(parsed: ParsedJson): parsed is ParsedObject {
  return isObject(parsed.root);
}

/** Like parseObject(), of a frame that may hold any JSON value. */
export function parseJson(frame: Uint8Array, limits: JsonLimits): ParsedJson | undefined {
  if (frame.length > limits.bytesMax) {
    throw new RejectedInput(`Is ${frame.length} bytes long: the limit is ${limits.bytesMax}`);
  }
  const ascii = isAscii(frame);
  if (!ascii && !isUtf8(frame)) throw new RejectedInput("Is not UTF-8");
  const bom = frame[0] === 0xef && frame[1] === 0xbb && frame[2] === 0xbf;
  const bytes = bom ? frame.subarray(3) : frame;
  const shape = inspect(bytes);
  if (shape.depth > limits.depthMax) {
    throw new RejectedInput(`Is nested ${shape.depth} deep: the limit is ${limits.depthMax}`);
  }
  if (shape.members > MEMBERS_MAX) {
    throw new RejectedInput(`Has ${shape.members} members: the limit is ${MEMBERS_MAX}`);
  }
  if (shape.containers > CONTAINERS_MAX) {
    throw new RejectedInput(
      `Has ${shape.containers} objects and lists: the limit is ${CONTAINERS_MAX}`,
    );
  }
  const { longNumbers } = shape;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One byte a character is several times as quick to turn into a text as UTF-8.
  const encoding = ascii ? "latin1" : "utf8";
  const text = buffer.toString(encoding);
  let root: Json;
  try {
    root = JSON.parse(
      longNumbers === undefined ? text : quoteInexact(buffer, encoding, longNumbers),
    );
  } catch (error) {
    if (text.trim() === "") return undefined;
    // The parser's own message quotes the text, which may hold a secret.
    throw new RejectedInput("Is not JSON", { cause: error });
  }
  return countMembers(root) < shape.members ? { root, ambiguous: text } : { root };
}

interface Shape {
  readonly depth: number;
  /** Colons outside strings: in valid JSON, the number of members. */
  readonly members: number;
  /** Objects and lists. */
  readonly containers: number;
  /** Where numbers stand that may not survive as a double: the beginning and end of each. */
  readonly longNumbers: readonly number[] | undefined;
}

function inspect(bytes: Uint8Array): Shape {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let containers = 0;
  let digits = 0;
  let begin = 0;
  let longNumbers: number[] | undefined;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      continue;
    }
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (isDigit && digits === 0) begin = at;
    // An exponent may leave the range of doubles.
    if (isDigit ? ++digits > EXACT_DIGITS : digits > 0 && (byte | 0x20) === 0x65) {
      const end = endOfNumber(bytes, at);
      (longNumbers ??= []).push(bytes[begin - 1] === MINUS ? begin - 1 : begin, end);
      at = end - 1;
      digits = 0;
      continue;
    }
    // A point goes on with the number.
    if (isDigit || byte === POINT) continue;
    digits = 0;
    if (byte === COLON) members++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      containers++;
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return { depth: deepest, members, containers, longNumbers };
}

/** Where the string that begins at `from` ends; the end of the text when it does not. */
function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = from + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return bytes.length;
}

/** Behind the digits, points, signs and exponents that go on at `from`. */
function endOfNumber(bytes: Uint8Array, from: number): number {
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39 || (byte | 0x20) === 0x65) continue;
    if (byte !== POINT && byte !== PLUS && byte !== MINUS) break;
  }
  return at;
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The text, with quotes around numbers that would not survive. What is no JSON does not become any. */
function quoteInexact(
  bytes: Buffer,
  encoding: "latin1" | "utf8",
  numbers: readonly number[],
): string {
  let text = "";
  let from = 0;
  for (let n = 0; n < numbers.length; n += 2) {
    const [begin, end] = [numbers[n]!, numbers[n + 1]!];
    const token = bytes.toString("latin1", begin, end);
    if (survives(token) || !NUMBER.test(token) || isName(bytes, end)) continue;
    text += `${bytes.toString(encoding, from, begin)}"${token}"`;
    from = end;
  }
  return text + bytes.toString(encoding, from);
}

/** Whether a colon comes next: a number cannot be the name of a member, a text could. */
function isName(bytes: Uint8Array, end: number): boolean {
  let at = end;
  while (bytes[at]! <= 0x20) at++;
  return bytes[at] === COLON;
}

function survives(token: string): boolean {
  const value = Number(token);
  if (String(value) === token) return true;
  const mantissa = token.replace(/[eE].*$|\D/g, "").replace(/^0+/, "");
  return mantissa.length <= EXACT_DIGITS && Number.isFinite(value) &&
    (value !== 0 || mantissa === "");
}

/** Of a value that JSON.parse made, so that what is enumerated is its own. */
function countMembers(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === "object" && item !== null) count += countMembers(item);
    }
    return count;
  }
  const object = value as JsonObject;
  // Several times as quick as Object.keys(): this is most of what is looked at.
  for (const key in object) {
    count++;
    const member = object[key];
    if (typeof member === "object" && member !== null) count += countMembers(member);
  }
  return count;
}
