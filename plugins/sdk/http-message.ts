// What an HttpServer hands on and is answered with, and the bounds it keeps.

import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { duration, size } from "./option.ts";

/** Who is at the other end of a connection. */
export interface HttpPeer {
  /** IP address; empty on a unix socket. */
  readonly address: string;
  readonly port: number;
  /** The certificate that the client showed and the server's authority vouches for. */
  readonly certificate?: HttpCertificate;
}

/** A verified client certificate. */
export interface HttpCertificate {
  readonly commonName: string;
  readonly organization: string;
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint: string;
}

/** A request before its body is read. */
export interface HttpHead {
  readonly method: string;
  /** As it was sent, without the query; begins with a slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly peer: HttpPeer;
}

/** A whole request. */
export interface HttpRequest extends HttpHead {
  /** Unlike that of any other request of this server: peer, time of connecting, number. */
  readonly id: string;
  /** Decompressed. */
  readonly body: Buffer;
  /** Aborts when the client has gone or the server is to stop: give up what can be given up. */
  readonly signal: AbortSignal;
}

/** An answer. */
export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Pieces are asked for as the client takes them in; no more once it has gone. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** The options that bound an HTTP server, to be spread into a component's schema. */
export const httpLimitOptions = {
  max_connections: z.int().min(1).max(65_536).default(1024).describe(
    "Connections at once; one more is closed",
  ),
  max_body_bytes: size.prefault("32MiB").describe(
    "Largest body of a request, also after decompression; a larger one is answered with 413",
  ),
  header_timeout: duration.prefault("10s").describe(
    "How long a new client may take for the TLS handshake, and for the head of its first request",
  ),
  body_timeout: duration.prefault("30s").describe(
    "How long a client may take to send a body, and to take in an answer",
  ),
  idle_timeout: duration.prefault("2m").describe("How long a connection may wait between requests"),
};

const limitOptions = z.object(httpLimitOptions);

/** Bounds of an HttpServer. Times in milliseconds. */
export interface HttpLimits {
  readonly connectionsMax: number;
  readonly bodyBytesMax: number;
  readonly headerMs: number;
  readonly bodyMs: number;
  readonly idleMs: number;
  /** Requests that are handled at once; more wait, with their bodies as they came. */
  readonly handledMax: number;
  /** Bytes of all bodies that are being read or wait; beyond, a request is answered with 503. */
  readonly waitingBytesMax: number;
}

const HANDLED_MAX = 8;
const WAITING_BYTES = 64 * 1024 * 1024;

/** The bounds that the options mean. Two of the largest bodies may always wait. */
export function httpLimits(
  options: z.output<typeof limitOptions>,
  handledMax: number = HANDLED_MAX,
): HttpLimits {
  return {
    connectionsMax: options.max_connections,
    bodyBytesMax: options.max_body_bytes,
    headerMs: options.header_timeout,
    bodyMs: options.body_timeout,
    idleMs: options.idle_timeout,
    handledMax,
    waitingBytesMax: Math.max(WAITING_BYTES, 2 * options.max_body_bytes),
  };
}

/** The bounds of a server that is asked for pages, and sent nothing. */
export const pageLimits: HttpLimits = {
  connectionsMax: 64,
  bodyBytesMax: 1024,
  headerMs: 10_000,
  bodyMs: 30_000,
  idleMs: 120_000,
  handledMax: HANDLED_MAX,
  waitingBytesMax: 64 * 1024,
};

/** An answer of one line, as text. `headers` are added. */
export function plainAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body: `${text}\n`,
  };
}

/** What tells a sender to keep its data and come again: 503 with Retry-After. */
export function comeAgain(reason: string, afterMs = 1000): HttpResponse {
  return plainAnswer(503, reason, {
    "retry-after": String(Math.max(1, Math.ceil(afterMs / 1000))),
  });
}
