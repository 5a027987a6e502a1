// Sends collected metrics over OTLP/HTTP, each interval. The values are totals, so a push that fails
// needs no repeat: the next one says the same and more.

import { ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { Agent, request } from "undici";
import type { Log } from "../../plugins/sdk/index.ts";
import type { Secret } from "../../plugins/sdk/secret.ts";

// A receiver that takes longer is as good as none.
const TIMEOUT_MS = 10_000;
// The last push must not hold up an agent that stops.
const LAST_PUSH_MS = 2000;

/** Where and how often. */
export interface PushOptions {
  /** Base address of the receiver, such as http://127.0.0.1:4318. */
  readonly endpoint: string;
  readonly intervalMs: number;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly collect: () => Promise<ResourceMetrics>;
  readonly log: Log;
}

/** Pushes from `start` to `stop`. */
export class Push {
  readonly #options: PushOptions;
  readonly #url: string;
  readonly #connection = new Agent({ connections: 1 });
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #underWay: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: PushOptions) {
    this.#options = options;
    this.#url = `${options.endpoint.replace(/\/+$/, "")}/v1/metrics`;
  }

  start(): void {
    const { intervalMs } = this.#options;
    // One that is still under way when the next is due stands for it.
    this.#timer = setInterval(() => {
      this.#underWay ??= this.#push(
        AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      );
    }, intervalMs);
    this.#timer.unref();
  }

  /** Pushes a last time, for a moment at most. */
  async stop(deadline: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error("the agent stops"));
    await this.#underWay;
    await this.#push(AbortSignal.any([deadline, AbortSignal.timeout(LAST_PUSH_MS)]));
    await this.#connection.destroy();
  }

  async #push(signal: AbortSignal): Promise<void> {
    const { log, headers } = this.#options;
    try {
      const body = ProtobufMetricsSerializer.serializeRequest(await this.#options.collect());
      const shown = Object.entries(headers).map(([name, value]) => [name, value.reveal()] as const);
      const answer = await request(this.#url, {
        dispatcher: this.#connection,
        method: "POST",
        headers: { ...Object.fromEntries(shown), "content-type": "application/x-protobuf" },
        body: body ?? null,
        signal,
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw new Error(`answered ${answer.statusCode}`);
      if (this.#isFailing) log.info("Metrics are sent again");
      this.#isFailing = false;
    } catch (error) {
      // Once: what is missing is seen where the metrics go.
      if (!this.#isFailing) log.warn(`Cannot send metrics to "${this.#url}": ${reasonOf(error)}`);
      this.#isFailing = true;
    } finally {
      this.#underWay = undefined;
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return error.name === "TimeoutError" ? "no answer in time" : error.message || String(code);
}
