// One syslog message to its parts: RFC 5424, RFC 3164, and the lines that syslog daemons write to
// files (auth.log, secure, messages), which have no priority. What the text means is no matter here.

import { Buffer, isUtf8 } from "node:buffer";
import { RejectedInput } from "./errors.ts";
import { readStructuredData } from "./syslog-data.ts";
import { readSyslogTime, type SyslogTimeOptions } from "./syslog-time.ts";

/** The parts of a message; undefined where it does not say. */
export interface SyslogMessage {
  /** 0 to 23, such as 10 for authpriv. */
  facility: number | undefined;
  /** 0 (emergency) to 7 (debug). */
  severity: number | undefined;
  /** Milliseconds since the epoch. */
  time: number;
  host: string | undefined;
  /** The sending program without its path and `[pid]`; empty where the message names none. */
  program: string;
  pid: string | undefined;
  messageId: string | undefined;
  /** Parameters of the structured data, as `origin.ip`. */
  fields: Readonly<Record<string, string>> | undefined;
  text: string;
}

/** What a message does not say of itself. */
export type SyslogMessageOptions = SyslogTimeOptions;

const NUL = 0;
const LF = 10;
const CR = 13;
const SPACE = 32;
const MINUS = 45;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const LESS = 60;
const GREATER = 62;
const OPEN = 91;
const CLOSE = 93;
const BOM = 0xfeff;
/** Three bits of severity, and facilities up to 23. */
const PRIORITY_MAX = 191;

/**
 * Takes a message apart. Line ends and zeros behind it are cut. Throws RejectedInput for what is no
 * syslog message, and for a time that cannot be known without `receivedAt`.
 */
export function parseSyslogMessage(
  frame: Uint8Array,
  options: SyslogMessageOptions,
): SyslogMessage {
  const text = textOf(frame);
  const message: SyslogMessage = {
    facility: undefined,
    severity: undefined,
    time: NaN,
    host: undefined,
    program: "",
    pid: undefined,
    messageId: undefined,
    fields: undefined,
    text: "",
  };
  const at = text.charCodeAt(0) === LESS ? readPriority(text, message) : 0;
  const header = afterVersion(text, at);
  if (header > 0) readNew(text, header, message, options);
  else readOld(text, at, message, options);
  return message;
}

function textOf(frame: Uint8Array): string {
  let end = frame.length;
  while (end > 0 && isEnd(frame[end - 1]!)) end--;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, end);
  if (!isUtf8(bytes)) throw new RejectedInput("Is not UTF-8");
  const text = bytes.toString("utf8");
  if (text.includes("\0")) throw new RejectedInput("Holds NUL bytes");
  return text.charCodeAt(0) === BOM ? text.slice(1) : text;
}

function isEnd(byte: number): boolean {
  return byte === LF || byte === CR || byte === NUL;
}

/** Reads `<34>`; returns the index behind it. */
function readPriority(text: string, message: SyslogMessage): number {
  let priority = 0;
  for (let at = 1; at <= 4; at++) {
    const code = text.charCodeAt(at);
    if (code === GREATER && at > 1 && priority <= PRIORITY_MAX) {
      message.facility = priority >> 3;
      message.severity = priority & 7;
      return at + 1;
    }
    if (!(code >= ZERO && code <= ZERO + 9)) break;
    priority = priority * 10 + code - ZERO;
  }
  throw new RejectedInput("Has no valid priority");
}

/** RFC 5424's version and the space behind it, before a time or "-": where the time is; else 0. */
function afterVersion(text: string, at: number): number {
  let next = at;
  while (next < at + 3 && isDigit(text.charCodeAt(next))) next++;
  if (next === at || text.charCodeAt(at) === ZERO || text.charCodeAt(next) !== SPACE) return 0;
  const code = text.charCodeAt(next + 1);
  const isNil = code === MINUS && text.charCodeAt(next + 2) === SPACE;
  return isNil || (isDigit(code) && text.charCodeAt(next + 5) === MINUS) || isDigit(code) && at > 0
    ? next + 1
    : 0;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

/** RFC 5424: time, host, program, process, message id, structured data, text. */
function readNew(
  text: string,
  at: number,
  message: SyslogMessage,
  options: SyslogMessageOptions,
): void {
  let next = at;
  if (text.charCodeAt(at) === MINUS) {
    message.time = received(options);
    next++;
  } else {
    const time = readSyslogTime(text, at, options);
    if (time === undefined) throw new RejectedInput("Has no valid time");
    message.time = time.ms;
    next = time.end;
  }
  const words: (string | undefined)[] = [];
  for (let count = 0; count < 4; count++) {
    if (text.charCodeAt(next) !== SPACE) throw new RejectedInput("Ends within its header");
    let end = text.indexOf(" ", next + 1);
    if (end < 0) end = text.length;
    const word = text.slice(next + 1, end);
    if (word === "") throw new RejectedInput("Has an empty field in its header");
    words.push(word === "-" ? undefined : word);
    next = end;
  }
  message.host = words[0];
  message.program = programName(words[1] ?? "");
  message.pid = words[2];
  message.messageId = words[3];
  if (text.charCodeAt(next) !== SPACE) throw new RejectedInput("Ends within its header");
  const data = readStructuredData(text, next + 1);
  message.fields = data.fields;
  let from = data.end + 1;
  // rsyslog passes on the space that RFC 3164 has behind its tag.
  if (text.charCodeAt(from) === SPACE || text.charCodeAt(from) === BOM) from++;
  message.text = text.slice(from);
}

/** RFC 3164 and files: time, host, tag, text. Only with a priority may the time be left out. */
function readOld(
  text: string,
  at: number,
  message: SyslogMessage,
  options: SyslogMessageOptions,
): void {
  const time = readSyslogTime(text, at, options);
  let next = at;
  let mayHaveHost = true;
  if (time !== undefined) {
    message.time = time.ms;
    next = time.end;
    if (text.charCodeAt(next) === COLON) next++;
  } else if (message.facility === undefined) {
    throw new RejectedInput("Has neither a priority nor a time");
  } else {
    message.time = received(options);
    mayHaveHost = false;
  }
  while (text.charCodeAt(next) === SPACE) next++;
  if (mayHaveHost) {
    const end = text.indexOf(" ", next);
    // Messages of the local socket have no host, and some relays leave it out.
    if (end > 0 && !endsTag(text, next, end)) {
      message.host = text.slice(next, end);
      next = end + 1;
      while (text.charCodeAt(next) === SPACE) next++;
    }
  }
  readTag(text, next, message);
}

/** Whether a word ends as a tag does, in `sshd:` or `sshd[42]`, and is no host's name. */
function endsTag(text: string, from: number, end: number): boolean {
  const last = text.charCodeAt(end - 1);
  if (last === COLON) return true;
  if (last !== CLOSE) return false;
  const open = text.indexOf("[", from);
  return open > from && open < end;
}

/** Reads `sshd[42]: text`. Without a tag, everything is the text. */
function readTag(text: string, at: number, message: SyslogMessage): void {
  let next = at;
  let code = text.charCodeAt(next);
  while (next < text.length && code !== COLON && code !== OPEN && code !== SPACE) {
    code = text.charCodeAt(++next);
  }
  const nameEnd = next;
  let pid: string | undefined;
  if (code === OPEN) {
    const close = text.indexOf("]", next);
    pid = text.slice(next + 1, close);
    next = close + 1;
    code = text.charCodeAt(next);
    if (close < 0 || pid.includes(" ") || (code !== COLON && code !== SPACE)) code = 0;
  } else if (code === SPACE) code = 0;
  if (nameEnd === at || (code !== COLON && code !== SPACE)) {
    message.text = text.slice(at);
    return;
  }
  if (code === COLON) next++;
  if (text.charCodeAt(next) === SPACE) next++;
  message.program = programName(text.slice(at, nameEnd));
  message.pid = pid;
  message.text = text.slice(next);
}

/** `/usr/sbin/cron` is cron. */
function programName(tag: string): string {
  return tag.charCodeAt(0) === SLASH ? tag.slice(tag.lastIndexOf("/") + 1) : tag;
}

function received({ receivedAt }: SyslogMessageOptions): number {
  if (receivedAt !== undefined) return receivedAt;
  throw new RejectedInput("Has no time, and its receiver does not say when it came");
}
