// What the agent answers a running component: services on offer, and how the component is doing.

import type {
  ComponentKind,
  ComponentState,
  Host,
  Log,
  ServiceKind,
} from "../../plugins/sdk/index.ts";
import type { IntakeCounts } from "./counted-intake.ts";
import type { IgnoredCounts } from "./ignored.ts";

/** How one component is doing. */
export interface ComponentStatus {
  readonly kind: ComponentKind;
  readonly id: string;
  /** Set for a processor, which each pipeline has for itself. */
  readonly pipeline?: string;
  readonly state: ComponentState;
  readonly reason?: string;
  /** When it came into this state, in milliseconds since the epoch. */
  readonly since: number;
  /** What it read and left out on purpose since it was made, by reason; left out where nothing. */
  readonly ignored?: Readonly<Record<string, number>>;
  /** Set for a receiver: what it passed on since it was made. */
  readonly intake?: IntakeCounts;
}

/** The services of one agent, by kind. */
export class Services {
  readonly #offers = new Map<ServiceKind<unknown>, Map<object, unknown>>();

  provide<S>(owner: object, kind: ServiceKind<S>, service: S): void {
    const offers = this.#offers.get(kind) ?? new Map<object, unknown>();
    offers.set(owner, service);
    this.#offers.set(kind, offers);
  }

  find<S>(kind: ServiceKind<S>): readonly S[] {
    return [...this.#offers.get(kind)?.values() ?? []] as S[];
  }

  /** Takes back what a component offered. */
  withdraw(owner: object): void {
    for (const offers of this.#offers.values()) offers.delete(owner);
  }
}

/** What a component's host works with. */
export interface HostOptions {
  readonly services: Services;
  readonly log: Log;
  readonly clock: () => number;
  readonly ignored: IgnoredCounts;
  /** Asked for a receiver. */
  readonly intake?: (() => IntakeCounts) | undefined;
}

/** One component's host: keeps its status and logs when that changes. */
export class ComponentHost implements Host {
  readonly #services: Services;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #ignored: IgnoredCounts;
  readonly #intake: (() => IntakeCounts) | undefined;
  #status: ComponentStatus;

  constructor(component: Pick<ComponentStatus, "kind" | "id" | "pipeline">, options: HostOptions) {
    this.#ignored = options.ignored;
    this.#intake = options.intake;
    this.#services = options.services;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#status = { ...component, state: "stopped", since: this.#clock() };
  }

  status(): ComponentStatus {
    const ignored = this.#ignored.counts();
    const intake = this.#intake?.();
    return { ...this.#status, ...(ignored && { ignored }), ...(intake && { intake }) };
  }

  provide<S>(kind: ServiceKind<S>, service: S): void {
    this.#services.provide(this, kind, service);
  }

  find<S>(kind: ServiceKind<S>): readonly S[] {
    return this.#services.find(kind);
  }

  report(state: ComponentState, reason?: string): void {
    const { reason: _, ...last } = this.#status;
    if (last.state === state && this.#status.reason === reason) return;
    const since = last.state === state ? last.since : this.#clock();
    this.#status = { ...last, state, since, ...(reason !== undefined && { reason }) };
    const message = reason === undefined ? `Now ${state}` : `Now ${state}: ${reason}`;
    if (state === "failed") this.#log.error(message);
    else if (state === "degraded") this.#log.warn(message);
    else if (state === "waiting") this.#log.info(message);
    else this.#log.debug(message);
    if (state === "stopped") this.#services.withdraw(this);
  }
}
