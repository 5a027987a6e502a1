// Sending OTLP: requests that are encoded already go out over HTTP or gRPC, one answer each. The SDK
// of OpenTelemetry has exporters of its own; they retry by a clock of their own, hide Retry-After and
// rejected records, and cannot be stopped, so only its encoders are used.

import type { RetryableError } from "../../sdk/index.ts";
import type { OtlpConfig } from "./config.ts";

/** What senders take from the component's context. */
export interface SenderContext {
  /** Of the agent, for the user agent. */
  readonly version: string;
  readonly clock: () => number;
  /** What is tried, for errors: `Cannot send records to "https://…"`. */
  readonly action: string;
  gzip(chunks: readonly Uint8Array[], level?: number): Promise<Uint8Array>;
}

/** Sends ExportLogsServiceRequests. */
export interface OtlpSender {
  /** Reads certificates. Throws ConfigError for those that cannot be read or used. */
  start(): Promise<void>;
  /**
   * Resolves with the receiver's answer, an encoded ExportLogsServiceResponse. Throws
   * OtlpRefusal for a request it will never take, RetryableError for all else, and the signal's
   * reason when that aborts.
   */
  send(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** Closes connections. Safe to call twice. */
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

/** Why a request was not taken. */
export type OtlpFailure = OtlpRefusal | RetryableError;

/** Level 1: a third of the time of level 6, and still a fifth of the size. */
export const GZIP_LEVEL = 1;

/** Headers as they are sent. */
export function revealed({ headers }: OtlpConfig): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}
