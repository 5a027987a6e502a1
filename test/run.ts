// Runs every tap file on Node and on Deno, a few at a time, and ends with the plain
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

const COMMANDS: Readonly<Record<RuntimeName, (file: string) => readonly string[]>> = {
  // As tap's own runner starts a file, without a runner for each, and from what is built.
  node: (file) => ["node", "--enable-source-maps", "--import=./test/node/preload.js", file],
  // tap does not know the file's name here; the word after it makes t.testdir() one of the file's own.
  deno: (file) => ["deno", "run", "-A", "--preload", "./test/deno/tap-preload.js", file, file],
};

// A file that says nothing for this long hangs; the longest takes about a minute.
const FILE_TIMEOUT_MS = process.env.CAIRN_SOAK ? 3_600_000 : 300_000;

function run(command: readonly string[], env: Record<string, string>): Promise<[number, string]> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), {
      env: { TAP_TIMEOUT: "300", ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const chunks: Uint8Array[] = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    const timer = setTimeout(() => {
      chunks.push(new TextEncoder().encode(`\nno end after ${FILE_TIMEOUT_MS / 1000} s: killed\n`));
      child.kill("SIGKILL");
    }, FILE_TIMEOUT_MS);
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

const LONG = ["test/e2e/kill", "test/crash/", "test/e2e/", "test/queue/", "test/"];

function rank(file: string): number {
  const at = LONG.findIndex((start) => file.startsWith(start));
  return at < 0 ? LONG.length : at;
}

async function test(runtime: RuntimeName, file: string, env: Record<string, string>) {
  const begin = performance.now();
  const [code, output] = await run(COMMANDS[runtime](file), env);
  const counted = count(output);
  const silent = counted.passed + counted.failed + counted.skipped === 0;
  const failed = code === 0 && !silent ? counted.failed : Math.max(1, counted.failed);
  return { runtime, file, ...counted, failed, ms: performance.now() - begin, output };
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
 * Builds what Node runs. Before a full run the types and the form of everything are checked, too;
 * for single files only what changed is translated, whatever stands in the rest of the tree.
 */
async function prepare(all: boolean): Promise<boolean> {
  if (!all) {
    await buildChanged();
    return true;
  }
  const commands = [["tsc", "-p", "."], ["npm", "run", "check"]];
  const codes = await Promise.all(commands.map(async (command) => {
    const [code, output] = await run(command, {});
    if (code !== 0) console.log(`${command.join(" ")} failed:\n${output}`);
    return code;
  }));
  return codes.every((code) => code === 0);
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
  const env: Record<string, string> = options.has("--soak") ? { CAIRN_SOAK: "1" } : {};
  // The long files first, so that none of them is left alone at the end.
  const jobs = files.flatMap((file) => runtimes.map((runtime) => ({ runtime, file })))
    .sort((a, b) => rank(a.file) - rank(b.file));
  const results: Result[] = [];
  const worker = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const result = await test(job.runtime, job.file, env);
      print(result);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  const sum = (key: "passed" | "failed" | "skipped") =>
    results.reduce((total, result) => total + result[key], 0);
  const skipped = sum("skipped");
  console.log(
    `\n${sum("passed")} passed, ${sum("failed")} failed${skipped ? `, ${skipped} skipped` : ""}`,
  );
  return sum("failed") === 0 && results.length > 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
