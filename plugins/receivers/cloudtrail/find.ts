// Finds the log files under a path, in order of their paths, one folder at a time: the list of a
// large tree is never held at once.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isGlob, matchesGlob } from "../../sdk/glob.ts";

/** A log file as it lies in a folder. */
export interface ListedFile {
  readonly path: string;
  readonly size: number;
  /** When it was last written, in milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** Told of what is on the way. */
export interface FindObserver {
  /** A folder was looked into. */
  onFolder(path: string, modifiedAt: number): void;
  /** Something cannot be read; `code` is the system's name of the reason. */
  onProblem(path: string, code: string, reason: string): void;
  /** A digest, or the signature of query results: belongs to a trail and holds no records. */
  onSkipped(path: string): void;
}

// Far deeper than any prefix with AWSLogs/o-…/account/CloudTrail/region/YYYY/MM/DD below it.
const DEPTH_MAX = 64;

/** What a log file's name ends with. */
export const LOG_FILE: RegExp = /\.jsonl?(\.gz)?$/;
/** What is in a trail and holds no records. */
export const NO_RECORDS: RegExp =
  /\/CloudTrail-(Digest|Lake)\/|_CloudTrail-Digest_|\/result_sign\.json$/;

/** Gives the log files of a folder and all folders below it, of a glob, or the one file named. */
export async function* findLogFiles(
  path: string,
  observer: FindObserver,
): AsyncGenerator<ListedFile> {
  const whole = resolve(path);
  const glob = isGlob(path) ? whole : undefined;
  yield* find(glob === undefined ? whole : rootOf(glob), [], { glob, observer });
}

interface Search {
  readonly glob: string | undefined;
  readonly observer: FindObserver;
}

async function* find(
  path: string,
  above: readonly string[],
  search: Search,
): AsyncGenerator<ListedFile> {
  const { glob, observer } = search;
  const stats = await attempt(path, observer, () => stat(path));
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    // Pipes and devices would wait for a writer. A file that is named itself may have any name.
    if (!stats.isFile()) observer.onProblem(path, "EINVAL", "no regular file");
    else yield { path, size: stats.size, modifiedAt: stats.mtimeMs };
    return;
  }
  // Links can lead back to a folder above.
  const identity = `${stats.dev}:${stats.ino}`;
  if (above.includes(identity) || above.length >= DEPTH_MAX) {
    return observer.onProblem(path, "ELOOP", "folder leads back to itself, or is nested too deep");
  }
  observer.onFolder(path, stats.mtimeMs);
  for (const { name, isFolder } of await list(path, observer)) {
    const inside = join(path, name);
    if (isFolder) yield* find(inside, [...above, identity], search);
    else if (glob === undefined ? !LOG_FILE.test(name) : !matchesGlob(inside, glob)) continue;
    else if (NO_RECORDS.test(inside)) observer.onSkipped(inside);
    else yield* find(inside, [...above, identity], search);
  }
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** A folder's entries in the order of paths. Hidden ones are other programs' unfinished work. */
async function list(path: string, observer: FindObserver): Promise<Entry[]> {
  const entries = await attempt(path, observer, () => readdir(path, { withFileTypes: true })) ?? [];
  const shown: Entry[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const isFolder = entry.isDirectory() ||
      (entry.isSymbolicLink() && await isFolderLink(join(path, entry.name)));
    shown.push({ name: entry.name, isFolder });
  }
  const key = ({ name, isFolder }: Entry) => isFolder ? `${name}/` : name;
  return shown.sort((a, b) => key(a) < key(b) ? -1 : 1);
}

async function isFolderLink(path: string): Promise<boolean> {
  // A link that leads nowhere or in a circle is reported when it is looked at as a file.
  return await stat(path).then((stats) => stats.isDirectory(), () => false);
}

async function attempt<T>(
  path: string,
  observer: FindObserver,
  action: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    observer.onProblem(path, code, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** The deepest folder above every match of a glob. */
function rootOf(glob: string): string {
  const parts = glob.split("/");
  return parts.slice(0, parts.findIndex(isGlob)).join("/") || "/";
}
