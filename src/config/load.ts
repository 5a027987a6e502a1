// The sources of a configuration, joined: every --config in order, then every --set. The only place
// that takes the environment. A source is a name and a text; sources.ts gets them.

import type { Environment } from "./expand.ts";
import { type ConfigNode, emptyMap, type MapNode, merge } from "./node.ts";
import type { Place, Problem } from "./problem.ts";
import { readText } from "./read-text.ts";
import { parseYaml } from "./yaml.ts";

/** One text of configuration. */
export interface ConfigSource {
  /** As messages name it: the path given on the command line. */
  readonly name: string;
  readonly text: string;
  /** `a::b: c` stands for `a: { b: c }`, as in the Collector's `yaml:` on a command line. */
  readonly joinedKeys?: boolean;
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
    else if (parsed.node.kind === "map") {
      root = merge(root, source.joinedKeys === true ? splitKeys(parsed.node) : parsed.node);
    } else if (parsed.node.kind === "list" || parsed.node.value !== null) {
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
  if (parsed.node === undefined) return parsed;
  return { node: nest(path, at, parsed.node), problems: parsed.problems };
}

/** The node below a path of keys. */
function nest(path: readonly string[], at: Place, below: ConfigNode): ConfigNode {
  let node = below;
  for (const key of path.toReversed()) {
    node = { kind: "map", at, entries: new Map([[key, { at, node }]]) };
  }
  return node;
}

function splitKeys(map: MapNode): ConfigNode {
  let whole: ConfigNode = emptyMap(map.at);
  for (const [key, { at, node }] of map.entries) {
    whole = merge(whole, nest(key.split("::"), at, node));
  }
  return whole;
}
