// Which category a stored record belongs to, and whether it reads or writes, for the selectors.

import { Buffer } from "node:buffer";
import type { StoredRecord } from "../export-batch.ts";
import type { CloudTrailRecord } from "./record.ts";

/** What a selector looks at. */
export type Selectable = Pick<StoredRecord, "category" | "bytes" | "record">;

/** Says whether a record is wanted. */
export type Selector = (record: Selectable) => boolean;

const CATEGORY_KEY = Buffer.from('"eventCategory"');

const NO_BYTES = Buffer.alloc(0);

/** A record that is not stored yet, for a selector. */
export function selectable(record: CloudTrailRecord): Selectable {
  const { eventCategory } = record;
  return typeof eventCategory === "string"
    ? { category: eventCategory, bytes: CATEGORY_KEY, record }
    : { category: "Management", bytes: NO_BYTES, record };
}

/**
 * The record's category. Records older than eventVersion 1.07 do not name it and are stored as
 * Management; of those, the ones with `managementEvent: false` are data events. Only they are
 * parsed.
 */
export function eventCategory(stored: Selectable): string {
  if (stored.category !== "Management") return stored.category;
  const { bytes } = stored;
  const text = bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text.indexOf(CATEGORY_KEY) >= 0) return "Management";
  return String(stored.record.managementEvent) === "false" ? "Data" : "Management";
}

/**
 * True for a record known to change nothing. One that does not say might have changed something.
 */
export function isReadOnly(record: CloudTrailRecord): boolean {
  return String(record.readOnly) === "true";
}
