// The agent as a process: on Deno from the source, on Node from dist. Every process ends: by itself,
// by its starter, at its timeout, or with the starter's own process.

import { type ChildProcess, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { existsSync } from "node:fs";

/** The runtimes the agent is tested on. */
export type RuntimeName = "node" | "deno";

/** The runtime the test itself runs on. */
export const runtimeName: RuntimeName = "Deno" in globalThis ? "deno" : "node";

/** The folder with package.json. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

// Longer than any single run in the tests takes on a busy machine.
const TIMEOUT_MS = 120_000;

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `cairn`. */
export interface RunningCairn {
  readonly pid: number | undefined;
  /** Resolves when the process has ended and its output is read. */
  readonly exit: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard error has said so; rejects where the process ends before. */
  said(pattern: RegExp): Promise<void>;
}

/** How to start it. */
export interface StartOptions {
  /** The test's own runtime by default. */
  readonly runtime?: RuntimeName;
  /** Over the test's own environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The project's folder by default. */
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

const running = new Set<ChildProcess>();

/** Kills what still runs of all that was started. */
export function killAgents(): void {
  for (const child of running) child.kill("SIGKILL");
}

process.on("exit", killAgents);

/** Starts `cairn` with these arguments. */
export function startCairn(args: readonly string[], options: StartOptions = {}): RunningCairn {
  const { runtime = runtimeName, timeoutMs = TIMEOUT_MS } = options;
  const [program, ...first] = commandOf(runtime);
  const child = spawn(program!, [...first, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  const keep = (name: keyof typeof output) => (chunk: string) => {
    output[name] += chunk;
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding("utf8").on("data", keep("stdout"));
  child.stderr.setEncoding("utf8").on("data", keep("stderr"));
  const timer = setTimeout(() => {
    output.stderr += `\nno end after ${timeoutMs / 1000} s: killed\n`;
    child.kill("SIGKILL");
  }, timeoutMs);
  const exit = new Promise<Exit>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      done({ code, signal, ...output });
    });
  });
  return {
    pid: child.pid,
    exit,
    // Deno's child.kill() would report the signal as the end, though the child exits by itself.
    kill(signal) {
      if (running.has(child) && child.pid !== undefined) process.kill(child.pid, signal);
    },
    said: (pattern) => waitFor(() => pattern.test(output.stderr), listeners, exit),
  };
}

/** The program and its first arguments, for a shell that is in any folder. */
export function commandOf(runtime: RuntimeName): readonly string[] {
  if (runtime === "node") {
    return [runtimeName === "node" ? process.execPath : "node", `${root}/dist/src/main.js`];
  }
  // Through npm's wrapper a signal would reach the wrapper alone.
  const own = runtimeName === "deno" ? process.execPath : `${root}/node_modules/deno/deno`;
  const program = existsSync(own) ? own : "deno";
  return [program, "run", "-A", "--config", `${root}/deno.json`, `${root}/src/main.ts`];
}

function waitFor(
  isTrue: () => boolean,
  listeners: Set<() => void>,
  exit: Promise<Exit>,
): Promise<void> {
  return new Promise((done, fail) => {
    const look = () => {
      if (!isTrue()) return;
      listeners.delete(look);
      done();
    };
    listeners.add(look);
    exit.then(({ code, stderr }) => fail(new Error(`cairn ended with ${code}: ${stderr}`)), fail);
    look();
  });
}

function findRoot(folder: string): string {
  if (existsSync(resolve(folder, "package.json"))) return folder;
  return findRoot(dirname(folder));
}
