// What splitting a text into records gives, and what it refuses.

/** What a split refuses, so that no input takes memory or time without end. */
export interface SplitLimits {
  /** Longest record; a longer one is skipped and reported. */
  readonly recordBytesMax: number;
  /** Deepest nesting inside a record; a deeper one is skipped and reported. */
  readonly depthMax: number;
  /** Longest text in all; what follows is not looked at. */
  readonly bytesMax: number;
}

/**
 * CloudTrail's records have at most 256 KB (1 MB in large event data stores) and nest below 30; its
 * files have at most 50 MB, so 256 MiB is far from any real one and still ends a gzip bomb.
 */
export const SPLIT_LIMITS: SplitLimits = {
  recordBytesMax: 1024 * 1024,
  depthMax: 128,
  bytesMax: 256 * 1024 * 1024,
};

/** One record's text, or, with `problem`, bytes that are no record (at most EXCERPT_BYTES_MAX). */
export interface Span {
  /** Where it begins in the whole text. */
  readonly offset: number;
  /** A view of the block it was found in, or memory of its own. */
  readonly bytes: Uint8Array;
  /** Why this is no record. */
  readonly problem?: string;
  /** True where the text ended too early: more of it may yet come. */
  readonly cut?: boolean;
}

/** Raw bytes kept of what is no record. */
export const EXCERPT_BYTES_MAX = 256 * 1024;
