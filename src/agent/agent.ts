// The agent: owns every lifecycle. Starts from the far end of the flow to its beginning, so that
// nothing arrives before there is somewhere to put it, and stops in the other direction.

import process from "node:process";
import {
  type AgentIdentity,
  agentStatusService,
  type Component,
  type Exporter,
  type Extension,
  type Processor,
  type Receiver,
} from "../../plugins/sdk/index.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import { fanOut } from "../pipeline/intake.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Taps } from "../pipeline/taps.ts";
import { realFiles } from "../queue/files.ts";
import type { HostRuntime } from "../runtime/runtime.ts";
import type { Logs } from "../telemetry/logs.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { ComponentSet, type ComponentSetOptions } from "./component-set.ts";
import { secretsOf } from "./config-secrets.ts";
import { type ControlServer, openControl } from "./control.ts";
import { countIntake } from "./counted-intake.ts";
import { asDataDirError, type DataDir, dataDirAt, prepareDataDir } from "./data-dir.ts";
import { deskRoutes, openDesk } from "./dead-letter-orders.ts";
import { startDeadline, untilAborted } from "./deadline.ts";
import { drain, type Drained } from "./drain.ts";
import { inspectionRoutes } from "./inspection.ts";
import type { AgentStatus } from "./status.ts";

export type { Drained } from "./drain.ts";

// Repeats of a record come close to each other; 65,536 ids are some ten MiB at most.
const DEDUPE_ENTRIES_MAX = 65_536;

// What a start under way gets to reach its next step before the agent is stopped around it.
const START_GRACE_MS = 2000;

/** What an agent needs besides its configuration. */
export interface AgentOptions {
  readonly version: string;
  readonly logs: Logs;
  readonly runtime: HostRuntime;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number;
  /** Sources without a stored position are read from their beginning. */
  readonly once?: boolean;
}

/** A running configuration. */
export interface Agent {
  /**
   * Resolves when everything runs. Rejects with DataDirError or StartError, and has then stopped
   * whatever had started. `stop` may be called while it is under way.
   */
  start(): Promise<void>;
  /** Resolves when every finite source is read to its end and all of it is delivered. */
  drained(signal?: AbortSignal): Promise<Drained>;
  /** Stops in order; at the deadline it leaves behind what still runs. Safe twice. */
  stop(deadline: AbortSignal): Promise<void>;
  /** How everything is doing. */
  status(): AgentStatus;
}

/** Makes an agent; nothing runs before `start`. */
export function createAgent(config: ResolvedConfig, options: AgentOptions): Agent {
  return new ConfiguredAgent(config, options);
}

class ConfiguredAgent implements Agent {
  readonly #config: ResolvedConfig;
  readonly #options: AgentOptions;
  readonly #clock: () => number;
  readonly #identity: AgentIdentity;
  readonly #dataDir: DataDir;
  readonly #components: ComponentSet;
  readonly #extensions: Extension[] = [];
  readonly #pipelines: Pipeline[] = [];
  readonly #exporters: Exporter[] = [];
  readonly #processors: Processor[] = [];
  readonly #receivers = new Map<string, Receiver>();
  readonly #startedAt: number;
  readonly #telemetry: Telemetry;
  readonly #taps: Taps;
  #control: ControlServer | undefined;
  #state: AgentStatus["state"] = "starting";
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: ResolvedConfig, options: AgentOptions) {
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#startedAt = this.#clock();
    this.#identity = { ...config.agent, version: options.version };
    this.#dataDir = dataDirAt(config.dataDir);
    const { version, logs } = options;
    const status = () => this.status();
    const { host } = this.#identity;
    this.#telemetry = new Telemetry({ config, version, host, logs, status, clock: this.#clock });
    this.#taps = new Taps(this.#clock, () => secretsOf(this.#config));
    const shared: ComponentSetOptions = {
      identity: this.#identity,
      dataDir: this.#dataDir,
      formats: config.formats,
      logs,
      clock: this.#clock,
      runtime: options.runtime,
      once: options.once ?? false,
      meter: (component) => this.#telemetry.meter(component),
      tracer: (component) => this.#telemetry.someTracer(component),
    };
    this.#components = new ComponentSet(shared);
    this.#components.provide(agentStatusService, { status });
  }

  async start(): Promise<void> {
    this.#starting ??= this.#startAll();
    try {
      await this.#starting;
    } catch (error) {
      const { signal, cancel } = startDeadline(this.#config.stopTimeoutMs);
      await this.stop(signal).finally(cancel);
      throw asDataDirError(this.#dataDir.path, error) ?? error;
    }
  }

  drained(signal?: AbortSignal): Promise<Drained> {
    return drain(this.#receivers, this.#pipelines, signal);
  }

  stop(deadline: AbortSignal): Promise<void> {
    return this.#stopping ??= this.#stopAll(deadline);
  }

  status(): AgentStatus {
    return {
      version: this.#options.version,
      runtime: this.#options.runtime.name,
      pid: process.pid,
      host: this.#identity.host,
      dataDir: this.#dataDir.path,
      state: this.#state,
      startedAt: this.#startedAt,
      components: this.#components.status(),
      pipelines: this.#pipelines.map((pipeline) => pipeline.status()),
    };
  }

  async #startAll(): Promise<void> {
    const steps = [
      () => prepareDataDir(this.#dataDir),
      () => this.#startControl(),
      () => this.#telemetry.start(),
      () => this.#startExtensions(),
      () => this.#openPipelines(),
      () => this.#startExporters(),
      () => this.#startProcessors(),
      () => this.#startReceivers(),
    ];
    for (const step of steps) {
      await step();
      if (this.#stopping !== undefined) return;
    }
    this.#state = "running";
  }

  async #startControl(): Promise<void> {
    const desk = openDesk({
      config: () => this.#config,
      agent: this.#identity,
      pipelines: () => this.#pipelines,
    });
    const { logs } = this.#options;
    const inspected = { taps: this.#taps, telemetry: this.#telemetry, logs };
    const routes = {
      "GET /status": () => this.status(),
      ...deskRoutes(desk),
      ...inspectionRoutes({ ...inspected, secrets: () => secretsOf(this.#config) }),
    };
    const log = logs.of("agent");
    this.#control = await openControl(this.#dataDir.socket, routes, log);
  }

  async #startExtensions(): Promise<void> {
    for (const { id, factory, config } of this.#config.extensions.values()) {
      const extension = await this.#components.make(
        "extension",
        id,
        (context) => factory.create(config, context),
      );
      this.#extensions.push(extension);
      await this.#run(extension);
    }
  }

  async #openPipelines(): Promise<void> {
    for (const pipeline of this.#config.pipelines) {
      const processors = await this.#makeProcessors(pipeline);
      this.#processors.push(...processors);
      this.#pipelines.push(
        await Pipeline.open({
          name: pipeline.name,
          directory: this.#dataDir.queue(pipeline.name),
          deadLettersDirectory: this.#dataDir.deadLetters(pipeline.name),
          queue: pipeline.queue,
          agent: this.#identity,
          clock: this.#clock,
          log: this.#options.logs.of(pipeline.name),
          tracer: this.#telemetry.tracer(`pipeline/${pipeline.name}`),
          taps: this.#taps,
          dedupeEntriesMax: DEDUPE_ENTRIES_MAX,
          processors,
          files: { ...realFiles, ...this.#options.runtime.files },
        }),
      );
    }
  }

  #makeProcessors(pipeline: ResolvedPipeline): Promise<Processor[]> {
    return Promise.all(pipeline.processors.map((id) => {
      const { factory, config } = this.#config.processors.get(id)!;
      const create = (context: Parameters<typeof factory.create>[1]) =>
        factory.create(config, context);
      return this.#components.make("processor", id, create, { pipeline: pipeline.name });
    }));
  }

  async #startExporters(): Promise<void> {
    for (const [index, { exporters }] of this.#config.pipelines.entries()) {
      for (const id of exporters) {
        const { factory, config, ...deliver } = this.#config.exporters.get(id)!;
        const exporter = await this.#components.make(
          "exporter",
          id,
          (context) => factory.create(config, context),
        );
        this.#exporters.push(exporter);
        await this.#run(exporter);
        await this.#pipelines[index]!.addExporter(id, exporter, {
          ...deliver,
          report: this.#components.reporter(exporter),
        });
      }
    }
    for (const pipeline of this.#pipelines) pipeline.start();
  }

  async #startProcessors(): Promise<void> {
    for (const processor of this.#processors) await this.#run(processor);
  }

  async #startReceivers(): Promise<void> {
    for (const { id, factory, config } of this.#config.receivers.values()) {
      const intakes = this.#config.pipelines.flatMap((pipeline, index) =>
        pipeline.receivers.includes(id) ? [this.#pipelines[index]!.intake(id)] : []
      );
      const { intake, counts } = countIntake(intakes.length === 1 ? intakes[0]! : fanOut(intakes));
      const receiver = await this.#components.make(
        "receiver",
        id,
        (context) => factory.create(config, context, intake),
        { intake: counts },
      );
      this.#receivers.set(id, receiver);
      await this.#run(receiver);
    }
  }

  /** Starts a component, unless the agent is told to stop meanwhile. */
  async #run(component: Component): Promise<void> {
    if (this.#stopping === undefined) await this.#components.start(component);
  }

  async #stopAll(deadline: AbortSignal): Promise<void> {
    this.#state = "stopping";
    // What is being opened right now must not be left open.
    const patience = startDeadline(START_GRACE_MS);
    await untilAborted(this.#starting ?? Promise.resolve(), patience.signal)
      .catch(() => undefined);
    patience.cancel();
    const stop = (components: Iterable<Component>) =>
      Promise.all(Array.from(components, (part) => this.#components.stop(part, deadline)));
    await stop(this.#receivers.values());
    await stop(this.#processors);
    await Promise.all(this.#pipelines.map((pipeline) => this.#stopPipeline(pipeline, deadline)));
    await stop(this.#exporters);
    await stop(this.#extensions);
    this.#taps.close();
    await this.#telemetry.stop(deadline);
    await this.#control?.close();
  }

  async #stopPipeline(pipeline: Pipeline, deadline: AbortSignal): Promise<void> {
    try {
      await pipeline.stop(deadline);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.logs.of(pipeline.name).error(`Cannot stop the pipeline: ${reason}`);
    }
  }
}
