// Files that are there whole or not at all, whatever the moment the power goes: written beside,
// synced, renamed, and the folder's list of names synced, too.

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
 * Writes a file so that, at any moment and after any crash, its path shows either what was there
 * before or all of `bytes`. Resolves when both content and name are on the disk. On an error
 * nothing under the path has changed, and the temporary file is removed where that is possible.
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

/** How folders are made. */
export interface DurableFolderOptions {
  /** Permission bits of those that are made; 0o750 by default. */
  readonly mode?: number;
  /**
   * Folders whose names are known to be on the disk; those that become so are added. With it a
   * folder that is there but not known is synced, too: a crash may have come between its making and
   * its sync. It has to hold one above the path. Without it, a folder that is there is trusted.
   */
  readonly known?: Set<string>;
  readonly calls?: AtomicFileCalls;
}

/**
 * Makes a folder and those above it that are missing; resolves when their names are on the disk.
 */
export async function makeFolderDurable(
  path: string,
  options: DurableFolderOptions = {},
): Promise<void> {
  const { mode = 0o750, known, calls = atomicFileCalls } = options;
  const above = dirname(path);
  if (known?.has(path) || above === path) return;
  if (known !== undefined) await makeFolderDurable(above, options);
  try {
    await calls.makeFolder(path, mode);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST" && known === undefined) return;
    if (code === "ENOENT" && known === undefined) {
      await makeFolderDurable(above, options);
      return await makeFolderDurable(path, options);
    }
    if (code !== "EEXIST") throw error;
  }
  await calls.syncFolder(above);
  known?.add(path);
}
