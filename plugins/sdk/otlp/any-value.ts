// AnyValue, the values inside OTLP messages, as JavaScript has them; and their two ways out: as JSON
// of an event, and as exact JSON text of a record that an application sent as a structure.

import { Buffer } from "node:buffer";
import { isSecretName, NOT_COPIED } from "../json-secrets.ts";
import type { Json } from "../json.ts";
import { setMember } from "../mapping-path.ts";

/** A value of any kind. Integers that a double would round are bigints; null is an empty value. */
export type AnyValue =
  | null
  | string
  | boolean
  | number
  | bigint
  | Uint8Array
  | readonly AnyValue[]
  | KeyValueList;

/** A list of keys and values, in its order; keys should differ, but nothing makes them. */
export class KeyValueList {
  readonly entries: readonly KeyValue[];

  constructor(entries: readonly KeyValue[]) {
    this.entries = entries;
  }
}

/** A key and its value. */
export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** Deepest nesting of lists in lists that is taken. */
export const DEPTH_MAX = 32;

/**
 * The value as JSON, as OpenTelemetry writes it where it has to leave OTLP: bytes as Base64, NaN
 * and infinities as text; integers beyond a double's as text, too. Values of secret keys are hidden.
 */
export function toJson(value: AnyValue): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
  }
  if (value === null) return null;
  if (value instanceof KeyValueList) return toObject(value.entries);
  if (value instanceof Uint8Array) return base64(value);
  return value.map(toJson);
}

/** Keys and values as an object of JSON. Of entries with the same key the last one counts. */
export function toObject(entries: readonly KeyValue[]): Record<string, Json> {
  const object: Record<string, Json> = {};
  for (const { key, value } of entries) {
    setMember(object, key, isSecretName(key) ? NOT_COPIED : toJson(value));
  }
  return object;
}

/** Exact JSON text: integers with all their digits, nothing hidden. */
export function jsonText(value: AnyValue): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof KeyValueList) {
    const members = value.entries.map(({ key, value }) =>
      `${JSON.stringify(key)}:${jsonText(value)}`
    );
    return `{${members.join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  return JSON.stringify(toJson(value));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
