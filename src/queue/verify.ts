// Reads a whole queue and says what is wrong with it, segment by segment and cursor by cursor. Never
// writes, takes no lock; repair.ts mends what can be mended.

import { join } from "node:path";
import { counted } from "../../plugins/sdk/wording.ts";
import { findFiles } from "./candidates.ts";
import type { FoundFiles } from "./candidates.ts";
import type { CursorState } from "./cursor.ts";
import { errorCode, errorText } from "./files.ts";
import type { Files } from "./files.ts";
import { lockOwner } from "./lock.ts";
import { judge } from "./scan.ts";
import type { Candidate, Corrupt, Scan } from "./scan.ts";
import { peekCursors, scanFile } from "./view.ts";

/** What one segment holds. */
export interface SegmentReport {
  readonly path: string;
  readonly bytes: number;
  /** First sequence, and the last one; `last` is `first - 1` where it holds none. */
  readonly first: number;
  readonly last: number;
  readonly frames: number;
  readonly records: number;
  /** Of the header's two copies: both can be read, one, none. */
  readonly header: "whole" | "damaged" | "unreadable";
  readonly corrupt: readonly Corrupt[];
  /** Bytes behind the last whole frame that nobody was promised. */
  readonly tornBytes: number;
}

/** How far a cursor is. */
export interface CursorReport {
  readonly name: string;
  /** Undefined where neither of its files can be read. */
  readonly state: CursorState | undefined;
  /** Records it has still to pass. */
  readonly lag: number;
}

/** What was found. */
export interface QueueReport {
  readonly directory: string;
  /** Process that has the queue open: its last frame may just be on its way. */
  readonly owner: number | undefined;
  readonly segments: readonly SegmentReport[];
  readonly next: number;
  readonly cursors: readonly CursorReport[];
  /** Records that are not there though a cursor has still to pass them, each range inclusive. */
  readonly missing: readonly (readonly [first: number, last: number])[];
  /** Copies of damaged bytes that were stepped over before. */
  readonly quarantined: readonly string[];
  /** Files that were moved out of the way before. */
  readonly broken: readonly string[];
  /** What is wrong, one sentence each; empty where nothing is. */
  readonly problems: readonly string[];
  /** What is worth knowing and costs nothing. */
  readonly notes: readonly string[];
}

/** A segment that was read: for repair, which needs more than the report. */
export interface ReadSegment {
  readonly candidate: Candidate;
  readonly scan: Scan;
  /** Where the next segment begins. */
  readonly limit: number | undefined;
  readonly report: SegmentReport;
}

/** Reads all of a queue. Throws QueueVersionError, and what the disk says of the folder itself. */
export async function verifyQueue(files: Files, directory: string): Promise<QueueReport> {
  return await inspect(files, directory, await lockOwner(files, directory));
}

/** Like verifyQueue, for a caller who knows which other process has the queue open. */
export async function inspect(
  files: Files,
  directory: string,
  owner: number | undefined,
): Promise<QueueReport> {
  const { cursors, problems: cursorProblems, acknowledged } = await peekCursors(files, directory);
  const found = await findFiles(files, directory);
  const unreadable = found.unreadable.filter(({ error }) => !isGone(error, owner));
  const read = await readSegments(files, found, acknowledged, owner);
  const segments = read.segments.map(({ report }) => report);
  const next = Math.max((segments[segments.length - 1]?.last ?? 0) + 1, acknowledged);
  const oldest = segments[0]?.first ?? next;
  const cursorList = [...cursors].map(([name, { state }]): CursorReport => {
    return { name, state, lag: next - (state?.position ?? oldest) };
  });
  const lagMax = Math.max(...cursorList.map(({ lag }) => lag), cursors.size > 0 ? 0 : next);
  const missing = gaps(read.segments, next - lagMax, next);
  return {
    directory,
    owner,
    segments,
    next,
    cursors: cursorList,
    missing,
    quarantined: await listQuarantine(files, directory),
    broken: found.broken,
    problems: [
      ...unreadable.map(({ path, error }) => `Cannot read "${path}": ${errorText(error)}`),
      ...read.problems,
      ...cursorProblems,
      ...missing.map(([first, last]) =>
        `Records ${first}-${last} are missing: cursors will count them as lost`
      ),
    ],
    notes: [
      ...found.strange.map((path) => `"${path}" is not a file of the queue`),
      ...segments.flatMap((segment) => tornNote(segment, owner)),
    ],
  };
}

/** Reads every segment, newest first, each up to where the next one begins. */
export async function readSegments(
  files: Files,
  { candidates }: Pick<FoundFiles, "candidates">,
  acknowledged: number,
  owner: number | undefined,
): Promise<{ segments: readonly ReadSegment[]; problems: readonly string[] }> {
  const segments: ReadSegment[] = [];
  const problems: string[] = [];
  for (let i = candidates.length - 1; i >= 0; i--) {
    const candidate = candidates[i]!;
    const limit = segments[0]?.report.first;
    try {
      const scan = await scanFile(files, candidate, limit);
      const report = describe(candidate, scan, limit, acknowledged);
      const isPart = report.header !== "unreadable" || scan.frames.length > 0;
      // Without anything in it yet: begun a moment ago, or a crash came before more.
      const isBegun = !isPart &&
        (candidate.size === 0 || (owner !== undefined && limit === undefined));
      if (!isBegun) problems.unshift(...problemsOf(report, scan));
      if (isPart) segments.unshift({ candidate, scan, limit, report });
    } catch (error) {
      if (isGone(error, owner)) continue;
      problems.unshift(`Cannot read "${candidate.path}": ${errorText(error)}`);
    }
  }
  return { segments, problems };
}

/** A living owner removes what every cursor has passed. */
function isGone(error: unknown, owner: number | undefined): boolean {
  return owner !== undefined && errorCode(error) === "ENOENT";
}

function describe(
  { path, size, found }: Candidate,
  scan: Scan,
  limit: number | undefined,
  acknowledged: number,
): SegmentReport {
  const missing = Math.max(0, (limit ?? acknowledged) - scan.end);
  const { tornBytes, corrupt } = judge(scan, missing);
  const first = scan.base ?? limit ?? 1;
  return {
    path,
    bytes: size,
    first,
    last: Math.max(first, scan.end) - 1,
    frames: scan.frames.length,
    records: scan.frames.reduce((sum, { sequence, end }) => sum + end - sequence, 0),
    header: found === undefined ? "unreadable" : found.damaged ? "damaged" : "whole",
    corrupt,
    tornBytes,
  };
}

function problemsOf({ path, header, corrupt }: SegmentReport, scan: Scan): readonly string[] {
  const problems = corrupt.map(({ offset, bytes, lost }) =>
    `Segment "${path}" is corrupt: ${counted(bytes, "byte")} at ${offset}, ${
      counted(lost, "record")
    } lost`
  );
  if (header === "whole") return problems;
  if (scan.frames.length === 0 && header === "unreadable") {
    return [`Segment "${path}" is corrupt: nothing whole in it`];
  }
  const copies = header === "damaged" ? "one copy" : "both copies";
  return [`Segment "${path}" has a damaged header: ${copies} of two`, ...problems];
}

function tornNote({ path, tornBytes }: SegmentReport, owner: number | undefined): string[] {
  if (tornBytes === 0) return [];
  return [
    owner === undefined
      ? `Segment "${path}" ends in ${tornBytes} torn bytes: a write that nobody was promised`
      : `Segment "${path}" ends in ${tornBytes} bytes that process ${owner} is writing, or gave up`,
  ];
}

/** Sequences from `ahead` on that no frame holds, before `next` and behind the oldest segment. */
function gaps(
  segments: readonly ReadSegment[],
  ahead: number,
  next: number,
): readonly (readonly [number, number])[] {
  const missing: (readonly [number, number])[] = [];
  // Older records were let go, or dropped by a limit.
  let end = Math.max(ahead, segments[0]?.report.first ?? next);
  const reach = (sequence: number, newEnd: number) => {
    if (sequence > end) missing.push([end, sequence - 1]);
    end = Math.max(end, newEnd);
  };
  for (const { scan } of segments) {
    for (const frame of scan.frames) reach(frame.sequence, frame.end);
  }
  reach(next, next);
  return missing;
}

async function listQuarantine(files: Files, directory: string): Promise<readonly string[]> {
  const folder = join(directory, "quarantine");
  try {
    return (await files.list(folder)).map((name) => join(folder, name)).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
