// Patterns for file names: `*`, `?`, `**`, `[a-z]`, `[!a-z]` and `{a,b}`, with `/` between folders.
// Node 20 has no fs.glob; this is the small part that configurations use.

import { readdir } from "node:fs/promises";
import { join } from "node:path";

const MAGIC = /[*?[\]{}]/;
const ALTERNATIVES_MAX = 256;

/** Whether a path is a pattern at all. */
export function isGlob(path: string): boolean {
  return MAGIC.test(path);
}

/** Whether the whole of a path fits a pattern. */
export function matchesGlob(path: string, pattern: string): boolean {
  const parts = path.split("/");
  return alternatives(pattern).some((one) => fits(parts, 0, one.split("/"), 0));
}

/**
 * The files, links and folders that fit a pattern, sorted. Names that begin with a dot need a dot
 * in the pattern; `**` does not follow links. A folder that cannot be read holds nothing, and is
 * passed to `unreadable` with the error.
 */
export async function expandGlob(
  pattern: string,
  unreadable: (folder: string, error: unknown) => void = () => {},
): Promise<string[]> {
  const found = new Set<string>();
  for (const one of alternatives(pattern)) {
    const parts = one.split("/");
    const root = one.startsWith("/") ? "/" : ".";
    await walk(root, parts.filter((part) => part !== ""), found, unreadable);
  }
  return [...found].sort();
}

async function walk(
  folder: string,
  parts: readonly string[],
  found: Set<string>,
  unreadable: (folder: string, error: unknown) => void,
): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (!isGlob(part) && rest.length > 0) {
    return await walk(join(folder, part), rest, found, unreadable);
  }
  const deep = part === "**";
  if (deep && rest.length > 0) await walk(folder, rest, found, unreadable);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    unreadable(folder, error);
    return [];
  });
  for (const entry of entries) {
    if (!deep && !matchesPart(entry.name, part)) continue;
    if (deep && entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (deep && entry.isDirectory()) await walk(path, parts, found, unreadable);
    else if (rest.length === 0 && !entry.isDirectory()) found.add(path);
    else if (!deep && rest.length > 0 && !entry.isFile()) {
      await walk(path, rest, found, unreadable);
    }
  }
}

function fits(path: readonly string[], i: number, pattern: readonly string[], j: number): boolean {
  const part = pattern[j];
  if (part === undefined) return i === path.length;
  if (part === "**") {
    for (let skip = i; skip <= path.length; skip++) {
      if (fits(path, skip, pattern, j + 1)) return true;
    }
    return j === pattern.length - 1;
  }
  const name = path[i];
  return name !== undefined && matchesPart(name, part) && fits(path, i + 1, pattern, j + 1);
}

/** Matches one name without recursion: on a mismatch the last `*` takes one character more. */
function matchesPart(name: string, part: string): boolean {
  if (name.startsWith(".") && !part.startsWith(".")) return false;
  let [i, j, star, mark] = [0, 0, -1, 0];
  while (i < name.length) {
    const width = j < part.length ? step(name[i]!, part, j) : 0;
    if (part[j] === "*") {
      star = j++;
      mark = i;
    } else if (width > 0) {
      i++;
      j += width;
    } else if (star >= 0) {
      j = star + 1;
      i = ++mark;
    } else return false;
  }
  while (part[j] === "*") j++;
  return j === part.length;
}

/** Length of the pattern's element at `j` when it fits the character; 0 when it does not. */
function step(character: string, part: string, j: number): number {
  if (part[j] === "?") return 1;
  const close = part[j] === "[" ? part.indexOf("]", j + 2) : -1;
  if (close < 0) return part[j] === character ? 1 : 0;
  const negated = part[j + 1] === "!" || part[j + 1] === "^";
  let inside = false;
  for (let k = j + (negated ? 2 : 1); k < close; k++) {
    if (part[k + 1] === "-" && k + 2 < close) {
      if (part[k]! <= character && character <= part[k + 2]!) inside = true;
      k += 2;
    } else if (part[k] === character) inside = true;
  }
  return inside !== negated ? close - j + 1 : 0;
}

/** Writes out the braces of a pattern, depth first: as many as the limit, then no more. */
function alternatives(pattern: string): string[] {
  const whole: string[] = [];
  const open = [pattern];
  while (open.length > 0 && whole.length < ALTERNATIVES_MAX) {
    const one = open.pop()!;
    const braces = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(one);
    if (braces === null) whole.push(one);
    else for (const choice of braces[2]!.split(",")) open.push(braces[1]! + choice + braces[3]!);
  }
  return whole;
}
