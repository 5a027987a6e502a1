// Looks at where the agent runs and keeps what it found: once at the start, then now and again when
// records come. No timers: an idle agent asks nobody.

import type { ComponentContext, Host, JsonObject } from "../../sdk/index.ts";
import { describeContainer, describePod } from "./container.ts";
import type { EnrichConfig } from "./config.ts";
import { facts } from "./facts.ts";
import { describeHost } from "./host.ts";
import { askEc2, askEcs, loadClient } from "./metadata.ts";
import { Table } from "./table.ts";

/** The environment and the tables of one processor between start and stop. */
export class Environment {
  readonly tables: readonly Table[];
  readonly #config: EnrichConfig;
  readonly #context: ComponentContext;
  readonly #host: Host;
  readonly #stopped = new AbortController();
  readonly #problems = new Map<string, string>();
  #known: JsonObject | undefined;
  #looking: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  #first: Promise<unknown> | undefined;
  #isReady = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #loadedAt = Number.NEGATIVE_INFINITY;

  constructor(config: EnrichConfig, context: ComponentContext, host: Host) {
    this.#config = config;
    this.#context = context;
    this.#host = host;
    this.tables = config.tables.map((table) => new Table(table));
  }

  /** What is known now. */
  get known(): JsonObject | undefined {
    return this.#known;
  }

  /**
   * Looks again at what is due. Nobody waits for that but the first records: they are held until
   * everything was looked at once, for about `timeout` at most.
   */
  refresh(): Promise<unknown> | undefined {
    const now = this.#context.clock();
    if (this.#looking === undefined && now - this.#lookedAt >= this.#config.refresh) {
      this.#lookedAt = now;
      this.#looking = this.#look().finally(() => this.#looking = undefined);
    }
    if (this.#loading === undefined && now - this.#loadedAt >= this.#config.reload) {
      this.#loadedAt = now;
      this.#loading = this.#load().finally(() => this.#loading = undefined);
    }
    this.#first ??= Promise.all([this.#looking, this.#loading]).then(() => this.#isReady = true);
    return this.#isReady ? undefined : this.#first;
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([this.#looking, this.#loading]);
  }

  async #look(): Promise<void> {
    const { root, container, kubernetes } = this.#config;
    const { host, isAmazon } = await describeHost(root, this.#context.agent.host);
    const [cloud, ecs, inContainer, pod] = await Promise.all([
      this.#cloud(isAmazon),
      this.#task(),
      container ? describeContainer(root) : undefined,
      describePod(root, kubernetes),
    ]);
    this.#known = facts({
      ...(this.#config.host ? { host } : {}),
      cloud: cloud ?? this.#known?.cloud,
      container: inContainer,
      ecs: ecs ?? this.#known?.ecs,
      kubernetes: pod,
    });
    this.#report();
  }

  #cloud(isAmazon: boolean): Promise<JsonObject | undefined> {
    const { when, endpoint, tags } = this.#config.ec2;
    if (when === "never" || (when === "auto" && !isAmazon)) return Promise.resolve(undefined);
    return this.#asked("ec2", (signal) => askEc2(endpoint, tags, signal));
  }

  #task(): Promise<JsonObject | undefined> {
    const { endpoint } = this.#config.ecs;
    if (endpoint === "") return Promise.resolve(undefined);
    return this.#asked("ecs", (signal) => askEcs(endpoint, signal));
  }

  /** Asks a service, within the time there is; a failure is told, and tried again at the next look. */
  async #asked(
    name: string,
    ask: (signal: AbortSignal) => Promise<JsonObject | undefined>,
  ): Promise<JsonObject | undefined> {
    const late = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      // On a busy machine this takes a while, which the service shall not pay for.
      await loadClient();
      timer = setTimeout(() => late.abort(), this.#config.timeout);
      const found = await ask(AbortSignal.any([late.signal, this.#stopped.signal]));
      this.#problems.delete(name);
      return found;
    } catch (error) {
      this.#problems.set(name, error instanceof Error ? error.message : String(error));
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #load(): Promise<void> {
    await Promise.all(this.tables.map(async (table) => {
      const problem = await table.load();
      if (problem === undefined) this.#problems.delete(`table ${table.as}`);
      else this.#problems.set(`table ${table.as}`, problem);
    }));
    this.#report();
  }

  #report(): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#problems.size === 0) this.#host.report("running");
    else this.#host.report("degraded", [...this.#problems.values()].join("; "));
  }
}
