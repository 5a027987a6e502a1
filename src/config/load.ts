// The sources of a configuration, joined: every --config in order, then every --set. The only place
// that reads the environment. A source is a name and a text, wherever the text came from.

import { Buffer, isUtf8 } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import type { Environment } from "./expand.ts";
import { type ConfigNode, emptyMap, type MapNode, merge } from "./node.ts";
import type { Place, Problem } from "./problem.ts";
import { parseYaml } from "./yaml.ts";

// A configuration is written by people; more is a mistaken file name.
const SOURCE_BYTES_MAX = 1024 * 1024;

/** One text of configuration. */
export interface ConfigSource {
  /** As messages name it: the path given on the command line. */
  readonly name: string;
  readonly text: string;
}

/** What the operator asked for. */
export interface LoadOptions {
  readonly sources: readonly ConfigSource[];
  /** Each `a.b=value`; later than every source. */
  readonly set?: readonly string[];
  readonly environment: Environment;
}

/** All sources as one tree. */
export interface LoadedConfig {
  readonly root: MapNode;
  readonly problems: readonly Problem[];
  /** False where a source could not be read as YAML: checking the rest would only mislead. */
  readonly complete: boolean;
}

/** The process's environment and files; relative paths are relative to the working directory. */
export function processEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  return { env: (name) => env[name], readFile: readText };
}

/** Reads configuration files. A file that cannot be read is a problem, not an exception. */
export function readSources(
  paths: readonly string[],
): { readonly sources: readonly ConfigSource[]; readonly problems: readonly Problem[] } {
  const sources: ConfigSource[] = [];
  const problems: Problem[] = [];
  for (const [rank, name] of paths.entries()) {
    try {
      sources.push({ name, text: readText(name) });
    } catch (error) {
      const problem = `Cannot read configuration: ${(error as Error).message}`;
      problems.push({ at: { source: name, rank }, path: "", problem });
    }
  }
  return { sources, problems };
}

/** Parses the sources, expands references and merges; `--set` values come last. */
export function loadSources({ sources, set = [], environment }: LoadOptions): LoadedConfig {
  const problems: Problem[] = [];
  let complete = true;
  const start: Place = { source: sources[0]?.name ?? "configuration", rank: 0, line: 1, column: 1 };
  let root: ConfigNode = emptyMap(start);
  for (const [rank, source] of sources.entries()) {
    const parsed = parseYaml(source.text, { name: source.name, rank }, environment);
    problems.push(...parsed.problems);
    if (parsed.node === undefined) complete = false;
    else if (parsed.node.kind === "map") root = merge(root, parsed.node);
    else if (parsed.node.kind === "list" || parsed.node.value !== null) {
      problems.push({ at: parsed.node.at, path: "", problem: "Expected a map of options" });
    }
  }
  for (const [index, text] of set.entries()) {
    const parsed = parseSet(text, sources.length + index, environment);
    problems.push(...parsed.problems);
    if (parsed.node === undefined) complete = false;
    else root = merge(root, parsed.node);
  }
  return { root: root.kind === "map" ? root : emptyMap(start), problems, complete };
}

/** `a.b/c.d=value`: a path of keys, and a value read as YAML. */
function parseSet(text: string, rank: number, environment: Environment) {
  const equals = text.indexOf("=");
  const path = (equals < 0 ? text : text.slice(0, equals)).split(".");
  // The value may be a secret: only the path is ever shown.
  const at: Place = { source: `--set ${path.join(".")}=…`, rank };
  if (equals < 0 || path.includes("")) {
    const problem = "Expected --set path.to.option=value";
    return { node: undefined, problems: [{ at: { ...at, source: "--set" }, path: "", problem }] };
  }
  const name = at.source;
  const parsed = parseYaml(text.slice(equals + 1), { name, rank }, environment, { at, path });
  let node = parsed.node;
  if (node === undefined) return parsed;
  for (const key of path.toReversed()) {
    node = { kind: "map", at, entries: new Map([[key, { at, node }]]) };
  }
  return { node, problems: parsed.problems };
}

function readText(path: string): string {
  try {
    const bytes = readBytes(path);
    if (!isUtf8(bytes)) throw new Error("not UTF-8 text");
    return bytes.toString();
  } catch (error) {
    throw new Error(reason(error), { cause: error });
  }
}

/** Never more than the limit: a pipe or a device does not tell its size. */
function readBytes(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(SOURCE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > SOURCE_BYTES_MAX) throw new Error(`larger than ${SOURCE_BYTES_MAX} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "is a directory";
  return message;
}
