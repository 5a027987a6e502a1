// What an exporter is handed: stored records with their bytes, and the range they came from.

import type { CloudTrailRecord } from "./cloudtrail/record.ts";

/** A record as the queue holds it: the fields that routing needs, and its JSON text. */
export interface StoredRecord {
  /** Number of this record in its queue, from 1, never reused. */
  readonly sequence: number;
  /** The record's eventID, or the id the agent derived where it has none. */
  readonly id: string;
  /** eventTime in milliseconds since the epoch. */
  readonly time: number;
  /** recipientAccountId, or the agent's where the record has none; always twelve digits. */
  readonly accountId: string;
  /** awsRegion, or the agent's where the record has none; letters, digits and hyphens only. */
  readonly region: string;
  /** eventCategory; "Management" where the record has none. */
  readonly category: string;
  /** Id of the one exporter it is for, where it is a dead letter replayed; without it, for all. */
  readonly only?: string | undefined;
  /**
   * The record's JSON text on one line, UTF-8, as it is delivered. Not to be changed. Lent until the
   * export has settled: then the memory is taken back, and a view of it is empty.
   */
  readonly bytes: Uint8Array;
  /** The record itself, parsed from `bytes` when first asked for. */
  readonly record: CloudTrailRecord;
}

/** One delivery. */
export interface ExportBatch {
  /** Those the exporter's selectors want, in order of sequence; never empty. */
  readonly records: readonly StoredRecord[];
  /**
   * First and last sequence of the planned range, inclusive. Recorded before the first attempt: a
   * retry, also after a restart, brings the same range with the same records (promise P5).
   */
  readonly range: { readonly first: number; readonly last: number };
  /** When the range was planned, in milliseconds since the epoch; recorded with it. */
  readonly plannedAt: number;
}
