// The files of a queue's folder before anything is decided about them: each segment with its header,
// and what else lies there. Recovery begins with it, and so does whoever only looks.

import { join } from "node:path";
import { insist } from "./files.ts";
import type { Files } from "./files.ts";
import { closeQuietly } from "./retention.ts";
import type { Candidate, Scan } from "./scan.ts";
import { findHeader, QueueVersionError, segmentOrdinal, segmentPath } from "./segment.ts";
import type { Segment } from "./segment.ts";

/** Names that are no segment's and that the queue knows. */
const KNOWN = /^(lock(\.[0-9a-f]+)*|cursors|quarantine|(end|removed)\.[ab]|.*\.broken|.*\.new)$/;

/** What lies in a queue's folder. */
export interface FoundFiles {
  /** Oldest first. */
  readonly candidates: readonly Candidate[];
  /** Segments that the disk does not let be read, and what it says. */
  readonly unreadable: readonly { readonly path: string; readonly error: unknown }[];
  /** Names of what is not the queue's. */
  readonly strange: readonly string[];
  /** Names of what was moved out of the way. */
  readonly broken: readonly string[];
  /** Greatest number of a segment; 0 where there is none. */
  readonly ordinal: number;
}

/** Looks at every file, changing nothing. Throws QueueVersionError. */
export async function findFiles(files: Files, directory: string): Promise<FoundFiles> {
  const names = await files.list(directory);
  const ordinals = names.flatMap((name) => segmentOrdinal(name) ?? []).sort((a, b) => a - b);
  const candidates: Candidate[] = [];
  const unreadable: { path: string; error: unknown }[] = [];
  for (const ordinal of ordinals) {
    const path = segmentPath(directory, ordinal);
    try {
      candidates.push(await insist(() => look(files, ordinal, path)));
    } catch (error) {
      if (error instanceof QueueVersionError) throw error;
      unreadable.push({ path, error });
    }
  }
  return {
    candidates,
    unreadable,
    strange: names.filter((name) => segmentOrdinal(name) === undefined && !KNOWN.test(name))
      .map((name) => join(directory, name)),
    broken: names.filter((name) => name.endsWith(".broken")).map((name) => join(directory, name)),
    ordinal: ordinals[ordinals.length - 1] ?? 0,
  };
}

async function look(files: Files, ordinal: number, path: string): Promise<Candidate> {
  const file = await files.open(path, "read");
  try {
    const size = await file.size();
    return { ordinal, path, size, found: await findHeader(file, path, size) };
  } finally {
    await closeQuietly(file);
  }
}

/** The segment that a file is, `scan` where it was read whole, `later` the one behind it. */
export function makeSegment(
  candidate: Candidate,
  scan: Scan | undefined,
  later: Segment | undefined,
): Segment {
  const { ordinal, path, found, size } = candidate;
  const base = found?.header.base ?? scan?.base ?? later?.base ?? 1;
  return {
    ordinal,
    path,
    start: found?.start ?? 0,
    base,
    end: later?.base ?? scan?.end ?? base,
    bytes: later === undefined ? scan?.wholeBytes ?? size : size,
    // A segment was last written to before the next one was begun.
    at: scan?.frames[scan.frames.length - 1]?.at ?? later?.at ?? found?.header.at ?? 0,
    gone: false,
  };
}
