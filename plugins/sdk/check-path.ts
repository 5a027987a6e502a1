// Looks at paths that a configuration names: can the user who asks read them, write there?
// Opens nothing and changes nothing.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isUnspellable, notFoundReason } from "./file-name.ts";
import type { Finding } from "./finding.ts";
import { expandGlob, isGlob } from "./glob.ts";

// Of thousands of files, a few that cannot be read say enough.
const UNREADABLE_MAX = 5;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is a file",
  ELOOP: "its symbolic links go in a circle",
};

/** Why the system refused, in a few words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? code ?? message;
}

/** Files to read: a path, or a pattern. What is not there yet is a warning; it may come. */
export async function checkReadable(pattern: string, option: string): Promise<Finding[]> {
  if (isGlob(pattern)) return await checkPattern(pattern, option);
  try {
    const found = await stat(pattern);
    await access(pattern, constants.R_OK);
    if (!found.isDirectory()) return [ok(option, `"${pattern}" can be read`)];
    return [{
      level: "problem",
      path: option,
      message: `"${pattern}" is a folder`,
      fix: "name the files in it, with a pattern such as *.log",
    }];
  } catch (error) {
    return [unreadable(pattern, option, error)];
  }
}

/** A folder whose files are read. */
export async function checkReadableFolder(path: string, option: string): Promise<Finding[]> {
  try {
    await access(path, constants.R_OK | constants.X_OK);
    return [ok(option, `"${path}" can be read`)];
  } catch (error) {
    return [unreadable(path, option, error)];
  }
}

async function checkPattern(pattern: string, option: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const refuse = (path: string, error: unknown) => {
    if (findings.length < UNREADABLE_MAX) findings.push(unreadable(path, option, error));
  };
  const files = await expandGlob(pattern, refuse);
  for (const file of files) await access(file, constants.R_OK).catch((e) => refuse(file, e));
  if (findings.length > 0) return findings;
  const count = files.length === 1 ? "1 file that fits" : `${files.length} files that fit`;
  if (files.length > 0) return [ok(option, `${count} "${pattern}" can be read`)];
  return [{ level: "warning", path: option, message: `No file fits "${pattern}" yet` }];
}

function unreadable(path: string, option: string, error: unknown): Finding {
  const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
  const isMissing = isAbsent && !isUnspellable(path);
  const reason = isAbsent ? notFoundReason(path, reasonOf(error)) : reasonOf(error);
  return {
    level: isMissing ? "warning" : "problem",
    path: option,
    message: `Cannot read "${path}": ${reason}`,
    ...(isMissing
      ? { fix: "it is read when it comes; check the path" }
      : isAbsent
      ? {}
      : { fix: "let the agent's user read it" }),
  };
}

/** A folder to write into, or the nearest one above that is there, in which it would be made. */
export async function checkWritableFolder(path: string, option: string): Promise<Finding[]> {
  const folder = await nearestFolder(path);
  try {
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    await access(folder, constants.W_OK | constants.X_OK);
    const isThere = folder === resolve(path);
    return [ok(option, `"${path}" can be ${isThere ? "written" : "made"}`)];
  } catch (error) {
    const message = `Cannot write to "${folder}": ${reasonOf(error)}`;
    const fix = "let the agent's user write there, or name another folder";
    return [{ level: "problem", path: option, message, fix }];
  }
}

/** A file to write, there or not. */
export async function checkWritableFile(path: string, option: string): Promise<Finding[]> {
  const folder = await checkWritableFolder(dirname(resolve(path)), option);
  if (folder.some(({ level }) => level === "problem")) return folder;
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    await access(path, constants.W_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      const message = `Cannot write "${path}": ${reasonOf(error)}`;
      return [{ level: "problem", path: option, message, fix: "name a file that can be written" }];
    }
  }
  return [ok(option, `"${path}" can be written`)];
}

/** The path, or the nearest folder above that is there, absolute. */
export async function nearestFolder(path: string): Promise<string> {
  let folder = resolve(path);
  while (folder !== dirname(folder)) {
    try {
      await stat(folder);
      return folder;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") return folder;
      folder = dirname(folder);
    }
  }
  return folder;
}

function ok(path: string, message: string): Finding {
  return { level: "ok", path, message };
}
