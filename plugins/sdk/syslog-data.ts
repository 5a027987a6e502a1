// Structured data of RFC 5424: `[origin ip="192.0.2.1"][meta sequenceId="7"]`, or "-" for none.

import { RejectedInput } from "./errors.ts";

const SPACE = 32;
const QUOTE = 34;
const MINUS = 45;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

/** The parameters by `element.name`, the last of equal ones; and the index behind the data. */
export interface StructuredData {
  readonly fields: Readonly<Record<string, string>> | undefined;
  readonly end: number;
}

/** Reads the data that begins at index `at`. Throws RejectedInput where it breaks the grammar. */
export function readStructuredData(text: string, at: number): StructuredData {
  if (text.charCodeAt(at) === MINUS) return { fields: undefined, end: closed(text, at + 1) };
  const fields: Record<string, string> = {};
  let next = at;
  while (text.charCodeAt(next) === OPEN) next = readElement(text, next + 1, fields);
  if (next === at) throw broken();
  return { fields, end: closed(text, next) };
}

/** Behind the data comes the text, after a space, or nothing. */
function closed(text: string, end: number): number {
  if (end < text.length && text.charCodeAt(end) !== SPACE) throw broken();
  return end;
}

function readElement(text: string, at: number, fields: Record<string, string>): number {
  const nameEnd = wordEnd(text, at);
  if (nameEnd === at) throw broken();
  const id = text.slice(at, nameEnd);
  let next = nameEnd;
  while (text.charCodeAt(next) === SPACE) {
    while (text.charCodeAt(next) === SPACE) next++;
    if (text.charCodeAt(next) === CLOSE) break;
    const equals = wordEnd(text, next);
    if (equals === next || !text.startsWith('="', equals)) throw broken();
    const from = equals + 2;
    const end = valueEnd(text, from);
    const value = text.slice(from, end);
    fields[`${id}.${text.slice(next, equals)}`] = value.includes("\\") ? unescape(value) : value;
    next = end + 1;
  }
  if (text.charCodeAt(next) !== CLOSE) throw broken();
  return next + 1;
}

/** Behind a name, which ends before `=`, `]`, `"`, a space or a control character. */
function wordEnd(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code <= SPACE || code === QUOTE || code === CLOSE || code === 61) break;
  }
  return end;
}

/** Where the quote that ends a value is. */
function valueEnd(text: string, at: number): number {
  for (let end = at; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === QUOTE) return end;
    if (code === BACKSLASH) end++;
  }
  throw broken();
}

/** Only quotes, brackets and backslashes are escaped; before all else a backslash is itself. */
function unescape(value: string): string {
  return value.replace(/\\(["\\\]])/g, "$1");
}

function broken(): RejectedInput {
  return new RejectedInput("Has broken structured data");
}
