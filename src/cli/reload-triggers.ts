// What has a running agent read its configuration again without being asked by a command: SIGHUP, and
// its sources where `service.reload.watch` says so.

import process from "node:process";
import type { Agent, ReadAgain } from "../agent/agent.ts";
import type { ReloadTrigger } from "../agent/reload-report.ts";
import { configurationHash } from "../config/hash.ts";
import { formatProblem } from "../config/problem.ts";
import type { Environment } from "../config/expand.ts";
import { SourceWatch } from "../config/source-watch.ts";
import type { Log } from "../../plugins/sdk/index.ts";
import { createRegistry } from "../agent/registry.ts";
import type { ReadConfiguration } from "./configuration.ts";

/** Reads the configuration again, as the command line named it, and remembers what it was read from. */
export class ConfigurationReader {
  readonly #read: () => Promise<ReadConfiguration>;
  #last: ReadConfiguration["read"] = { sources: new Map(), files: new Map() };

  constructor(read: () => Promise<ReadConfiguration>) {
    this.#read = read;
  }

  /** What it was last read from, whether or not it could be used. */
  get last(): ReadConfiguration["read"] {
    return this.#last;
  }

  /** The configuration as it is now. */
  async read(): Promise<ReadConfiguration & { readonly hash?: string }> {
    const read = await this.#read();
    this.#last = read.read;
    const { tree, factories = createRegistry() } = read;
    if (tree === undefined) return read;
    const hash = await configurationHash(tree.root, factories, tree.defaults);
    return { ...read, hash, ...(read.config && { config: { ...read.config, hash } }) };
  }

  /** The same, as the agent wants it. */
  async again(): Promise<ReadAgain> {
    const { config, hash, problems, warnings } = await this.read();
    return {
      ...(config && { config }),
      ...(hash !== undefined && { hash }),
      problems: problems.map(formatProblem),
      warnings: warnings.map(formatProblem),
    };
  }
}

/** SIGHUP from the first moment on: one that comes before there is an agent is remembered. */
export class Hangups {
  #isWaiting = false;
  #listener: () => void = () => void (this.#isWaiting = true);
  readonly #hear = () => this.#listener();

  constructor() {
    process.on("SIGHUP", this.#hear);
  }

  /** From now on each is told, and one that has come already. */
  tell(listener: () => void): void {
    this.#listener = listener;
    if (this.#isWaiting) listener();
  }

  close(): void {
    process.off("SIGHUP", this.#hear);
  }
}

/** What the triggers work with. */
export interface ReloadTriggers {
  readonly agent: Agent;
  readonly hangups: Hangups;
  readonly reader: ConfigurationReader;
  readonly environment: Environment;
  readonly log: Log;
}

/** Listens until the returned function is called. */
export function listenForReload(triggers: ReloadTriggers): () => void {
  const { agent, hangups, reader, environment, log } = triggers;
  const reload = async (trigger: ReloadTrigger) => {
    try {
      await agent.reload(trigger);
    } catch (error) {
      log.warn(error instanceof Error ? error.message : String(error));
    }
  };
  hangups.tell(() => void reload("signal"));
  const watch = new SourceWatch({
    sources: () => reader.last.sources,
    files: () => reader.last.files,
    environment,
    intervalMs: () => agent.config.watch?.intervalMs,
    onChange: () => reload("change"),
  });
  return () => watch.stop();
}
