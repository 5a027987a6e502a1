// Files that are there whole or not at all, whatever the moment the power goes: written beside, synced,
// renamed, and the folder's list of names synced, too.

import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The file calls that an atomic write makes, so that a test can fail or forget any of them. */
export interface AtomicFileCalls {
  /** Creates or empties the file, writes all the bytes, and resolves when they are on the disk. */
  writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Resolves when the folder's names are on the disk. */
  syncFolder(path: string): Promise<void>;
  /** Makes one folder; rejects with EEXIST or ENOENT as mkdir does. */
  makeFolder(path: string, mode: number): Promise<void>;
  /** Removes a file; one that is not there is fine. */
  remove(path: string): Promise<void>;
}

/** The real disk. */
export const atomicFileCalls: AtomicFileCalls = {
  writeSynced: async (path, bytes, mode) => {
    const file = await open(path, "w", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  rename,
  syncFolder: async (path) => {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  makeFolder: async (path, mode) => {
    await mkdir(path, { mode });
  },
  remove: (path) => rm(path, { force: true }),
};

/** How a file is written. */
export interface AtomicFileOptions {
  /** Permission bits; 0o640 by default: the agent's account writes, its group reads. */
  readonly mode?: number;
  /** Where it is written first, on the same disk; by default a dot file beside it. */
  readonly temporaryPath?: string;
  readonly calls?: AtomicFileCalls;
}

/**
 * Writes a file so that, at any moment and after any crash, its path shows either what was there before
 * or all of `bytes`. Resolves when both content and name are on the disk. On an error nothing under the
 * path has changed, and the temporary file is removed where that is possible.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  const { mode = 0o640, calls = atomicFileCalls } = options;
  const temporaryPath = options.temporaryPath ?? join(dirname(path), `.${basename(path)}.tmp`);
  try {
    await calls.writeSynced(temporaryPath, bytes, mode);
    await calls.rename(temporaryPath, path);
  } catch (error) {
    await calls.remove(temporaryPath).catch(() => {});
    throw error;
  }
  await calls.syncFolder(dirname(path));
}

/**
 * Makes a folder and those above it that are missing; resolves when the names of all it made are on
 * the disk. A folder that is there already is left as it is.
 */
export async function makeFolderDurable(
  path: string,
  mode = 0o750,
  calls: AtomicFileCalls = atomicFileCalls,
): Promise<void> {
  try {
    await calls.makeFolder(path, mode);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolderDurable(dirname(path), mode, calls);
    return await makeFolderDurable(path, mode, calls);
  }
  await calls.syncFolder(dirname(path));
}
