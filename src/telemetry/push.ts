// Sends collected metrics over OTLP, each interval. The values are totals, so a push that fails needs
// no repeat: the next one says the same and more.

import { JsonMetricsSerializer, ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import type { Delivery } from "./delivery.ts";

// The last push must not hold up an agent that stops.
const LAST_PUSH_MS = 2000;

/** Where and how often. */
export interface PushOptions {
  readonly delivery: Delivery;
  readonly serialize: (metrics: ResourceMetrics) => Uint8Array | undefined;
  readonly intervalMs: number;
  readonly collect: () => Promise<ResourceMetrics>;
}

/** How a request of this protocol is written. */
export function serializer(protocol: OtlpTarget["protocol"]): PushOptions["serialize"] {
  const { serializeRequest } = protocol === "http/json"
    ? JsonMetricsSerializer
    : ProtobufMetricsSerializer;
  return (metrics) => serializeRequest(metrics);
}

/** Pushes from `start` to `stop`. */
export class Push {
  readonly #options: PushOptions;
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #underWay: Promise<void> | undefined;

  constructor(options: PushOptions) {
    this.#options = options;
  }

  start(): void {
    const { intervalMs } = this.#options;
    // One that is still under way when the next is due stands for it.
    this.#timer = setInterval(() => {
      this.#underWay ??= this.#push(this.#stopping.signal);
    }, intervalMs);
    this.#timer.unref();
  }

  /** Pushes a last time, for a moment at most. */
  async stop(deadline: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error("the agent stops"));
    await this.#underWay;
    await this.#push(AbortSignal.any([deadline, AbortSignal.timeout(LAST_PUSH_MS)]));
    await this.#options.delivery.close();
  }

  async #push(signal: AbortSignal): Promise<void> {
    const { delivery, serialize, collect } = this.#options;
    try {
      const body = serialize(await collect());
      if (body !== undefined) await delivery.send(body, signal);
    } catch (error) {
      delivery.failed(error);
    } finally {
      this.#underWay = undefined;
    }
  }
}
