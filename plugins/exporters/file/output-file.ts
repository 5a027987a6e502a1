// One open output file: appended to in large writes, cut back, and told from others by its identity.

import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StoredRecord } from "../../sdk/index.ts";

/** Which file it is, whatever it is called. */
export interface Identity {
  readonly dev: string;
  readonly ino: string;
}

// Large enough that a call costs little beside the bytes, small enough to be held all the time.
const SLAB_BYTES = 1_048_576;
const TAIL_BLOCK_BYTES = 65_536;
const NEWLINE = 10;
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

/** An open file. Records are audit data: owner and group read it, nobody else. */
export class OutputFile {
  readonly identity: Identity;
  /** Bytes of it that are whole; kept by the caller's calls. */
  length: number;
  readonly #handle: FileHandle;
  readonly #slab: Uint8Array;

  private constructor(
    handle: FileHandle,
    slab: Uint8Array,
    found: { readonly identity: Identity; readonly length: number },
  ) {
    this.#handle = handle;
    this.#slab = slab;
    this.identity = found.identity;
    this.length = found.length;
  }

  /** Opens or creates a file; a file that is created is there after a power failure too. */
  static async open(path: string, slab: Uint8Array = new Uint8Array(SLAB_BYTES)) {
    const before = await identify(path);
    if (before === undefined) await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;
    const handle = await open(path, flags, FILE_MODE);
    try {
      if (before === undefined) await syncFolder(dirname(path));
      const stats = await handle.stat({ bigint: true });
      const identity = { dev: String(stats.dev), ino: String(stats.ino) };
      return new OutputFile(handle, slab, { identity, length: Number(stats.size) });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Appends each record's bytes and a line end. Not durable before `sync`. */
  async append(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    const slab = this.#slab;
    let used = 0;
    for (const { bytes } of records) {
      if (bytes.length + 1 > slab.length - used) {
        await this.#write(slab.subarray(0, used));
        used = 0;
        signal.throwIfAborted();
      }
      if (bytes.length + 1 > slab.length) await this.#write(bytes);
      else {
        slab.set(bytes, used);
        used += bytes.length;
      }
      slab[used++] = NEWLINE;
    }
    await this.#write(slab.subarray(0, used));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done);
      done += bytesWritten;
      this.length += bytesWritten;
    }
  }

  /** Cuts the file back to a length. */
  async cut(length: number): Promise<void> {
    await this.#handle.truncate(length);
    this.length = length;
  }

  /** Appends a line end of its own. */
  async endLine(): Promise<void> {
    await this.#write(Uint8Array.of(NEWLINE));
  }

  /** Makes what was written and cut durable. */
  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  /** Where the last whole line ends; equal to `length` where no line is torn. */
  async wholeLength(): Promise<number> {
    const block = new Uint8Array(TAIL_BLOCK_BYTES);
    for (let end = this.length; end > 0;) {
      const begin = Math.max(0, end - block.length);
      const { bytesRead } = await this.#handle.read(block, 0, end - begin, begin);
      const at = block.subarray(0, bytesRead).lastIndexOf(NEWLINE);
      if (at >= 0) return begin + at + 1;
      end = begin;
    }
    return 0;
  }

  /** Closes it; safe twice. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The identity and length of what stands at a path; undefined where nothing does. */
export async function identify(
  path: string,
): Promise<{ identity: Identity; length: number } | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    if (!stats.isFile()) {
      const error: NodeJS.ErrnoException = new Error("Not a regular file");
      error.code = "ENOTREG";
      throw error;
    }
    const identity = { dev: String(stats.dev), ino: String(stats.ino) };
    return { identity, length: Number(stats.size) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Finds a file that was renamed within its folder. */
export async function findMoved(folder: string, wanted: Identity): Promise<string | undefined> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const found = await identify(path);
    if (found !== undefined && isSame(found.identity, wanted)) return path;
  }
  return undefined;
}

/** Whether two identities mean one file. */
export function isSame(one: Identity, other: Identity): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
