// Every file call of the queue, its cursors and its lock, so that a test can fail, tear or forget any
// of them (test/crash/disk.ts). Nothing else in src/queue touches the disk.

import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import { mkdir, open, readdir, readFile, rename, statfs, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** An open file. Calls on one file are made one after the other by its user, reads excepted. */
export interface OpenFile {
  /** Writes all the bytes at the position, or rejects; some of them may then be in the file. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from the position; resolves with how many bytes there were, fewer at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Length in bytes. */
  size(): Promise<number>;
  /** Cuts or extends the file. */
  truncate(length: number): Promise<void>;
  /** fdatasync: content and length are on the disk. After it rejected, neither can be trusted. */
  datasync(): Promise<void>;
  /** Whether it still has a name; what is written to a file without one goes when it is closed. */
  hasName(): Promise<boolean>;
  close(): Promise<void>;
}

/** The disk. Errors carry the operating system's name of them in `code`. */
export interface Files {
  /** `create` fails with EEXIST where the file is there already; `write` needs it to be there. */
  open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** Names in a folder, unsorted. */
  list(folder: string): Promise<readonly string[]>;
  /** Makes one folder; fails with EEXIST where it is there, ENOENT where its parent is not. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** fsync of a folder: its names are on the disk. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that an unprivileged process may still write where the path is. */
  freeBytes(path: string): Promise<number>;
  /**
   * An advisory lock on a folder, which the system takes back when the process ends, however it
   * ends. Resolves with the function that gives it back, or undefined while another has it; rejects
   * where the disk knows none. Absent where the runtime has none.
   */
  lockFolder?(path: string): Promise<(() => void) | undefined>;
}

/** The error's code (`ENOSPC` …), where it has one. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The error's text, for messages. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Makes a folder and its parents where missing, and makes all names on the way durable: also those
 * found, because the process that made them may have been killed before it did. Stops where the
 * agent may not look; those folders it cannot have made.
 */
export async function makeFolderDurably(files: Files, path: string): Promise<void> {
  let folder = resolve(path);
  await makeFolders(files, folder);
  while (folder !== dirname(folder)) {
    folder = dirname(folder);
    try {
      await files.syncFolder(folder);
    } catch (error) {
      if (DISK_ERRORS.has(errorCode(error) ?? "")) throw error;
      return;
    }
  }
}

const DISK_ERRORS = new Set(["EIO", "ENOSPC", "EDQUOT", "EROFS"]);

async function makeFolders(files: Files, folder: string): Promise<void> {
  try {
    await files.makeFolder(folder);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || folder === dirname(folder)) throw error;
    await makeFolders(files, dirname(folder));
    await makeFolders(files, folder);
  }
}

// An error of the moment must not pass for damage: that would move a cursor back.
const READ_TRIES = 3;

/** Reads, again where the disk says EIO; rejects when it goes on saying so. */
export async function insist<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await read();
    } catch (error) {
      if (errorCode(error) !== "EIO" || tries === READ_TRIES) throw error;
    }
  }
}

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** The real disk. */
export const realFiles: Files = {
  // What is stored tells who did what: for the agent's own account only.
  open: async (path, mode) => openFile(await open(path, FLAGS[mode], 0o600)),
  readFile: (path) => readFile(path),
  list: (folder) => readdir(folder),
  makeFolder: (path) => mkdir(path, { mode: 0o700 }),
  rename,
  remove: unlink,
  syncFolder: async (path) => {
    const folder = await open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

function openFile(handle: FileHandle): OpenFile {
  return {
    write: async (bytes, position) => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          bytes.length - done,
          position + done,
        );
        done += bytesWritten;
      }
    },
    read: async (into, position) => {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    size: async () => (await handle.stat()).size,
    truncate: (length) => handle.truncate(length),
    datasync: () => handle.datasync(),
    hasName: async () => (await handle.stat()).nlink > 0,
    close: () => handle.close(),
  };
}

/**
 * Makes durable what a file holds between two offsets, by writing it once more. A sync alone may
 * lie: after one that failed, perhaps of a process before, the system takes lost pages for clean,
 * goes on showing them, and says yes to every later sync.
 */
export async function makeDurable(
  files: Files,
  path: string,
  from: number,
  to: number,
): Promise<void> {
  const file = await files.open(path, "write");
  try {
    const into = Buffer.allocUnsafe(to - from);
    const bytes = await readBytes(file, into, from);
    if (bytes.length > 0) await file.write(bytes, from);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Reads `length` bytes from the position, fewer at the file's end. */
export async function readBytes(
  file: OpenFile,
  into: Buffer,
  position: number,
): Promise<Buffer> {
  const length = await file.read(into, position);
  return length === into.length ? into : into.subarray(0, length);
}
