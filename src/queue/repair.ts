// Mends what verify finds: damaged segments are written anew out of their whole frames, unreadable
// cursor files are put aside. The original is always kept beside it, as `.broken`; no byte goes.

import { Buffer } from "node:buffer";
import { basename, join } from "node:path";
import { counted } from "../../plugins/sdk/wording.ts";
import { findFiles } from "./candidates.ts";
import { Checkpoint } from "./checkpoint.ts";
import type { PositionText, Totals } from "./codec.ts";
import { findCursors } from "./cursor-folder.ts";
import { errorCode } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import { FRAME_HEADER_BYTES, sealFrame } from "./frame.ts";
import { lock } from "./lock.ts";
import { mergePosition, positionTexts } from "./log-state.ts";
import type { LogState } from "./log-state.ts";
import { readEnd } from "./open.ts";
import { closeQuietly } from "./retention.ts";
import { packHeader } from "./segment.ts";
import { inspect, readSegments } from "./verify.ts";
import type { QueueReport, ReadSegment } from "./verify.ts";
import { scanFile } from "./view.ts";

/** What repair did. */
export interface Repair {
  /** One sentence for each thing done; empty where nothing was to do. */
  readonly done: readonly string[];
  /** Copies of what was there before. */
  readonly copies: readonly string[];
  /** How the queue is now. */
  readonly after: QueueReport;
}

interface Mending {
  readonly files: Files;
  readonly directory: string;
  readonly done: string[];
  readonly copies: string[];
}

const COPY_BYTES = 1024 * 1024;
const LOCK_WAIT_MS = 10;

/**
 * Mends a queue that no process has open. Throws QueueLockedError, QueueVersionError, and what the
 * disk says; whatever ends it, each segment is the old or the new one.
 */
export async function repairQueue(files: Files, directory: string): Promise<Repair> {
  const unlock = await lock(files, directory, LOCK_WAIT_MS);
  try {
    const mending: Mending = { files, directory, done: [], copies: [] };
    const acknowledged = await mendCheckpoints(mending);
    await mendSegments(mending, acknowledged);
    await files.syncFolder(directory);
    const { done, copies } = mending;
    return { done, copies, after: await inspect(files, directory, undefined) };
  } finally {
    await unlock();
  }
}

/** Puts unreadable files of cursors and of the queue's end aside; their other file counts. */
async function mendCheckpoints(mending: Mending): Promise<number> {
  const { files, directory, done } = mending;
  const found = await findCursors(files, directory).catch((error) => {
    if (errorCode(error) === "ENOENT") return { cursors: new Map(), messages: [], acknowledged: 1 };
    throw error;
  });
  for (const { checkpoint } of found.cursors.values()) await checkpoint.setAside();
  done.push(...found.messages);
  const end = await Checkpoint.open(files, join(directory, "end"));
  const removed = await Checkpoint.open(files, join(directory, "removed"));
  for (const checkpoint of [end, removed]) {
    await checkpoint.setAside();
    done.push(...checkpoint.problems.map((problem) => `${problem}; put aside`));
  }
  return Math.max(found.acknowledged, readEnd(end) ?? 1);
}

async function mendSegments(mending: Mending, acknowledged: number): Promise<void> {
  const { files, directory } = mending;
  const found = await findFiles(files, directory);
  const { segments } = await readSegments(files, found, acknowledged, undefined);
  const parts = new Set(segments.map(({ candidate }) => candidate.path));
  for (const { path } of found.candidates) {
    if (!parts.has(path)) await setAside(mending, path);
  }
  // The books and positions before the segment at hand, as far as an earlier header tells them.
  let state: Pick<LogState, "totals" | "positions"> | undefined;
  for (const segment of segments) {
    const { header } = segment.candidate.found ?? {};
    if (header !== undefined) state = stateOf(header.totals, header.positions);
    const { report } = segment;
    const isWhole = report.header === "whole" && report.corrupt.length === 0 &&
      report.tornBytes === 0;
    if (!isWhole) await rewrite(mending, segment, state);
    if (state === undefined) continue;
    for (const { totals, positions } of segment.scan.frames) {
      state.totals = totals;
      for (const text of positions) mergePosition(state.positions, text);
    }
  }
}

function stateOf(totals: Totals, texts: readonly PositionText[]) {
  const state = { totals, positions: new Map() };
  for (const text of texts) mergePosition(state.positions, text);
  return state;
}

/** Nothing whole is in it. */
async function setAside(mending: Mending, path: string): Promise<void> {
  const { files, done, copies } = mending;
  const broken = await freeName(mending, path);
  await files.rename(path, broken);
  copies.push(broken);
  done.push(`Segment "${basename(path)}" held nothing whole: put aside`);
}

async function rewrite(
  mending: Mending,
  segment: ReadSegment,
  before: Pick<LogState, "totals" | "positions"> | undefined,
): Promise<void> {
  const { files, directory, done, copies } = mending;
  const { candidate, scan, limit, report } = segment;
  const { path, ordinal, found } = candidate;
  const name = basename(path);
  if (before === undefined) {
    // A new header would have to say what nobody knows: recovery does without.
    done.push(`Segment "${name}" stays as it is: no header tells the books before it`);
    return;
  }
  const broken = await copy(mending, path);
  copies.push(broken);
  const fresh = `${path}.new`;
  await files.remove(fresh).catch(ignoreMissing);
  const file = await files.open(fresh, "create");
  try {
    const { totals } = before;
    const at = found?.header.at ?? scan.frames[0]?.at ?? 0;
    const positions = positionTexts(before);
    const header = packHeader(found?.header ?? { base: report.first, at, totals, positions });
    await file.write(header, 0);
    let offset = header.length;
    await scanFile(files, candidate, limit, async ({ sequence, count, payload }) => {
      const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), payload]);
      sealFrame(frame, { sequence, count, offset, ordinal });
      await file.write(frame, offset);
      offset += frame.length;
    });
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(fresh, path);
  await files.syncFolder(directory);
  const lost = report.corrupt.reduce((sum, each) => sum + each.lost, 0);
  const what = [
    ...report.corrupt.map(({ offset, bytes }) => `${counted(bytes, "corrupt byte")} at ${offset}`),
    ...(report.tornBytes > 0 ? [counted(report.tornBytes, "torn byte")] : []),
    ...(report.header === "whole" ? [] : ["a damaged header"]),
  ];
  done.push(
    `Segment "${name}" written anew without ${what.join(", ")}: ` +
      `${counted(report.records, "record")} kept, ${lost} lost`,
  );
}

/** A durable copy of the file beside it; answers its path. */
async function copy(mending: Mending, path: string): Promise<string> {
  const { files, directory } = mending;
  const broken = await freeName(mending, path);
  const from = await files.open(path, "read");
  let to: OpenFile | undefined;
  try {
    to = await files.open(broken, "create");
    const block = Buffer.alloc(COPY_BYTES);
    for (let at = 0;;) {
      const read = await from.read(block, at);
      if (read === 0) break;
      await to.write(block.subarray(0, read), at);
      at += read;
    }
    await to.datasync();
    await files.syncFolder(directory);
    return broken;
  } finally {
    await closeQuietly(to);
    await closeQuietly(from);
  }
}

/** `<path>.broken`, or with a number where an earlier repair has left one. */
async function freeName({ files, directory }: Mending, path: string): Promise<string> {
  const names = new Set(await files.list(directory));
  for (let n = 1;; n++) {
    const broken = n === 1 ? `${path}.broken` : `${path}.${n}.broken`;
    if (!names.has(basename(broken))) return broken;
  }
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== "ENOENT") throw error;
}
