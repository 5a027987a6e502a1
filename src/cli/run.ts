// `cairn run`: starts the agent, keeps it until a signal or, under --once, until all is delivered,
// and stops it in order.

import { setMaxListeners } from "node:events";
import { resolve as absolute } from "node:path";
import process from "node:process";
import { type Agent, createAgent, type Drained } from "../agent/agent.ts";
import { startDeadline } from "../agent/deadline.ts";
import { processEnvironment } from "../config/load.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { refuseExit } from "../runtime/refuse-exit.ts";
import { detectRuntime } from "../runtime/runtime.ts";
import { endSmallStart } from "../runtime/small-start.ts";
import { createLogs, type Logs } from "../telemetry/logs.ts";
import { VERSION } from "../version.ts";
import type { Command, Shell } from "./command.ts";
import { CONFIG_OPTIONS, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";
import { showProgress } from "./progress.ts";
import { ConfigurationReader, Hangups, listenForReload } from "./reload-triggers.ts";

// The longest timer there is: it fires every 24 days, and keeps the process alive between.
const KEEP_ALIVE_MS = 2 ** 31 - 1;

/** The command. */
export const run: Command = {
  name: "run",
  summary: "Capture, store and deliver until told to stop",
  description:
    "Runs the agent. Without --config it records what this host offers into a trail in\n" +
    "its data_dir. SIGINT or SIGTERM stops it in order, a second one at once. SIGHUP and\n" +
    "`cairn reload` have it read its configuration again.",
  options: {
    ...CONFIG_OPTIONS,
    once: { type: "boolean", help: "Read every finite source to its end, deliver all, and end" },
  },
  async run(args, shell) {
    const once = args.flags.has("once");
    const hangups = once ? undefined : new Hangups();
    const reader = new ConfigurationReader(() => readConfiguration(args, shell));
    const resolution = await reader.read();
    printProblems(resolution, shell);
    const { config } = resolution;
    if (config === undefined) return EXIT.configuration;
    for (const { message } of resolution.detected) shell.error.write(`${message}\n`);
    const logs = createLogs({
      level: config.logs.level,
      stream: shell.error,
      readable: shell.error.isTerminal,
      colour: shell.error.isColoured,
    });
    const allowExit = refuseExit();
    const exit = (code: number) => {
      allowExit();
      return shell.exit(code);
    };
    const stop = listenForStop({ ...shell, exit }, logs);
    const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
    try {
      return await runAgent(config, {
        shell,
        logs,
        stop: stop.signal,
        reader,
        hangups,
      });
    } finally {
      clearInterval(keepAlive);
      stop.close();
      hangups?.close();
      allowExit();
      await logs.close();
    }
  },
};

interface Running {
  readonly shell: Shell;
  readonly logs: Logs;
  /** Aborts when the agent is to stop in order. */
  readonly stop: AbortSignal;
  readonly reader: ConfigurationReader;
  /** Left out under --once: what reads its sources to their end does so under one configuration. */
  readonly hangups: Hangups | undefined;
}

async function runAgent(config: ResolvedConfig, running: Running): Promise<number> {
  const { shell, logs, stop, reader, hangups } = running;
  const log = logs.of("agent");
  const runtime = await detectRuntime();
  const once = hangups === undefined;
  const read = once ? {} : { read: () => reader.again() };
  const agent = createAgent(config, { version: VERSION, logs, runtime, once, ...read });
  const environment = processEnvironment(shell.env);
  const deafen = once ? undefined : listenForReload({ agent, hangups, reader, environment, log });
  const guard = guardProcess(logs);
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  // A start that hangs must not keep the signal waiting.
  const stopEarly = stopped.then(() => stopAgent(agent));
  try {
    await Promise.race([agent.start(), stopEarly, guard.broken]);
    guard.survive();
    endSmallStart();
    if (!stop.aborted) {
      log.info("Running", { data_dir: absolute(config.dataDir), pid: process.pid });
    }
    for (const line of destinations(config)) log.info(line);
    if (!once) await stopped;
    else if (!await drain(agent, shell, logs, stop)) return EXIT.failure;
  } finally {
    deafen?.();
    await (stop.aborted ? stopEarly : stopAgent(agent));
    guard.close();
  }
  log.info("Stopped");
  return EXIT.ok;
}

async function stopAgent(agent: Agent): Promise<void> {
  const { signal, cancel } = startDeadline(agent.config.stopTimeoutMs);
  await agent.stop(signal).finally(cancel);
}

/** Reads and delivers everything; false where a source could not be read to its end. */
async function drain(agent: Agent, shell: Shell, logs: Logs, stop: AbortSignal): Promise<boolean> {
  const log = logs.of("agent");
  const hide = showProgress(agent, shell.error);
  let drained: Drained;
  try {
    drained = await agent.drained(stop);
  } catch (error) {
    if (!stop.aborted) throw error;
    return true;
  } finally {
    hide();
  }
  for (const id of drained.endless) {
    log.warn(`Receiver "${id}" has no end to wait for: took what came meanwhile`);
  }
  for (const { id, reason } of drained.failed) {
    log.error(`Cannot read the source of receiver "${id}" to its end: ${reason}`);
  }
  return drained.failed.length === 0;
}

/** Where the records go, of exporters that write to a path of this machine. */
function destinations(config: ResolvedConfig): readonly string[] {
  return [...config.exporters.values()].flatMap(({ id, config: options }) => {
    const { directory, path } = options as { directory?: unknown; path?: unknown };
    const place = directory ?? path;
    return typeof place === "string" ? [`Exporter "${id}" writes to ${absolute(place)}`] : [];
  });
}

// One key press may come as two signals: from the terminal to the whole group, and again from a
// parent that passes it on, as `deno task` does.
const SAME_SIGNAL_MS = 300;

/** First signal: abort, for an orderly stop. Second: end at once; the queue is made for that. */
function listenForStop(shell: Shell, logs: Logs): { signal: AbortSignal; close: () => void } {
  const controller = new AbortController();
  // Every receiver of `--once` listens: with more than ten, Node would warn of a leak.
  setMaxListeners(0, controller.signal);
  const log = logs.of("agent");
  let firstAt = Number.NEGATIVE_INFINITY;
  const close = shell.onSignal((name) => {
    if (controller.signal.aborted) {
      if (performance.now() - firstAt < SAME_SIGNAL_MS) return;
      log.warn(`Ended at once by a second ${name}; the queue is intact`);
      shell.exit(name === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    }
    firstAt = performance.now();
    log.info(`Stopping in order after ${name}; a second one ends at once`);
    controller.abort(new Error(`stopped by ${name}`));
  });
  return { signal: controller.signal, close };
}

/**
 * What a component forgot to catch: before the agent runs it ends the start (`broken` rejects);
 * afterwards, from `survive` on, it is told and nothing ends: what is acknowledged is on disk, and
 * the other components go on.
 */
function guardProcess(logs: Logs) {
  const log = logs.of("agent");
  let isRunning = false;
  let reject = (_: unknown) => {};
  const broken = new Promise<never>((_, fail) => reject = fail);
  broken.catch(() => undefined);
  const tell = (error: unknown) => {
    if (!isRunning) return reject(error);
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    log.error(`Error that no component handled: ${text}`);
  };
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
  return {
    broken,
    survive: () => void (isRunning = true),
    close() {
      process.off("uncaughtException", tell);
      process.off("unhandledRejection", tell);
    },
  };
}
