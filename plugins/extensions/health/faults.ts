// What is wrong with an agent: components that failed, and inputs and outputs that make no progress
// though there is something to do. Looks at one status after the other; no clock, no I/O.

import type {
  AgentHealth,
  ComponentHealth,
  DeliveryHealth,
  PipelineHealth,
} from "../../sdk/index.ts";

/** One thing that is wrong. */
export interface Fault {
  /** An output's fault keeps no event from being taken in. */
  readonly side: "component" | "input" | "output";
  /** Such as `exporter "trail"`. */
  readonly what: string;
  readonly reason: string;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
}

/** Remembers how far everything was when it last moved. */
export class Faults {
  readonly #stalledAfterMs: number;
  readonly #deliveries = new Map<string, { readonly position: number; readonly since: number }>();
  readonly #blocked = new Map<string, number>();

  constructor(stalledAfterMs: number) {
    this.#stalledAfterMs = stalledAfterMs;
  }

  /** What is wrong now. To be called several times within the time after which a part is stalled. */
  look({ components, pipelines }: AgentHealth, now: number): readonly Fault[] {
    return [
      ...components.flatMap((component) => this.#ofComponent(component, now)),
      ...pipelines.flatMap((pipeline) => [
        ...this.#ofQueue(pipeline, now),
        ...pipeline.exporters.flatMap((exporter) => this.#ofDelivery(pipeline, exporter, now)),
      ]),
    ];
  }

  #ofComponent(component: ComponentHealth, now: number): readonly Fault[] {
    const { kind, id, pipeline, state, reason = "no reason given", since } = component;
    const place = pipeline === undefined ? "" : ` of pipeline "${pipeline}"`;
    const what = `${kind} "${id}"${place}`;
    if (state === "failed") return [{ side: "component", what, reason, since }];
    const isStalled = kind === "receiver" && state === "degraded" &&
      now - since >= this.#stalledAfterMs;
    return isStalled
      ? [{ side: "input", what, reason: `Makes no progress: ${reason}`, since }]
      : [];
  }

  #ofQueue({ name, queue }: PipelineHealth, now: number): readonly Fault[] {
    if (!queue.blocked) this.#blocked.delete(name);
    else if (!this.#blocked.has(name)) this.#blocked.set(name, now);
    const since = this.#blocked.get(name);
    if (since === undefined || now - since < this.#stalledAfterMs) return [];
    const reason = `Receivers wait for room: ${queue.problem ?? "no reason given"}`;
    return [{ side: "input", what: `pipeline "${name}"`, reason, since }];
  }

  #ofDelivery(pipeline: PipelineHealth, exporter: DeliveryHealth, now: number): readonly Fault[] {
    const { id, state, queued, position, batchAgeMsMax } = exporter;
    const key = JSON.stringify([pipeline.name, id]);
    const seen = this.#deliveries.get(key);
    if (seen === undefined || seen.position !== position || queued === 0) {
      this.#deliveries.set(key, { position, since: now });
      return [];
    }
    // While nothing is wrong, a batch may be waiting to fill.
    const patienceMs = this.#stalledAfterMs + (state === "degraded" ? 0 : batchAgeMsMax);
    if (now - seen.since < patienceMs) return [];
    const reason = `Makes no progress: ${queued} records are queued, none is delivered`;
    return [{ side: "output", what: `exporter "${id}"`, reason, since: seen.since }];
  }
}
