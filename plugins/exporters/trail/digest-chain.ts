// Log file integrity: what the trail hands over of each delivered file, and when digests are due.

/** A log file that is stored. */
export interface DeliveredFile {
  readonly key: string;
  /** digestHash() of its text, before compression. */
  readonly hash: string;
  /** eventTime of its records, in milliseconds since the epoch. */
  readonly oldestEventTime: number;
  readonly newestEventTime: number;
  /** Whose chain of digests it belongs to. */
  readonly accountId: string;
  readonly region: string;
}

/** The digests of a trail. */
export interface DigestChain {
  /** Opens the journal, and begins to write digests beside the path. Rejects with a RetryableError. */
  start(): Promise<void>;
  /**
   * Takes note of files: resolves when that is durable; a file that is noted already is noted once.
   * Rejects with a RetryableError where it could not be, also when too many wait for a digest.
   */
  delivered(files: readonly DeliveredFile[]): Promise<void>;
  /** Writes the last digests, and lets go of files. What the deadline cuts off is made up for. */
  stop(deadline: AbortSignal): Promise<void>;
}
