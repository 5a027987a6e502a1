// For those who run Cairn inside a program of their own: load a configuration, make an agent of it.

import { hostname } from "node:os";
import { ConfigError } from "../plugins/sdk/index.ts";
import { createRegistry } from "./agent/registry.ts";
import { type ConfigSource, loadSources, processEnvironment } from "./config/load.ts";
import { formatPlace } from "./config/problem.ts";
import { resolve } from "./config/resolve.ts";
import type { ResolvedConfig } from "./config/resolved.ts";

export { type Agent, type AgentOptions, createAgent, type Drained } from "./agent/agent.ts";
export type { AgentStatus } from "./agent/status.ts";
export type { ConfigSource } from "./config/load.ts";
export type { ResolvedConfig } from "./config/resolved.ts";
export { detectRuntime } from "./runtime/runtime.ts";
export { createLogs, type Logs, type LogStream } from "./telemetry/logs.ts";
export { VERSION } from "./version.ts";

/** What `loadConfig` reads besides the sources. */
export interface LoadConfigOptions {
  /** Each `a.b=value`, laid over the sources. */
  readonly set?: readonly string[];
  /** What `${env:NAME}` sees; nothing by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where the sources name no data_dir. */
  readonly dataDir?: string;
}

/** Reads and checks a configuration. Throws one ConfigError with every problem and its place. */
export async function loadConfig(
  sources: readonly ConfigSource[],
  options: LoadConfigOptions = {},
): Promise<ResolvedConfig> {
  const { set = [], env = {}, dataDir = "cairn-data" } = options;
  const loaded = loadSources({ sources, set, environment: processEnvironment(env) });
  const defaults = { host: hostname(), dataDir };
  const { config, problems } = await resolve(loaded, createRegistry(), defaults);
  if (config !== undefined) return config;
  throw new ConfigError(problems.map(({ at, path, problem, fix }) => ({
    path: path === "" ? formatPlace(at) : `${formatPlace(at)}: ${path}`,
    problem,
    ...(fix !== undefined && { fix }),
  })));
}
