// What the agent tells about itself beside its log: metrics, spans, and the log over OTLP. Each is
// loaded only where the configuration asks for it; without any, this is next to nothing.

import { createNoopMeter, type Meter, trace, type Tracer } from "@opentelemetry/api";
import type { Logs } from "./logs.ts";
import type { Metered } from "./metered.ts";
import type { Metrics, MetricsConfig } from "./metrics.ts";
import type { OtlpLogs } from "./otlp-logs.ts";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import type { Traces, TracesConfig } from "./traces.ts";

/** What to tell, and to whom. */
export interface TelemetryConfig {
  readonly metrics?: MetricsConfig | undefined;
  readonly traces?: TracesConfig | undefined;
  readonly logs: { readonly otlp?: OtlpTarget | undefined };
}

/** Who tells it, by OpenTelemetry's attribute names. */
export interface Resource {
  readonly "service.name": string;
  readonly "service.version": string;
  readonly "host.name": string;
}

/** What telemetry is made of. */
export interface TelemetryOptions {
  readonly config: TelemetryConfig;
  readonly version: string;
  readonly host: string;
  readonly logs: Logs;
  /** The agent's status, read at each collection of metrics. */
  readonly status: () => Metered;
  readonly clock: () => number;
}

// What components record with where nobody asked.
const NO_METER = createNoopMeter();
/** The log's name where it speaks of itself: these lines are not sent to a log server. */
const LOG_OF_LOGS = "logs";

/** Telemetry between start and stop of an agent. */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #resource: Resource;
  #metrics: Metrics | undefined;
  #traces: Traces | undefined;
  #logs: OtlpLogs | undefined;
  #endLogs: () => void = () => {};

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#resource = {
      "service.name": "cairn",
      "service.version": options.version,
      "host.name": options.host,
    };
  }

  /** What a component records with; to be asked for after `start`. */
  meter(component: string): Meter {
    return this.#metrics?.meter(component) ?? NO_METER;
  }

  /** What a component begins spans with; undefined where nobody asked for any. */
  tracer(component: string): Tracer | undefined {
    return this.#traces?.tracer(component);
  }

  /** The tracer, or one that does nothing. */
  someTracer(component: string): Tracer {
    return this.tracer(component) ?? trace.getTracer(component);
  }

  /** Throws ConfigError for an endpoint or a certificate that cannot be used. */
  async start(): Promise<void> {
    const { config, logs, version, clock } = this.#options;
    if (config.logs.otlp !== undefined) {
      const { openOtlpLogs } = await import("./otlp-logs.ts");
      const options = { target: config.logs.otlp, version, clock, log: logs.of(LOG_OF_LOGS) };
      const opened = await openOtlpLogs(options, this.#resource);
      this.#logs = opened;
      this.#endLogs = logs.forward((record) => {
        if (record.scope !== LOG_OF_LOGS) opened.emit(record);
      });
    }
    if (config.traces !== undefined) {
      const { openTraces } = await import("./traces.ts");
      const { otlp, sampleRatio } = config.traces;
      const options = { target: otlp, version, clock, log: logs.of("traces") };
      this.#traces = await openTraces(sampleRatio, options, this.#resource);
    }
    if (config.metrics !== undefined) {
      this.#metrics = await this.#openMetrics(config.metrics);
      await this.#metrics.start();
    }
  }

  /** The metrics as Prometheus text; those of plugins only where metrics are configured. */
  async metricsText(): Promise<string> {
    if (this.#metrics !== undefined) return await this.#metrics.text();
    const metrics = await this.#openMetrics({});
    return await metrics.text().finally(() => metrics.stop(AbortSignal.timeout(0)));
  }

  /** Sends what waits, at the latest until the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    await Promise.all([this.#metrics?.stop(deadline), this.#traces?.stop(deadline)]);
    this.#endLogs();
    await this.#logs?.stop(deadline);
  }

  async #openMetrics(config: MetricsConfig): Promise<Metrics> {
    const { Metrics } = await import("./metrics.ts");
    const { version, host, status, clock, logs } = this.#options;
    return new Metrics({ config, version, host, status, log: logs.of("metrics"), clock });
  }
}
