// A record as an entry of PutEvents: its text and its size as EventBridge counts it, and how many
// entries make a request. Pure; the record's JSON text travels as it is.

import { Buffer } from "node:buffer";
import { memberValues } from "../../sdk/cloudtrail/member-values.ts";
import type { CloudTrailRecord, StoredRecord } from "../../sdk/index.ts";

/** An entry, written. */
export interface Entry {
  readonly record: StoredRecord;
  /** JSON text. */
  readonly text: string;
  /** As EventBridge counts it: `Time`, and the UTF-8 of source, detail type, detail, resources. */
  readonly bytes: number;
}

/** What an event is apart from its detail, as the bus and its rules see it. */
export interface Envelope {
  readonly source: string;
  readonly "detail-type": string;
  readonly account: string;
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: CloudTrailRecord;
}

/** Entries that a request takes. */
export const ENTRIES_MAX = 10;

/** The last second of the year 9999: one odd time must not have a whole request refused. */
const SECONDS_MAX = 253_402_300_799;

/** What `Time` counts for. */
const TIME_BYTES = 14;
const RESOURCE_LENGTH_MAX = 2048;

const API_CALL = "AWS API Call via CloudTrail";
const BY_TYPE: ReadonlyMap<string, string> = new Map([
  ["AwsApiCall", API_CALL],
  ["AwsServiceEvent", "AWS Service Event via CloudTrail"],
  ["AwsConsoleAction", "AWS Console Action via CloudTrail"],
  ["AwsConsoleSignIn", "AWS Console Sign In via CloudTrail"],
  ["AwsCloudTrailInsight", "AWS Insight via CloudTrail"],
  ["AwsVpceEvent", "AWS Network Activity Event via CloudTrail"],
  ["AwsVpceEvents", "AWS Network Activity Event via CloudTrail"],
]);
const BY_CATEGORY: ReadonlyMap<string, string> = new Map([
  ["Insight", "AWS Insight via CloudTrail"],
  ["NetworkActivity", "AWS Network Activity Event via CloudTrail"],
]);

/** What an entry needs of its record. */
const NEEDED: ReadonlySet<string> = new Set(["eventType", "resources"]);

/** The kind of event, in CloudTrail's own words; a kind that AWS sends no events of is an API call. */
function detailType(eventType: unknown, category: string): string {
  const known = typeof eventType === "string" ? BY_TYPE.get(eventType) : undefined;
  return known ?? BY_CATEGORY.get(category) ?? API_CALL;
}

/** The event that a record becomes. */
export function envelope(stored: StoredRecord, source: string): Envelope {
  return {
    source,
    "detail-type": detailType(stored.record.eventType, stored.category),
    account: stored.accountId,
    time: `${new Date(stored.time).toISOString().slice(0, 19)}Z`,
    region: stored.region,
    resources: arns(stored.record.resources),
    detail: stored.record,
  };
}

/** Writes entries of one source for one bus. */
export class EntryWriter {
  readonly #source: string;
  readonly #bus: string;
  readonly #bytesMax: number;
  /** What entries of a detail type begin with, and count for by that. */
  readonly #heads = new Map<string, { readonly text: string; readonly bytes: number }>();

  constructor(options: { source: string; bus: string; bytesMax: number }) {
    this.#source = options.source;
    this.#bus = options.bus;
    this.#bytesMax = options.bytesMax;
  }

  /** Writes one; undefined for a record that is larger than an event may be. */
  write(record: StoredRecord): Entry | undefined {
    const { buffer, byteOffset, byteLength } = record.bytes;
    const detail = Buffer.from(buffer, byteOffset, byteLength).toString();
    const members = memberValues(detail, NEEDED);
    const head = this.#head(detailType(members.get("eventType"), record.category));
    const bytes = head.bytes + byteLength;
    if (bytes > this.#bytesMax) return undefined;
    const seconds = Math.min(Math.max(0, Math.floor(record.time / 1000)), SECONDS_MAX);
    const text = `${head.text},"Time":${seconds},"Detail":${JSON.stringify(detail)}`;
    const resources = arns(members.get("resources"));
    if (resources.length === 0) return { record, text: `${text}}`, bytes };
    const more = resources.reduce((sum, arn) => sum + Buffer.byteLength(arn), 0);
    // They stand in the detail, too: a record is not refused because of them.
    if (bytes + more > this.#bytesMax) return { record, text: `${text}}`, bytes };
    const list = JSON.stringify(resources);
    return { record, text: `${text},"Resources":${list}}`, bytes: bytes + more };
  }

  #head(type: string): { readonly text: string; readonly bytes: number } {
    const known = this.#heads.get(type);
    if (known !== undefined) return known;
    const fields = { Source: this.#source, DetailType: type, EventBusName: this.#bus };
    const bytes = TIME_BYTES + Buffer.byteLength(this.#source) + Buffer.byteLength(type);
    const head = { text: JSON.stringify(fields).slice(0, -1), bytes };
    this.#heads.set(type, head);
    return head;
  }
}

/**
 * Divides records into requests, in order: at most ten entries and `bytesMax` bytes each. Lazily,
 * so that a batch is never written whole. Records that are too large are handed to `tooLarge`.
 */
export function* requests(
  records: Iterable<StoredRecord>,
  writer: EntryWriter,
  bytesMax: number,
  tooLarge: (record: StoredRecord) => void,
): Generator<readonly Entry[], void> {
  let entries: Entry[] = [];
  let bytes = 0;
  for (const record of records) {
    const entry = writer.write(record);
    if (entry === undefined) {
      tooLarge(record);
      continue;
    }
    if (entries.length === ENTRIES_MAX || bytes + entry.bytes > bytesMax) {
      yield entries;
      entries = [];
      bytes = 0;
    }
    entries.push(entry);
    bytes += entry.bytes;
  }
  if (entries.length > 0) yield entries;
}

function arns(resources: unknown): readonly string[] {
  // Records of others hold anything anywhere.
  if (!Array.isArray(resources) || resources.length === 0) return [];
  const found: string[] = [];
  for (const resource of resources as readonly ({ readonly ARN?: unknown } | null)[]) {
    const arn = resource?.ARN;
    if (typeof arn !== "string" || !arn.startsWith("arn:")) continue;
    if (Buffer.byteLength(arn) <= RESOURCE_LENGTH_MAX) found.push(arn);
  }
  return found;
}
