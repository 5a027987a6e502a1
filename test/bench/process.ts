// Runs the agent as a process and reads what it cost from /proc: CPU of all threads, peak memory.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

/** The runtimes that are measured. */
export type RuntimeName = "node" | "deno";

/** What one run to the end cost. */
export interface Run {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

/** What an agent costs that has nothing to do. */
export interface Idle {
  readonly readyMs: number;
  readonly rssBytes: number;
  readonly cpuPercent: number;
}

// Linux counts CPU time in hundredths of a second, whatever the kernel's own tick.
const TICKS_PER_SECOND = 100;
const IDLE_SETTLE_MS = 5000;
const IDLE_WATCH_MS = 20_000;

// As the program itself (`src/main.ts`) and the Deno task start it.
const NODE_FLAGS = "--max-semi-space-size=8";
const V8_FLAGS = `--v8-flags=${NODE_FLAGS},--heap-growing-percent=20`;

function command(runtime: RuntimeName): readonly string[] {
  return runtime === "node"
    ? ["node", NODE_FLAGS, resolve("dist/src/main.js")]
    : [resolve("node_modules/.bin/deno"), "run", "-A", V8_FLAGS, resolve("src/main.ts")];
}

function start(runtime: RuntimeName, args: readonly string[]): ChildProcess {
  const [program, ...rest] = command(runtime);
  return spawn(program!, [...rest, ...args], { stdio: ["ignore", "ignore", "pipe"] });
}

/** The process that does the work: the deno package's launcher starts the real one. */
function worker(pid: number): number {
  try {
    const child = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0];
    return child ? worker(Number(child)) : pid;
  } catch {
    return pid;
  }
}

/** What a process has used so far, of all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function memory(pid: number, field: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
}

/** Runs `cairn run --once` with this configuration to its end. */
export async function runOnce(
  runtime: RuntimeName,
  config: string,
  folder: string,
): Promise<Run> {
  return await runToEnd(runtime, config, folder, ["--once"]);
}

// A look costs the agent something: few of them.
const LOOK_MS = 100;

/** Runs `cairn run` until a condition holds, which is asked now and then. */
export async function runUntil(
  runtime: RuntimeName,
  config: string,
  folder: string,
  isDone: () => Promise<boolean>,
): Promise<Run> {
  const begin = performance.now();
  let wallSeconds = 0;
  const look = async (child: ChildProcess) => {
    while (child.exitCode === null && !await isDone()) {
      await new Promise((again) => setTimeout(again, LOOK_MS));
    }
    wallSeconds = (performance.now() - begin) / 1000;
    if (child.exitCode === null) process.kill(worker(child.pid!), "SIGTERM");
  };
  return { ...await runToEnd(runtime, config, folder, [], look), wallSeconds };
}

async function runToEnd(
  runtime: RuntimeName,
  config: string,
  folder: string,
  args: readonly string[],
  meanwhile: (child: ChildProcess) => Promise<void> = async () => {},
): Promise<Run> {
  const path = join(folder, "bench.yaml");
  writeFileSync(path, config);
  const begin = performance.now();
  const child = start(runtime, ["run", ...args, "--config", path]);
  let errors = "";
  child.stderr!.on("data", (chunk) => errors += chunk);
  let cost = { cpuSeconds: 0, peakRssBytes: 0 };
  const timer = setInterval(() => {
    try {
      const pid = worker(child.pid!);
      // A process that has just ended tells no memory any more.
      const peakRssBytes = Math.max(cost.peakRssBytes, memory(pid, "VmHWM"));
      cost = { cpuSeconds: cpuSeconds(pid), peakRssBytes };
    } catch {
      // The process ended between two looks: the last figures stand.
    }
  }, 20);
  const ended = new Promise((done) => child.once("close", done));
  await meanwhile(child);
  const code = await ended;
  clearInterval(timer);
  if (code !== 0) throw new Error(`Cannot measure "${config}": exit code ${code}\n${errors}`);
  return { wallSeconds: (performance.now() - begin) / 1000, ...cost };
}

/** An agent that runs until it is stopped. */
export interface StartedAgent {
  /** Of the process that does the work. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts an agent with the configuration at a path; resolves when it runs. */
export async function startAgent(runtime: RuntimeName, path: string): Promise<StartedAgent> {
  const child = start(runtime, ["run", "--config", path]);
  const ended = new Promise((done) => child.once("close", done));
  let errors = "";
  await new Promise<void>((ready, fail) => {
    child.stderr!.on("data", (chunk) => {
      errors += chunk;
      if (/Running/.test(errors)) ready();
    });
    void ended.then(() => fail(new Error(`Cannot start the agent: ${errors}`)));
  });
  const pid = worker(child.pid!);
  return {
    pid,
    async stop() {
      process.kill(pid, "SIGTERM");
      await ended;
    },
  };
}

/** Starts an agent on an empty log and watches it do nothing. */
export async function measureIdle(runtime: RuntimeName): Promise<Idle> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  writeFileSync(join(folder, "audit.log"), "");
  const path = join(folder, "idle.yaml");
  writeFileSync(
    path,
    [
      `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data }`,
      `receivers: { auditd: { path: ${folder}/audit.log } }`,
      `exporters: { trail: { name: idle, directory: ${folder}/trail } }`,
      "service: { pipelines: { idle: { receivers: [auditd], exporters: [trail] } } }",
    ].join("\n"),
  );
  const begin = performance.now();
  const { pid, stop } = await startAgent(runtime, path);
  const readyMs = performance.now() - begin;
  await new Promise((done) => setTimeout(done, IDLE_SETTLE_MS));
  const before = cpuSeconds(pid);
  await new Promise((done) => setTimeout(done, IDLE_WATCH_MS));
  const idle = {
    readyMs,
    rssBytes: memory(pid, "VmRSS"),
    cpuPercent: ((cpuSeconds(pid) - before) / (IDLE_WATCH_MS / 1000)) * 100,
  };
  await stop();
  rmSync(folder, { recursive: true });
  return idle;
}
