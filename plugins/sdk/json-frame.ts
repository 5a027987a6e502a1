// What formats of JSON documents have in common: the objects of a frame, the members of an object as
// text or number, times, and an id for events whose source gives none.

import { RejectedInput } from "./errors.ts";
import type { AuditEvent, Origin } from "./event.ts";
import type { FramePosition } from "./format.ts";
import type { Json, JsonObject } from "./json.ts";
import { type JsonLimits, type ParsedJson, parseJson } from "./json-object.ts";
import { endpointOf } from "./mapping-event.ts";
import { isObject, setMember } from "./mapping-path.ts";
import { readTime } from "./mapping-time.ts";

/**
 * Limits of formats that have no options for them. The receiver's own limit on a line or a body is
 * lower than these bytes; the depth is that of every source of JSON.
 */
export const JSON_LIMITS: JsonLimits = { bytesMax: 32 * 1024 * 1024, depthMax: 32 };

/**
 * The object of a frame. Throws RejectedInput for bytes that are not UTF-8, blank, no JSON, no
 * object, nested too deep, too long, or that name a member twice, of which one would be lost.
 * Numbers that a double would round come as text.
 */
export function parseJsonFrame(frame: Uint8Array, limits: JsonLimits = JSON_LIMITS): JsonObject {
  const root = unambiguous(parseJson(frame, limits));
  if (isObject(root)) return root;
  throw new RejectedInput("Is JSON, but no object");
}

/**
 * All objects of a frame that holds one object, a list of objects, or one object a line. Throws as
 * parseJsonFrame() does; one bad object rejects the frame, since a frame is kept as a whole.
 */
export function parseJsonFrames(
  frame: Uint8Array,
  limits: JsonLimits = JSON_LIMITS,
): readonly JsonObject[] {
  let root: Json;
  try {
    root = unambiguous(parseJson(frame, limits));
  } catch (error) {
    const lines = linesOf(frame);
    if (lines.length < 2 || !(error instanceof RejectedInput)) throw error;
    return lines.map((line) => parseJsonFrame(line, limits));
  }
  if (isObject(root)) return [root];
  if (!Array.isArray(root) || !root.every(isObject)) {
    throw new RejectedInput("Is JSON, but no object and no list of objects");
  }
  return root;
}

function unambiguous(parsed: ParsedJson | undefined): Json {
  if (parsed === undefined) throw new RejectedInput("Is blank");
  if (parsed.ambiguous !== undefined) throw new RejectedInput("Names a member twice");
  return parsed.root;
}

function linesOf(frame: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < frame.length;) {
    const end = frame.indexOf(0x0a, at);
    const line = frame.subarray(at, end < 0 ? frame.length : end);
    if (line.some((byte) => byte > 0x20)) lines.push(line);
    at = end < 0 ? frame.length : end + 1;
  }
  return lines;
}

/**
 * The id of an event whose source gives none: where its frame stands, and which of several in the
 * frame it is.
 */
export function frameId(at: FramePosition, index = 0): string {
  return index === 0 ? `${at.source}:${at.offset}` : `${at.source}:${at.offset}:${index}`;
}

/** The text of a member: a text that is not empty, or a number. */
export function textIn(from: JsonObject | undefined, name: string): string | undefined {
  const found = from === undefined || !Object.hasOwn(from, name) ? undefined : from[name];
  if (typeof found === "string") return found === "" ? undefined : found;
  return typeof found === "number" ? String(found) : undefined;
}

/** A member that is an object. */
export function objectIn(from: JsonObject | undefined, name: string): JsonObject | undefined {
  const found = from === undefined || !Object.hasOwn(from, name) ? undefined : from[name];
  return isObject(found) ? found : undefined;
}

/** A member that is a list. */
export function listIn(from: JsonObject | undefined, name: string): readonly Json[] | undefined {
  const found = from === undefined || !Object.hasOwn(from, name) ? undefined : from[name];
  return Array.isArray(found) ? found : undefined;
}

/** A member that is a number, also one written as text. */
export function numberIn(from: JsonObject | undefined, name: string): number | undefined {
  const text = textIn(from, name);
  const number = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** Members that are being collected for a part of an event. */
export type Members = Record<string, Json>;

const NO_NAMES: ReadonlySet<string> = new Set();

// Loops of parsed objects below go by `in`: these inherit nothing that it would find, and a list of
// their names would take longer than all else.

/** The members that are in neither set, added to `into`; undefined when there are none at all. */
export function membersExcept(
  from: JsonObject,
  taken: ReadonlySet<string>,
  alsoTaken: ReadonlySet<string> = NO_NAMES,
  into?: Members,
): Members | undefined {
  let members = into;
  for (const name in from) {
    const value = from[name];
    if (value === undefined || taken.has(name) || alsoTaken.has(name)) continue;
    setMember(members ??= {}, name, value);
  }
  return members;
}

/** The members that are in the set, added to `into`; undefined when there are none at all. */
export function membersOf(
  from: JsonObject,
  names: ReadonlySet<string>,
  into?: Members,
): Members | undefined {
  let members = into;
  for (const name in from) {
    const value = from[name];
    if (value !== undefined && names.has(name)) setMember(members ??= {}, name, value);
  }
  return members;
}

// A name that can stand in place of an address: a host's, not a sentence.
const HOST = /^([^\s\p{Cc}:]{1,255})(?::(\d{1,5}))?$/u;

/** The origin of a peer as sources write it (an address, with or without a port, or a name). */
export function originOf(peer: string | undefined, userAgent?: string): Origin | undefined {
  if (peer === undefined) return userAgent === undefined ? undefined : { userAgent };
  const { address, port, host } = endpointOf(peer);
  const origin: { -readonly [K in keyof Origin]: Origin[K] } = {};
  if (address !== undefined) origin.address = address;
  if (port !== undefined) origin.port = Number(port);
  const named = host === undefined ? null : HOST.exec(host);
  if (named !== null) origin.host = named[1]!;
  if (named?.[2] !== undefined) origin.port = Number(named[2]);
  if (userAgent !== undefined) origin.userAgent = userAgent;
  return origin;
}

/** An event being made: members that are not there are added later, or never. */
export type EventDraft = { -readonly [K in keyof AuditEvent]: AuditEvent[K] };

/**
 * The first of some values that is a time (ISO 8601, or seconds, ms, µs or ns since the epoch), in
 * milliseconds; else when the frame was received. Throws RejectedInput where neither is known.
 */
export function timeAt(at: FramePosition, ...values: readonly (Json | undefined)[]): number {
  for (const value of values) {
    const time = value === undefined ? undefined : readTime(value);
    if (time !== undefined) return time;
  }
  if (at.receivedAt !== undefined) return at.receivedAt;
  throw new RejectedInput("Has no time, and its receiver does not say when it came");
}
