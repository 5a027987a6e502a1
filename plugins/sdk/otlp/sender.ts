// Where OTLP is sent to, as the configuration says it, and a sender for requests that are serialized
// already. Used for the agent's own logs, metrics and spans; read by sender-http.ts and sender-grpc.ts.

import { z } from "zod";
import { clientTls, loadClientTls } from "../client-tls.ts";
import { duration } from "../option.ts";
import { secret } from "../secret.ts";

/** The options of a receiver of OTLP, to be spread into a schema. */
export const otlpTargetOptions = {
  endpoint: z.url({ protocol: /^https?$/, error: "Expected a URL such as http://127.0.0.1:4318" })
    .refine((url) => !url.includes("@"), "Credentials belong into headers")
    .describe("Base address of the receiver; over HTTP the signal's path is added: /v1/logs …")
    .meta({ examples: ["http://127.0.0.1:4318"] }),
  protocol: z.enum(["http/protobuf", "http/json", "grpc"]).default("http/protobuf")
    .describe("How requests are written and carried"),
  headers: z.record(
    z.string().regex(/^[A-Za-z0-9-]{1,100}$/, "Expected the name of a header"),
    secret,
  ).default({}).describe("Headers of each request, such as credentials"),
  tls: clientTls.prefault({}).describe("For https://"),
  timeout: duration.prefault("10s").describe("Longest time for one request"),
};

/** A receiver of OTLP. */
export type OtlpTarget = z.output<z.ZodObject<typeof otlpTargetOptions>>;

/** What is sent. */
export type Signal = "logs" | "metrics" | "traces";

/** Sends requests that are serialized already, one after another. */
export interface OtlpSender {
  /** Where to, for messages. */
  readonly place: string;
  /** Resolves when the receiver has taken it; rejects with OtlpFailure. */
  send(body: Uint8Array, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A request that was not taken. */
export class OtlpFailure extends Error {
  override readonly name = "OtlpFailure";
  readonly code = "CAIRN_OTLP";
  /** The same request may be taken later. */
  readonly isPassing: boolean;
  /** When the receiver wants it again, in milliseconds from now. */
  readonly afterMs: number | undefined;

  constructor(message: string, isPassing: boolean, afterMs?: number) {
    super(message);
    this.isPassing = isPassing;
    this.afterMs = afterMs;
  }
}

/** Opens a sender. Throws ConfigError for a certificate, named below `at`. */
export async function openSender(
  signal: Signal,
  target: OtlpTarget,
  at: string,
): Promise<OtlpSender> {
  const certificates = await loadClientTls(target.tls, `${at}.tls`);
  if (target.protocol === "grpc") {
    const { grpcSender } = await import("./sender-grpc.ts");
    return grpcSender(signal, target, certificates);
  }
  const { httpSender } = await import("./sender-http.ts");
  return httpSender(signal, target, certificates);
}

/** Headers as they are sent. */
export function revealedHeaders({ headers }: OtlpTarget): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}
