// Keeps the bytes of damaged frames: copied into the folder `quarantine` when they are stepped over,
// because their segment goes once every cursor has passed it.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { errorCode, errorText, makeFolderDurably, readBytes } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import type { Segment } from "./segment.ts";

/** Damaged bytes that were stepped over. */
export interface Quarantined {
  /** The segment's file. */
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  /** Where a copy lies; undefined where it could not be written, `reason` then says why. */
  readonly copy: string | undefined;
  readonly reason: string | undefined;
  /** Records destroyed with them. */
  readonly lost: number;
}

// A ruined disk must not fill itself with copies: beyond this, damage is reported without one.
const FOLDER_BYTES_MAX = 64 * 1024 * 1024;

/** The folder of copies of one queue. */
export class Quarantine {
  readonly #files: Files;
  readonly #folder: string;
  readonly #report: (found: Quarantined) => void;
  readonly #seen = new Set<string>();
  #bytes = 0;

  constructor(files: Files, directory: string, report: (found: Quarantined) => void) {
    this.#files = files;
    this.#folder = join(directory, "quarantine");
    this.#report = report;
  }

  /** Copies the bytes and reports them, once for each place. Never rejects. */
  async keep(
    file: OpenFile,
    segment: Pick<Segment, "ordinal" | "path">,
    damage: { offset: number; bytes: number; lost: number },
  ): Promise<void> {
    const name = `${segment.ordinal}-${damage.offset}-${damage.bytes}.bin`;
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    const path = join(this.#folder, name);
    let reason: string | undefined;
    try {
      if (await this.#copy(file, path, damage) === "known") return;
    } catch (error) {
      reason = errorText(error);
    }
    const copy = reason === undefined ? path : undefined;
    this.#report({ segment: segment.path, ...damage, copy, reason });
  }

  async #copy(
    file: OpenFile,
    path: string,
    damage: { offset: number; bytes: number },
  ): Promise<"copied" | "known"> {
    if (this.#bytes + damage.bytes > FOLDER_BYTES_MAX) {
      throw new Error(`More than ${FOLDER_BYTES_MAX} bytes are in quarantine already`);
    }
    await makeFolderDurably(this.#files, this.#folder);
    const bytes = await readBytes(file, Buffer.alloc(damage.bytes), damage.offset);
    let copy: OpenFile;
    try {
      copy = await this.#files.open(path, "create");
    } catch (error) {
      // Copied by an earlier run, and reported then.
      if (errorCode(error) === "EEXIST") return "known";
      throw error;
    }
    try {
      await copy.write(bytes, 0);
      await copy.datasync();
    } finally {
      await copy.close();
    }
    await this.#files.syncFolder(this.#folder);
    this.#bytes += damage.bytes;
    return "copied";
  }
}
