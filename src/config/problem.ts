// A problem in a configuration, with the place an operator has to look at.

import type { ConfigProblem } from "../../plugins/sdk/index.ts";

/** Where a value was written. `--set` options and the like have no line. */
export interface Place {
  /** The source's name: a file as it was named on the command line, or `--set a.b=…`. */
  readonly source: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Counted from 1, in characters. */
  readonly column?: number;
  /** Rank of the source, so that problems print in the order the sources were named. */
  readonly rank: number;
}

/** One thing wrong, and where. */
export interface Problem extends ConfigProblem {
  readonly at: Place;
}

/** `file:line:column`, or the source alone. */
export function formatPlace({ source, line, column }: Place): string {
  return line === undefined ? source : `${source}:${line}:${column}`;
}

/** `file:line:column: path: problem (fix)`, on one line. */
export function formatProblem({ at, path, problem, fix }: Problem): string {
  const where = path === "" ? formatPlace(at) : `${formatPlace(at)}: ${path}`;
  return `${where}: ${problem}${fix === undefined ? "" : ` (${fix})`}`;
}

/** In the order an operator reads the sources; equal ones once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return [...problems]
    .sort((a, b) =>
      a.at.rank - b.at.rank || (a.at.line ?? 0) - (b.at.line ?? 0) ||
      (a.at.column ?? 0) - (b.at.column ?? 0) || a.path.localeCompare(b.path)
    )
    .filter((problem) => {
      const text = formatProblem(problem);
      return seen.has(text) ? false : seen.add(text);
    });
}

/** `receivers.file/app.mapping.rules[0]` from its parts. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}
