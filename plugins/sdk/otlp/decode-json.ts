// ExportLogsServiceRequest in OTLP's JSON -> log records, whole or not at all. Names are in camel
// case, 64-bit integers are text (or numbers), ids are hexadecimal, bytes are Base64; members that
// are not known are passed over, as the specification asks.

import { Buffer } from "node:buffer";
import { RejectedInput } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { parseObject } from "../json-object.ts";
import { isObject } from "../mapping-path.ts";
import { type AnyValue, DEPTH_MAX, type KeyValue, KeyValueList } from "./any-value.ts";
import { checkBrackets, ItemBudget } from "./item-budget.ts";
import type { LogRecord, ResourceLogs, ScopeLogs } from "./log-record.ts";

// A level of values takes up to four of JSON (`{ kvlistValue: { values: [ { value: …`), the messages
// around them ten. What is deeper is refused as a whole, what is between only as a record.
const JSON_DEPTH_MAX = 4 * DEPTH_MAX + 128;
const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MAX = 2n ** 63n - 1n;

/** What one decoding keeps in mind. */
interface Walk {
  /** Whether a value met in the present record nests too deep. */
  isTooDeep: boolean;
  readonly budget: ItemBudget;
}

/**
 * Decodes a request. Throws RejectedInput where it is none. Undefined for traces, metrics and
 * profiles, which have requests of the same kind.
 */
export function decodeJson(
  bytes: Uint8Array,
  bytesMax: number,
): readonly ResourceLogs[] | undefined {
  checkBrackets(bytes);
  const root = parseObject(bytes, { bytesMax, depthMax: JSON_DEPTH_MAX })?.root;
  if (root === undefined) throw new RejectedInput("Is blank");
  if (
    root.resourceLogs === undefined && (root.resourceSpans ?? root.resourceMetrics ??
        root.resourceProfiles) !== undefined
  ) return undefined;
  const walk = { isTooDeep: false, budget: new ItemBudget() };
  return objects(root, "resourceLogs", walk).map((one) => resourceLogs(one, walk));
}

function resourceLogs(from: JsonObject, walk: Walk): ResourceLogs {
  const attributes = keyValues(object(from, "resource"), "attributes", 1, walk);
  outsideRecord(walk);
  return {
    attributes,
    schemaUrl: text(from, "schemaUrl"),
    scopes: objects(from, "scopeLogs", walk).map((one) => scopeLogs(one, walk)),
  };
}

function scopeLogs(from: JsonObject, walk: Walk): ScopeLogs {
  const scope = object(from, "scope");
  const attributes = keyValues(scope, "attributes", 1, walk);
  outsideRecord(walk);
  return {
    name: text(scope, "name"),
    version: text(scope, "version"),
    attributes,
    schemaUrl: text(from, "schemaUrl"),
    records: objects(from, "logRecords", walk).map((one) => logRecord(one, walk)),
  };
}

/** What all records share cannot be refused with one of them. */
function outsideRecord(walk: Walk): void {
  if (walk.isTooDeep) {
    throw new RejectedInput(`Attributes of a resource or scope nest deeper than ${DEPTH_MAX}`);
  }
}

function logRecord(from: JsonObject, walk: Walk): LogRecord {
  walk.isTooDeep = false;
  const body = anyValue(member(from, "body"), 1, walk);
  const attributes = keyValues(from, "attributes", 1, walk);
  const tooDeep = walk.isTooDeep;
  walk.isTooDeep = false;
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

function keyValues(from: JsonObject, name: string, depth: number, walk: Walk): KeyValue[] {
  return objects(from, name, walk).map((one) => ({
    key: text(one, "key"),
    value: anyValue(member(one, "value"), depth, walk),
  }));
}

function anyValue(from: Json | undefined, depth: number, walk: Walk): AnyValue {
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
        return nested(object(from, kind), kind === "kvlistValue", depth, walk);
    }
  }
  return null;
}

function nested(from: JsonObject, isKeyed: boolean, depth: number, walk: Walk): AnyValue {
  if (depth > DEPTH_MAX) {
    walk.isTooDeep = true;
    return null;
  }
  if (isKeyed) return new KeyValueList(keyValues(from, "values", depth + 1, walk));
  return list(from, "values", walk).map((one) => anyValue(one ?? undefined, depth + 1, walk));
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

function objects(from: JsonObject, name: string, walk: Walk): readonly JsonObject[] {
  const found = list(from, name, walk);
  expect(found.every(isObject), name);
  return found as readonly JsonObject[];
}

function list(from: JsonObject, name: string, walk: Walk): readonly Json[] {
  const value = member(from, name) ?? [];
  expect(Array.isArray(value), name);
  walk.budget.take((value as readonly Json[]).length);
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
