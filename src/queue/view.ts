// A queue as it lies on disk, for whoever only looks: takes no lock, writes nothing, and so never
// stands in the way of the process that has it open. That process may go on meanwhile: segments may
// go, and the last frame may not be whole yet.

import { join } from "node:path";
import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import { findFiles, makeSegment } from "./candidates.ts";
import { Checkpoint } from "./checkpoint.ts";
import type { Totals } from "./codec.ts";
import { findCursors } from "./cursor-folder.ts";
import type { CursorState } from "./cursor.ts";
import { errorCode } from "./files.ts";
import type { Files } from "./files.ts";
import { lockOwner } from "./lock.ts";
import { readEnd } from "./open.ts";
import { RecordReader } from "./record-reader.ts";
import { closeQuietly } from "./retention.ts";
import { scanSegment } from "./scan.ts";
import type { Candidate, Scan } from "./scan.ts";
import type { Segment } from "./segment.ts";

/** One segment of a view. */
export interface SegmentView {
  readonly path: string;
  readonly bytes: number;
  /** First sequence, and the last one; `last` is `first - 1` where it holds none. */
  readonly first: number;
  readonly last: number;
  /** When it was begun, and last written to at the latest, ms since the epoch; 0: not known. */
  readonly begunAt: number;
  readonly writtenAt: number;
}

/** A queue as it was found. */
export interface QueueView {
  readonly directory: string;
  /** Process that has it open. */
  readonly owner: number | undefined;
  readonly segments: readonly SegmentView[];
  /** First sequence still there; `next` where there is none. */
  readonly oldest: number;
  /** The sequence that the next record gets. */
  readonly next: number;
  /** The books of the way in: received, filtered, duplicate, rejected. */
  readonly totals: Totals;
  /** By name; undefined where neither of a cursor's files can be read. */
  readonly cursors: ReadonlyMap<string, CursorState | undefined>;
  /** The records between two sequences, both included, oldest first; those that are still there. */
  records(first: number, last: number): AsyncGenerator<StoredRecord>;
}

/** Records read at once: their bytes are valid until the next read. */
const PAGE = { records: 256, bytes: 4 * 1024 * 1024 };
/** A file that is replaced while it is read looks damaged for a moment. */
const CURSOR_TRIES = 5;

/**
 * Looks at a queue. Throws QueueVersionError, and what the disk says where the folder cannot be
 * read.
 */
export async function viewQueue(files: Files, directory: string): Promise<QueueView> {
  const owner = await lockOwner(files, directory);
  // Before the segments: what a cursor has passed is in them by then.
  const { cursors, acknowledged } = await peekCursors(files, directory);
  const { candidates, unreadable } = await findFiles(files, directory);
  for (const { error } of unreadable) if (errorCode(error) !== "ENOENT") throw error;
  const segments: Segment[] = [];
  let totals: Totals = [0, 0, 0, 0];
  for (let i = candidates.length - 1; i >= 0; i--) {
    const candidate = candidates[i]!;
    const later = segments[0];
    const isKnown = later !== undefined && candidate.found !== undefined;
    const scan = isKnown ? undefined : await scanFile(files, candidate, later?.base);
    if (scan?.frames.length === 0 && candidate.found === undefined) continue;
    segments.unshift(makeSegment(candidate, scan, later));
    if (later === undefined) totals = totalsOf(candidate, scan);
  }
  const next = Math.max(segments[segments.length - 1]?.end ?? 1, acknowledged);
  const begun = new Map(candidates.map(({ path, found }) => [path, found?.header.at ?? 0]));
  return {
    directory,
    owner,
    segments: segments.map(({ path, bytes, base, end, at }) => {
      return { path, bytes, first: base, last: end - 1, begunAt: begun.get(path)!, writtenAt: at };
    }),
    oldest: segments[0]?.base ?? next,
    next,
    totals,
    cursors: new Map([...cursors].map(([name, { state }]) => [name, state])),
    records: (first, last) => read({ files, segments, next }, first, last),
  };
}

/** Reads the cursors and the queue's end; again where a file was being replaced. */
export async function peekCursors(files: Files, directory: string) {
  for (let tries = 1;; tries++) {
    const { cursors, messages, acknowledged } = await findCursors(files, directory, Checkpoint.peek)
      .catch((error) => {
        if (errorCode(error) === "ENOENT") return NO_CURSORS;
        throw error;
      });
    const end = await Checkpoint.peek(files, join(directory, "end"));
    // Of dead letters only: which of them have gone.
    const removed = await Checkpoint.peek(files, join(directory, "removed"));
    const problems = [...messages, ...end.problems, ...removed.problems];
    if (problems.length > 0 && tries < CURSOR_TRIES) continue;
    return { cursors, problems, acknowledged: Math.max(acknowledged, readEnd(end) ?? 1) };
  }
}

const NO_CURSORS = { cursors: new Map<string, never>(), messages: [], acknowledged: 1 };

/** Reads the file of a segment whole. */
export async function scanFile(
  files: Files,
  candidate: Candidate,
  laterBase = Number.POSITIVE_INFINITY,
  visit?: Parameters<typeof scanSegment>[3],
): Promise<Scan> {
  const file = await files.open(candidate.path, "read");
  try {
    return await scanSegment(file, candidate, laterBase, visit);
  } finally {
    await closeQuietly(file);
  }
}

function totalsOf({ found }: Candidate, scan: Scan | undefined): Totals {
  return scan?.frames[scan.frames.length - 1]?.totals ?? found?.header.totals ?? [0, 0, 0, 0];
}

async function* read(
  log: { files: Files; segments: readonly Segment[]; next: number },
  first: number,
  last: number,
): AsyncGenerator<StoredRecord> {
  const { files, segments, next } = log;
  const reader = new RecordReader({
    files,
    retention: { segments: [...segments] },
    state: { next },
    // Whoever looks keeps no copies: the agent does, when it steps over the same damage.
    quarantine: { keep: () => Promise.resolve() },
  });
  try {
    for (let from = Math.max(1, first); from < next && from <= last;) {
      const page = await reader.read(from, {
        ...PAGE,
        records: Math.min(PAGE.records, last - from + 1),
      });
      if (page.next <= from) return;
      // Never past `last`: no more are asked for, and those missing are not there.
      yield* page.records.filter(({ sequence }) => sequence <= last);
      reader.release(page.next);
      from = page.next;
    }
  } finally {
    await reader.close();
  }
}
