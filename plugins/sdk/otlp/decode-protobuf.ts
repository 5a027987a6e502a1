// ExportLogsServiceRequest in Protocol Buffers -> log records, whole or not at all. Field numbers are
// those of opentelemetry/proto/{collector/logs,logs,common,resource}/v1; `case 0x0a` is field 1,
// delimited. A field that is known but of another wire type refuses the message.

import { RejectedInput } from "../errors.ts";
import { type AnyValue, DEPTH_MAX, type KeyValue, KeyValueList } from "./any-value.ts";
import { checkItems } from "./count-items.ts";
import type { LogRecord, ResourceLogs, ScopeLogs } from "./log-record.ts";
import { WireReader } from "./wire.ts";

/** Bits of the field numbers that a message has. */
const fields = (...numbers: number[]) => numbers.reduce((bits, number) => bits | 1 << number, 0);
const REQUEST = fields(1);
const RESOURCE_LOGS = fields(1, 2, 3);
const RESOURCE = fields(1, 2);
const SCOPE_LOGS = fields(1, 2, 3);
const SCOPE = fields(1, 2, 3, 4);
const LOG_RECORD = fields(1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12);
const ANY_VALUE = fields(1, 2, 3, 4, 5, 6, 7);
const LIST = fields(1);
const KEY_VALUE = fields(1, 2);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Decodes a request. Throws RejectedInput where it is none. */
export function decodeProtobuf(bytes: Uint8Array): readonly ResourceLogs[] {
  checkItems(bytes);
  const reader = new WireReader(bytes);
  const resources: ResourceLogs[] = [];
  const end = bytes.length;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) resources.push(resourceLogs(reader, reader.length(end)));
    else reader.skip(tag, REQUEST, end);
  }
  return resources;
}

function resourceLogs(reader: WireReader, end: number): ResourceLogs {
  const found = { attributes: [] as KeyValue[], schemaUrl: "", scopes: [] as ScopeLogs[] };
  reader.budget.take(1);
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) resource(reader, reader.length(end), found.attributes);
    else if (tag === 0x12) found.scopes.push(scopeLogs(reader, reader.length(end)));
    else if (tag === 0x1a) found.schemaUrl = reader.string(end);
    else reader.skip(tag, RESOURCE_LOGS, end);
  }
  return found;
}

function resource(reader: WireReader, end: number, attributes: KeyValue[]): void {
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) attributes.push(keyValue(reader, reader.length(end), 1));
    else if (tag === 0x10) reader.uint32(end);
    else reader.skip(tag, RESOURCE, end);
  }
  outsideRecord(reader);
}

function scopeLogs(reader: WireReader, end: number): ScopeLogs {
  const found = {
    name: "",
    version: "",
    attributes: [] as KeyValue[],
    schemaUrl: "",
    records: [] as LogRecord[],
  };
  reader.budget.take(1);
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) scope(reader, reader.length(end), found);
    else if (tag === 0x12) found.records.push(logRecord(reader, reader.length(end)));
    else if (tag === 0x1a) found.schemaUrl = reader.string(end);
    else reader.skip(tag, SCOPE_LOGS, end);
  }
  return found;
}

function scope(
  reader: WireReader,
  end: number,
  found: { name: string; version: string; attributes: KeyValue[] },
): void {
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) found.name = reader.string(end);
    else if (tag === 0x12) found.version = reader.string(end);
    else if (tag === 0x1a) found.attributes.push(keyValue(reader, reader.length(end), 1));
    else if (tag === 0x20) reader.uint32(end);
    else reader.skip(tag, SCOPE, end);
  }
  outsideRecord(reader);
}

/** What all records share cannot be refused with one of them. */
function outsideRecord(reader: WireReader): void {
  if (reader.tooDeep) {
    throw new RejectedInput(`Attributes of a resource or scope nest deeper than ${DEPTH_MAX}`);
  }
}

function logRecord(reader: WireReader, end: number): LogRecord {
  const attributes: KeyValue[] = [];
  const record: Mutable<LogRecord> = {
    time: 0n,
    observed: 0n,
    severityNumber: 0,
    severityText: "",
    eventName: "",
    body: null,
    attributes,
    droppedAttributes: 0,
    flags: 0,
    traceId: "",
    spanId: "",
    tooDeep: false,
    found: [reader.at, end],
  };
  reader.budget.take(1);
  while (reader.at < end) recordField(reader, end, record, attributes);
  record.tooDeep = reader.tooDeep;
  reader.tooDeep = false;
  return record;
}

function recordField(
  reader: WireReader,
  end: number,
  record: Mutable<LogRecord>,
  attributes: KeyValue[],
): void {
  const tag = reader.tag(end);
  switch (tag) {
    case 0x09:
      record.time = reader.fixed64(end);
      return;
    case 0x10:
      record.severityNumber = reader.uint32(end) | 0;
      return;
    case 0x1a:
      record.severityText = reader.string(end);
      return;
    case 0x2a:
      record.body = anyValue(reader, reader.length(end), 1);
      return;
    case 0x32:
      attributes.push(keyValue(reader, reader.length(end), 1));
      return;
    case 0x38:
      record.droppedAttributes = reader.uint32(end);
      return;
    case 0x45:
      record.flags = reader.fixed32(end);
      return;
    case 0x4a:
      record.traceId = reader.hex(end);
      return;
    case 0x52:
      record.spanId = reader.hex(end);
      return;
    case 0x59:
      record.observed = reader.fixed64(end);
      return;
    case 0x62:
      record.eventName = reader.string(end);
      return;
    default:
      reader.skip(tag, LOG_RECORD, end);
  }
}

function keyValue(reader: WireReader, end: number, depth: number): KeyValue {
  const found: Mutable<KeyValue> = { key: "", value: null };
  reader.budget.take(1);
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) found.key = reader.string(end);
    else if (tag === 0x12) found.value = anyValue(reader, reader.length(end), depth);
    else reader.skip(tag, KEY_VALUE, end);
  }
  return found;
}

function anyValue(reader: WireReader, end: number, depth: number): AnyValue {
  let value: AnyValue = null;
  while (reader.at < end) {
    const tag = reader.tag(end);
    switch (tag) {
      case 0x0a:
        value = reader.string(end);
        break;
      case 0x10:
        value = reader.uint32(end) !== 0;
        break;
      case 0x18:
        value = reader.int64(end);
        break;
      case 0x21:
        value = reader.double(end);
        break;
      case 0x2a:
      case 0x32:
        value = nested(reader, reader.length(end), depth, tag === 0x32);
        break;
      case 0x3a:
        value = reader.blob(end);
        break;
      default:
        reader.skip(tag, ANY_VALUE, end);
    }
  }
  return value;
}

/** An ArrayValue or a KeyValueList; both hold their items in field 1. */
function nested(reader: WireReader, end: number, depth: number, isKeyed: boolean): AnyValue {
  if (depth > DEPTH_MAX) {
    reader.tooDeep = true;
    reader.at = end;
    return null;
  }
  const list: AnyValue[] = [];
  const entries: KeyValue[] = [];
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag !== 0x0a) reader.skip(tag, LIST, end);
    else if (isKeyed) entries.push(keyValue(reader, reader.length(end), depth + 1));
    else {
      reader.budget.take(1);
      list.push(anyValue(reader, reader.length(end), depth + 1));
    }
  }
  return isKeyed ? new KeyValueList(entries) : list;
}
