// Runs every tap file on Node and on Deno, small ones together in a process, and ends with the plain
// line `N passed, N failed`. Usage: run.ts [--node | --deno] [--soak] [FILE…]
// `--soak` sets CAIRN_SOAK=1: long versions of the crash, kill and fuzz tests.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { buildChanged, projectSources } from "./node/build.ts";

type RuntimeName = "node" | "deno";

interface Result {
  readonly runtime: RuntimeName;
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ms: number;
  readonly output: string;
}

const COMMANDS: Readonly<Record<RuntimeName, readonly string[]>> = {
  // As tap's own runner starts a file, without a runner for each, and from what is built.
  node: ["node", "--enable-source-maps", "--import=./test/node/preload.js"],
  deno: ["deno", "run", "-A", "--preload", "./test/deno/tap-preload.js"],
};

// A file that says nothing for this long hangs; the longest takes about a minute.
const FILE_TIMEOUT_MS = 300_000;
const SOAK_TIMEOUT_MS = 3_600_000;

function run(command: readonly string[], env: Record<string, string>): Promise<[number, string]> {
  const timeoutMs = env.CAIRN_SOAK ? SOAK_TIMEOUT_MS : FILE_TIMEOUT_MS;
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), {
      env: { TAP_TIMEOUT: String(timeoutMs / 1000), ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const chunks: Uint8Array[] = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    const timer = setTimeout(() => {
      chunks.push(new TextEncoder().encode(`\nno end after ${timeoutMs / 1000} s: killed\n`));
      child.kill("SIGKILL");
    }, timeoutMs);
    child.on("error", (error) => chunks.push(new TextEncoder().encode(String(error))));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve([code ?? 1, new TextDecoder().decode(Buffer.concat(chunks))]);
    });
  });
}

/** Counts the innermost assertions of TAP output: lines `ok` and `not ok` that close no subtest. */
function count(output: string): Pick<Result, "passed" | "failed" | "skipped"> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  let deepest = 0;
  for (const line of output.split("\n")) {
    const match = /^( *)(not )?ok \d+(.*)$/.exec(line);
    if (match === null) continue;
    const depth = match[1]!.length;
    const closesSubtest = depth < deepest;
    deepest = depth;
    if (closesSubtest) continue;
    if (/# (SKIP|TODO)\b/i.test(match[3]!)) skipped++;
    else if (match[2] === undefined) passed++;
    else failed++;
  }
  return { passed, failed, skipped };
}

// The longest first; each of them has a process of its own.
const LONG = [
  /^test\/e2e\/kill\.test/,
  /^test\/(?:e2e\/(?:kill-uploads|plugin|reload|samples)|crash\/|cli\/queue)/,
  /^test\/(?:e2e|cli|fuzz)\/|^test\/tidy|^test\/queue\/(?:damage|repair)/,
  /^plugins\/(?:exporters\/trail|receivers\/(?:cloudtrail|otlp))\//,
];

// The others share a process: loading tap takes longer than most of them.
const TOGETHER = 8;

// These look at the sources, which are the same on every runtime: the last one, Deno, does it faster.
const SOURCES = /^test\/tidy\.test/;

function rank(file: string): number {
  const at = LONG.findIndex((pattern) => pattern.test(file));
  return at < 0 ? LONG.length : at;
}

/** Test files that run in one process. */
interface Job {
  readonly runtime: RuntimeName;
  readonly files: readonly string[];
}

/** The long files first, so that none of them is left alone at the end. */
function makeJobs(runtimes: readonly RuntimeName[], files: readonly string[]): Job[] {
  const groups = files.filter((file) => rank(file) < LONG.length)
    .sort((a, b) => rank(a) - rank(b)).map((file) => [file]);
  const small = files.filter((file) => rank(file) === LONG.length);
  const size = Math.ceil(small.length / Math.ceil(small.length / TOGETHER));
  for (let at = 0; at < small.length; at += size) groups.push(small.slice(at, at + size));
  return groups.flatMap((files) =>
    runtimes.slice(SOURCES.test(files[0]!) ? -1 : 0)
      .map((runtime) => ({ runtime, files }))
  );
}

async function test({ runtime, files }: Job, env: Record<string, string>): Promise<Result[]> {
  const begin = performance.now();
  // tap does not know a file's name on Deno: the word after it makes t.testdir() one of its own.
  const words = files.length === 1
    ? [files[0]!, ...(runtime === "deno" ? files : [])]
    : ["test/together.ts", files[0]!, ...files];
  const [code, output] = await run([...COMMANDS[runtime], ...words], env);
  if (files.length === 1) {
    return [judge(runtime, files[0]!, code === 0, output, performance.now() - begin)];
  }
  return apart(files, output).map(([file, part], at, parts) => {
    const isOver = code === 0 || at < parts.length - 1 || /^not ok/m.test(output);
    return judge(runtime, file, isOver, part, timeOf(part));
  });
}

/** The output of each file, in order; files that were never begun have none. */
function apart(files: readonly string[], output: string): [string, string][] {
  return files.map((file) => {
    const begin = output.indexOf(`# file ${file}\n`);
    const end = output.indexOf(`# Subtest: end of ${file}\n`, begin);
    return [file, begin < 0 ? "" : output.slice(begin, end < 0 ? undefined : end)];
  });
}

function timeOf(output: string): number {
  let ms = 0;
  for (const [, time] of output.matchAll(/^(?:not )?ok .* # time=([\d.]+)ms/gm)) ms += Number(time);
  return ms;
}

function judge(
  runtime: RuntimeName,
  file: string,
  isOver: boolean,
  output: string,
  ms: number,
): Result {
  const counted = count(output);
  const silent = counted.passed + counted.failed + counted.skipped === 0;
  const failed = isOver && !silent ? counted.failed : Math.max(1, counted.failed);
  return { runtime, file, ...counted, failed, ms, output };
}

function print({ runtime, file, passed, failed, skipped, ms, output }: Result): void {
  const state = failed > 0 ? "FAIL" : "ok  ";
  const skips = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(
    `${state} ${runtime} ${file} (${passed} passed${skips}, ${(ms / 1000).toFixed(1)} s)`,
  );
  if (failed > 0) console.log(output);
  else for (const line of output.split("\n")) if (/^ *#? ?\| /.test(line)) console.log(line);
  for (const line of output.split("\n")) {
    if (/# SKIP/i.test(line)) console.log(`     ${line.trim()}`);
  }
}

/**
 * Builds what Node runs: all of it, with its types, before a full run; for single files only what
 * changed is translated, whatever stands in the rest of the tree.
 */
async function prepare(all: boolean): Promise<boolean> {
  if (all) return await passes(["tsc", "-p", "."]);
  await buildChanged();
  return true;
}

/** Runs a command that says nothing of use unless it fails. */
async function passes(command: readonly string[]): Promise<boolean> {
  const [code, output] = await run(command, {});
  if (code !== 0) console.log(`${command.join(" ")} failed:\n${output}`);
  return code === 0;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = new Set(argv.filter((word) => word.startsWith("--")));
  let files = argv.filter((word) => !word.startsWith("--"));
  const all = files.length === 0;
  if (all) files = projectSources().filter((path) => path.endsWith(".test.ts")).sort();
  if (!await prepare(all)) {
    console.log("\n0 passed, 1 failed");
    return 1;
  }
  const runtimes = (["node", "deno"] as const).filter((name) =>
    options.has(`--${name}`) || !(options.has("--node") || options.has("--deno"))
  );
  const isSoak = options.has("--soak") || process.env.CAIRN_SOAK !== undefined;
  const env: Record<string, string> = isSoak ? { CAIRN_SOAK: "1" } : {};
  const jobs = makeJobs(runtimes, files);
  const results: Result[] = [];
  // Types, words and form of everything are checked beside the first tests: that takes one processor.
  const checks = all ? [["npm", "run", "check"]] : [];
  let failedChecks = 0;
  const worker = async () => {
    const check = checks.pop();
    if (check !== undefined && !await passes(check)) failedChecks++;
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      for (const result of await test(job, env)) {
        print(result);
        results.push(result);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  const sum = (key: "passed" | "failed" | "skipped") =>
    results.reduce((total, result) => total + result[key], 0);
  const skipped = sum("skipped");
  const failed = sum("failed") + failedChecks;
  console.log(
    `\n${sum("passed")} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`,
  );
  return failed === 0 && results.length > 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
