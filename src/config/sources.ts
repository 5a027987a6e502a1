// What --config names, read into texts: a file, a folder of files, a variable, the text itself, a
// web server. Which of them a text came from only its name tells; `load.ts` joins them.

import { hash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "./expand.ts";
import { fetchText, shownUrl } from "./fetch-source.ts";
import type { ConfigSource } from "./load.ts";
import type { Problem } from "./problem.ts";
import { readText } from "./read-text.ts";

/** The sources, in order; or what is wrong with those that cannot be read. */
export interface ReadSources {
  readonly sources: readonly ConfigSource[];
  readonly problems: readonly Problem[];
  /** By source as it was named: a text that differs where what it says does. */
  readonly digests: ReadonlyMap<string, string>;
}

/**
 * Reads each: a path or `file:PATH`; a folder, of which every `*.yaml` and `*.yml`; `env:NAME`;
 * `yaml:TEXT`; `https://…`. What cannot be read is a problem, not an exception.
 */
export async function readSources(
  named: readonly string[],
  environment: Environment,
): Promise<ReadSources> {
  const sources: ConfigSource[] = [];
  const problems: Problem[] = [];
  const digests = new Map<string, string>();
  for (const [rank, uri] of named.entries()) {
    const { name, read } = sourceOf(uri, rank, environment);
    try {
      const found = await read();
      digests.set(uri, digestSources(found));
      sources.push(...found);
    } catch (error) {
      const { message, cause } = error as Error;
      digests.set(uri, hash("sha256", `cannot read: ${message}`));
      const at = { source: cause instanceof UnreadableFile ? cause.path : name, rank };
      problems.push({ at, path: "", problem: `Cannot read configuration: ${message}` });
    }
  }
  return { sources, problems, digests };
}

/** Names the file of a folder that could not be read. */
class UnreadableFile extends Error {
  readonly path: string;
  constructor(path: string, cause: unknown) {
    super("Cannot read file", { cause });
    this.path = path;
  }
}

interface Source {
  /** As problems name it. */
  readonly name: string;
  read(): readonly ConfigSource[] | Promise<readonly ConfigSource[]>;
}

function sourceOf(uri: string, rank: number, environment: Environment): Source {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]+):([^]*)$/.exec(uri) ?? [];
  if (scheme === "file") {
    const path = filePath(rest);
    return { name: path, read: () => readPath(path) };
  }
  if (scheme === "env") return { name: uri, read: () => [readVariable(rest, environment)] };
  if (scheme === "yaml") {
    // The text may hold anything, a secret as well: it is named by its number.
    const name = `yaml:#${rank + 1}`;
    return { name, read: () => [{ name, text: rest, joinedKeys: true }] };
  }
  if (scheme === "https" || scheme === "http") {
    return { name: shownUrl(uri), read: async () => [webSource(uri, await fetchText(uri))] };
  }
  if (scheme !== "" && rest.startsWith("//")) {
    const name = shownUrl(uri);
    return {
      name,
      read: () => {
        throw new Error(`no scheme "${scheme}"; there are file:, env:, yaml: and https:`);
      },
    };
  }
  return { name: uri, read: () => readPath(uri) };
}

/** Whether a source is asked from a web server. */
export function isWebSource(uri: string): boolean {
  return /^https?:/.test(uri);
}

/** What a web server answered, as a source. */
export function webSource(uri: string, text: string): ConfigSource {
  return { name: shownUrl(uri), text };
}

/** A text that differs where the sources do; tells nothing of them. */
export function digestSources(sources: readonly ConfigSource[]): string {
  return hash("sha256", JSON.stringify(sources));
}

/** The same of a file's text, or of why it cannot be read. */
export function digestFile(path: string, { readFile }: Environment): string {
  try {
    return hash("sha256", readFile(path));
  } catch (error) {
    return hash("sha256", `cannot read: ${error}`);
  }
}

/** Whether a file of a folder is a part of the configuration. */
export function isSourceFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !name.startsWith(".");
}

function filePath(rest: string): string {
  return rest.startsWith("///") ? rest.slice(2) : rest;
}

function readVariable(name: string, { env }: Environment): ConfigSource {
  const text = env(name);
  if (text === undefined) throw new Error("the variable is not set");
  return { name: `env:${name}`, text };
}

function readPath(path: string): readonly ConfigSource[] {
  if (!isFolder(path)) return [{ name: path, text: readText(path) }];
  // By the names' bytes, so that the order is the same wherever the agent runs.
  const names = readdirSync(path)
    .filter(isSourceFile)
    .sort((a, b) => a < b ? -1 : 1);
  if (names.length === 0) throw new Error("there is no *.yaml or *.yml in the folder");
  return names.map((name) => {
    const file = join(path, name);
    try {
      return { name: file, text: readText(file) };
    } catch (error) {
      throw new Error((error as Error).message, { cause: new UnreadableFile(file, error) });
    }
  });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // What cannot be looked at, readText finds words for.
    return false;
  }
}
