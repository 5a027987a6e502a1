// The agent's metrics: what plugins record and what the table of instruments reads, served as
// Prometheus text and pushed over OTLP. Loaded only where a configuration asks for metrics.

import type { Meter } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Endpoint } from "../../plugins/sdk/endpoint.ts";
import {
  type HttpHead,
  type HttpResponse,
  pageLimits,
  plainAnswer,
} from "../../plugins/sdk/http-message.ts";
import { HttpServer } from "../../plugins/sdk/http-server.ts";
import { ConfigError, type Log } from "../../plugins/sdk/index.ts";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import { INSTRUMENTS } from "./instruments.ts";
import type { Metered } from "./metered.ts";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.ts";
import type { Push } from "./push.ts";

/** What to do with metrics. */
export interface MetricsConfig {
  /** Where Prometheus reads them. */
  readonly endpoint?: Endpoint;
  readonly otlp?: OtlpTarget & { readonly interval: number };
}

/** What metrics are made of. */
export interface MetricsOptions {
  readonly config: MetricsConfig;
  readonly version: string;
  readonly host: string;
  /** The agent's status, read at each collection. */
  readonly status: () => Metered;
  readonly log: Log;
  readonly clock: () => number;
}

/** The scope of the agent's own instruments. */
const OWN = "cairn";
// A plugin's callback that never answers must not keep the other values back.
const COLLECT_MS = 5000;
// Series of one instrument; the library folds those beyond into one. Far above what a configuration
// of hundreds of components has.
const SERIES_MAX = 10_000;

/** Metrics between start and stop of an agent. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #reader = new Reader({ cardinalitySelector: () => SERIES_MAX });
  readonly #provider: MeterProvider;
  #server: HttpServer | undefined;
  #push: Push | undefined;
  #collecting: Promise<ResourceMetrics> | undefined;
  #lastProblem = "";

  constructor(options: MetricsOptions) {
    this.#options = options;
    const { version, host } = options;
    this.#provider = new MeterProvider({
      resource: resourceFromAttributes({
        "service.name": "cairn",
        "service.version": version,
        "host.name": host,
      }),
      readers: [this.#reader],
    });
    observe(this.#provider.getMeter(OWN, version), options.status);
  }

  /** What a component records with; its name becomes the attribute `component`. */
  meter(component: string): Meter {
    return this.#provider.getMeter(component);
  }

  /** Serves and pushes. Throws ConfigError for an endpoint that cannot be used. */
  async start(): Promise<void> {
    const { config: { endpoint, otlp }, version, log, clock } = this.#options;
    const collect = () => this.#collect();
    if (endpoint !== undefined) {
      const answer = async (): Promise<HttpResponse> => ({
        status: 200,
        headers: { "content-type": PROMETHEUS_TYPE },
        body: await this.text(),
      });
      this.#server = new HttpServer({ endpoint, limits: pageLimits, log, clock, admit }, answer);
      await listen(this.#server);
      log.info("Metrics are served", { endpoint: this.#server.address(), path: PATH });
    }
    if (otlp !== undefined) {
      const { Push, serializer } = await import("./push.ts");
      const { openDelivery } = await import("./delivery.ts");
      const options = { target: otlp, version, clock, log };
      const delivery = await openDelivery("metrics", "metrics", options);
      const serialize = serializer(otlp.protocol);
      this.#push = new Push({ delivery, serialize, intervalMs: otlp.interval, collect });
      this.#push.start();
    }
  }

  /** All metrics as Prometheus text. */
  async text(): Promise<string> {
    return prometheusText(await this.#collect(), OWN);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#push?.stop(deadline);
    await this.#server?.stop(deadline);
    await this.#provider.shutdown();
  }

  /** Collections that are asked for at the same time are one. */
  #collect(): Promise<ResourceMetrics> {
    this.#collecting ??= this.#read().finally(() => this.#collecting = undefined);
    return this.#collecting;
  }

  async #read(): Promise<ResourceMetrics> {
    const { resourceMetrics, errors } = await this.#reader.collect({ timeoutMillis: COLLECT_MS });
    const problem = errors.map(String).join(", ");
    if (problem !== this.#lastProblem && problem !== "") {
      this.#options.log.warn(`Cannot read all metrics: ${problem}`);
    }
    this.#lastProblem = problem;
    return resourceMetrics;
  }
}

/** The library's reader, which only reads when asked: one for all, so that none holds back values. */
class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** Starts the server; what is wrong with its endpoint is told by the option's whole path. */
async function listen(server: HttpServer): Promise<void> {
  try {
    await server.start();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(({ path, ...rest }) => ({
      path: `service.telemetry.metrics.${path}`,
      ...rest,
    }));
    throw new ConfigError(problems, { cause: error });
  }
}

const PATH = "/metrics";

function admit({ method, path }: HttpHead): HttpResponse | undefined {
  if (path !== PATH) return plainAnswer(404, `Known here: ${PATH}`);
  if (method === "GET" || method === "HEAD") return undefined;
  return plainAnswer(405, "Expected GET or HEAD", { allow: "GET, HEAD" });
}

/** Makes the table's instruments, all read from one status at each collection. */
function observe(meter: Meter, status: () => Metered): void {
  const instruments = INSTRUMENTS.map((row) => {
    const { name, kind, unit, description, read } = row;
    const about = { unit, description };
    const instrument = kind === "counter"
      ? meter.createObservableCounter(name, about)
      : meter.createObservableGauge(name, about);
    return { instrument, read };
  });
  meter.addBatchObservableCallback((result) => {
    const now = status();
    for (const { instrument, read } of instruments) {
      for (const [value, attributes] of read(now)) result.observe(instrument, value, attributes);
    }
  }, instruments.map(({ instrument }) => instrument));
}
