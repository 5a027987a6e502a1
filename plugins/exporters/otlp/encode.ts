// Requests and answers of OTLP's log service, in the encoders that the SDK's own exporters use.
// Loaded with the first request.

import { JsonLogsSerializer, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { AgentIdentity, StoredRecord } from "../../sdk/index.ts";
import type { OtlpConfig } from "./config.ts";
import { logRecord, resourceAttributes, type Shared } from "./log-record.ts";
import { plainText } from "./status.ts";

/** How much of a request a receiver did not take, and its words for it. */
export interface Answer {
  readonly rejected: number;
  readonly reason: string;
}

/** Encodes requests of one agent, and reads what is answered. */
export class Codec {
  readonly #serializer: typeof ProtobufLogsSerializer;
  readonly #shared: Shared;

  constructor(protocol: OtlpConfig["protocol"], agent: AgentIdentity) {
    this.#serializer = protocol === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer;
    this.#shared = {
      resource: resourceFromAttributes(resourceAttributes(agent)),
      instrumentationScope: { name: "cairn", version: agent.version },
    };
  }

  /** An ExportLogsServiceRequest; the same arguments give the same bytes. */
  request(records: readonly StoredRecord[], observedAt: number): Uint8Array {
    const logs = records.map((record) => logRecord(record, this.#shared, observedAt));
    return this.#serializer.serializeRequest(logs) ?? new Uint8Array(0);
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
