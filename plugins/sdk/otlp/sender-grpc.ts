// OTLP over gRPC: one unary call a request, of bytes that are serialized already. Loaded only where a
// configuration asks for it.

import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { connectionError } from "../aws/request.ts";
import { loadClientTls } from "../client-tls.ts";
import { RetryableError } from "../errors.ts";
import type { PartialSuccess } from "./answer.ts";
import { plainText, readPartialSuccess, readStatus } from "./read-answer.ts";
import {
  type OtlpFailure,
  OtlpFault,
  OtlpRefusal,
  type OtlpSender,
  type OtlpSenderOptions,
  revealedHeaders,
  type Signal,
} from "./sender.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
};

// What the specification calls retryable.
const PASSING: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** The number gRPC gives the algorithm. */
const GZIP = 2;
const OPTIONS = {
  // Retries are the caller's: it knows what is still to be sent.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.max_receive_message_length": 64 * 1024,
};

/** Makes a sender; nothing is connected before the first request. */
export class GrpcSender implements OtlpSender {
  readonly action: string;
  readonly #options: OtlpSenderOptions;
  #client: Client | undefined;

  constructor(options: OtlpSenderOptions) {
    this.#options = options;
    this.action = `Cannot send ${options.what} to "${options.target.endpoint}"`;
  }

  /** Reads certificates. Throws ConfigError for those that cannot be read or used. */
  async start(): Promise<void> {
    this.#client ??= await this.#connect();
  }

  async send(body: Uint8Array, signal: AbortSignal): Promise<PartialSuccess> {
    await this.start().catch((error: unknown) => {
      throw connectionError(this.action, error);
    });
    signal.throwIfAborted();
    const client = this.#client!;
    const { signal: what, target } = this.#options;
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(revealedHeaders(target))) metadata.set(name, value);
    return await new Promise((resolve, reject) => {
      const cancel = () => call.cancel();
      const call = client.makeUnaryRequest<Buffer, Buffer>(
        METHODS[what],
        same,
        same,
        Buffer.from(body.buffer, body.byteOffset, body.byteLength),
        metadata,
        (error, answer) => {
          signal.removeEventListener("abort", cancel);
          if (signal.aborted) return reject(signal.reason);
          if (error !== null) return reject(this.#failure(error));
          resolve(readPartialSuccess("protobuf", what, answer ?? new Uint8Array(0)));
        },
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  close(): Promise<void> {
    this.#client?.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  #failure({ code, details, metadata }: ServiceError): OtlpFailure {
    const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
    const { message: said = "", afterMs } = bytes instanceof Uint8Array ? readStatus(bytes) : {};
    const reason = said || plainText(details) || "refused";
    const message = `${this.action}: ${reason} (gRPC ${code})${hint(code)}`;
    // Without a wish to see it again, what is exhausted is the size of one message.
    const isTooLarge = code === status.RESOURCE_EXHAUSTED && afterMs === undefined;
    if (code === status.INVALID_ARGUMENT || isTooLarge) {
      return new OtlpRefusal(message, `Grpc${code}`);
    }
    // The next connection is made with certificates as they are then.
    if (code === status.UNAVAILABLE) void this.close();
    const Failure = PASSING.has(code) ? RetryableError : OtlpFault;
    return new Failure(message, {
      code: `Grpc${code}`,
      ...(afterMs === undefined ? {} : { afterMs }),
    });
  }

  async #connect(): Promise<Client> {
    const { target, tlsAt, version, gzip } = this.#options;
    const url = new URL(target.endpoint);
    const isSecure = url.protocol === "https:";
    const { ca, key, cert } = await loadClientTls(target.tls, tlsAt);
    const bytes = (text: string | undefined) => text === undefined ? null : Buffer.from(text);
    const channel = isSecure
      ? credentials.createSsl(bytes(ca), bytes(key), bytes(cert))
      : credentials.createInsecure();
    const port = url.port || (isSecure ? "443" : "80");
    return new Client(`${url.hostname}:${port}`, channel, {
      ...OPTIONS,
      "grpc.primary_user_agent": `cairn/${version}`,
      ...(gzip === undefined ? {} : { "grpc.default_compression_algorithm": GZIP }),
    });
  }
}

/** Messages are bytes already. */
function same(bytes: Buffer): Buffer {
  return bytes;
}

function hint(code: number): string {
  if (code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED) {
    return "; check headers and tls";
  }
  return code === status.UNIMPLEMENTED ? "; check endpoint and protocol" : "";
}
