// Finds the files a follower reads: what a pattern means now, and which rotated siblings of a file
// come after which.

import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isUnspellable, notFoundReason } from "./file-name.ts";
import { fileKey } from "./follow-stream.ts";
import { expandGlob, isGlob, matchesGlob } from "./glob.ts";

/** A file as it was found. */
export interface FoundFile {
  readonly path: string;
  readonly key: string;
  readonly stats: BigIntStats;
}

/** Called with what an operator may mend. */
export type OnProblem = (path: string, reason: string, missing: boolean) => void;

/** The regular files behind the paths and patterns, sorted by path within each. */
export async function findFiles(
  patterns: readonly string[],
  exclude: readonly string[],
  onProblem: OnProblem,
): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const seen = new Set<string>();
  for (const pattern of patterns) {
    const paths = isGlob(pattern)
      ? await expandGlob(pattern, (folder, error) => report(folder, error, onProblem))
      : [pattern];
    for (const path of paths) {
      if (seen.has(path) || exclude.some((one) => matchesGlob(path, one))) continue;
      seen.add(path);
      const file = await findFile(path, onProblem);
      if (file !== undefined) found.push(file);
    }
    if (paths.length === 0) onProblem(pattern, "no file matches", true);
  }
  return found;
}

async function findFile(path: string, onProblem: OnProblem): Promise<FoundFile | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isFile()) return { path, key: fileKey(stats), stats };
    // A pipe or device would block the thread that opens it.
    onProblem(path, stats.isDirectory() ? "is a directory" : "is no regular file", false);
  } catch (error) {
    report(path, error, onProblem);
  }
  return undefined;
}

function report(path: string, error: unknown, onProblem: OnProblem): void {
  if (errorCode(error) !== "ENOENT") return onProblem(path, describeError(error), false);
  // What is there under a name that nobody can spell does not come by waiting.
  onProblem(path, notFoundReason(path), !isUnspellable(path));
}

/** The errno name of a file system error. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is no directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many open files",
  EIO: "input/output error",
};

/** A file system error in words. */
export function describeError(error: unknown): string {
  const code = errorCode(error);
  return REASONS[code] ?? (code || (error instanceof Error ? error.message : String(error)));
}

/** Names that rotation gives: `audit.log.1`, `app.log-20260131`; not what it has compressed. */
const ROTATED = /^[.-]\d[\d.:_T-]*$/;

/**
 * The rotated files beside `path`, oldest first. A rotation under way can show a name twice or not
 * at all, so the folder is read until two readings agree.
 */
export async function rotatedSiblings(path: string): Promise<FoundFile[]> {
  let last = "";
  let files: FoundFile[] = [];
  for (let reading = 0; reading < 5; reading++) {
    files = await readSiblings(path);
    const now = files.map((file) => `${file.key} ${file.path}`).join("\n");
    if (reading > 0 && now === last) break;
    last = now;
  }
  return files.filter((file) => file.path !== path);
}

/**
 * The rotated siblings that a question is answered with yes for, oldest first. `undefined` for an
 * answer says that the file was renamed since: then all is asked again.
 */
export async function siblingsThat(
  path: string,
  ask: (file: FoundFile) => Promise<boolean | undefined>,
): Promise<FoundFile[]> {
  let found: FoundFile[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    found = [];
    let moved = false;
    for (const file of await rotatedSiblings(path)) {
      const answer = await ask(file);
      if (answer === undefined) moved = true;
      if (answer) found.push(file);
    }
    if (!moved) break;
  }
  return found;
}

async function readSiblings(path: string): Promise<FoundFile[]> {
  const [folder, name] = [dirname(path), basename(path)];
  const names = await readdir(folder).catch(() => []);
  const files: FoundFile[] = [];
  for (const other of names) {
    if (!other.startsWith(name)) continue;
    if (other !== name && !ROTATED.test(other.slice(name.length))) continue;
    const file = await findFile(join(folder, other), () => {});
    if (file !== undefined) files.push(file);
  }
  return files.sort((a, b) => age(a, name) - age(b, name) || (a.path < b.path ? -1 : 1));
}

const COUNTER_MAX = 100_000;

/** Sorts oldest first: `.2` was rotated before `.1`; dates and all else go by their mtime. */
function age(file: FoundFile, name: string): number {
  const suffix = basename(file.path).slice(name.length + 1);
  const counter = /^\d{1,5}$/.test(suffix) ? Number(suffix) : 0;
  if (counter > 0 && counter < COUNTER_MAX) return -counter;
  return Number(file.stats.mtimeMs);
}
