// A trail's objects as files below a folder. A file appears whole, under its final name, and is on
// the disk with that name before it counts as stored.

import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { atomicFileCalls, makeFolderDurable, writeFileAtomic } from "../../sdk/atomic-file.ts";
import { RetryableError } from "../../sdk/errors.ts";
import { diskError } from "../../sdk/disk-error.ts";
import { metadataKey, type ObjectAbout, type ObjectBody, type TrailStore } from "./store.ts";

// What the agent writes is for its own account and its group, as logs are.
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

const KNOWN_FOLDERS_MAX = 10_000;

/** A folder as a trail's store. */
export class FolderStore implements TrailStore {
  readonly bucket: string;
  readonly #directory: string;
  readonly #temporary: string;
  /** Folders of this trail whose names are on the disk. */
  readonly #folders = new Set<string>();

  /** `trail` names the one that writes: several may share a folder. */
  constructor(directory: string, trail: string) {
    this.#directory = resolve(directory);
    this.bucket = basename(this.#directory);
    // In the trail's folder, since a rename does not cross disks; hidden, and one for each trail.
    this.#temporary = join(this.#directory, `.${trail}.incomplete`);
  }

  async open(): Promise<void> {
    try {
      // Whatever a crash left half written is written again by the batch it belongs to.
      await rm(this.#temporary, { recursive: true, force: true });
    } catch (error) {
      throw diskError("clear folder", this.#temporary, error);
    }
  }

  async close(): Promise<void> {
    // Empty unless a write was cut off; either way nothing in it was ever delivered.
    await rm(this.#temporary, { recursive: true, force: true }).catch(() => {});
  }

  async put(
    key: string,
    body: ObjectBody,
    about: ObjectAbout,
    signal: AbortSignal,
  ): Promise<void> {
    const path = join(this.#directory, ...key.split("/"));
    try {
      const isThere = await isFile(path);
      if (about.metadata !== undefined) await this.#putMetadata(key, about.metadata, isThere);
      if (isThere) {
        // Written before a crash, perhaps without its name having reached the disk.
        return await atomicFileCalls.syncFolder(dirname(path));
      }
      await this.#makeFolders(dirname(path));
      await this.#write(path, key, body, signal);
    } catch (error) {
      // Folders may be gone: they are looked at anew.
      this.#folders.clear();
      if (signal.aborted || error instanceof RetryableError) throw error;
      throw diskError("write log file", path, error);
    }
  }

  /** Before the object itself: one that is there has its metadata, always. */
  async #putMetadata(
    key: string,
    metadata: Readonly<Record<string, string>>,
    isThere: boolean,
  ): Promise<void> {
    const path = join(this.#directory, ...metadataKey(key).split("/"));
    const text = new TextEncoder().encode(`${JSON.stringify(metadata, null, 2)}\n`);
    const there = await readFile(path).catch(() => undefined);
    if (there !== undefined && there.equals(text)) return;
    if (there !== undefined && isThere) {
      throw new RetryableError(
        `Cannot write "${path}": another object is there, with other metadata; it is not written ` +
          "over: find out who wrote it (each agent needs a trail name of its own) and move it away",
        { code: "ObjectDiffers" },
      );
    }
    await this.#makeFolders(dirname(path));
    const temporaryPath = this.#temporaryPath(metadataKey(key));
    await writeFileAtomic(path, text, { mode: FILE_MODE, temporaryPath });
  }

  async #write(path: string, key: string, body: ObjectBody, signal: AbortSignal): Promise<void> {
    const temporaryPath = this.#temporaryPath(key);
    if (body instanceof Uint8Array) {
      return await writeFileAtomic(path, body, { mode: FILE_MODE, temporaryPath });
    }
    try {
      const file = await open(temporaryPath, "w", FILE_MODE);
      await writeAll(file, body, signal);
      await rename(temporaryPath, path);
    } catch (error) {
      await rm(temporaryPath, { force: true }).catch(() => {});
      throw error;
    }
    await atomicFileCalls.syncFolder(dirname(path));
  }

  #temporaryPath(key: string): string {
    return join(this.#temporary, key.replaceAll("/", "+").slice(-200));
  }

  /** Days and regions add folders all the time: those made long ago need not be remembered. */
  async #makeFolders(folder: string): Promise<void> {
    const known = this.#folders;
    if (known.size > KNOWN_FOLDERS_MAX) known.clear();
    if (!known.has(this.#directory)) {
      await makeFolderDurable(this.#directory, { mode: FOLDER_MODE });
      known.add(this.#directory);
    }
    await makeFolderDurable(folder, { mode: FOLDER_MODE, known });
    // It may have been taken away while the agent runs, with all else in the trail's folder.
    await makeFolderDurable(this.#temporary, { mode: FOLDER_MODE });
  }
}

/** Writes pieces until they end, syncs and closes. */
async function writeAll(
  file: FileHandle,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      await file.writeFile(piece);
    }
    signal.throwIfAborted();
    await file.sync();
  } finally {
    await file.close();
  }
}

/** True where a file of that name is there: names come from content, and appear only when whole. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
