// OTLP over HTTP: one POST a request, over undici, with proxies from the environment.

import type { Dispatcher } from "undici";
import { type AnswerHeaders, header, retryAfterMs } from "../../sdk/aws/aws-error.ts";
import { connectionError, readWithin } from "../../sdk/aws/request.ts";
import { loadClientTls } from "../../sdk/client-tls.ts";
import { RetryableError } from "../../sdk/index.ts";
import { readStatus, readTextStatus } from "./status.ts";
import {
  GZIP_LEVEL,
  type OtlpFailure,
  OtlpRefusal,
  type OtlpSender,
  revealed,
  type SenderContext,
} from "./sender.ts";
import type { OtlpConfig } from "./config.ts";

// The request itself cannot be read, or is larger than the receiver takes.
const REFUSED = new Set([400, 413, 422]);
const CONNECT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;
const PATH = "/v1/logs";

/** Makes a sender; nothing is connected before the first request. */
export class HttpSender implements OtlpSender {
  readonly #config: OtlpConfig;
  readonly #context: SenderContext;
  readonly #url: string;
  #dispatcher: Dispatcher | undefined;

  constructor(config: OtlpConfig, context: SenderContext) {
    this.#config = config;
    this.#context = context;
    const base = config.endpoint.replace(/\/+$/, "");
    this.#url = base.endsWith(PATH) ? base : base + PATH;
  }

  async start(): Promise<void> {
    this.#dispatcher ??= await this.#connect();
  }

  async send(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { action } = this.#context;
    const isJson = this.#config.protocol === "http/json";
    const isGzip = this.#config.compression === "gzip";
    const sent = isGzip ? await this.#context.gzip([body], GZIP_LEVEL) : body;
    const { request } = await import("undici");
    signal.throwIfAborted();
    try {
      const dispatcher = this.#dispatcher ??= await this.#connect();
      const answer = await request(this.#url, {
        dispatcher,
        method: "POST",
        headers: {
          "user-agent": `cairn/${this.#context.version}`,
          ...revealed(this.#config),
          "content-type": isJson ? "application/json" : "application/x-protobuf",
          ...(isGzip ? { "content-encoding": "gzip" } : {}),
        },
        body: sent,
        signal,
      });
      const { statusCode, headers } = answer;
      if (statusCode < 200 || statusCode >= 300) {
        const text = await readWithin(answer.body, ANSWER_BYTES_MAX).catch(() => new Uint8Array(0));
        throw this.#failure(statusCode, headers, text);
      }
      return await readWithin(answer.body, ANSWER_BYTES_MAX);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RetryableError || error instanceof OtlpRefusal) throw error;
      // The next connection is made with certificates as they are then.
      await this.close();
      throw connectionError(action, error);
    }
  }

  async close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    this.#dispatcher = undefined;
    await dispatcher?.destroy();
  }

  #failure(status: number, headers: AnswerHeaders, body: Uint8Array): OtlpFailure {
    const { action, clock } = this.#context;
    const isProtobuf = /protobuf/.test(header(headers, "content-type") ?? "");
    const said = isProtobuf ? readStatus(body).message : readTextStatus(body).message;
    const message = `${action}: ${said === "" ? "refused" : said} (HTTP ${status})${hint(status)}`;
    const code = `Http${status}`;
    if (REFUSED.has(status)) return new OtlpRefusal(message, code);
    const afterMs = retryAfterMs(header(headers, "retry-after"), clock());
    return new RetryableError(message, { code, ...(afterMs === undefined ? {} : { afterMs }) });
  }

  async #connect(): Promise<Dispatcher> {
    const { EnvHttpProxyAgent } = await import("undici");
    const tls = await loadClientTls(this.#config.tls);
    // Through a proxy, `requestTls` is what the receiver sees.
    return new EnvHttpProxyAgent({ connect: { timeout: CONNECT_MS, ...tls }, requestTls: tls });
  }
}

function hint(status: number): string {
  if (status === 401 || status === 403) return "; check headers and tls, it is tried again";
  if (status === 404 || status === 405 || status === 415) {
    return "; check endpoint and protocol, it is tried again";
  }
  return "";
}
