// What opening a queue finds on disk: its segments, what they add up to, and what was damaged. Looks
// at every header, but reads only the newest segment whole (or back to one whose header can be read).

import { findFiles, makeSegment } from "./candidates.ts";
import { errorText, makeDurable } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import type { Quarantine } from "./quarantine.ts";
import { closeQuietly } from "./retention.ts";
import { judge, scanSegment } from "./scan.ts";
import type { Candidate, Scan } from "./scan.ts";
import type { Segment } from "./segment.ts";
import { mergePosition } from "./log-state.ts";
import type { LogState } from "./log-state.ts";

/** What recovery found and did; shown when the agent starts. */
export interface RecoveryReport {
  readonly segments: number;
  /** Whole frames in the segments that were read. */
  readonly frames: number;
  /** Bytes cut off the end: a write that a crash interrupted and nobody was promised. */
  readonly tornBytes: number;
  /** Places in the segments read where something was damaged. */
  readonly corruptFrames: number;
  readonly quarantinedBytes: number;
  /** Records known to be destroyed in the segments that were read. */
  readonly lostRecords: number;
  /** What an operator should know, one sentence each. */
  readonly messages: readonly string[];
}

/** Everything needed to go on. */
export interface Recovered {
  readonly segments: readonly Segment[];
  readonly state: LogState;
  readonly report: RecoveryReport;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Context {
  readonly files: Files;
  readonly quarantine: Quarantine;
  readonly report: Mutable<RecoveryReport> & { messages: string[] };
}

/**
 * Reads a queue's folder. `acknowledged` is a sequence that is known to have been given out: records
 * below it that are not there were destroyed, not torn. Throws QueueVersionError before anything is
 * changed, and what the disk says where the newest segment cannot be read or made durable.
 */
export async function recover(
  files: Files,
  directory: string,
  acknowledged: number,
  quarantine: Quarantine,
): Promise<Recovered> {
  const report = {
    segments: 0,
    frames: 0,
    tornBytes: 0,
    corruptFrames: 0,
    quarantinedBytes: 0,
    lostRecords: 0,
    messages: [] as string[],
  };
  const context: Context = { files, quarantine, report };
  const { candidates, unreadable, strange, ordinal } = await findFiles(files, directory);
  for (const path of strange) {
    report.messages.push(`Cannot use "${path}": not a file of the queue`);
  }
  for (const { path, error } of unreadable) {
    report.messages.push(
      `Cannot read segment "${path}", its records are lost: ${errorText(error)}`,
    );
  }
  return await assemble(context, candidates, acknowledged, ordinal);
}

async function assemble(
  context: Context,
  candidates: readonly Candidate[],
  acknowledged: number,
  ordinal: number,
): Promise<Recovered> {
  const { report } = context;
  const state: LogState = { next: 1, totals: [0, 0, 0, 0], positions: new Map(), ordinal };
  const segments: Segment[] = [];
  const scans: Scan[] = [];
  let rooted = false;
  // Newest first, until a header says what was before.
  for (let i = candidates.length - 1; i >= 0; i--) {
    const candidate = candidates[i]!;
    const later = segments[0];
    const scan = rooted && candidate.found !== undefined
      ? undefined
      : await read(context, candidate, later, acknowledged);
    if (scan === "nothing") continue;
    segments.unshift(makeSegment(candidate, scan, later));
    if (rooted || scan === undefined) continue;
    scans.unshift(scan);
    if (candidate.found === undefined) continue;
    rooted = true;
    state.totals = candidate.found.header.totals;
    for (const text of candidate.found.header.positions) mergePosition(state.positions, text);
  }
  for (const scan of scans) {
    for (const frame of scan.frames) {
      for (const text of frame.positions) mergePosition(state.positions, text);
      state.totals = frame.totals;
    }
  }
  finish(report, segments, state, acknowledged);
  if (!rooted && segments.length > 0) {
    report.messages.push(
      "Cannot read any segment's header: receivers' positions older than the newest segment are lost",
    );
  }
  return { segments, state, report: { ...report, segments: segments.length } };
}

/** Sets what follows from the segments: where the log ends, and books that balance. */
function finish(
  report: Context["report"],
  segments: readonly Segment[],
  state: LogState,
  acknowledged: number,
): void {
  const last = segments[segments.length - 1];
  const end = last?.end ?? 1;
  state.next = Math.max(end, acknowledged);
  if (last !== undefined) last.end = state.next;
  if (end < state.next) {
    report.lostRecords += state.next - end;
    report.messages.push(
      `Cannot find records ${end} to ${state.next - 1}: they were acknowledged and are destroyed`,
    );
  }
  // Damage can take a frame's books with it: what was stored must have been received.
  const [received, filtered, duplicate, rejected] = state.totals;
  const least = filtered + duplicate + rejected + state.next - 1;
  state.totals = [Math.max(received, least), filtered, duplicate, rejected];
}

/** Reads a segment whole; the newest one is also made durable and its torn end cut off. */
async function read(
  context: Context,
  candidate: Candidate,
  later: Segment | undefined,
  acknowledged: number,
): Promise<Scan | "nothing"> {
  const { files } = context;
  const file = await files.open(candidate.path, "read");
  try {
    const scan = await scanSegment(file, candidate, later?.base ?? Number.POSITIVE_INFINITY);
    if (candidate.found === undefined && scan.frames.length === 0) {
      await setAside(context, candidate);
      return "nothing";
    }
    // A killed process may have left its last frame in memory only: it counts from now on.
    if (later === undefined) {
      await makeDurable(files, candidate.path, scan.durableBytes, scan.wholeBytes);
    }
    const missing = Math.max(0, (later?.base ?? acknowledged) - scan.end);
    await note(context, file, candidate, scan, missing, later === undefined);
    if (missing > 0) return { ...scan, wholeBytes: candidate.size };
    if (later === undefined && scan.wholeBytes < candidate.size) {
      await cut(context, candidate, scan.wholeBytes);
    }
    return scan;
  } finally {
    await closeQuietly(file);
  }
}

/** Counts what a scan found; `missing` records should follow its last whole frame. */
async function note(
  { report, quarantine }: Context,
  file: OpenFile,
  candidate: Candidate,
  scan: Scan,
  missing: number,
  newest: boolean,
): Promise<void> {
  // In the newest segment without frames it is the trace of a crash while it was begun.
  const begun = scan.frames.length > 0 || !newest;
  if (begun && (candidate.found === undefined || candidate.found.damaged)) {
    report.messages.push(`Cannot read the header of segment "${candidate.path}" whole: damaged`);
  }
  report.frames += scan.frames.length;
  const { tornBytes, corrupt } = judge(scan, missing);
  report.tornBytes += tornBytes;
  for (const damage of corrupt) {
    report.corruptFrames++;
    report.quarantinedBytes += damage.bytes;
    // What is missing at the newest segment's end is counted where the log's end is set.
    const isCountedThere = newest && damage.offset >= scan.wholeBytes;
    if (!isCountedThere) report.lostRecords += damage.lost;
    await quarantine.keep(file, candidate, damage);
  }
}

/** A segment without anything whole: a crash while it was begun, or damage. Kept, out of the way. */
async function setAside({ files, report }: Context, { path, size }: Candidate): Promise<void> {
  report.tornBytes += size;
  if (size === 0) return await files.remove(path);
  await files.rename(path, `${path}.broken`);
  report.messages.push(`Cannot read segment "${path}": nothing whole in it, now "${path}.broken"`);
}

async function cut(context: Context, candidate: Candidate, length: number): Promise<void> {
  let file: OpenFile | undefined;
  try {
    file = await context.files.open(candidate.path, "write");
    await file.truncate(length);
    await file.datasync();
  } catch (error) {
    // Harmless: the next segment's header says where this one ends.
    const { path } = candidate;
    context.report.messages.push(`Cannot cut the end of segment "${path}": ${errorText(error)}`);
  } finally {
    await closeQuietly(file);
  }
}
