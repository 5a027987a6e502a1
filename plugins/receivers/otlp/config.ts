// The options of receiver `otlp`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { httpLimitOptions } from "../../sdk/http-message.ts";
import { serverTls } from "../../sdk/tls.ts";

function protocol(port: number) {
  return z.strictObject({
    endpoint: endpoint.prefault(`127.0.0.1:${port}`).describe("Where to listen"),
    tls: serverTls.optional().describe("Certificates; without them connections are not encrypted"),
  }).optional();
}

/** Its schema. */
export const config = z.strictObject({
  protocols: z.strictObject({
    http: protocol(4318).describe("OTLP over HTTP, at /v1/logs, in Protocol Buffers or JSON"),
    grpc: protocol(4317).describe("OTLP over gRPC"),
  }).refine(({ http, grpc }) => http !== undefined || grpc !== undefined, {
    error: "Expected http, grpc or both",
  }).prefault({ http: {}, grpc: {} }).describe("What is listened to; both when not set"),
  only_events: z.boolean().default(false).describe(
    "Leave out, counted, log records without an event name; otherwise each becomes an event",
  ),
  ...httpLimitOptions,
});

/** The checked options. */
export type OtlpConfig = z.output<typeof config>;
