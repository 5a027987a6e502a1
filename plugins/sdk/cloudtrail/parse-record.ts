// One record's text to a record: parsed to be looked at, while its bytes travel on as they came.
// Takes the envelopes off that CloudTrail's records come in outside log files.

import { Buffer, isAscii, isUtf8 } from "node:buffer";
import { RejectedInput } from "../errors.ts";
import type { CloudTrailRecord } from "./record.ts";
import { memberSpan } from "./json-text.ts";
import { SPLIT_LIMITS } from "./span.ts";

/** A record and its exact JSON text. */
export interface ParsedRecord {
  readonly record: CloudTrailRecord;
  readonly bytes: Uint8Array;
}

/**
 * Parses one record's text, which may also be an EventBridge event (the record is its `detail`) or
 * an item of LookupEvents' answer (the record is text in its `CloudTrailEvent`). `bytes` of the
 * answer is a view of the given bytes wherever the record lies in them. Whether the record is
 * CloudTrail's in all its fields is for validateRecord to say. Throws RejectedInput.
 */
export function parseRecord(bytes: Uint8Array): ParsedRecord {
  const text = textOf(bytes);
  const value = parseJson(text);
  if (!isObject(value)) throw new RejectedInput("Record is not a JSON object");
  const { depthMax } = SPLIT_LIMITS;
  if (nestsDeeper(text, value, depthMax)) {
    throw new RejectedInput(`Record nests deeper than ${depthMax} levels`);
  }
  if (value.eventVersion !== undefined) return { record: value as CloudTrailRecord, bytes };
  if (typeof value["detail-type"] === "string" && isObject(value.detail)) {
    const [start, end] = memberSpan(bytes, "detail")!;
    return { record: value.detail as CloudTrailRecord, bytes: bytes.subarray(start, end) };
  }
  if (typeof value.CloudTrailEvent === "string") {
    return parseRecord(Buffer.from(value.CloudTrailEvent));
  }
  return { record: value as CloudTrailRecord, bytes };
}

/** How CloudTrail begins every record. */
const BEGIN = Buffer.from('{"eventVersion":');

/** Whether a text begins as CloudTrail writes a record: it has no envelope, and holds no list of them. */
export function beginsAsRecord(bytes: Uint8Array): boolean {
  if (bytes.length < BEGIN.length) return false;
  for (let i = 0; i < BEGIN.length; i++) if (bytes[i] !== BEGIN[i]) return false;
  return true;
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Nearly all records are ASCII, and then no byte has to be decoded.
  if (isAscii(buffer)) return buffer.toString("latin1");
  // Bytes that are no UTF-8 would be read as something else than what is then delivered.
  if (!isUtf8(buffer)) throw new RejectedInput("Record is not UTF-8");
  return buffer.toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The message quotes the text, which may hold what must not be logged.
    throw new RejectedInput("Record is not JSON", { cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True where objects and lists of a parsed text nest deeper than `levels`. */
export function nestsDeeper(text: string, value: object, levels: number): boolean {
  return opensMore(text, levels) && depthExceeds(value, levels);
}

/**
 * True where the text opens more objects and lists than `levels`, be it inside strings: without so
 * many it cannot nest deeper. Far cheaper than walking the value, which few records then need.
 */
function opensMore(text: string, levels: number): boolean {
  let left = levels;
  for (let at = text.indexOf("{"); at >= 0; at = text.indexOf("{", at + 1)) {
    if (--left < 0) return true;
  }
  for (let at = text.indexOf("["); at >= 0; at = text.indexOf("[", at + 1)) {
    if (--left < 0) return true;
  }
  return false;
}

/** True where objects and lists nest deeper than `levels`; stops looking there. */
function depthExceeds(value: object, levels: number): boolean {
  if (levels === 0) return true;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === "object" && member !== null && depthExceeds(member, levels - 1)) {
      return true;
    }
  }
  return false;
}
