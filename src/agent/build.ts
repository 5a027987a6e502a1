// Makes the next graph beside the one that runs: what is the same in both configurations is taken
// over, all else is made anew. Nothing of it is started, and nothing that runs is touched.

import type { Component, ComponentContext, Exporter, Processor } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import { fanOut } from "../pipeline/intake.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { ComponentSet } from "./component-set.ts";
import { type CountedIntake, countIntake } from "./counted-intake.ts";
import { type Graph, isSame, isSameReceiver, type Line, type Source } from "./graph.ts";

/** What a build works with. */
export interface BuildTools {
  readonly components: ComponentSet;
  readonly openPipeline: (config: ResolvedPipeline) => Promise<Pipeline>;
}

/** A graph in the making. */
export class Build {
  readonly #tools: BuildTools;
  readonly #before: Graph;
  readonly #config: ResolvedConfig;
  readonly #lines = new Map<string, Line>();
  readonly #sources = new Map<string, Source>();
  /** What was made, whether or not the rest could be. */
  readonly made = new Set<Component>();
  /** Pipelines that were opened. */
  readonly opened = new Set<Pipeline>();

  constructor(before: Graph, config: ResolvedConfig, tools: BuildTools) {
    this.#before = before;
    this.#config = config;
    this.#tools = tools;
    tools.components.useFormats(config.formats);
  }

  /** The extensions; rejects with StartError. */
  async extensions(): Promise<Graph["extensions"]> {
    const { extensions } = this.#config;
    const { config: old, extensions: running } = this.#before;
    const made: [string, Component][] = [];
    for (const [id, { factory, config }] of extensions) {
      const same = isSame(old.extensions.get(id), extensions.get(id));
      const extension = this.#kept(same, running.get(id)) ??
        await this.#make("extension", id, (context) => factory.create(config, context));
      made.push([id, extension]);
    }
    return new Map(made);
  }

  /** Everything else; rejects with StartError, or with what Pipeline.open throws. */
  async rest(): Promise<Pick<Graph, "lines" | "sources">> {
    // All queues before any receiver: one that is locked or damaged is told before anything else.
    for (const config of this.#config.pipelines) {
      this.#lines.set(config.name, await this.#line(config));
    }
    for (const id of this.#config.receivers.keys()) this.#sources.set(id, await this.#source(id));
    return { lines: this.#lines, sources: this.#sources };
  }

  async #line(config: ResolvedPipeline): Promise<Line> {
    const { name } = config;
    const old = this.#before.lines.get(name);
    const pipeline = old?.pipeline ?? await this.#tools.openPipeline(config);
    if (old === undefined) this.opened.add(pipeline);
    const line: Line = { config, pipeline, exporters: new Map(), processors: new Map() };
    const exporters = new Map<string, Exporter>();
    for (const id of config.exporters) {
      const { factory, config: options } = this.#config.exporters.get(id)!;
      const same = isSame(this.#before.config.exporters.get(id), this.#config.exporters.get(id));
      const exporter = this.#kept(same, old?.exporters.get(id)) ??
        await this.#make("exporter", id, (context) => factory.create(options, context));
      exporters.set(id, exporter);
    }
    return { ...line, exporters, processors: await this.#processors(config, old) };
  }

  async #processors(config: ResolvedPipeline, old: Line | undefined): Promise<Line["processors"]> {
    const processors = new Map<string, Processor>();
    for (const id of config.processors) {
      const now = this.#config.processors.get(id)!;
      const { factory, config: options } = now;
      const same = isSame(this.#before.config.processors.get(id), now);
      const processor = this.#kept(same, old?.processors.get(id)) ?? await this.#make(
        "processor",
        id,
        (context) => factory.create(options, context),
        { pipeline: config.name },
      );
      processors.set(id, processor);
    }
    return processors;
  }

  async #source(id: string): Promise<Source> {
    const { factory, config } = this.#config.receivers.get(id)!;
    const pipelines = this.#config.pipelines
      .filter(({ receivers }) => receivers.includes(id))
      .map(({ name }) => this.#lines.get(name)!.pipeline);
    const old = this.#before.sources.get(id);
    const same = isSameReceiver(this.#before.config, this.#config, id);
    const kept = this.#kept(same, old?.receiver);
    if (kept !== undefined && old !== undefined) return { ...old, pipelines };
    const intake = countIntake(intakeInto(id, pipelines));
    const create = (context: ComponentContext) => factory.create(config, context, intake.intake);
    const receiver = await this.#make("receiver", id, create, { intake: intake.counts });
    return { receiver, intake, pipelines };
  }

  /** The component that runs, if it may go on; one that has failed gets a new start. */
  #kept<C extends Component>(same: boolean, running: C | undefined): C | undefined {
    if (!same || running === undefined) return undefined;
    return this.#tools.components.stateOf(running) === "failed" ? undefined : running;
  }

  async #make<C extends Component>(
    kind: Parameters<ComponentSet["make"]>[0],
    id: string,
    create: (context: ComponentContext) => C,
    options?: { readonly pipeline?: string; readonly intake?: CountedIntake["counts"] },
  ): Promise<C> {
    const component = await this.#tools.components.make(kind, id, create, options);
    this.made.add(component);
    return component;
  }
}

/** A receiver's way into these pipelines. */
export function intakeInto(id: string, pipelines: readonly Pipeline[]) {
  const intakes = pipelines.map((pipeline) => pipeline.intake(id));
  return intakes.length === 1 ? intakes[0]! : fanOut(intakes);
}
