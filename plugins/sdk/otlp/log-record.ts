// Log records as OTLP groups them: what both encodings are decoded to, and what events are made of.

import { Buffer } from "node:buffer";
import type { JsonObject } from "../json.ts";
import type { AnyValue, KeyValue } from "./any-value.ts";

/** The records of one resource: whatever emits logs. */
export interface ResourceLogs {
  readonly attributes: readonly KeyValue[];
  readonly schemaUrl: string;
  readonly scopes: readonly ScopeLogs[];
}

/** The records of one instrumentation scope of a resource. */
export interface ScopeLogs {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly KeyValue[];
  readonly schemaUrl: string;
  readonly records: readonly LogRecord[];
}

/** One log record. Texts and numbers that were not sent are empty and 0. */
export interface LogRecord {
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** When the collecting side saw it, in nanoseconds since the epoch. */
  readonly observed: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: AnyValue;
  readonly attributes: readonly KeyValue[];
  readonly droppedAttributes: number;
  readonly flags: number;
  /** Lower-case hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** True where a value nests deeper than DEPTH_MAX; it is then cut there. */
  readonly tooDeep: boolean;
  /** Where the record lies in the request's bytes, or what it was parsed from, in JSON. */
  readonly found: readonly [start: number, end: number] | JsonObject;
}

/** The record alone, as it was sent, for who cannot take it. `request` is what it was decoded from. */
export function rawRecord({ found }: LogRecord, request: Uint8Array): Uint8Array {
  if (Array.isArray(found)) return request.subarray(found[0], found[1]);
  return Buffer.from(JSON.stringify(found));
}
