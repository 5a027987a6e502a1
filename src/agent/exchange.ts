// From the graph that runs to the next one, part by part in the order of the flow: what goes is
// stopped, what comes is started, what is in both goes on. Each step knows how it is taken back, so
// that a part that cannot start brings the old graph back whole.

import type { Component, Exporter, Position } from "../../plugins/sdk/index.ts";
import { counted } from "../../plugins/sdk/wording.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { intakeInto } from "./build.ts";
import type { ComponentSet } from "./component-set.ts";
import { startDeadline, untilAborted } from "./deadline.ts";
import { type Graph, hasSameLimits, isSameList, type Line, type Source } from "./graph.ts";

/** What an exchange works with. */
export interface ExchangeTools {
  readonly components: ComponentSet;
  /** Throws where the agent is to stop. */
  readonly check: () => void;
  /** How long a component may take to start; left out, as long as it likes. */
  readonly startMs?: number | undefined;
  /** Stops a pipeline and closes its queue; never rejects. */
  readonly close: (pipeline: Pipeline, deadline: AbortSignal) => Promise<void>;
}

/** The way from one graph to another. */
export class Exchange {
  readonly #tools: ExchangeTools;
  readonly #before: Graph;
  readonly #undo: (() => Promise<void>)[] = [];
  /** What an operator should know of what is gone. */
  readonly notes: string[] = [];

  constructor(before: Graph, tools: ExchangeTools) {
    this.#before = before;
    this.#tools = tools;
  }

  /** Exchanges the extensions. Rejects with StartError; then `undo` is to be called. */
  async extensions(extensions: Graph["extensions"]): Promise<void> {
    await this.#swap(this.#before.extensions.values(), extensions.values());
  }

  /** Exchanges all else; the same. */
  async rest(after: Graph): Promise<void> {
    await this.#exporters(after);
    for (const line of after.lines.values()) {
      await this.#processors(line, this.#before.lines.get(line.config.name));
    }
    await this.#receivers(after.sources);
  }

  /** Takes back what was done, last step first; answers with what could not be. */
  async undo(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const step of this.#undo.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
      });
    }
    return problems;
  }

  /** Lets go what only the old graph had. To be called when all is exchanged; never rejects. */
  async finish(after: Graph): Promise<void> {
    for (const line of after.lines.values()) {
      const old = this.#before.lines.get(line.config.name);
      if (old !== undefined && !hasSameLimits(old, line)) line.pipeline.limit(line.config.queue);
      line.pipeline.start();
    }
    const gone = [...this.#before.lines.values()]
      .filter(({ config }) => !after.lines.has(config.name));
    if (gone.length === 0) return;
    // Calls that were made before their receiver was led elsewhere.
    const intakes = Array.from(after.sources.values(), ({ intake }) => intake);
    await this.#inTime((deadline) => Promise.all(intakes.map((each) => each.settled(deadline))));
    for (const { processors, pipeline } of gone) {
      for (const processor of processors.values()) await this.#stop(processor);
      await this.#inTime((deadline) => this.#tools.close(pipeline, deadline));
    }
  }

  async #exporters(after: Graph): Promise<void> {
    const old = exportersOf(this.#before);
    const now = exportersOf(after);
    const kept = new Set(now.map(({ exporter }) => exporter));
    const running = new Set(old.map(({ exporter }) => exporter));
    const gone = old.filter(({ exporter }) => !kept.has(exporter));
    this.#noteLeft(gone, after);
    this.#undo.push(() => Promise.resolve(gone.forEach(({ line }) => line.pipeline.deliver())));
    await Promise.all(gone.map(async ({ id, exporter, line }) => {
      this.#undo.push(async () => {
        await this.#start(exporter);
        await this.#deliver(this.#before, line, id, exporter);
      });
      await this.#inTime((deadline) => line.pipeline.removeExporter(id, deadline));
      await this.#stop(exporter);
    }));
    for (const { id, exporter, line } of now) {
      if (running.has(exporter)) continue;
      this.#undo.push(async () => {
        await this.#inTime((deadline) => line.pipeline.removeExporter(id, deadline));
        await this.#stop(exporter);
      });
      await this.#start(exporter);
      await this.#deliver(after, line, id, exporter);
    }
    for (const { pipeline } of after.lines.values()) pipeline.deliver();
  }

  /** Says what exporters that are gone for good have not delivered. */
  #noteLeft(gone: readonly Delivered[], after: Graph): void {
    for (const { id, line } of gone) {
      const next = after.lines.get(line.config.name);
      if (next?.exporters.has(id)) continue;
      const { exporters } = line.pipeline.status();
      const left = exporters.find((each) => each.id === id)?.queued ?? 0;
      if (left === 0) continue;
      const outcome = next === undefined ? "kept in the queue" : "let go";
      this.notes.push(`"${id}" had not delivered up to ${counted(left, "record")}: ${outcome}`);
    }
  }

  async #deliver(graph: Graph, line: Line, id: string, exporter: Exporter): Promise<void> {
    const { selectors, batch, retry, timeoutMs } = graph.config.exporters.get(id)!;
    const report = this.#tools.components.reporter(exporter);
    await line.pipeline.addExporter(id, exporter, { selectors, batch, retry, timeoutMs, report });
  }

  async #processors(line: Line, old: Line | undefined): Promise<void> {
    const { stage } = line.pipeline;
    const before = [...old?.processors.values() ?? []];
    const after = [...line.processors.values()];
    if (isSameList(before, after)) return;
    this.#undo.push(() => Promise.resolve(stage.resume(before)));
    // A processor that never answers must not hold up more than itself.
    await this.#inTime((deadline) => untilAborted(stage.pause(), deadline));
    await this.#swap(before, after);
    stage.resume(after);
    this.#undo.push(() => this.#inTime((deadline) => untilAborted(stage.pause(), deadline)));
  }

  async #receivers(after: Graph["sources"]): Promise<void> {
    const before = this.#before.sources;
    const receivers = (sources: Graph["sources"]) =>
      Array.from(sources.values(), ({ receiver }) => receiver);
    await this.#swap(receivers(before), receivers(after), async () => {
      for (const [id, source] of after) await this.#redirect(id, before.get(id), source);
    });
  }

  /** Leads a receiver into its pipelines; those it comes to know begin where the others are. */
  async #redirect(id: string, old: Source | undefined, now: Source): Promise<void> {
    if (old === undefined || isSameList(old.pipelines, now.pipelines)) return;
    const position = old.intake.intake.position();
    const joined = now.pipelines.filter((pipeline) => !old.pipelines.includes(pipeline));
    for (const pipeline of position === undefined ? [] : joined) {
      await this.#inTime((signal) => place(id, pipeline, position!, signal));
    }
    if (old.receiver !== now.receiver) return;
    const target = old.intake.target();
    this.#undo.push(() => Promise.resolve(now.intake.switchTo(target)));
    now.intake.switchTo(intakeInto(id, now.pipelines));
  }

  /** Stops what is not among those that come, does what lies between, and starts what is new. */
  async #swap(
    before: Iterable<Component>,
    after: Iterable<Component>,
    between?: () => Promise<void>,
  ): Promise<void> {
    const running = new Set(before);
    const wanted = new Set(after);
    const gone = [...running].filter((component) => !wanted.has(component));
    await Promise.all(gone.map(async (component) => {
      this.#undo.push(() => this.#start(component));
      await this.#stop(component);
    }));
    await between?.();
    for (const component of wanted) {
      if (running.has(component)) continue;
      this.#undo.push(() => this.#stop(component));
      await this.#start(component);
    }
  }

  async #start(component: Component): Promise<void> {
    this.#tools.check();
    await this.#tools.components.start(component, this.#tools.startMs);
    this.#tools.check();
  }

  async #stop(component: Component): Promise<void> {
    await this.#inTime((deadline) => this.#tools.components.stop(component, deadline));
  }

  async #inTime<T>(work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, cancel } = startDeadline(this.#before.config.stopTimeoutMs);
    return await work(signal).finally(cancel);
  }
}

interface Delivered {
  readonly id: string;
  readonly exporter: Exporter;
  readonly line: Line;
}

function exportersOf({ lines }: Graph): readonly Delivered[] {
  return [...lines.values()].flatMap((line) =>
    Array.from(line.exporters, ([id, exporter]) => ({ id, exporter, line }))
  );
}

/** Gives a receiver that position in a pipeline, whatever it had there before. */
async function place(
  id: string,
  pipeline: Pipeline,
  position: Position,
  signal: AbortSignal,
): Promise<void> {
  const intake = pipeline.intake(id);
  const old = Object.keys(intake.position() ?? {}).map((key) => [key, null]);
  const whole = { ...Object.fromEntries(old), ...position };
  await intake.events([], { position: whole, signal });
}
