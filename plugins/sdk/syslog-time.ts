// Times at the head of syslog messages: `Oct 11 22:14:15` (RFC 3164, local and without a year) and
// ISO 8601 (RFC 5424, and the files of newer systems). Read by index: every line has one.

import { RejectedInput } from "./errors.ts";

/** What reading a time takes besides the text. */
export interface SyslogTimeOptions {
  /** When the message was taken in, in ms since the epoch: decides a year that is not written. */
  readonly receivedAt?: number;
  /** From local time (as if it were UTC, in ms) to its offset in ms; UTC without it. */
  readonly timezone?: (localMs: number) => number;
}

/** A time, and where the text goes on behind it. */
export interface SyslogTime {
  /** Milliseconds since the epoch. */
  readonly ms: number;
  readonly end: number;
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
// A sender's clock or time zone may be off by this much before its time counts as last year's.
const AHEAD_MS = 86_400_000;
/** Every run of so many years holds a leap day, except around 1900 and 2100. */
const YEARS_BACK = 8;

const SPACE = 32;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const T = 84;
const Z = 90;

/**
 * The time that begins at index `at`; undefined where none does. Throws RejectedInput for one
 * without a year when it is not said when the message came.
 */
export function readSyslogTime(
  text: string,
  at: number,
  options: SyslogTimeOptions,
): SyslogTime | undefined {
  const first = text.charCodeAt(at) - ZERO;
  return first >= 0 && first <= 9 ? isoTime(text, at, options) : shortTime(text, at, options);
}

/** The number that `count` digits at `at` spell; NaN where one is no digit. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

function isDigit(text: string, at: number): boolean {
  const digit = text.charCodeAt(at) - ZERO;
  return digit >= 0 && digit <= 9;
}

/** Milliseconds of the day that `hh:mm:ss` at `at` says; NaN where it is none. */
function clock(text: string, at: number): number {
  if (text.charCodeAt(at + 2) !== COLON || text.charCodeAt(at + 5) !== COLON) return NaN;
  const hour = digits(text, at, 2);
  const minute = digits(text, at + 3, 2);
  const second = digits(text, at + 6, 2);
  // 60 is a leap second.
  if (!(hour < 24 && minute < 60 && second <= 60)) return NaN;
  return ((hour * 60 + minute) * 60 + second) * 1000;
}

/** Where the digits of a fraction end, which begins with its point at `at`; `at` without one. */
function fractionEnd(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if ((code !== DOT && code !== COMMA) || !isDigit(text, at + 1)) return at;
  let end = at + 1;
  while (isDigit(text, end)) end++;
  return end;
}

function fractionMs(text: string, at: number, end: number): number {
  let ms = 0;
  for (let i = 1; i <= 3; i++) ms = ms * 10 + (at + i < end ? text.charCodeAt(at + i) - ZERO : 0);
  return ms;
}

/** Midnight of a day, as if in UTC; NaN where the month has no such day. */
function midnight(year: number, month: number, day: number): number {
  // Times before the epoch are mistakes, and a year below 100 would be taken for 19xx.
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31)) return NaN;
  const ms = Date.UTC(year, month - 1, day);
  // The 30th of February would be the second of March.
  return day > 28 && new Date(ms).getUTCDate() !== day ? NaN : ms;
}

/** `2026-01-31T22:14:15.003+02:00`; without an offset it is local. */
function isoTime(text: string, at: number, options: SyslogTimeOptions): SyslogTime | undefined {
  if (text.charCodeAt(at + 4) !== MINUS || text.charCodeAt(at + 7) !== MINUS) return undefined;
  if (text.charCodeAt(at + 10) !== T) return undefined;
  const day = midnight(digits(text, at, 4), digits(text, at + 5, 2), digits(text, at + 8, 2));
  const whole = day + clock(text, at + 11);
  if (Number.isNaN(whole)) return undefined;
  let end = fractionEnd(text, at + 19);
  const local = whole + fractionMs(text, at + 19, end);
  const sign = text.charCodeAt(end);
  if (sign === Z) return { ms: local, end: end + 1 };
  if (sign !== PLUS && sign !== MINUS) return { ms: local - (options.timezone?.(local) ?? 0), end };
  const hours = digits(text, end + 1, 2);
  end += text.charCodeAt(end + 3) === COLON ? 4 : 3;
  const minutes = digits(text, end, 2);
  if (!(hours < 24 && minutes < 60)) return undefined;
  const offset = (hours * 60 + minutes) * 60_000;
  return { ms: sign === PLUS ? local - offset : local + offset, end: end + 2 };
}

/** `Oct 11 22:14:15`, the day with one digit or two, as some write it with a year or a fraction. */
function shortTime(text: string, at: number, options: SyslogTimeOptions): SyslogTime | undefined {
  const month = MONTHS.indexOf(text.slice(at, at + 3)) / 3 + 1;
  if (!Number.isInteger(month) || month < 1 || text.charCodeAt(at + 3) !== SPACE) return undefined;
  let next = text.charCodeAt(at + 4) === SPACE ? at + 5 : at + 4;
  const length = isDigit(text, next + 1) ? 2 : 1;
  const day = digits(text, next, length);
  next += length;
  if (!(day >= 1 && day <= 31) || text.charCodeAt(next) !== SPACE) return undefined;
  next++;
  let year: number | undefined;
  if (text.charCodeAt(next + 4) === SPACE) {
    year = digits(text, next, 4);
    next += 5;
  }
  const end = fractionEnd(text, next + 8);
  const time = clock(text, next) + fractionMs(text, next + 8, end);
  if (Number.isNaN(time)) return undefined;
  const ms = year === undefined
    ? withoutYear(month, day, time, options)
    : inYear(year, month, day, time, options);
  return Number.isNaN(ms) ? undefined : { ms, end };
}

function inYear(
  year: number,
  month: number,
  day: number,
  time: number,
  options: SyslogTimeOptions,
): number {
  const local = midnight(year, month, day) + time;
  return options.timezone === undefined || Number.isNaN(local)
    ? local
    : local - options.timezone(local);
}

/** The last such time before the message came: in January, December is last year's. */
function withoutYear(
  month: number,
  day: number,
  time: number,
  options: SyslogTimeOptions,
): number {
  if (options.receivedAt === undefined) {
    throw new RejectedInput("Has no year, and its receiver does not say when it came");
  }
  const latest = options.receivedAt + AHEAD_MS;
  // A local year may begin half a day before that of UTC does.
  const newest = new Date(latest + AHEAD_MS).getUTCFullYear();
  for (let year = newest; year >= newest - YEARS_BACK; year--) {
    const ms = inYear(year, month, day, time, options);
    if (ms <= latest) return ms;
  }
  return NaN;
}
