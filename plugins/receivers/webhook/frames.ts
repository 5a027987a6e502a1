// The frames of a body: all of it, the items of a JSON list, or its lines. By index, without parsing:
// what is malformed is for the format to refuse.

import { Buffer } from "node:buffer";

/** What is one frame; auto looks at the body. */
export type Framing = "auto" | "body" | "array" | "lines";

/** A part of a body. */
export interface Frame {
  readonly bytes: Buffer;
  readonly offset: number;
  /** Set for the only frame of a body. */
  readonly isWhole: boolean;
}

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const LINES_TYPE = /^(?:application|text)\/(?:x-)?(?:ndjson|jsonl(?:ines)?|json-lines)\b/i;

/** The frames of a body in their order; none of a blank one. */
export function* framesOf(body: Buffer, framing: Framing, contentType = ""): Generator<Frame> {
  const start = skipSpace(body, isBom(body) ? 3 : 0);
  if (start === body.length) return;
  const found = framing === "auto" ? look(body, start, contentType) : framing;
  if (found === "body") yield { bytes: body, offset: 0, isWhole: true };
  else if (found === "array" && body[start] === OPEN_LIST) yield* items(body, start + 1);
  else if (found === "array") yield { bytes: body, offset: 0, isWhole: true };
  else yield* lines(body, start);
}

const FORM_TYPE = /^application\/x-www-form-urlencoded\b/i;

/** What is inside of a body: GitHub sends JSON as the field `payload` of a form, unless told not to. */
export function contentOf(body: Buffer, contentType = ""): Buffer {
  if (!FORM_TYPE.test(contentType)) return body;
  const payload = new URLSearchParams(body.toString()).get("payload");
  return payload === null ? body : Buffer.from(payload);
}

/** JSON is one document, unless there is more behind the first one; other text has lines. */
function look(body: Buffer, start: number, contentType: string): Framing {
  if (LINES_TYPE.test(contentType)) return "lines";
  if (body[start] === OPEN_LIST) return "array";
  if (body[start] !== OPEN_OBJECT) return "lines";
  const end = endOfValue(body, start);
  return skipSpace(body, end) === body.length || body.indexOf(LF, start) < end ? "body" : "lines";
}

function* lines(body: Buffer, start: number): Generator<Frame> {
  for (let at = start; at < body.length;) {
    const found = body.indexOf(LF, at);
    const end = found < 0 ? body.length : found;
    if (skipSpace(body, at) < end) {
      const stop = body[end - 1] === 0x0d ? end - 1 : end;
      yield { bytes: body.subarray(at, stop), offset: at, isWhole: false };
    }
    at = end + 1;
  }
}

/** The items of a list whose bracket stands before `from`; what cannot be told apart is one item. */
function* items(body: Buffer, from: number): Generator<Frame> {
  for (let at = skipSpace(body, from); at < body.length; at = skipSpace(body, at)) {
    if (body[at] === CLOSE_LIST && skipSpace(body, at + 1) === body.length) return;
    const end = endOfValue(body, at);
    yield { bytes: body.subarray(at, end), offset: at, isWhole: false };
    at = skipSpace(body, end);
    if (body[at] === COMMA) at++;
    else if (body[at] !== CLOSE_LIST && at < body.length) {
      yield { bytes: body.subarray(at), offset: at, isWhole: false };
      return;
    }
  }
}

/** Where the JSON value that begins at `from` ends; at least one byte behind it. */
function endOfValue(body: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      if (depth === 0) return Math.max(at, from + 1);
      if (--depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) return Math.max(at, from + 1);
  }
  return body.length;
}

function endOfString(body: Buffer, from: number): number {
  for (let at = from + 1; at < body.length; at++) {
    if (body[at] === QUOTE) return at;
    if (body[at] === BACKSLASH) at++;
  }
  return body.length;
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && (body[at]! === 0x20 || body[at]! >= 9 && body[at]! <= 13)) at++;
  return at;
}

function isBom(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}
