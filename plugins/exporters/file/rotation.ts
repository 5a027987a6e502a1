// Rotation: when a file is put aside, what it is called then, and which of those are deleted.

import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { Log } from "../../sdk/index.ts";
import type { FileConfig } from "./config.ts";
import { identify, syncFolder } from "./output-file.ts";

/** Where a file's records begin. */
export interface Beginning {
  /** When its first batch was planned, in milliseconds since the epoch. */
  readonly at: number;
  /** Sequence of its first record. */
  readonly first: number;
}

/** Whether a file has to be put aside before a batch planned at `at` is written to it. */
export function isDue(
  rotation: FileConfig["rotation"],
  file: { readonly length: number; readonly began: Beginning },
  batch: { readonly bytes: number; readonly at: number },
): boolean {
  const { max_bytes: bytesMax, max_age: ageMsMax } = rotation;
  if (file.length === 0) return false;
  if (bytesMax !== undefined && file.length + batch.bytes > bytesMax) return true;
  return ageMsMax !== undefined && batch.at - file.began.at >= ageMsMax;
}

/** Renames a file to NAME-TIME-FIRST.EXT, durably, never over another; answers the new path. */
export async function putAside(path: string, began: Beginning): Promise<string> {
  const extension = extname(path);
  const stem = basename(path, extension);
  const time = new Date(began.at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  for (let copy = 1;; copy++) {
    const again = copy === 1 ? "" : `-${copy}`;
    const name = `${stem}-${time}Z-${began.first}${again}${extension}`;
    const target = join(dirname(path), name);
    if (await identify(target) !== undefined) continue;
    await rename(path, target);
    await syncFolder(dirname(path));
    return target;
  }
}

/** Deletes the oldest files put aside until `filesMax` are left, each with a line in the log. */
export async function prune(path: string, filesMax: number, log: Log): Promise<void> {
  const extension = extname(path);
  const stem = `${basename(path, extension)}-`;
  const aside: { name: string; order: string }[] = [];
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(stem) || !name.endsWith(extension)) continue;
    const middle = name.slice(stem.length, name.length - extension.length);
    const match = /^(\d{8}T\d{6}Z)-(\d+)(?:-(\d+))?$/.exec(middle);
    if (match === null) continue;
    const [, time, first = "", copy = ""] = match;
    aside.push({ name, order: `${time} ${first.padStart(20, "0")} ${copy.padStart(8, "0")}` });
  }
  aside.sort((one, other) => one.order < other.order ? -1 : 1);
  for (const { name } of aside.slice(0, Math.max(0, aside.length - filesMax))) {
    await rm(join(dirname(path), name), { force: true });
    log.info(`Deleted "${name}": more than ${filesMax} rotated files`, { path });
  }
}
