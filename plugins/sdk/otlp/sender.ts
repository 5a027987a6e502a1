// The client of OTLP: where requests go, as the configuration says it, and a sender of requests that
// are serialized already, over sender-http.ts or sender-grpc.ts. Exporter otlp and the agent's own
// telemetry send through it. The SDK of OpenTelemetry has exporters of its own; they retry by a clock
// of their own, hide Retry-After and what was rejected, and cannot be stopped.

import { z } from "zod";
import { clientTls } from "../client-tls.ts";
import { RetryableError } from "../errors.ts";
import { duration } from "../option.ts";
import { secret } from "../secret.ts";
import type { PartialSuccess } from "./answer.ts";

/** The options of a receiver of OTLP, to be spread into a schema. */
export const otlpTargetOptions = {
  endpoint: z.url({ protocol: /^https?$/, error: "Expected a URL such as http://127.0.0.1:4318" })
    .refine((url) => !/[@?#]/.test(url), "Credentials belong into headers")
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

/** What a sender is made of. */
export interface OtlpSenderOptions {
  readonly signal: Signal;
  /** Without `timeout` the caller's signal alone bounds a request. */
  readonly target: Omit<OtlpTarget, "timeout"> & Partial<Pick<OtlpTarget, "timeout">>;
  /** How messages call what is sent: "log lines". */
  readonly what: string;
  /** Where `tls` stands in the configuration: "service.telemetry.logs.otlp.tls". */
  readonly tlsAt?: string;
  /** Of the agent, for the user agent. */
  readonly version: string;
  readonly clock: () => number;
  /** Requests are compressed, over HTTP with this; without it they go as they are. */
  readonly gzip?: (chunks: readonly Uint8Array[], level?: number) => Promise<Uint8Array>;
}

/** Sends requests that are serialized already. */
export interface OtlpSender {
  /** What it does, for messages: `Cannot send log lines to "http://…/v1/logs"`. */
  readonly action: string;
  /**
   * Resolves when the receiver has taken the request, with what of it was rejected. Throws
   * OtlpRefusal for a request it will never take, RetryableError (an OtlpFault among them) for all
   * else, and the signal's reason when that aborts. Messages of these begin with the action.
   */
  send(body: Uint8Array, signal: AbortSignal): Promise<PartialSuccess>;
  /** Closes connections. Safe to call twice; the next request connects anew. */
  close(): Promise<void>;
}

/** The request as it stands will never be taken: it is malformed, or larger than the receiver takes. */
export class OtlpRefusal extends Error {
  override readonly name = "OtlpRefusal";
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/**
 * An answer that the specification calls not retryable, such as 401: the request may be taken once
 * somebody has mended a thing. Who cannot keep requests for so long gives up here.
 */
export class OtlpFault extends RetryableError {}

/** Why a request was not taken. */
export type OtlpFailure = OtlpRefusal | RetryableError;

/**
 * Opens a sender. Certificates are read now, and again for each connection; nothing is connected
 * before the first request. Throws ConfigError for certificates that cannot be used.
 */
export async function openSender(options: OtlpSenderOptions): Promise<OtlpSender> {
  const { protocol, timeout } = options.target;
  const sender = protocol === "grpc"
    ? new (await import("./sender-grpc.ts")).GrpcSender(options)
    : new (await import("./sender-http.ts")).HttpSender(options);
  await sender.start();
  return timeout === undefined ? sender : timed(sender, timeout);
}

function timed(sender: OtlpSender, timeoutMs: number): OtlpSender {
  return {
    action: sender.action,
    async send(body, signal) {
      const late = AbortSignal.timeout(timeoutMs);
      try {
        return await sender.send(body, AbortSignal.any([signal, late]));
      } catch (error) {
        if (error !== late.reason) throw error;
        throw new RetryableError(`${sender.action}: no answer in time`, { code: "Timeout" });
      }
    },
    close: () => sender.close(),
  };
}

/** Headers as they are sent. */
export function revealedHeaders(
  { headers }: Pick<OtlpTarget, "headers">,
): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}
