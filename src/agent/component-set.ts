// The components of an agent: makes them out of their factories, starts them one by one and stops
// them again, whatever they do.

import type { Meter, Tracer } from "@opentelemetry/api";
import type {
  AgentIdentity,
  Component,
  ComponentContext,
  ComponentKind,
  ComponentState,
  Format,
  FormatContext,
  FormatFactory,
  Log,
  Runtime,
  ServiceKind,
  StateStore,
} from "../../plugins/sdk/index.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { IntakeCounts } from "./counted-intake.ts";
import type { DataDir } from "./data-dir.ts";
import { ComponentHost, type ComponentStatus, Services } from "./host.ts";
import { IgnoredCounts } from "./ignored.ts";
import { openStateStore } from "./state-store.ts";

// What a component gets after the deadline before it is left behind: it was told, it may be closing.
const GRACE_MS = 500;

/** What all components of an agent share. */
export interface ComponentSetOptions {
  readonly identity: AgentIdentity;
  readonly dataDir: DataDir;
  readonly logs: Logs;
  readonly clock: () => number;
  readonly runtime: Runtime;
  readonly once: boolean;
  /** What a component records with; asked when one is made, with its kind and id. */
  readonly meter: (component: string) => Meter;
  /** What a component begins spans with, likewise. */
  readonly tracer: (component: string) => Tracer;
}

/** What differs between kinds. */
export interface MakeOptions {
  /** Of a processor, which each pipeline has for itself. */
  readonly pipeline?: string;
  /** Of a receiver: what went through its intake. */
  readonly intake?: () => IntakeCounts;
}

/** A component could not be started. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code = "CAIRN_START";
}

interface Member {
  readonly host: ComponentHost;
  readonly label: string;
  /** File of its state. */
  readonly statePath: string;
  /** Made for a reload that has not come to it yet, it is not shown. */
  isShown: boolean;
  isStarted: boolean;
}

/** All components of one agent, in the order they were made. */
export class ComponentSet {
  readonly #options: ComponentSetOptions;
  readonly #services = new Services();
  readonly #members = new Map<Component, Member>();
  readonly #states = new Map<string, Promise<StateStore>>();
  #formats: ReadonlyMap<string, FormatFactory> = new Map();

  constructor(options: ComponentSetOptions) {
    this.#options = options;
  }

  /** The formats that receivers made from now on may ask for. */
  useFormats(formats: ReadonlyMap<string, FormatFactory>): void {
    this.#formats = formats;
  }

  /** Makes a component; nothing runs yet. */
  async make<C extends Component>(
    kind: ComponentKind,
    id: string,
    create: (context: ComponentContext) => C,
    { pipeline, intake }: MakeOptions = {},
  ): Promise<C> {
    const { logs, clock, dataDir } = this.#options;
    const log = logs.of(id);
    const label = `${kind} "${id}"`;
    const stateId = pipeline === undefined ? id : `${pipeline}/${id}`;
    const statePath = dataDir.state(kind, stateId);
    const state = await this.#state(statePath, log);
    const ignored = new IgnoredCounts();
    const directory = dataDir.component(kind, stateId);
    const context = this.#context(kind, id, ignored);
    const component = guard(label, () => create({ ...context, log, state, directory }));
    const about = pipeline === undefined ? { kind, id } : { kind, id, pipeline };
    const host = new ComponentHost(about, {
      services: this.#services,
      log,
      clock,
      ignored,
      intake,
    });
    const member = { host, label, statePath, isShown: false, isStarted: false };
    this.#members.set(component, member);
    return component;
  }

  /** Starts a component, which may take that long. Rejects with StartError, naming it. */
  async start(component: Component, withinMs?: number): Promise<void> {
    const member = this.#member(component);
    const { host, label } = member;
    host.report("starting");
    member.isShown = member.isStarted = true;
    try {
      await inTime(component.start(host), withinMs);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      host.report("failed", reason);
      throw new StartError(`Cannot start ${label}: ${reason}`, { cause: error });
    }
    if (host.status().state === "starting") host.report("running");
  }

  /** Stops a component; returns at the latest a moment after the deadline, and never rejects. */
  async stop(component: Component, deadline: AbortSignal): Promise<void> {
    const member = this.#member(component);
    const { host, label } = member;
    if (!member.isStarted) return;
    member.isStarted = false;
    const log = this.#options.logs.of(host.status().id);
    const { promise: late, cancel } = afterDeadline(deadline);
    try {
      const ended = await Promise.race([component.stop(deadline).then(() => true), late]);
      if (!ended) log.error(`Cannot stop ${label} in time: left behind`);
    } catch (error) {
      log.error(`Cannot stop ${label}: ${error instanceof Error ? error.message : error}`);
    } finally {
      cancel();
      host.report("stopped");
    }
  }

  /** The components of a kind that run, or begin to. */
  started(kind: ComponentKind): readonly Component[] {
    return [...this.#members]
      .filter(([, { isStarted, host }]) => isStarted && host.status().kind === kind)
      .map(([component]) => component);
  }

  /** How a component is doing. */
  stateOf(component: Component): ComponentState {
    return this.#member(component).host.status().state;
  }

  /** Knows a component no more; it is to be stopped, or never started. */
  forget(component: Component): void {
    const path = this.#members.get(component)?.statePath;
    this.#members.delete(component);
    const isUsed = [...this.#members.values()].some(({ statePath }) => statePath === path);
    if (path !== undefined && !isUsed) this.#states.delete(path);
  }

  /** How delivery tells that an exporter fails or works again. */
  reporter(component: Component): (state: ComponentState, reason?: string) => void {
    const member = this.#member(component);
    return (state, reason) => {
      // Delivery begins and ends within the exporter's own life.
      const isHealth = state !== "starting" && state !== "stopped";
      if (isHealth && member.isStarted) member.host.report(state, reason);
    };
  }

  /** Offers a service of the agent itself. */
  provide<S>(kind: ServiceKind<S>, service: S): void {
    this.#services.provide(this, kind, service);
  }

  /** The services of a kind that components offer. */
  find<S>(kind: ServiceKind<S>): readonly S[] {
    return this.#services.find(kind);
  }

  /** How each of them is doing. */
  status(): readonly ComponentStatus[] {
    return [...this.#members.values()].filter(({ isShown }) => isShown)
      .map(({ host }) => host.status());
  }

  /** One for each file: what a component writes while it stops, the one in its place reads. */
  #state(path: string, log: Log): Promise<StateStore> {
    let state = this.#states.get(path);
    if (state === undefined) {
      state = openStateStore(path, log);
      this.#states.set(path, state);
      state.catch(() => this.#states.delete(path));
    }
    return state;
  }

  #member(component: Component): Member {
    const member = this.#members.get(component);
    if (member === undefined) throw new Error("Cannot run a component this agent did not make");
    return member;
  }

  #context(
    kind: string,
    id: string,
    counts: IgnoredCounts,
  ): Omit<ComponentContext, "log" | "state" | "directory"> {
    const { identity, clock, runtime, once, meter, tracer } = this.#options;
    const ignored = counts.add.bind(counts);
    const formats = this.#formats;
    return {
      id,
      ignored,
      meter: meter(`${kind}/${id}`),
      tracer: tracer(`${kind}/${id}`),
      clock,
      agent: identity,
      runtime,
      once,
      format: (name, config, sources) =>
        this.#format(formats.get(name), name, config, { ...sources, ignored }),
    };
  }

  #format(
    factory: FormatFactory | undefined,
    name: string,
    config: unknown = {},
    context: Omit<FormatContext, "agent">,
  ): Format {
    if (factory === undefined) {
      throw new Error(`Cannot use format "${name}": the receiver's factory does not list it`);
    }
    return factory.create(factory.config.parse(config), {
      ...context,
      agent: this.#options.identity,
    });
  }
}

function guard<T>(label: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Cannot make ${label}: ${reason}`, { cause: error });
  }
}

/** The start's end; rejects where it takes longer. */
async function inTime(start: Promise<void>, ms: number | undefined): Promise<void> {
  if (ms === undefined) return await start;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it is still starting after ${ms / 1000} s`)), ms);
  });
  await Promise.race([start, late]).finally(() => clearTimeout(timer));
}

/** Resolves with false a moment after the deadline; `cancel` lets go of timer and listener. */
function afterDeadline(deadline: AbortSignal): { promise: Promise<false>; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let cancel = () => {};
  const promise = new Promise<false>((resolve) => {
    const expire = () => timer = setTimeout(() => resolve(false), GRACE_MS);
    if (deadline.aborted) expire();
    else deadline.addEventListener("abort", expire, { once: true });
    cancel = () => {
      clearTimeout(timer);
      deadline.removeEventListener("abort", expire);
    };
  });
  return { promise, cancel };
}
