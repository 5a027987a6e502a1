// The agent: owns every lifecycle. Starts from the far end of the flow to its beginning, so that
// nothing arrives before there is somewhere to put it, and stops in the other direction; in between,
// it exchanges what runs for what a reload asks for.

import process from "node:process";
import type { AgentIdentity } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Taps } from "../pipeline/taps.ts";
import { realFiles } from "../queue/files.ts";
import type { HostRuntime } from "../runtime/runtime.ts";
import type { Logs } from "../telemetry/logs.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { channelRoutes } from "./channel-orders.ts";
import { ComponentSet } from "./component-set.ts";
import { secretsOf } from "./config-secrets.ts";
import { type ControlServer, openControl } from "./control.ts";
import { asDataDirError, type DataDir, dataDirAt, prepareDataDir } from "./data-dir.ts";
import { deskRoutes, openDesk } from "./dead-letter-orders.ts";
import { startDeadline, untilAborted } from "./deadline.ts";
import { drain, type Drained } from "./drain.ts";
import { historyRoutes } from "./event-history.ts";
import { inspectionRoutes } from "./inspection.ts";
import { OwnAudit } from "./own-audit.ts";
import { offerOwnServices } from "./own-services.ts";
import type { ReloadReport, ReloadTrigger } from "./reload-report.ts";
import { type ReadAgain, Reloader } from "./reloader.ts";
import { Running } from "./running.ts";
import type { AgentStatus } from "./status.ts";

export type { Drained } from "./drain.ts";
export type { ReloadReport } from "./reload-report.ts";
export type { ReadAgain } from "./reloader.ts";

// What a start or reload under way gets to reach its next step before the agent is stopped around it.
const START_GRACE_MS = 2000;

// What the last records get to be delivered where delivery works: an auditor wants to see a stop.
const LAST_DELIVERY_MS = 1000;

/** What an agent needs besides its configuration. */
export interface AgentOptions {
  readonly version: string;
  readonly logs: Logs;
  readonly runtime: HostRuntime;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number;
  /** Sources without a stored position are read from their beginning; start and stop are no records. */
  readonly once?: boolean;
  /** Reads the configuration again; without it, there is no reload. */
  readonly read?: () => Promise<ReadAgain>;
}

/** A running configuration. */
export interface Agent {
  /** The configuration that runs. */
  readonly config: ResolvedConfig;
  /**
   * Resolves when everything runs. Rejects with DataDirError or StartError, and has then stopped
   * whatever had started. `stop` may be called while it is under way.
   */
  start(): Promise<void>;
  /** Resolves when every finite source is read to its end and all of it is delivered. */
  drained(signal?: AbortSignal): Promise<Drained>;
  /**
   * Reads the configuration again and exchanges what differs, once the start is over; whatever is
   * wrong with it, the agent goes on as before. Rejects where the agent has not started, or stops.
   */
  reload(trigger: ReloadTrigger): Promise<ReloadReport>;
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
  readonly #first: ResolvedConfig;
  readonly #options: AgentOptions;
  readonly #clock: () => number;
  readonly #identity: AgentIdentity;
  readonly #dataDir: DataDir;
  readonly #running: Running;
  readonly #components: ComponentSet;
  readonly #audit: OwnAudit;
  readonly #reloader: Reloader;
  readonly #telemetry: Telemetry;
  readonly #taps: Taps;
  readonly #startedAt: number;
  #control: ControlServer | undefined;
  #state: AgentStatus["state"] = "starting";
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: ResolvedConfig, options: AgentOptions) {
    const { version, logs, runtime, once = false, clock = Date.now } = options;
    this.#first = config;
    this.#options = options;
    this.#clock = clock;
    this.#startedAt = clock();
    this.#identity = { ...config.agent, version };
    this.#dataDir = dataDirAt(config.dataDir);
    const status = () => this.status();
    const { host } = this.#identity;
    this.#telemetry = new Telemetry({ config, version, host, logs, status, clock });
    this.#taps = new Taps(clock, () => secretsOf(this.config));
    this.#components = new ComponentSet({
      identity: this.#identity,
      dataDir: this.#dataDir,
      logs,
      clock,
      runtime,
      once,
      meter: (component) => this.#telemetry.meter(component),
      tracer: (component) => this.#telemetry.someTracer(component),
    });
    this.#running = new Running(config, {
      components: this.#components,
      openPipeline: (pipeline) => this.#openPipeline(pipeline),
      check: () => {
        if (this.#stopping !== undefined) throw new Error("The agent stops");
      },
      logs,
    });
    this.#audit = this.#openAudit();
    this.#reloader = this.#openReloader();
    const services = { status, audit: this.#audit, config: () => this.config };
    offerOwnServices(this.#components, services);
  }

  get config(): ResolvedConfig {
    const { graph } = this.#running;
    return graph.lines.size === 0 ? this.#first : graph.config;
  }

  async start(): Promise<void> {
    this.#starting ??= this.#startAll();
    try {
      await this.#starting;
    } catch (error) {
      const { signal, cancel } = startDeadline(this.#first.stopTimeoutMs);
      await this.stop(signal).finally(cancel);
      throw asDataDirError(this.#dataDir.path, error) ?? error;
    }
  }

  drained(signal?: AbortSignal): Promise<Drained> {
    const { graph, pipelines } = this.#running;
    return drain(graph.sources, pipelines, signal);
  }

  async reload(trigger: ReloadTrigger): Promise<ReloadReport> {
    if (this.#state === "starting") await this.#starting?.catch(() => undefined);
    if (this.#state !== "running") {
      throw new Error(`Cannot reload the configuration: the agent is ${this.#state}`);
    }
    return await this.#reloader.request(trigger);
  }

  stop(deadline: AbortSignal): Promise<void> {
    return this.#stopping ??= this.#stopAll(deadline);
  }

  status(): AgentStatus {
    const { last } = this.#reloader;
    const { hash } = this.config;
    return {
      version: this.#options.version,
      runtime: this.#options.runtime.name,
      pid: process.pid,
      host: this.#identity.host,
      dataDir: this.#dataDir.path,
      state: this.#state,
      startedAt: this.#startedAt,
      ...(hash !== undefined && { configuration: hash }),
      ...(last !== undefined && { reload: last }),
      components: this.#components.status(),
      pipelines: this.#running.pipelines.map((pipeline) => pipeline.status()),
    };
  }

  #openAudit(): OwnAudit {
    const { version, runtime, logs } = this.#options;
    return new OwnAudit({
      boot: `${this.#startedAt}-${process.pid}`,
      clock: this.#clock,
      log: logs.of("agent"),
      isOn: () => this.config.selfAudit ?? true,
      pipelines: () => this.#running.pipelines,
      about: { version, runtime: runtime.name, pid: process.pid },
    });
  }

  #openReloader(): Reloader {
    const { read, logs } = this.#options;
    return new Reloader({
      current: () => this.config,
      read: read ?? (() => Promise.reject(new Error("There is no source to read again"))),
      apply: (config) => this.#running.apply(config),
      note: (report) => this.#audit.reloaded(report),
      clock: this.#clock,
      log: logs.of("agent"),
    });
  }

  #openPipeline({ name, queue }: ResolvedPipeline): Promise<Pipeline> {
    const { logs, runtime } = this.#options;
    return Pipeline.open({
      name,
      directory: this.#dataDir.queue(name),
      deadLettersDirectory: this.#dataDir.deadLetters(name),
      queue,
      agent: this.#identity,
      clock: this.#clock,
      log: logs.of(name),
      tracer: this.#telemetry.tracer(`pipeline/${name}`),
      taps: this.#taps,
      // They come once they have started.
      processors: [],
      files: { ...realFiles, ...runtime.files },
    });
  }

  async #startAll(): Promise<void> {
    const steps = [
      () => prepareDataDir(this.#dataDir),
      () => this.#startControl(),
      () => this.#telemetry.start(),
      () => this.#startRunning(),
    ];
    for (const step of steps) {
      await step();
      if (this.#stopping !== undefined) return;
    }
    this.#state = "running";
    this.#audit.open();
    if (this.#options.once !== true) await this.#audit.started(this.config.hash);
  }

  async #startControl(): Promise<void> {
    const { logs } = this.#options;
    const desk = openDesk({
      config: () => this.config,
      agent: this.#identity,
      pipelines: () => this.#running.pipelines,
    });
    const inspected = { taps: this.#taps, telemetry: this.#telemetry, logs };
    const routes = {
      "GET /status": () => this.status(),
      "POST /reload": () => this.reload("command"),
      ...deskRoutes(desk),
      ...channelRoutes(this.#components, this.#identity),
      ...historyRoutes(this.#components),
      ...inspectionRoutes({ ...inspected, secrets: () => secretsOf(this.config) }),
    };
    this.#control = await openControl(this.#dataDir.socket, routes, logs.of("agent"));
  }

  async #startRunning(): Promise<void> {
    try {
      await this.#running.apply(this.#first);
    } catch (error) {
      if (this.#stopping === undefined) throw error;
    }
  }

  async #stopAll(deadline: AbortSignal): Promise<void> {
    this.#state = "stopping";
    // What is being opened right now must not be left open.
    const patience = startDeadline(START_GRACE_MS);
    const underWay = Promise.all([this.#starting, this.#reloader.idle()]);
    await untilAborted(underWay, patience.signal).catch(() => undefined);
    patience.cancel();
    await this.#running.stop(deadline, () => this.#sayGoodbye(deadline));
    this.#taps.close();
    await this.#telemetry.stop(deadline);
    await this.#control?.close();
  }

  /** The last records; they are delivered now where that takes but a moment, else after a start. */
  async #sayGoodbye(deadline: AbortSignal): Promise<void> {
    if (this.#running.graph.lines.size > 0 && this.#options.once !== true) {
      await this.#audit.stopped(this.config.hash);
      const patience = AbortSignal.any([deadline, AbortSignal.timeout(LAST_DELIVERY_MS)]);
      const healthy = this.#running.pipelines.filter(({ isDelivering }) => isDelivering);
      await Promise.all(healthy.map((pipeline) => pipeline.drained(patience)))
        .catch(() => undefined);
    }
    this.#audit.close();
  }
}
