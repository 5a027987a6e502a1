// OTLP over HTTP, Protocol Buffers or JSON: one POST a request, over undici, with proxies from the
// environment. Loaded only where a configuration asks for it.

import { type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { type AnswerHeaders, header, retryAfterMs } from "../aws/aws-error.ts";
import { connectionError, readWithin } from "../aws/request.ts";
import { loadClientTls } from "../client-tls.ts";
import { RetryableError } from "../errors.ts";
import type { PartialSuccess } from "./answer.ts";
import { readPartialSuccess, readStatus, readTextStatus } from "./read-answer.ts";
import {
  type OtlpFailure,
  OtlpFault,
  OtlpRefusal,
  type OtlpSender,
  type OtlpSenderOptions,
  revealedHeaders,
} from "./sender.ts";

// The request itself cannot be read, or is larger than the receiver takes.
const REFUSED = new Set([400, 413, 422]);
// What the specification calls retryable.
const PASSING = new Set([429, 502, 503, 504]);
const CONNECT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;
/** A third of the time of level 6, and still a fifth of the size. */
const GZIP_LEVEL = 1;

/** Makes a sender; nothing is connected before the first request. */
export class HttpSender implements OtlpSender {
  readonly action: string;
  readonly #options: OtlpSenderOptions;
  readonly #url: string;
  #dispatcher: Dispatcher | undefined;

  constructor(options: OtlpSenderOptions) {
    const { target, signal, what } = options;
    this.#options = options;
    const base = target.endpoint.replace(/\/+$/, "");
    const path = `/v1/${signal}`;
    this.#url = base.endsWith(path) ? base : base + path;
    this.action = `Cannot send ${what} to "${this.#url}"`;
  }

  /** Reads certificates. Throws ConfigError for those that cannot be read or used. */
  async start(): Promise<void> {
    this.#dispatcher ??= await this.#connect();
  }

  async send(body: Uint8Array, signal: AbortSignal): Promise<PartialSuccess> {
    const { target, version, gzip, signal: what } = this.#options;
    const encoding = target.protocol === "http/json" ? "json" : "protobuf";
    const sent = gzip === undefined ? body : await gzip([body], GZIP_LEVEL);
    signal.throwIfAborted();
    try {
      const dispatcher = this.#dispatcher ??= await this.#connect();
      const answer = await request(this.#url, {
        dispatcher,
        method: "POST",
        headers: {
          "user-agent": `cairn/${version}`,
          ...revealedHeaders(target),
          "content-type": encoding === "json" ? "application/json" : "application/x-protobuf",
          ...(gzip === undefined ? {} : { "content-encoding": "gzip" }),
        },
        body: sent,
        signal,
      });
      const { statusCode, headers } = answer;
      if (statusCode < 200 || statusCode >= 300) {
        const text = await readWithin(answer.body, ANSWER_BYTES_MAX).catch(() => new Uint8Array(0));
        throw this.#failure(statusCode, headers, text);
      }
      return readPartialSuccess(encoding, what, await readWithin(answer.body, ANSWER_BYTES_MAX));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RetryableError || error instanceof OtlpRefusal) throw error;
      // The next connection is made with certificates as they are then.
      await this.close();
      throw connectionError(this.action, error);
    }
  }

  async close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    this.#dispatcher = undefined;
    await dispatcher?.destroy();
  }

  #failure(status: number, headers: AnswerHeaders, body: Uint8Array): OtlpFailure {
    const isProtobuf = /protobuf/.test(header(headers, "content-type") ?? "");
    const said = isProtobuf ? readStatus(body).message : readTextStatus(body).message;
    const reason = said === "" ? `answered ${status}` : `${said} (HTTP ${status})`;
    const message = `${this.action}: ${reason}${hint(status)}`;
    const code = `Http${status}`;
    if (REFUSED.has(status)) return new OtlpRefusal(message, code);
    const afterMs = retryAfterMs(header(headers, "retry-after"), this.#options.clock());
    const Failure = PASSING.has(status) ? RetryableError : OtlpFault;
    return new Failure(message, { code, ...(afterMs === undefined ? {} : { afterMs }) });
  }

  async #connect(): Promise<Dispatcher> {
    const { target, tlsAt } = this.#options;
    const tls = await loadClientTls(target.tls, tlsAt);
    // Through a proxy, `requestTls` is what the receiver sees.
    return new EnvHttpProxyAgent({ connect: { timeout: CONNECT_MS, ...tls }, requestTls: tls });
  }
}

function hint(status: number): string {
  if (status === 401 || status === 403) return "; check headers and tls";
  if (status === 404 || status === 405 || status === 415) return "; check endpoint and protocol";
  return "";
}
