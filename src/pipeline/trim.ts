// CloudTrail's limits on the size of what the agent itself writes (records that arrive as
// CloudTrail are never cut). Called on the way from record to bytes, and only for the rare long
// record.

import { Buffer } from "node:buffer";
import { FIELD_BYTES_MAX, RECORD_BYTES_MAX } from "../../plugins/sdk/cloudtrail/validate.ts";
import type { CloudTrailRecord, JsonObject } from "../../plugins/sdk/index.ts";

/** A JSON text of this many bytes cannot hold a field that is over its limit, texts apart. */
export const SHORT_RECORD_BYTES = 28 * 1024;

const OMITTED: JsonObject = { omitted: true };
/** The order in which CloudTrail gives up structured fields of an over-long event. */
const STRUCTURED = ["additionalEventData", "responseElements", "requestParameters"] as const;
/** Room for naming what was left out. */
const NOTE_BYTES = 256;

/**
 * The record within CloudTrail's limits, or the same object where it is. A structured field over
 * its limit becomes `{"omitted": true}`. Where the whole is still over 256 KB, structured fields
 * are omitted in CloudTrail's order, then resources from the last on; additionalEventData then says
 * `{"omitted": true, "resourcesOmitted": n}`.
 */
export function trim(record: CloudTrailRecord): CloudTrailRecord {
  const sizes = STRUCTURED.map((name) => jsonBytes(record[name]));
  let total = jsonBytes(record);
  const trimmed: Record<string, CloudTrailRecord[string]> = { ...record };
  let changed = false;
  const omit = (index: number) => {
    changed = true;
    trimmed[STRUCTURED[index]!] = OMITTED;
    total -= sizes[index]! - 16;
    sizes[index] = 0;
  };
  sizes.forEach((bytes, i) => {
    if (bytes > FIELD_BYTES_MAX[STRUCTURED[i]!]) omit(i);
  });
  for (let i = 0; i < sizes.length && total > RECORD_BYTES_MAX; i++) {
    if (sizes[i]! > 16) omit(i);
  }
  const { resources } = record;
  if (total > RECORD_BYTES_MAX && resources !== undefined) {
    let kept = resources.length;
    while (kept > 0 && total > RECORD_BYTES_MAX - NOTE_BYTES) {
      total -= jsonBytes(resources[--kept]) + 1;
    }
    changed = true;
    trimmed.resources = resources.slice(0, kept);
    trimmed.additionalEventData = { ...OMITTED, resourcesOmitted: resources.length - kept };
  }
  return changed ? trimmed : record;
}

function jsonBytes(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
