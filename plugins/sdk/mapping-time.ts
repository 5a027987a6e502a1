// Times of the mapping language: text or number of a source -> milliseconds since the epoch. There is
// no clock here: a time without a year takes it from the option, or from when the frame was received.

import { z } from "zod";
import { RejectedInput } from "./errors.ts";
import type { FramePosition } from "./format.ts";
import type { Json } from "./json.ts";
import type { Scope } from "./mapping-path.ts";
import { isRecord, pass, textOf, type Value, value } from "./mapping-value.ts";
import { compileTimeFormat, type LocalTime } from "./mapping-time-format.ts";
import { zoneOffset } from "./mapping-time-zone.ts";

/** A compiled time. */
export interface Time {
  readonly source: unknown;
  /** Milliseconds since the epoch. Throws RejectedInput when the time is missing or unreadable. */
  readonly read: (scope: Scope, at: FramePosition) => number;
}

const NAMED: Readonly<Record<string, string>> = {
  rfc3164: "%b %e %H:%M:%S",
  clf: "%d/%b/%Y:%H:%M:%S %z",
};
const EPOCH: Readonly<Record<string, number>> = {
  epoch_s: 1000,
  epoch_ms: 1,
  epoch_us: 1e-3,
  epoch_ns: 1e-6,
};
const TIME_MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
// A sender's clock or time zone may be off by this much before its time counts as last year's.
const AHEAD_MS = 86_400_000;

const TIME_HELP = "a path, { path, format, timezone, year } or received";

const options = z.strictObject({
  format: z.string().min(1).default("auto").transform((name, ctx) => {
    if (name === "auto" || name === "iso8601" || name in EPOCH) return name;
    const compiled = compileTimeFormat(NAMED[name] ?? name);
    if (typeof compiled !== "string") return compiled;
    ctx.issues.push({ code: "custom", input: name, message: compiled });
    return z.NEVER;
  }),
  timezone: z.string().default("UTC").transform((name, ctx) => {
    const offset = zoneOffset(name);
    if (offset !== undefined) return offset;
    const message = `Unknown time zone "${name}": expected UTC, +02:00 or a name as Europe/Berlin`;
    ctx.issues.push({ code: "custom", input: name, message });
    return z.NEVER;
  }),
  year: z.int().min(1970).max(9999).optional(),
});

/** Option: where the time is and how it is written. */
export const time: z.ZodType<Time, unknown> = z.codec(
  z.unknown().meta({ description: TIME_HELP }),
  z.custom<Time>(),
  {
    decode(source, ctx) {
      if (source === "received") return { source, read: (_scope, at) => receivedAt(at, "time") };
      const { format, timezone, year, ...rest } = isRecord(source) ? source : {};
      const where = value.safeParse(isRecord(source) ? rest : source);
      const how = options.safeParse(dropUndefined({ format, timezone, year }));
      if (!where.success) pass(source === undefined ? undefined : where.error, ctx, source, "");
      if (!how.success) pass(how.error, ctx, source, "");
      if (!where.success || !how.success) return z.NEVER;
      return { source, read: reader(where.data, how.data) };
    },
    encode: ({ source }) => source,
  },
);

function dropUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, member]) => member !== undefined));
}

function reader(where: Value, { format, timezone, year }: z.output<typeof options>): Time["read"] {
  const convert = typeof format !== "string"
    ? (found: Json, at: FramePosition) => {
      const local = format(textOf(found) ?? "");
      return local === undefined ? undefined : instant(local, timezone, year, at);
    }
    : format in EPOCH
    ? (found: Json) => epoch(found, EPOCH[format]!)
    : format === "auto"
    ? (found: Json) => auto(found, timezone)
    : (found: Json) => iso(textOf(found) ?? "", timezone);
  return (scope, at) => {
    const found = where.read(scope);
    if (found === undefined) throw new RejectedInput("Has no time");
    const ms = convert(found, at);
    if (ms !== undefined && ms >= 0 && ms <= TIME_MS_MAX) return Math.floor(ms);
    throw new RejectedInput(`Cannot read time ${JSON.stringify(found).slice(0, 64)}`);
  };
}

function epoch(found: Json, unitMs: number): number | undefined {
  const text = textOf(found);
  if (text === undefined || !/^\d{1,20}(\.\d{1,20})?$/.test(text)) return undefined;
  // Whole nanoseconds exceed what a number holds; the digits that matter are the first ones.
  const ms = Number(text) * unitMs;
  return Number.isInteger(ms) ? ms : Math.floor(ms + 1e-4);
}

const utc = () => 0;

/** A time as `auto` reads it, in milliseconds; without a zone it is UTC. Undefined if it is none. */
export function readTime(found: Json): number | undefined {
  const ms = auto(found, utc);
  return ms !== undefined && ms >= 0 && ms <= TIME_MS_MAX ? Math.floor(ms) : undefined;
}

/** ISO 8601, or a number whose size tells its unit: seconds to 5138, then ms, µs, ns. */
function auto(found: Json, timezone: (localMs: number) => number): number | undefined {
  const text = textOf(found);
  if (text === undefined) return undefined;
  if (!/^\d{9,20}(\.\d+)?$/.test(text)) return iso(text, timezone);
  const size = Number(text);
  return epoch(found, size < 1e11 ? 1000 : size < 1e14 ? 1 : size < 1e17 ? 1e-3 : 1e-6);
}

const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,12}))? ?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?)?$/;

function iso(text: string, timezone: (localMs: number) => number): number | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, date, clock = "00:00:00", fraction, zulu, sign, hours, minutes = "0"] = match;
  const local = Date.parse(`${date}T${clock}Z`);
  if (Number.isNaN(local)) return undefined;
  // Date.parse moves 30 February to March; the day has to come back as it was.
  if (new Date(local).getUTCDate() !== Number(date!.slice(8))) return undefined;
  const ms = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000 + 1e-6);
  if (zulu !== undefined) return local + ms;
  if (sign === undefined) return local + ms - timezone(local);
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return local + ms - (sign === "-" ? -offset : offset);
}

function instant(
  local: LocalTime,
  timezone: (localMs: number) => number,
  fixedYear: number | undefined,
  at: FramePosition,
): number | undefined {
  if (local.epochMs !== undefined) return local.epochMs;
  const year = local.year ?? fixedYear;
  if (year !== undefined) return inYear(local, year, timezone);
  const received = receivedAt(at, "year");
  const latest = new Date(received).getUTCFullYear() + 1;
  // Eight years back always hold a leap day, except around 1900 and 2100.
  for (let candidate = latest; candidate >= latest - 8; candidate--) {
    const ms = inYear(local, candidate, timezone);
    if (ms !== undefined && ms <= received + AHEAD_MS) return ms;
  }
  return undefined;
}

function inYear(
  local: LocalTime,
  year: number,
  timezone: (localMs: number) => number,
): number | undefined {
  const { month, day, hour, minute, second, ms, offsetMs } = local;
  const naive = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const back = new Date(naive);
  if (back.getUTCDate() !== day || back.getUTCHours() !== hour) return undefined;
  return naive - (offsetMs ?? timezone(naive));
}

function receivedAt(at: FramePosition, missing: "time" | "year"): number {
  if (at.receivedAt !== undefined) return at.receivedAt;
  const fix = missing === "year" ? ": set year beside the time's format" : "";
  throw new RejectedInput(
    `Has no ${missing}, and its receiver does not say when it came${fix}`,
  );
}
