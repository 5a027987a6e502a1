// Requests of OTLP's log service in JSON, by the SDK's own encoder. Loaded only where a configuration
// asks for JSON; protobuf.ts writes the others.

import { Buffer } from "node:buffer";
import { JsonLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { Envelope, LogFields } from "./protobuf.ts";

/** An ExportLogsServiceRequest; the same arguments give the same bytes. */
export function jsonRequest(logs: readonly LogFields[], envelope: Envelope): Uint8Array {
  return JsonLogsSerializer.serializeRequest(readable(logs, envelope)) ?? new Uint8Array();
}

/** As the SDK holds log records. */
export function readable(logs: readonly LogFields[], envelope: Envelope): ReadableLogRecord[] {
  const resource = resourceFromAttributes({ ...envelope.resource });
  const instrumentationScope = envelope.scope;
  return logs.map(({ time, observed, body, eventName, ...fields }) => ({
    ...fields,
    ...(eventName === undefined ? {} : { eventName }),
    hrTime: hrTime(time),
    hrTimeObserved: hrTime(observed),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"),
    droppedAttributesCount: 0,
    resource,
    instrumentationScope,
  }));
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, (ms - seconds * 1000) * 1_000_000];
}
