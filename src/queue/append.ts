// What goes into the queue: records, and what becomes durable with them.

import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import type { Position } from "../../plugins/sdk/intake.ts";

/**
 * One record to store: what is read back, before it has its number. The bytes are stored as they
 * are, and not to be changed until the append has settled.
 */
export type Entry = Omit<StoredRecord, "sequence" | "record">;

/** The books of the way in: received = filtered + duplicate + rejected + stored. */
export interface Counts {
  readonly received: number;
  readonly filtered: number;
  readonly duplicate: number;
  readonly rejected: number;
  readonly stored: number;
}

/** What becomes durable together. */
export interface Append {
  /** May be empty: a position or counts alone. */
  readonly entries: readonly Entry[];
  /** Whose position it is. */
  readonly receiver?: string;
  /** Merged by top-level key into the receiver's position; null removes a key. */
  readonly position?: Position;
  /** Added to the books. */
  readonly counts?: Partial<Omit<Counts, "stored">>;
  /** Gives up waiting for room; a commit that is under way is waited for. */
  readonly signal?: AbortSignal;
}
