// Opening a queue's folder: the options, and in which order the folder's parts are found and taken.

import { join } from "node:path";
import { Checkpoint } from "./checkpoint.ts";
import { isMap } from "./codec.ts";
import type { QueueState } from "./condition.ts";
import { cursorFolder, findCursors } from "./cursor-folder.ts";
import type { FoundCursors } from "./cursor-folder.ts";
import { errorCode, errorText, makeFolderDurably, realFiles } from "./files.ts";
import type { Files } from "./files.ts";
import { lock } from "./lock.ts";
import type { LogState } from "./log-state.ts";
import { Quarantine } from "./quarantine.ts";
import type { Quarantined } from "./quarantine.ts";
import { recover } from "./recover.ts";
import type { RecoveryReport } from "./recover.ts";
import type { Dropped } from "./retention.ts";
import type { Segment } from "./segment.ts";

/** What a queue is opened with; the format is at the top of `queue.ts`. */
export interface QueueOptions {
  readonly directory: string;
  /** A segment is ended at this size, or at an eighth of `bytesMax` where that is less. */
  readonly segmentBytesMax?: number;
  readonly bytesMax?: number;
  /** Records older than this are dropped, whatever `overflow` says. */
  readonly ageMsMax?: number;
  /** Free space that the queue leaves on its disk. */
  readonly freeDiskBytesMin?: number;
  /** At a limit, `block`: appends wait. `drop_oldest`: the oldest segments go. */
  readonly overflow?: "block" | "drop_oldest";
  /**
   * So many of the newest records are still there after every cursor has passed them, for
   * `eachRecent`, where the limits leave room for them.
   */
  readonly keptRecords?: number;
  readonly files?: Files;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** How long appends wait before a full or failing disk is tried again; cursors wake them, too. */
  readonly retryMs?: number;
  readonly onDrop?: (dropped: Dropped) => void;
  /** Called when the state has changed. */
  readonly onState?: (state: QueueState) => void;
  readonly onQuarantine?: (found: Quarantined) => void;
}

/** How long appends wait for a disk, unless the options say otherwise. */
export const RETRY_MS = 1000;

/** What opening a folder brings to light. */
export interface Parts {
  readonly files: Files;
  readonly directory: string;
  readonly unlock: () => Promise<void>;
  readonly quarantine: Quarantine;
  readonly segments: readonly Segment[];
  readonly state: LogState;
  readonly recovery: RecoveryReport;
  readonly cursors: FoundCursors;
  readonly end: Checkpoint;
}

/** Takes the folder: see Queue.open. */
export async function openFolder(options: QueueOptions): Promise<Parts> {
  const { directory, files = realFiles } = options;
  let unlock: (() => Promise<void>) | undefined;
  try {
    await makeFolderDurably(files, directory);
    await makeFolderDurably(files, cursorFolder(directory));
    unlock = await lock(files, directory, options.retryMs ?? RETRY_MS);
    return await findParts(options, files, unlock);
  } catch (error) {
    await unlock?.().catch(() => {});
    throw explain(directory, error);
  }
}

async function findParts(
  options: QueueOptions,
  files: Files,
  unlock: () => Promise<void>,
): Promise<Parts> {
  const { directory } = options;
  const quarantine = new Quarantine(files, directory, (found) => options.onQuarantine?.(found));
  const cursors = await findCursors(files, directory);
  const end = await Checkpoint.open(files, join(directory, "end"));
  const acknowledged = Math.max(cursors.acknowledged, readEnd(end) ?? 1);
  const { segments, state, report } = await recover(files, directory, acknowledged, quarantine);
  const messages = [...cursors.messages, ...end.problems, ...report.messages];
  await end.setAside();
  await files.syncFolder(directory);
  const recovery = { ...report, messages };
  return { files, directory, unlock, quarantine, segments, state, recovery, cursors, end };
}

/** The sequence an `end` checkpoint holds. */
export function readEnd(end: Checkpoint): number | undefined {
  const { value } = end;
  return isMap(value) && Number.isSafeInteger(value.next) ? Number(value.next) : undefined;
}

/** Says what the operator can do about a folder that cannot be opened. */
function explain(directory: string, error: unknown): unknown {
  const fix = FIXES[errorCode(error) ?? ""];
  if (fix === undefined) return error;
  return new Error(`Cannot open queue "${directory}": ${errorText(error)}; ${fix}`, {
    cause: error,
  });
}

const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: "free some space on its disk",
  EDQUOT: "free some space or raise the quota",
  EROFS: "its disk is mounted read-only: choose a data_dir that can be written",
  EACCES: "let the agent's account read and write it, or choose another data_dir",
  EPERM: "let the agent's account read and write it, or choose another data_dir",
  ENOTDIR: "something on the way to it is a file: choose another data_dir",
  EIO: "its disk does not work: check it",
};
