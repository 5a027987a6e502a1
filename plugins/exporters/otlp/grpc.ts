// OTLP over gRPC: one unary call a request, over grpc-js, which is loaded with the first sender.

import { Buffer } from "node:buffer";
import type * as Grpc from "@grpc/grpc-js";
import { loadClientTls } from "../../sdk/client-tls.ts";
import { RetryableError } from "../../sdk/index.ts";
import { plainText, readStatus } from "./status.ts";
import {
  type OtlpFailure,
  OtlpRefusal,
  type OtlpSender,
  revealed,
  type SenderContext,
} from "./sender.ts";
import type { OtlpConfig } from "./config.ts";

const METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const CODE = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;
/** The number gRPC gives the algorithm. */
const GZIP = 2;
const OPTIONS = {
  // Retries are the queue's: it knows what is still to be sent.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.max_receive_message_length": 64 * 1024,
};

type GrpcJs = Omit<typeof Grpc, "default">;

/** Makes a sender; nothing is connected before the first request. */
export class GrpcSender implements OtlpSender {
  readonly #config: OtlpConfig;
  readonly #context: SenderContext;
  #client: Grpc.Client | undefined;

  constructor(config: OtlpConfig, context: SenderContext) {
    this.#config = config;
    this.#context = context;
  }

  async start(): Promise<void> {
    this.#client ??= await this.#connect();
  }

  async send(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { Metadata } = await loadGrpc();
    const client = this.#client ??= await this.#connect();
    signal.throwIfAborted();
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(revealed(this.#config))) metadata.set(name, value);
    return await new Promise<Uint8Array>((resolve, reject) => {
      const cancel = () => call.cancel();
      const call = client.makeUnaryRequest<Buffer, Buffer>(
        METHOD,
        same,
        same,
        Buffer.from(body.buffer, body.byteOffset, body.byteLength),
        metadata,
        (error, answer) => {
          signal.removeEventListener("abort", cancel);
          if (signal.aborted) return reject(signal.reason);
          if (error === null) return resolve(answer ?? new Uint8Array(0));
          reject(this.#failure(error));
        },
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#client?.close();
    this.#client = undefined;
  }

  #failure(error: Grpc.ServiceError): OtlpFailure {
    const { code, details, metadata } = error;
    const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
    const { message: said = "", afterMs } = bytes instanceof Uint8Array ? readStatus(bytes) : {};
    const reason = said || plainText(details) || "refused";
    const message = `${this.#context.action}: ${reason} (gRPC ${code})${hint(code)}`;
    // Without a wish to see it again, what is exhausted is the size of one message.
    const isTooLarge = code === CODE.resourceExhausted && afterMs === undefined;
    if (code === CODE.invalidArgument || isTooLarge) return new OtlpRefusal(message, `Grpc${code}`);
    // The next connection is made with certificates as they are then.
    if (code === CODE.unavailable) void this.close();
    return new RetryableError(message, {
      code: `Grpc${code}`,
      ...(afterMs === undefined ? {} : { afterMs }),
    });
  }

  async #connect(): Promise<Grpc.Client> {
    const { Client, credentials } = await loadGrpc();
    const url = new URL(this.#config.endpoint);
    const isSecure = url.protocol === "https:";
    const { ca, key, cert } = await loadClientTls(this.#config.tls);
    const bytes = (text: string | undefined) => text === undefined ? null : Buffer.from(text);
    const channel = isSecure
      ? credentials.createSsl(bytes(ca), bytes(key), bytes(cert))
      : credentials.createInsecure();
    const isGzip = this.#config.compression === "gzip";
    const port = url.port || (isSecure ? "443" : "80");
    return new Client(`${url.hostname}:${port}`, channel, {
      ...OPTIONS,
      "grpc.primary_user_agent": `cairn/${this.#context.version}`,
      ...(isGzip ? { "grpc.default_compression_algorithm": GZIP } : {}),
    });
  }
}

/** Messages are bytes already. */
function same(bytes: Buffer): Buffer {
  return bytes;
}

function hint(code: number): string {
  if (code === CODE.unauthenticated || code === CODE.permissionDenied) {
    return "; check headers and tls, it is tried again";
  }
  return code === CODE.unimplemented ? "; check endpoint and protocol, it is tried again" : "";
}

/** CommonJS, whose exports are its default on both runtimes. */
async function loadGrpc(): Promise<GrpcJs> {
  return (await import("@grpc/grpc-js")).default;
}
