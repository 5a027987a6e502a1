// A receiver of OTLP metrics for tests: real HTTP, and requests decoded by protobufjs with the
// definitions of opentelemetry/proto/metrics/v1 that the tests look at.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

const PROTO = `
syntax = "proto3";
message Request { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message Scope { string name = 1; string version = 2; }
message Metric {
  string name = 1; string description = 2; string unit = 3;
  oneof data { Gauge gauge = 5; Sum sum = 7; }
}
message Gauge { repeated Point data_points = 1; }
message Sum {
  repeated Point data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3;
}
message Point {
  repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; } }
`;

const Request = protobuf.parse(PROTO, { keepCase: false }).root.lookupType("Request");

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Point {
  readonly attributes?: readonly KeyValue[];
  readonly asDouble?: number;
  readonly asInt?: number;
}

interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly sum?: {
    readonly dataPoints: readonly Point[];
    readonly isMonotonic?: boolean;
    readonly aggregationTemporality?: number;
  };
}

/** A request as it is decoded. */
export interface DecodedRequest {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeMetrics: readonly {
      readonly scope: { readonly name: string };
      readonly metrics: readonly Metric[];
    }[];
  }[];
}

/** One request that came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly request: DecodedRequest;
}

/** A receiver that listens; `status` is what it answers next. */
export async function otlpReceiver() {
  const received: Received[] = [];
  const answer = { status: 200 };
  const server = createServer((incoming, response) => {
    const chunks: Uint8Array[] = [];
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    incoming.on("end", () => {
      const decoded = Request.decode(Buffer.concat(chunks));
      received.push({
        path: incoming.url ?? "",
        headers: incoming.headers,
        request: Request.toObject(decoded, { longs: Number }) as DecodedRequest,
      });
      response.writeHead(answer.status, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    received,
    answer,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Every value of a request, as `name{key=value,…}`. */
export function valuesOf({ resourceMetrics }: DecodedRequest): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const { scopeMetrics } of resourceMetrics) {
    for (const { name, gauge, sum } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      for (const point of (gauge ?? sum)?.dataPoints ?? []) {
        values.set(series(name, point.attributes ?? []), point.asInt ?? point.asDouble ?? 0);
      }
    }
  }
  return values;
}

function series(name: string, attributes: readonly KeyValue[]): string {
  const shown = attributes.map(({ key, value }) => `${key}=${value.stringValue}`).sort();
  return `${name}{${shown.join(",")}}`;
}
