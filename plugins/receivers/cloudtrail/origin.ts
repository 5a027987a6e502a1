// Where log files come from. A folder, a bucket and a queue each are an Origin; the run of the
// receiver reads what they find the same way.

import type { Position } from "../../sdk/index.ts";

/** A file as it was found. */
export interface FoundFile {
  /** Its identity: an absolute path, or `s3://bucket/key`. */
  readonly path: string;
  /** It is as it will stay: where it breaks off, its rest is set aside. */
  readonly final: boolean;
  /** A digest to be verified; it holds no records. */
  readonly isDigest?: boolean;
  /** Begins to read it; each time from its beginning. */
  open(): OpenFile;
  /** What changes in the position when all of it is taken. */
  finished(): Position;
}

/** A file that is being read. */
export interface OpenFile {
  /** Its bytes, iterated once. The memory of each block is its own. */
  readonly blocks: AsyncIterable<Uint8Array>;
  /** Gives up a file that was opened and is not read. */
  discard(): void;
}

/** How far a receiver is in its files, as part of the position. */
export interface Progress {
  /** All of the file is taken. */
  has(path: string): boolean;
  /** How many pieces of the file, from its beginning, are taken already. */
  taken(path: string): number;
  /** Remembers how many pieces are taken; answers what changes in the position. */
  take(path: string, pieces: number): Position;
}

/**
 * What became of a file: all taken; as far as it is written; not there any more; not readable, and
 * to be tried again.
 */
export type FileEnd = "done" | "cut" | "gone" | "unreadable";

/** Whose fault an error is: of one file, or of all that the origin has. */
export type Blame = "gone" | "file" | "origin";

/** One look through an origin. */
export interface Round {
  /** Nothing is waited for: files are taken as they are. */
  readonly final: boolean;
  readonly signal: AbortSignal;
  /** Something that is there cannot be looked into. */
  onUnreadable(path: string, reason: string): void;
  /** Input that never will be read is set aside, verbatim, when the round is over. */
  onRejected(raw: Uint8Array, reason: string, id: string): void;
}

/** How a round went. */
export interface RoundEnd {
  /** Why there is less than there should be, for a report. */
  readonly degraded?: string;
  /** Nothing is there yet, for a report. */
  readonly waiting?: string;
  /** More is there now: the next round is due at once, also under `--once`. */
  readonly more?: boolean;
}

/** Where log files come from. Its methods are called one after the other. */
export interface Origin {
  /** For reports: `"/srv/cloudtrail"`. */
  readonly name: string;
  /** How many files are opened before their turn. */
  readonly aheadMax: number;
  /** So many unreadable files in a round are one problem of the origin. */
  readonly unreadableMax: number;
  readonly progress: Progress;
  /** What has to be in the position before anything is read. */
  begin(): Position;
  /** Gives the files that are to be taken now, in order. It may look ahead of what is taken. */
  find(round: Round): AsyncIterable<FoundFile>;
  /** Told what became of each file, in order; answers what changes in the position. */
  ended(file: FoundFile, end: FileEnd): Position;
  /** Everything is found and taken; answers what changes in the position. */
  found(): Position;
  /** The round is over. `durable` says whether all of it is. */
  settle(durable: boolean, signal: AbortSignal): Promise<RoundEnd>;
  blame(error: unknown): Blame;
  /** Waits until another round is due: for time to pass, for a change, or for poke(). */
  wait(): Promise<void>;
  /** Ends a wait. */
  poke(): void;
  /** Safe to call twice. */
  close(): Promise<void>;
}
