// A span around one attempt to export, for whoever asked for traces. Used by deliver; names are in the
// OpenTelemetry Collector's style.

import { type Span, SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import type { ExportBatch } from "../../plugins/sdk/index.ts";

/** Which delivery. */
export interface ExportSpanAbout {
  readonly id: string;
  readonly pipeline: string | undefined;
  /** Failed attempts before this one. */
  readonly failures: number;
}

/** Begins the span of an attempt; undefined where nobody asked for spans. */
export function beginExportSpan(
  tracer: Tracer | undefined,
  batch: ExportBatch,
  { id, pipeline, failures }: ExportSpanAbout,
): Span | undefined {
  return tracer?.startSpan(`exporter/${id}/records`, {
    kind: SpanKind.CLIENT,
    attributes: {
      exporter: id,
      ...(pipeline !== undefined && { pipeline }),
      "cairn.batch.first": batch.range.first,
      "cairn.batch.last": batch.range.last,
      "cairn.attempt": failures + 1,
    },
  });
}

/** Ends it: how many records were delivered or not, and why not. */
export function endExportSpan(
  span: Span | undefined,
  { records }: ExportBatch,
  failure?: string,
): void {
  if (span === undefined) return;
  const isSent = failure === undefined;
  span.setAttribute("sent_records", isSent ? records.length : 0);
  span.setAttribute("failed_to_send_records", isSent ? 0 : records.length);
  if (!isSent) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
  span.end();
}
