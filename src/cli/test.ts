// `cairn test`: golden tests of a configuration. Raw input goes in, the records that come out are
// compared; src/golden does it, this file reads the command line and prints.

import { writeFile } from "node:fs/promises";
import { createRegistry } from "../agent/registry.ts";
import { type GoldenFile, loadGolden, runGolden, updateGolden } from "../golden/golden.ts";
import { junit } from "../golden/junit.ts";
import { type CaseResult, type Paint, reportCase, reportTotal } from "../golden/report.ts";
import { tapCase, tapHead } from "../golden/tap.ts";
import { isStale, type RunCase } from "../golden/update.ts";
import { detectRuntime } from "../runtime/runtime.ts";
import { type Command, type Shell, UsageError } from "./command.ts";
import { CONFIG_OPTIONS, printProblems } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const test: Command = {
  name: "test",
  summary: "Run golden tests of a configuration: raw input in, expected records out",
  words: "FILE…",
  description:
    "Each FILE is YAML: the configuration to test, and cases with raw input and the records\n" +
    "that are expected. Input passes a receiver's format, the pipeline's checks and its\n" +
    "processors as in the agent, at a fixed moment, without queue and network.\n" +
    "Ends with 0 when all cases passed, 1 when one failed, 3 when a file has problems.",
  options: {
    ...CONFIG_OPTIONS,
    config: { ...CONFIG_OPTIONS.config, help: "Configuration to test, in place of the files' own" },
    junit: { type: "string", value: "FILE", help: "Write the results as JUnit XML, too" },
    tap: { type: "boolean", help: "Print the results in the Test Anything Protocol" },
    update: { type: "boolean", help: "Write what came into the files as what is expected" },
  },
  async run({ words, values, flags }, shell) {
    if (words.length === 0) {
      throw new UsageError("Expected files of golden tests: cairn test FILE…");
    }
    const { files, problems } = await loadGolden(words, {
      factories: createRegistry(),
      config: values.config ?? [],
      set: values.set ?? [],
      env: shell.env,
      update: flags.has("update"),
    });
    if (problems.length > 0) {
      printProblems({ problems, warnings: [] }, shell);
      return EXIT.configuration;
    }
    const results = await runAll(files, {
      shell,
      tap: flags.has("tap"),
      update: flags.has("update"),
    });
    const [path] = values.junit ?? [];
    if (path !== undefined) await writeResults(path, results);
    return results.every(({ failures }) => failures.length === 0) ? EXIT.ok : EXIT.failure;
  },
};

interface Run {
  readonly shell: Shell;
  readonly tap: boolean;
  readonly update: boolean;
}

async function runAll(files: readonly GoldenFile[], run: Run): Promise<readonly CaseResult[]> {
  const { shell: { out }, tap } = run;
  const paint: Paint = (text, code) => out.isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  const runtime = await detectRuntime();
  const results: CaseResult[] = [];
  if (tap) out.write(tapHead(files.reduce((sum, { cases }) => sum + cases.length, 0)));
  for (const file of files) {
    if (!tap) out.write(`${file.name}\n`);
    const cases: RunCase[] = [];
    for await (const each of runGolden(file, runtime)) {
      const result = run.update ? mended(each) : each.result;
      results.push(result);
      if (run.update) cases.push(each);
      out.write(tap ? tapCase(result, results.length) : reportCase(result, paint));
    }
    if (run.update && await updateGolden(file.name, cases)) {
      (tap ? run.shell.error : out).write(`Updated ${file.name}\n`);
    }
  }
  if (!tap) out.write(reportTotal(results, paint));
  return results;
}

/** What --update mends is no failure any more; an input that could not be read is. */
function mended(each: RunCase & { readonly result: CaseResult }): CaseResult {
  return isStale(each) ? { ...each.result, failures: [], updated: true } : each.result;
}

async function writeResults(path: string, results: readonly CaseResult[]): Promise<void> {
  try {
    await writeFile(path, junit(results));
  } catch (error) {
    throw new Error(`Cannot write "${path}": ${(error as Error).message}`, { cause: error });
  }
}
