// ExportLogsServiceRequest in OTLP's JSON -> log records, whole or not at all. Names are in camel
// case, 64-bit integers are text (or numbers), ids are hexadecimal, bytes are Base64; members that
// are not known are passed over, as the specification asks.

import { Buffer } from "node:buffer";
import { RejectedInput } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { parseObject } from "../json-object.ts";
import { isObject } from "../mapping-path.ts";
import { type AnyValue, DEPTH_MAX, type KeyValue, KeyValueList } from "./any-value.ts";
import type { LogRecord, ResourceLogs, ScopeLogs } from "./log-record.ts";

// A level of values takes up to four of JSON (`{ kvlistValue: { values: [ { value: …`), the messages
// around them ten. What is deeper is refused as a whole, what is between only as a record.
const JSON_DEPTH_MAX = 4 * DEPTH_MAX + 128;
const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MAX = 2n ** 63n - 1n;

/** Whether a value met in the present record nests too deep. One for each decoding. */
interface Depth {
  isExceeded: boolean;
}

/**
 * Decodes a request. Throws RejectedInput where it is none. Undefined for traces, metrics and
 * profiles, which have requests of the same kind.
 */
export function decodeJson(
  bytes: Uint8Array,
  bytesMax: number,
): readonly ResourceLogs[] | undefined {
  const root = parseObject(bytes, { bytesMax, depthMax: JSON_DEPTH_MAX })?.root;
  if (root === undefined) throw new RejectedInput("Is blank");
  if (
    root.resourceLogs === undefined && (root.resourceSpans ?? root.resourceMetrics ??
        root.resourceProfiles) !== undefined
  ) return undefined;
  const depth = { isExceeded: false };
  return objects(root, "resourceLogs").map((one) => resourceLogs(one, depth));
}

function resourceLogs(from: JsonObject, depth: Depth): ResourceLogs {
  const attributes = keyValues(object(from, "resource"), "attributes", 1, depth);
  outsideRecord(depth);
  return {
    attributes,
    schemaUrl: text(from, "schemaUrl"),
    scopes: objects(from, "scopeLogs").map((one) => scopeLogs(one, depth)),
  };
}

function scopeLogs(from: JsonObject, depth: Depth): ScopeLogs {
  const scope = object(from, "scope");
  const attributes = keyValues(scope, "attributes", 1, depth);
  outsideRecord(depth);
  return {
    name: text(scope, "name"),
    version: text(scope, "version"),
    attributes,
    schemaUrl: text(from, "schemaUrl"),
    records: objects(from, "logRecords").map((one) => logRecord(one, depth)),
  };
}

/** What all records share cannot be refused with one of them. */
function outsideRecord(depth: Depth): void {
  if (depth.isExceeded) {
    throw new RejectedInput(`Attributes of a resource or scope nest deeper than ${DEPTH_MAX}`);
  }
}

function logRecord(from: JsonObject, depth: Depth): LogRecord {
  depth.isExceeded = false;
  const body = anyValue(member(from, "body"), 1, depth);
  const attributes = keyValues(from, "attributes", 1, depth);
  const tooDeep = depth.isExceeded;
  depth.isExceeded = false;
  return {
    time: nanoseconds(from, "timeUnixNano"),
    observed: nanoseconds(from, "observedTimeUnixNano"),
    severityNumber: count(from, "severityNumber"),
    severityText: text(from, "severityText"),
    eventName: text(from, "eventName"),
    body,
    attributes,
    droppedAttributes: count(from, "droppedAttributesCount"),
    flags: count(from, "flags"),
    traceId: text(from, "traceId").toLowerCase(),
    spanId: text(from, "spanId").toLowerCase(),
    tooDeep,
    found: from,
  };
}

function keyValues(from: JsonObject, name: string, depth: number, state: Depth): KeyValue[] {
  return objects(from, name).map((one) => ({
    key: text(one, "key"),
    value: anyValue(member(one, "value"), depth, state),
  }));
}

function anyValue(from: Json | undefined, depth: number, state: Depth): AnyValue {
  if (from === undefined) return null;
  if (!isObject(from)) throw new RejectedInput("A value is no object");
  for (const kind in from) {
    const value = from[kind];
    if (value === undefined || value === null) continue;
    switch (kind) {
      case "stringValue":
        return text(from, kind);
      case "boolValue":
        return expect(typeof value === "boolean", kind) && value === true;
      case "intValue":
        return integer(value, kind);
      case "doubleValue":
        return double(value, kind);
      case "bytesValue":
        return Buffer.from(text(from, kind), "base64");
      case "arrayValue":
      case "kvlistValue":
        return nested(object(from, kind), kind === "kvlistValue", depth, state);
    }
  }
  return null;
}

function nested(from: JsonObject, isKeyed: boolean, depth: number, state: Depth): AnyValue {
  if (depth > DEPTH_MAX) {
    state.isExceeded = true;
    return null;
  }
  if (isKeyed) return new KeyValueList(keyValues(from, "values", depth + 1, state));
  return list(from, "values").map((one) => anyValue(one ?? undefined, depth + 1, state));
}

function integer(value: Json, name: string): number | bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  expect(typeof value === "string" && /^-?\d{1,19}$/.test(value), name);
  const big = BigInt(value as string);
  expect(big <= INT64_MAX && big >= -INT64_MAX - 1n, name);
  const number = Number(big);
  return Number.isSafeInteger(number) ? number : big;
}

/** Numbers also come as text: NaN, the infinities, and what a double would round. */
function double(value: Json, name: string): number {
  if (typeof value === "number") return value;
  expect(typeof value === "string" && value.trim() !== "", name);
  const number = Number(value);
  expect(!Number.isNaN(number) || value === "NaN", name);
  return number;
}

function nanoseconds(from: JsonObject, name: string): bigint {
  const value = member(from, name);
  if (value === undefined) return 0n;
  const digits = typeof value === "number" ? String(Math.trunc(value)) : value;
  expect(typeof digits === "string" && /^\d{1,20}$/.test(digits), name);
  const found = BigInt(digits as string);
  expect(found <= UINT64_MAX, name);
  return found;
}

function count(from: JsonObject, name: string): number {
  const value = Number(member(from, name) ?? 0);
  expect(Number.isSafeInteger(value) && value >= 0, name);
  return value;
}

function text(from: JsonObject, name: string): string {
  const value = member(from, name) ?? "";
  expect(typeof value === "string", name);
  return value as string;
}

function object(from: JsonObject, name: string): JsonObject {
  const value = member(from, name) ?? {};
  expect(isObject(value), name);
  return value as JsonObject;
}

function objects(from: JsonObject, name: string): readonly JsonObject[] {
  const found = list(from, name);
  expect(found.every(isObject), name);
  return found as readonly JsonObject[];
}

function list(from: JsonObject, name: string): readonly Json[] {
  const value = member(from, name) ?? [];
  expect(Array.isArray(value), name);
  return value as readonly Json[];
}

/** A member of the object itself; null stands for one that was not sent. */
function member(from: JsonObject, name: string): Json | undefined {
  const value = Object.hasOwn(from, name) ? from[name] : undefined;
  return value ?? undefined;
}

function expect(isRight: boolean, name: string): true {
  if (!isRight) throw new RejectedInput(`Member "${name}" is not what OTLP has there`);
  return true;
}
