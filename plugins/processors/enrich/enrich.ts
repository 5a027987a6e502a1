// What is added to one record: the environment under one member of additionalEventData, and beside it
// what tables say of the record's fields. What the record says itself is never overwritten.

import type { CloudTrailRecord, Json, JsonObject } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { someAt } from "../../sdk/record-path.ts";
import type { Table } from "./table.ts";

/** What records are enriched with. */
export interface Enrichment {
  readonly member: string;
  /** Undefined where nothing is known of it. */
  readonly environment: JsonObject | undefined;
  /** The host whose records get the environment; undefined for every record. */
  readonly host: string | undefined;
  readonly tables: readonly Table[];
}

/** The record with what is added to it; the same object where that is nothing. */
export function enrichRecord(record: CloudTrailRecord, with_: Enrichment): CloudTrailRecord {
  const data: Json | null | undefined = record.additionalEventData;
  // Old records carry text there; it is left as it came.
  if (data !== undefined && data !== null && !isObject(data)) return record;
  const own = data?.[with_.member];
  if (own !== undefined && !isObject(own)) return record;
  const rows = lookUp(record, with_.tables, own);
  // An agent before this one knew better where the action happened.
  const environment = own === undefined && isWanted(data, with_.host)
    ? with_.environment
    : undefined;
  if (rows === undefined && environment === undefined) return record;
  return {
    ...record,
    additionalEventData: { ...data, [with_.member]: { ...environment, ...own, ...rows } },
  };
}

function isWanted(data: JsonObject | null | undefined, host: string | undefined): boolean {
  return host === undefined || data?.host === host;
}

function lookUp(
  record: CloudTrailRecord,
  tables: readonly Table[],
  own: JsonObject | undefined,
): Record<string, Json> | undefined {
  let rows: Record<string, Json> | undefined;
  for (const table of tables) {
    if (own?.[table.as] !== undefined) continue;
    let row: JsonObject | undefined;
    someAt(record as JsonObject, table.field, (value) => {
      if (typeof value === "string" || typeof value === "number") row = table.find(String(value));
      return row !== undefined;
    });
    if (row !== undefined) (rows ??= {})[table.as] = row;
  }
  return rows;
}
