// The queues and dead letters of a data_dir, for those who look at them or mend them without the agent.
// Looking takes no lock and writes nothing; mending takes the lock, and is refused while another
// process has it.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { suggest } from "../config/suggest.ts";
import { type Letter, unpackLetter } from "../pipeline/letter.ts";
import { RemovedLetters } from "../pipeline/removed-letters.ts";
import { type Files, realFiles } from "../queue/files.ts";
import { type Repair, repairQueue } from "../queue/repair.ts";
import { type QueueReport, verifyQueue } from "../queue/verify.ts";
import { type QueueView, viewQueue } from "../queue/view.ts";
import { detectRuntime } from "../runtime/runtime.ts";
import { asDataDirError, type DataDir, DataDirError } from "./data-dir.ts";

export type { Letter } from "../pipeline/letter.ts";
export type { Repair } from "../queue/repair.ts";
export type { QueueReport, SegmentReport } from "../queue/verify.ts";
export type { QueueView } from "../queue/view.ts";

/** What was asked for is not there. */
export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
  readonly code = "CAIRN_NOT_FOUND";
}

/** One folder with a queue in it. */
export interface Store {
  readonly pipeline: string;
  readonly kind: "queue" | "dead letters";
  readonly directory: string;
}

/** Dead letters as they lie on disk. */
export interface LettersView {
  /** Process that has them open. */
  readonly owner: number | undefined;
  /** Bytes of all segments. */
  readonly bytes: number;
  readonly kept: number;
  readonly replayed: number;
  readonly purged: number;
  /** Gone because the folder was full. */
  readonly dropped: number;
  /** Those kept, oldest first; `raw` is valid until the next one. */
  letters(from?: number, to?: number): AsyncGenerator<Letter>;
}

/** The stores of a kind, by pipeline. Throws DataDirError where the data_dir cannot be read. */
export async function listStores(dataDir: DataDir, kind: Store["kind"]): Promise<readonly Store[]> {
  const folder = kind === "queue" ? dataDir.queue : dataDir.deadLetters;
  return await guard(dataDir, async () => {
    // Told apart from a data_dir that holds no queue yet.
    await readdir(dataDir.path);
    const entries = await readdir(join(folder("x"), ".."), { withFileTypes: true }).catch(noneYet);
    return entries.filter((entry) => entry.isDirectory())
      .map(({ name }) => ({ pipeline: name, kind, directory: folder(name) }))
      .sort((a, b) => a.pipeline < b.pipeline ? -1 : 1);
  });
}

function noneYet(error: NodeJS.ErrnoException): [] {
  if (error.code === "ENOENT") return [];
  throw error;
}

/** The store of a pipeline. Throws NotFoundError, with a suggestion where it can. */
export function findStore(stores: readonly Store[], pipeline: string): Store {
  const found = stores.find((store) => store.pipeline === pipeline);
  if (found !== undefined) return found;
  const names = stores.map((store) => store.pipeline);
  const hint = suggest(pipeline, names) ?? `there are: ${names.join(", ") || "none"}`;
  throw new NotFoundError(`There is no pipeline "${pipeline}" in the data_dir (${hint})`);
}

/** Looks at a queue. Throws DataDirError. */
export function viewStore(dataDir: DataDir, { directory }: Store): Promise<QueueView> {
  return guard(dataDir, () => viewQueue(realFiles, directory));
}

/** Looks at dead letters. Throws DataDirError. */
export function viewLetters(dataDir: DataDir, { directory }: Store): Promise<LettersView> {
  return guard(dataDir, async () => {
    const removed = await RemovedLetters.peek(realFiles, directory);
    const view = await viewQueue(realFiles, directory);
    const floor = Math.max(view.oldest, view.cursors.get("kept")?.position ?? 1);
    const kept = view.next - floor - removed.countFrom(floor);
    const { replayed, purged } = removed.totals;
    return {
      owner: view.owner,
      bytes: view.segments.reduce((sum, { bytes }) => sum + bytes, 0),
      kept,
      replayed,
      purged,
      dropped: view.next - 1 - kept - replayed - purged,
      async *letters(from = 1, to = view.next) {
        for await (const record of view.records(Math.max(from, floor), to)) {
          if (!removed.has(record.sequence)) yield unpackLetter(record);
        }
      },
    };
  });
}

/** Reads a store whole and says what is wrong with it. Throws DataDirError. */
export function verifyStore(dataDir: DataDir, { directory }: Store): Promise<QueueReport> {
  return guard(dataDir, () => verifyQueue(realFiles, directory));
}

/** Mends a store. Throws DataDirError, also where a process has it open. */
export function repairStore(dataDir: DataDir, { directory }: Store): Promise<Repair> {
  return guard(dataDir, async () => repairQueue(await lockingFiles(), directory));
}

/** The disk, with the lock that the runtime adds. */
export async function lockingFiles(): Promise<Files> {
  return { ...realFiles, ...(await detectRuntime()).files };
}

async function guard<T>(dataDir: DataDir, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(dataDir, error);
  }
}

function explain({ path }: DataDir, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") {
    return new DataDirError(
      `Cannot use data_dir "${path}": permission denied; run as the agent's user`,
      { cause: error },
    );
  }
  if (code === "ENOENT") {
    return new DataDirError(`Cannot use data_dir "${path}": there is no such folder`, {
      cause: error,
    });
  }
  return asDataDirError(path, error) ?? error;
}
