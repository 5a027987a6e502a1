// Golden tests of a configuration, from files to results: everything is read and checked first, then
// each case is run and judged, and where asked the files are given what came.

import { realpathSync, statSync } from "node:fs";
import { writeFileAtomic } from "../../plugins/sdk/atomic-file.ts";
import type { Runtime } from "../../plugins/sdk/index.ts";
import { formatProblem, type Problem, sortProblems } from "../config/problem.ts";
import { readText } from "../config/read-text.ts";
import type { PrepareOptions } from "./configuration.ts";
import { evaluate } from "./evaluate.ts";
import { prepare, type PreparedCase } from "./prepare.ts";
import type { CaseResult } from "./report.ts";
import { runCase } from "./run.ts";
import { readTestFile } from "./test-file.ts";
import { isStale, type RunCase, updateText } from "./update.ts";

/** The prepared cases of one file. */
export interface GoldenFile {
  readonly name: string;
  readonly cases: readonly PreparedCase[];
}

/** Every file's cases, or every problem. */
export interface Golden {
  readonly files: readonly GoldenFile[];
  readonly problems: readonly Problem[];
}

/** Reads and checks all files. Never throws for what stands in them. */
export async function loadGolden(
  names: readonly string[],
  options: PrepareOptions,
): Promise<Golden> {
  const files: GoldenFile[] = [];
  const problems: Problem[] = [];
  for (const [rank, name] of names.entries()) {
    const read = readTestFile(name, rank);
    problems.push(...sortProblems(read.problems));
    if (read.file === undefined) continue;
    const prepared = await prepare(read.file, options);
    problems.push(...sortProblems(prepared.problems));
    files.push({ name, cases: prepared.cases });
  }
  // Those of a configuration come once, however many files test it.
  const distinct = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return { files, problems: [...distinct.values()] };
}

/** Runs the cases of a file one after the other. */
export async function* runGolden(
  { name: file, cases }: GoldenFile,
  runtime: Runtime,
): AsyncGenerator<RunCase & { readonly result: CaseResult }> {
  for (const [index, one] of cases.entries()) {
    const begin = performance.now();
    const outcome = await runCase(one, runtime);
    const evaluation = evaluate(one, outcome);
    const { failures } = evaluation;
    const ms = performance.now() - begin;
    const result = { file, line: one.line, name: one.name, ms, failures };
    yield { index, one, outcome, evaluation, result };
  }
}

/** Writes what came into a file; false where nothing had to change. Throws what the disk does. */
export async function updateGolden(file: string, cases: readonly RunCase[]): Promise<boolean> {
  const before = readText(file);
  if (!cases.some(isStale)) return false;
  const after = updateText(before, cases);
  // A link stays one.
  const path = realpathSync(file);
  const mode = statSync(path).mode & 0o777;
  await writeFileAtomic(path, new TextEncoder().encode(after), { mode });
  return true;
}
