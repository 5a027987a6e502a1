// Requests and answers of OTLP's log service. JSON and the answers are the SDK's own encoders',
// requests in Protocol Buffers those of protobuf.ts. Loaded with the first request.

import { Buffer } from "node:buffer";
import { JsonLogsSerializer, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { AgentIdentity, StoredRecord } from "../../sdk/index.ts";
import type { OtlpConfig } from "./config.ts";
import { envelopeOf, logFields } from "./log-record.ts";
import { type Envelope, type LogFields, ProtobufWriter } from "./protobuf.ts";
import { plainText } from "./status.ts";

/** How much of a request a receiver did not take, and its words for it. */
export interface Answer {
  readonly rejected: number;
  readonly reason: string;
}

/** Encodes requests of one agent, and reads what is answered. */
export class Codec {
  readonly #serializer: typeof ProtobufLogsSerializer;
  readonly #encode: (logs: readonly LogFields[]) => Uint8Array;

  constructor(protocol: OtlpConfig["protocol"], agent: AgentIdentity) {
    const envelope = envelopeOf(agent);
    const isJson = protocol === "http/json";
    const writer = new ProtobufWriter(envelope);
    this.#serializer = isJson ? JsonLogsSerializer : ProtobufLogsSerializer;
    this.#encode = isJson
      ? (logs) => JsonLogsSerializer.serializeRequest(readable(logs, envelope)) ?? new Uint8Array()
      : (logs) => writer.request(logs);
  }

  /** An ExportLogsServiceRequest; the same arguments give the same bytes. */
  request(records: readonly StoredRecord[], observedAt: number): Uint8Array {
    return this.#encode(records.map((record) => logFields(record, observedAt)));
  }

  /** Reads an ExportLogsServiceResponse; one that cannot be read says that all was taken. */
  answer(bytes: Uint8Array): Answer {
    try {
      const { partialSuccess } = this.#serializer.deserializeResponse(bytes);
      // JSON writes 64 bits as text.
      const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
      const reason = plainText(String(partialSuccess?.errorMessage ?? ""));
      return { rejected: rejected > 0 ? rejected : 0, reason };
    } catch {
      return { rejected: 0, reason: "" };
    }
  }
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
