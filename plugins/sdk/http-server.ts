// The HTTP server of whatever listens: receivers, APIs, pages. Bounded in connections, bytes and time;
// a request is handed on whole and decompressed. http-listener.ts is one run of it.

import type { Endpoint } from "./endpoint.ts";
import type { Log } from "./component.ts";
import { HttpListener } from "./http-listener.ts";
import type { HttpHead, HttpLimits, HttpRequest, HttpResponse } from "./http-message.ts";
import { loadServerTls, type ServerTlsConfig } from "./tls.ts";

/** What a server is made with. */
export interface HttpServerOptions {
  readonly endpoint: Endpoint;
  /** Without it, plain HTTP. */
  readonly tls?: ServerTlsConfig | undefined;
  /** How often the files of the certificates are looked at; as tls.ts has it by default. */
  readonly renewEveryMs?: number;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly clock: () => number;
  /**
   * Looks at a request before its body is read: the place to check path, method and credentials. An
   * answer refuses it.
   */
  readonly admit?: (head: HttpHead) => HttpResponse | undefined;
  /** Rewrites the server's own refusals, for protocols that want errors in a form of their own. */
  readonly reword?: (answer: HttpResponse, head: HttpHead) => HttpResponse;
}

/**
 * Answers a request. Where it throws, a RetryableError or the request's own signal becomes 503 with
 * Retry-After, all else 500.
 */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** A server that can be started and stopped, again and again. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #handle: HttpHandler;
  #listener: HttpListener | undefined;

  constructor(options: HttpServerOptions, handle: HttpHandler) {
    this.#options = options;
    this.#handle = handle;
  }

  /** Resolves when it listens. Throws ConfigError for certificates or an endpoint it cannot use. */
  async start(): Promise<void> {
    if (this.#listener !== undefined) return;
    const { tls } = this.#options;
    const loaded = tls === undefined ? undefined : await loadServerTls(tls);
    const listener = new HttpListener(this.#options, this.#handle, loaded);
    this.#listener = listener;
    try {
      await listener.listen();
    } catch (error) {
      this.#listener = undefined;
      throw error;
    }
  }

  /** Where it listens, with the port it was given; empty when it does not. */
  address(): string {
    return this.#listener?.address() ?? "";
  }

  /**
   * Takes no more requests, lets those that are being handled end, and closes every connection, at
   * the latest when the deadline aborts.
   */
  async stop(deadline: AbortSignal): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close(deadline);
  }
}
