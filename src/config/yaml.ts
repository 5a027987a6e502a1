// One YAML 1.2 text into the tree of `node.ts`: places kept, references expanded, faults gathered.

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node, Pair, Scalar as YamlScalar } from "yaml";
import { type Environment, expand } from "./expand.ts";
import type { ConfigNode, ListNode, MapNode, Scalar, ScalarNode } from "./node.ts";
import { formatPath, type Place, type Problem } from "./problem.ts";
import { isSecretPath } from "./redact.ts";
import { findExcess } from "./token-limit.ts";

// A real configuration has hundreds of values; an alias that multiplies itself would have billions.
const NODES_MAX = 100_000;

// Deeper than any schema here, and far from the end of the stack.
const DEPTH_MAX = 64;

/** A parsed text. */
export interface ParsedYaml {
  /** The tree; undefined where the text is no YAML, so that checking it would only mislead. */
  readonly node?: ConfigNode;
  readonly problems: readonly Problem[];
}

/**
 * Parses one text. Without an environment, references are text like any other. With `at`, every
 * place is that one (a `--set` value has no lines of its own), and `path` is what its problems begin
 * with.
 */
export function parseYaml(
  text: string,
  source: { readonly name: string; readonly rank: number },
  environment: Environment | undefined,
  within: { readonly at?: Place; readonly path?: readonly string[] } = {},
): ParsedYaml {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    if (within.at !== undefined) return within.at;
    const { line, col } = lines.linePos(offset);
    return {
      source: source.name,
      rank: source.rank,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
    };
  };
  const path = within.path ?? [];
  const excess = findExcess(text);
  if (excess !== undefined) {
    for (let start = 0; start < excess.offset;) {
      lines.addNewLine(start);
      start = text.indexOf("\n", start) + 1 || Infinity;
    }
    const { offset, problem } = excess;
    return { problems: [{ at: placeAt(offset), path: formatPath(path), problem }] };
  }
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
  } catch (error) {
    const problem = error instanceof RangeError ? "Nested too deeply" : String(error);
    return { problems: [{ at: placeAt(0), path: formatPath(path), problem }] };
  }
  // The first of each sort: one slip makes the parser stumble over everything after it.
  const faults = new Map(
    [...document.errors, ...document.warnings].reverse().map((fault) => [fault.code, fault]),
  );
  if (faults.size > 0) {
    const problems = Array.from(faults.values(), ({ code, message, pos }) => {
      const line = text.slice(text.lastIndexOf("\n", pos[0] - 1) + 1).split("\n", 1)[0]!;
      return { at: placeAt(pos[0]), path: formatPath(path), ...wording(code, message, line) };
    });
    return { problems };
  }
  return new TreeBuilder(document, environment, placeAt).build(path);
}

const QUOTES_SOURCE =
  /^(Unresolved tag|Invalid escape sequence|.*extra characters|.*directive)\b.*/;

function wording(
  code: string,
  message: string,
  line: string,
): { problem: string; fix?: string } {
  if (code === "TAB_AS_INDENT") return { problem: "Tab in the indentation", fix: "use spaces" };
  if (code === "MULTIPLE_DOCS") {
    return { problem: "More than one document in a file", fix: "use --config more than once" };
  }
  if (code === "RESOURCE_EXHAUSTION") return { problem: "Nested too deeply" };
  // What it quotes may be a password with a character that YAML gives a meaning.
  const [first = ""] = message.split("\n").map((text) => text.replace(QUOTES_SOURCE, "$1"));
  const problem = `Not valid YAML: ${first.charAt(0).toLowerCase()}${first.slice(1)}`;
  const isBareReference = /[[{,].*[^"'$]\$\{/.test(line);
  return isBareReference
    ? { problem, fix: 'inside { } and [ ] write a reference in quotes: "${env:NAME}"' }
    : { problem };
}

/** Walks one document. */
class TreeBuilder {
  readonly #document: Document.Parsed;
  readonly #environment: Environment | undefined;
  readonly #placeAt: (offset: number) => Place;
  readonly #problems: Problem[] = [];
  #nodes = 0;

  constructor(
    document: Document.Parsed,
    environment: Environment | undefined,
    placeAt: (offset: number) => Place,
  ) {
    this.#document = document;
    this.#environment = environment;
    this.#placeAt = placeAt;
  }

  build(path: readonly string[]): ParsedYaml {
    const node = this.#convert(this.#document.contents, path, 0);
    return { node, problems: this.#problems };
  }

  #convert(node: unknown, path: readonly PropertyKey[], offset: number): ConfigNode {
    const at = this.#placeAt((node as Node | null)?.range?.[0] ?? offset);
    this.#nodes++;
    if (this.#nodes > NODES_MAX || path.length > DEPTH_MAX) {
      const problem = path.length > DEPTH_MAX
        ? `Nested deeper than ${DEPTH_MAX} levels`
        : `More than ${NODES_MAX} values`;
      if (this.#nodes <= NODES_MAX + 1) this.#report(at, path.slice(0, 8), problem);
      return nothing(at);
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target !== undefined) return this.#convert(target, path, offset);
      const shown = isSecretPath(path) ? "" : ` "*${node.source}"`;
      const fix = "a value that begins with * needs quotes";
      this.#report(at, path, `Unknown alias${shown}`, fix);
      return nothing(at);
    }
    if (isMap(node)) return this.#convertMap(node.items, path, at);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.#convert(item, [...path, index], offset));
      return { kind: "list", at, items } satisfies ListNode;
    }
    return isScalar(node) ? this.#convertScalar(node, path, at) : nothing(at);
  }

  #convertMap(pairs: readonly Pair[], path: readonly PropertyKey[], at: Place): MapNode {
    const entries = new Map<string, { at: Place; node: ConfigNode }>();
    for (const { key, value } of pairs) {
      const keyOffset = (key as Node | null)?.range?.[0] ?? 0;
      const keyAt = this.#placeAt(keyOffset);
      if (!isScalar(key)) {
        this.#report(keyAt, path, "A key must be plain text");
        continue;
      }
      const name = typeof key.value === "string" ? key.value : key.source ?? String(key.value);
      if (entries.has(name)) {
        this.#report(keyAt, [...path, name], "Key stands twice in this map", "keep one");
      }
      if (name === "<<") {
        const fix = "alias the whole value, or lay files over each other: --config A --config B";
        this.#report(keyAt, path, "Merge key: YAML 1.2 has none", fix);
        continue;
      }
      entries.set(name, { at: keyAt, node: this.#convert(value, [...path, name], keyOffset) });
    }
    return { kind: "map", at, entries };
  }

  #convertScalar(scalar: YamlScalar, path: readonly PropertyKey[], at: Place): ScalarNode {
    const value = scalar.value as Scalar;
    if (typeof value !== "string") {
      const text = scalar.source ?? String(value);
      const readings = value === null ? [null] : [value, text];
      return { kind: "scalar", at, value, text, readings, secret: false };
    }
    const { text, referred, problems } = this.#environment === undefined
      ? { text: value, referred: false, problems: [] }
      : expand(value, this.#environment, isSecretPath(path));
    for (const { problem, fix } of problems) this.#report(at, path, problem, fix);
    if (!referred) {
      return { kind: "scalar", at, value: text, text, readings: [text], secret: false };
    }
    const typed = readPlain(text);
    const first = scalar.type === "PLAIN" ? typed : text;
    return { kind: "scalar", at, value: first, text, readings: [typed, text], secret: true };
  }

  #report(at: Place, path: readonly PropertyKey[], problem: string, fix?: string): void {
    this.#problems.push({ at, path: formatPath(path), problem, ...(fix && { fix }) });
  }
}

function nothing(at: Place): ScalarNode {
  return { kind: "scalar", at, value: null, text: "", readings: [null], secret: false };
}

/** What YAML would read, had the text stood there unquoted. */
function readPlain(text: string): Scalar {
  if (text.length > 64 || /[^\w.+-]/.test(text)) return text;
  const { contents, errors } = parseDocument(text, { prettyErrors: false, logLevel: "silent" });
  if (errors.length > 0 || !isScalar(contents) || contents.source !== text) return text;
  const value = contents.value;
  return typeof value === "number" || typeof value === "boolean" || value === null ? value : text;
}
