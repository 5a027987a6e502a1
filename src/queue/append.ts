// What goes into the queue: records, and what becomes durable with them.

import type { Position } from "../../plugins/sdk/intake.ts";

/** One record to store. */
export interface Entry {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly accountId: string;
  readonly region: string;
  readonly category: string;
  /** Stored as they are; not to be changed until the append has settled. */
  readonly bytes: Uint8Array;
}

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
