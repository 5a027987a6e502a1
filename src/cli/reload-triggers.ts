// What has a running agent read its configuration again without being asked by a command: SIGHUP, and
// its sources where `service.reload.watch` says so.

import process from "node:process";
import type { Agent, ReadAgain } from "../agent/agent.ts";
import type { ReloadTrigger } from "../agent/reload-report.ts";
import { configurationHash } from "../config/hash.ts";
import { formatProblem } from "../config/problem.ts";
import { SourceWatch } from "../config/source-watch.ts";
import type { Log } from "../../plugins/sdk/index.ts";
import { createRegistry } from "../agent/registry.ts";
import type { ReadConfiguration } from "./configuration.ts";

/** Reads the configuration again, as the command line named it, and remembers what it was read from. */
export class ConfigurationReader {
  readonly #read: () => Promise<ReadConfiguration>;
  #files: readonly string[] = [];

  constructor(read: () => Promise<ReadConfiguration>) {
    this.#read = read;
  }

  /** Files that `${file:PATH}` named when it was last read, whether or not it could be used. */
  get files(): readonly string[] {
    return this.#files;
  }

  /** The configuration as it is now. */
  async read(): Promise<ReadConfiguration & { readonly hash?: string }> {
    const read = await this.#read();
    this.#files = read.files;
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
  /** As named by --config. */
  readonly sources: readonly string[];
  readonly log: Log;
}

/** Listens until the returned function is called. */
export function listenForReload(triggers: ReloadTriggers): () => void {
  const { agent, hangups, reader, sources, log } = triggers;
  let watch: SourceWatch | undefined;
  let isClosed = false;
  const reload = (trigger: ReloadTrigger) => {
    agent.reload(trigger).catch((error: unknown) => {
      log.warn(error instanceof Error ? error.message : String(error));
    }).finally(follow);
  };
  // Anew after each reload: it may name other files, or watch no more.
  const follow = () => {
    watch?.stop();
    const { watch: wanted } = agent.config;
    if (isClosed || wanted === undefined) return;
    watch = new SourceWatch({
      sources,
      files: reader.files,
      intervalMs: wanted.intervalMs,
      onChange: () => reload("change"),
    });
  };
  hangups.tell(() => reload("signal"));
  follow();
  return () => {
    isClosed = true;
    watch?.stop();
  };
}
