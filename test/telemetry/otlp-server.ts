// An OTLP receiver for tests, over HTTP and over gRPC: keeps what comes, decoded by protobufjs with the
// parts of opentelemetry/proto/{logs,trace}/v1 that the tests look at, or from JSON.

import { Server, ServerCredentials, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

const PROTO = `
syntax = "proto3";
message Logs { repeated ResourceLogs resource_logs = 1; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message LogRecord {
  fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3;
  AnyValue body = 5; repeated KeyValue attributes = 6;
}
message Traces { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; Status status = 15;
}
message Status { string message = 2; int32 code = 3; }
message Metrics { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message Metric { string name = 1; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; string version = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  }
}
`;
const { root } = protobuf.parse(PROTO, { keepCase: false });

/** A signal, as its messages are called. */
export type SignalName = "Logs" | "Traces" | "Metrics";

/** One request. */
export interface OtlpRequest {
  readonly signal: SignalName;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content: Content;
}

interface Content {
  readonly resourceLogs?: readonly {
    readonly resource: Attributed;
    readonly scopeLogs: ScopeLogs;
  }[];
  readonly resourceSpans?: readonly {
    readonly resource: Attributed;
    readonly scopeSpans: readonly { readonly scope: Named; readonly spans: readonly Span[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly Named[] }[];
  }[];
}

type ScopeLogs = readonly { readonly scope: Named; readonly logRecords: readonly LogRecord[] }[];

interface Named {
  readonly name: string;
}

interface Attributed {
  readonly attributes?: readonly { readonly key: string; readonly value: object }[];
}

/** A log record as it came. */
export interface LogRecord extends Attributed {
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: { readonly stringValue: string };
}

/** A span as it came. */
export interface Span extends Attributed, Named {
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** Attributes as an object. */
export function attributesOf({ attributes = [] }: Attributed): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [held] = Object.values(value) as unknown[];
      return [key, typeof held === "object" || /^\d+$/.test(String(held)) ? Number(held) : held];
    }),
  );
}

/** Everything that came of logs or spans, in one list. */
export function itemsOf(requests: readonly OtlpRequest[]): readonly (LogRecord | Span)[] {
  return requests.flatMap(({ content }) => [
    ...(content.resourceLogs ?? []).flatMap(({ scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) => logRecords)
    ),
    ...(content.resourceSpans ?? []).flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans)
    ),
  ]);
}

interface OtlpAnswer {
  status: number;
  body?: Buffer;
}

/** A receiver that listens. */
export interface OtlpServer {
  readonly endpoint: string;
  readonly requests: readonly OtlpRequest[];
  /** What it answers next: a status of HTTP, over gRPC any but 200 is UNAVAILABLE; and the message. */
  readonly answer: OtlpAnswer;
  close(): Promise<void>;
}

function decode(signal: SignalName, body: Uint8Array): Content {
  const type = root.lookupType(signal);
  return type.toObject(type.decode(body), { longs: Number }) as Content;
}

/** Over HTTP, or HTTPS where a certificate is given. */
export async function otlpHttpServer(
  { tls, port = 0 }: { readonly tls?: { cert: string; key: string }; readonly port?: number } = {},
): Promise<OtlpServer> {
  const requests: OtlpRequest[] = [];
  const answer: OtlpAnswer = { status: 200 };
  const listener: Parameters<typeof createServer>[1] = (incoming, response) => {
    const chunks: Uint8Array[] = [];
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    incoming.on("end", () => {
      const name = incoming.url!.replace("/v1/", "");
      const signal = `${name[0]!.toUpperCase()}${name.slice(1)}` as SignalName;
      const body = Buffer.concat(chunks);
      const isJson = incoming.headers["content-type"] === "application/json";
      const content = isJson ? JSON.parse(body.toString()) as Content : decode(signal, body);
      if (answer.status === 200) requests.push({ signal, headers: incoming.headers, content });
      response.writeHead(answer.status).end(answer.body);
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const scheme = tls === undefined ? "http" : "https";
  return {
    endpoint: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const SERVICES = [
  ["Logs", "opentelemetry.proto.collector.logs.v1.LogsService"],
  ["Metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService"],
  ["Traces", "opentelemetry.proto.collector.trace.v1.TraceService"],
] as const;

/** Over gRPC. */
export async function otlpGrpcServer(): Promise<OtlpServer> {
  const requests: OtlpRequest[] = [];
  const answer: OtlpAnswer = { status: 200 };
  const server = new Server();
  for (const [signal, service] of SERVICES) {
    const same = (bytes: Buffer) => bytes;
    server.addService({
      Export: {
        path: `/${service}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    }, {
      Export: (
        { request, metadata }: ServerUnaryCall<Buffer, Buffer>,
        done: (error: { code: number; details: string } | null, value?: Buffer) => void,
      ) => {
        if (answer.status !== 200) return done({ code: status.UNAVAILABLE, details: "not now" });
        requests.push({ signal, headers: metadata.getMap(), content: decode(signal, request) });
        done(null, answer.body ?? Buffer.alloc(0));
      },
    });
  }
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      ServerCredentials.createInsecure(),
      (error, bound) => error === null ? resolve(bound) : reject(error),
    )
  );
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    answer,
    close: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
