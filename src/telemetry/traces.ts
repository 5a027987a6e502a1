// Spans of the agent over OTLP, through the OpenTelemetry Trace SDK: around each export, and what
// plugins begin. Loaded only where a configuration asks for it.

import type { Context, Tracer } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Span,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import { type DeliveryOptions, openDelivery } from "./delivery.ts";
import { BATCH, OtlpExport } from "./otlp-export.ts";
import type { Resource } from "./telemetry.ts";

/** What is done with spans. */
export interface TracesConfig {
  readonly otlp: OtlpTarget;
  /** Share of traces that are kept, 0 to 1. */
  readonly sampleRatio: number;
}

/** Spans between start and stop of an agent. */
export interface Traces {
  /** What a component begins spans with; `exporter/trail`. */
  tracer(component: string): Tracer;
  /** Sends what waits, for a moment at most. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Opens it. Throws ConfigError for certificates. */
export async function openTraces(
  sampleRatio: number,
  options: DeliveryOptions,
  resource: Resource,
): Promise<Traces> {
  const delivery = await openDelivery("traces", "spans", options);
  const { serializeRequest } = options.target.protocol === "http/json"
    ? JsonTraceSerializer
    : ProtobufTraceSerializer;
  const exporter = new OtlpExport<ReadableSpan>({
    delivery,
    serialize: (spans) => serializeRequest(spans),
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ ...resource }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [admitted(exporter, new BatchSpanProcessor({ exporter, ...BATCH }))],
  });
  return {
    tracer: (component) => provider.getTracer(component, resource["service.version"]),
    async stop(deadline) {
      exporter.stopping(deadline);
      await provider.shutdown();
    },
  };
}

/** Before the SDK's queue: the SDK itself would lose spans without a word. */
function admitted(exporter: OtlpExport<ReadableSpan>, batch: BatchSpanProcessor): SpanProcessor {
  return {
    onStart: (span: Span, parent: Context) => batch.onStart(span, parent),
    onEnd(span: ReadableSpan) {
      // What is not sampled never reaches the exporter.
      if ((span.spanContext().traceFlags & 1) === 0) return;
      if (exporter.admit()) batch.onEnd(span);
    },
    forceFlush: () => batch.forceFlush(),
    shutdown: () => batch.shutdown(),
  };
}
