// The part of the agent that a reload exchanges: components and pipelines. Holds what runs, leads it
// to the next configuration and back where that cannot run, and stops it.

import type { ComponentKind } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { Logs } from "../telemetry/logs.ts";
import { Build } from "./build.ts";
import type { ComponentSet } from "./component-set.ts";
import { startDeadline } from "./deadline.ts";
import { Exchange } from "./exchange.ts";
import { componentsOf, describeChanges, emptyGraph, type Graph } from "./graph.ts";

/** What it works with. */
export interface RunningOptions {
  readonly components: ComponentSet;
  readonly openPipeline: (config: ResolvedPipeline) => Promise<Pipeline>;
  /** Throws where the agent is to stop. */
  readonly check: () => void;
  readonly logs: Logs;
}

/** What runs of a configuration. */
export class Running {
  readonly #options: RunningOptions;
  readonly #pipelines = new Set<Pipeline>();
  #graph: Graph;

  constructor(config: ResolvedConfig, options: RunningOptions) {
    this.#graph = emptyGraph(config);
    this.#options = options;
  }

  /** What runs as of the last `apply`. */
  get graph(): Graph {
    return this.#graph;
  }

  /** The pipelines that are open. */
  get pipelines(): readonly Pipeline[] {
    return [...this.#pipelines];
  }

  /**
   * Makes a configuration run in place of the one that does, and answers what has changed. Rejects
   * with StartError, or what Pipeline.open throws; then the one before runs again, and the message
   * says so where a part of it does not.
   */
  async apply(config: ResolvedConfig): Promise<readonly string[]> {
    const before = this.#graph;
    const { components, check } = this.#options;
    const build = new Build(before, config, {
      components,
      openPipeline: (pipeline) => this.#open(pipeline),
    });
    // At the start, health is to answer while queues are still being read.
    const isFirst = before.lines.size === 0;
    const exchange = new Exchange(before, {
      components,
      check,
      // A first start may wait for what it needs: there is nothing that could go on instead.
      startMs: isFirst ? undefined : config.startTimeoutMs,
      close: (pipeline, deadline) => this.#close(pipeline, deadline),
    });
    try {
      const extensions = await build.extensions();
      if (isFirst) await exchange.extensions(extensions);
      const after: Graph = { config, extensions, ...await build.rest() };
      if (!isFirst) await exchange.extensions(extensions);
      await exchange.rest(after);
      await exchange.finish(after);
      this.#graph = after;
      this.#options.logs.setLevel(config.logs.level);
      this.#forget(before, after);
      return [...describeChanges(before, after), ...exchange.notes];
    } catch (error) {
      throw await this.#takeBack(exchange, build, error);
    }
  }

  /**
   * Stops everything in the order of the flow, whatever `apply` is at; at the deadline it leaves
   * behind what still runs. `last` is done when no receiver runs any more and queues are open.
   */
  async stop(deadline: AbortSignal, last: () => Promise<void>): Promise<void> {
    await this.#stop("receiver", deadline);
    await this.#stop("processor", deadline);
    await last();
    await Promise.all(this.pipelines.map((pipeline) => this.#close(pipeline, deadline)));
    await this.#stop("exporter", deadline);
    await this.#stop("extension", deadline);
  }

  async #open(config: ResolvedPipeline): Promise<Pipeline> {
    this.#options.check();
    const pipeline = await this.#options.openPipeline(config);
    this.#pipelines.add(pipeline);
    return pipeline;
  }

  async #close(pipeline: Pipeline, deadline: AbortSignal): Promise<void> {
    try {
      await pipeline.stop(deadline);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.logs.of("agent").error(`Cannot stop pipeline "${pipeline.name}": ${reason}`);
    }
  }

  async #stop(kind: ComponentKind, deadline: AbortSignal): Promise<void> {
    const { components } = this.#options;
    await Promise.all(
      components.started(kind).map((component) => components.stop(component, deadline)),
    );
  }

  #forget(before: Graph, after: Graph): void {
    const wanted = componentsOf(after);
    for (const component of componentsOf(before)) {
      if (!wanted.has(component)) this.#options.components.forget(component);
    }
    for (const { config, pipeline } of before.lines.values()) {
      if (!after.lines.has(config.name)) this.#pipelines.delete(pipeline);
    }
  }

  /** Brings back what ran before; answers with the error that tells of it. */
  async #takeBack(exchange: Exchange, build: Build, error: unknown): Promise<unknown> {
    const problems = await exchange.undo();
    for (const component of build.made) this.#options.components.forget(component);
    const { signal, cancel } = startDeadline(this.#graph.config.stopTimeoutMs);
    for (const pipeline of build.opened) {
      await this.#close(pipeline, signal);
      this.#pipelines.delete(pipeline);
    }
    cancel();
    if (problems.length === 0) return error;
    const reason = error instanceof Error ? error.message : String(error);
    const told = `${reason}; and what ran before does not run whole: ${problems.join("; ")}`;
    return new Error(told, { cause: error });
  }
}
