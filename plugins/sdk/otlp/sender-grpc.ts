// OTLP over gRPC: one unary call a request, of bytes that are serialized already. Loaded only where a
// configuration asks for it.

import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import type { ClientTls } from "../client-tls.ts";
import {
  OtlpFailure,
  type OtlpSender,
  type OtlpTarget,
  revealedHeaders,
  type Signal,
} from "./sender.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
};

// What the specification calls retryable.
const PASSING = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Opens a sender; nothing is connected before the first request. */
export function grpcSender(
  signal: Signal,
  target: OtlpTarget,
  { ca, cert, key }: ClientTls,
): OtlpSender {
  const { protocol, host, hostname, port } = new URL(target.endpoint);
  const isSecure = protocol === "https:";
  const bytes = (pem?: string) => pem === undefined ? null : Buffer.from(pem);
  const channel = isSecure
    ? credentials.createSsl(bytes(ca), bytes(key), bytes(cert))
    : credentials.createInsecure();
  const client = new Client(port === "" ? `${hostname}:${isSecure ? 443 : 80}` : host, channel);
  const metadata = Metadata.fromHttp2Headers(
    Object.fromEntries(
      Object.entries(revealedHeaders(target)).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  );
  return {
    place: target.endpoint,
    send: (body, stop) =>
      new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          METHODS[signal],
          (content: Uint8Array) => Buffer.from(content.buffer, content.byteOffset, content.length),
          (answer: Buffer) => answer,
          body,
          metadata,
          { deadline: Date.now() + target.timeout },
          (error: ServiceError | null) => {
            stop.removeEventListener("abort", cancel);
            if (error === null) resolve();
            else reject(failure(error));
          },
        );
        const cancel = () => call.cancel();
        stop.addEventListener("abort", cancel, { once: true });
        if (stop.aborted) cancel();
      }),
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}

function failure({ code, details }: ServiceError): OtlpFailure {
  const reason = code === status.DEADLINE_EXCEEDED ? "no answer in time" : details;
  return new OtlpFailure(reason || `answered ${status[code]}`, PASSING.has(code));
}
