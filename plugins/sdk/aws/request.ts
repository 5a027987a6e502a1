// One signed request to AWS or something that speaks like it, over undici. Everything that sends
// to AWS goes through here: signing, the clock, proxies, timeouts, a few tries, errors.

import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import type { Dispatcher } from "undici";
import { RetryableError } from "../errors.ts";
import {
  type AnswerHeaders,
  awsError,
  type AwsFailure,
  header,
  isAboutIdentity,
  isAboutTime,
  isPassing,
  readFailure,
} from "./aws-error.ts";
import type { Credentials, CredentialSource } from "./credentials.ts";
import { pause, unlessAborted } from "../wait.ts";

/** What the requests of a client have in common. */
export interface AwsConnection {
  /** `*` for an endpoint of several regions: signed for all of them (SigV4A). */
  readonly region: string;
  readonly credentials: Pick<CredentialSource, "get" | "forget">;
  /** Of the agent, for the user agent. */
  readonly version: string;
  readonly clock: () => number;
  /** For connecting, for the first byte, and between bytes. */
  readonly timeoutMs?: number;
  /** How often a request that may well succeed a moment later is made again. */
  readonly retriesMax?: number;
}

/** One request. */
export interface AwsRequest {
  /** What is tried, for errors: `Cannot read object "s3://b/k"`. */
  readonly action: string;
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Scheme, host and port. */
  readonly origin: string;
  /** Encoded as it is sent. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Instead of the connection's: 0 for what may have been done though no answer came. */
  readonly retriesMax?: number;
  /** Leaves the body out of the signature; TLS has to protect it. */
  readonly unsignedPayload?: boolean;
  readonly signal: AbortSignal;
}

/** An answer with a success status. The body has to be read to its end, or destroyed. */
export interface AwsAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Dispatcher.ResponseData["body"];
}

const TIMEOUT_MS = 30_000;
const RETRIES_MAX = 2;
const RETRY_FIRST_MS = 200;
// A longer wish of the other side is the caller's to grant, in its error.
const RETRY_LAST_MS = 5000;
const CONNECTIONS_MAX = 16;
// AWS takes five minutes of difference; answers say whole seconds.
const SKEW_MS = 60_000;
const FAILURE_BYTES_MAX = 64 * 1024;

/** Sends requests to one service. */
export class AwsClient {
  readonly connection: AwsConnection;
  readonly #service: string;
  #dispatcher: Dispatcher | undefined;
  #skewMs = 0;
  #differenceMs: number | undefined;

  /** `service` is the name that signatures hold: `s3`, `sqs`. */
  constructor(service: string, connection: AwsConnection) {
    this.#service = service;
    this.connection = connection;
  }

  /**
   * Sends a request, signed. Throws a RetryableError with AWS's own `code` where the answer is no
   * success, and with the system's where there is none; the signal's reason when that aborts.
   */
  async send(request: AwsRequest): Promise<AwsAnswer> {
    const retriesMax = request.retriesMax ?? this.connection.retriesMax ?? RETRIES_MAX;
    for (let retries = 0, waitMs = RETRY_FIRST_MS, hasMended = false;;) {
      const used = await unlessAborted(this.connection.credentials.get(), request.signal);
      const answer = await this.#attempt(request, used);
      if (!(answer instanceof Failed)) return answer;
      request.signal.throwIfAborted();
      if (!hasMended && this.#mend(answer, used)) hasMended = true;
      else if (answer.isPassing && retries < retriesMax) {
        retries++;
        await pause(Math.min(answer.error.afterMs ?? waitMs, RETRY_LAST_MS), request.signal);
        waitMs *= 2;
      } else throw answer.error;
    }
  }

  /** How far the other side's clock is ahead, by its last answer; known to the second. */
  get clockDifferenceMs(): number | undefined {
    return this.#differenceMs;
  }

  /** Closes connections, also those of answers that are still read. Safe to call twice. */
  async close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    this.#dispatcher = undefined;
    await dispatcher?.destroy();
  }

  /** True where the clock or the credentials were at fault, and the next try has others. */
  #mend({ failure }: Failed, used: Credentials): boolean {
    if (failure === undefined) return false;
    if (isAboutTime(failure) && this.#learnTime()) return true;
    if (!isAboutIdentity(failure)) return false;
    this.connection.credentials.forget(used);
    return true;
  }

  async #attempt(request: AwsRequest, used: Credentials): Promise<AwsAnswer | Failed> {
    const { action, method, origin, path, body = null, signal } = request;
    try {
      const { headers, query } = await this.#sign(request, used);
      const dispatcher = this.#dispatcher ??= await this.#connect();
      const answer = await dispatcher.request({
        origin,
        path: query === "" ? path : `${path}?${query}`,
        method,
        headers,
        body,
        signal,
      });
      this.#noteTime(answer.headers);
      if (answer.statusCode >= 200 && answer.statusCode < 300) {
        return { status: answer.statusCode, headers: answer.headers, body: answer.body };
      }
      const text = await readWithin(answer.body, FAILURE_BYTES_MAX).catch(() => new Uint8Array(0));
      const failure = await readFailure(answer.statusCode, answer.headers, text);
      const error = awsError(action, failure, answer.headers, this.connection.clock());
      return new Failed(error, isPassing(failure), failure);
    } catch (error) {
      signal.throwIfAborted();
      return new Failed(connectionError(action, error), true);
    }
  }

  async #sign(request: AwsRequest, credentials: Credentials): Promise<SignedParts> {
    const { method, origin, path, query = {}, body, unsignedPayload } = request;
    const { region, version, clock } = this.connection;
    const isS3 = this.#service === "s3";
    const Signer = region === "*"
      ? (await import("@smithy/signature-v4a")).SignatureV4a
      : (await import("@smithy/signature-v4")).SignatureV4;
    const signer = new Signer({
      service: this.#service,
      region,
      credentials,
      sha256: Sha256,
      // S3 signs the path as it is sent, everybody else encodes it once more.
      uriEscapePath: !isS3,
      applyChecksum: isS3,
    });
    const url = new URL(origin);
    const signed = await signer.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path,
      query: { ...query },
      headers: {
        host: url.host,
        "user-agent": `cairn/${version}`,
        ...request.headers,
        ...(unsignedPayload === true ? { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } : {}),
      },
      ...(body === undefined ? {} : { body }),
    }, { signingDate: new Date(clock() + this.#skewMs) });
    const pairs = Object.entries(query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
    return { headers: signed.headers, query: pairs.join("&") };
  }

  async #connect(): Promise<Dispatcher> {
    const { EnvHttpProxyAgent } = await import("undici");
    const { timeoutMs = TIMEOUT_MS } = this.connection;
    return new EnvHttpProxyAgent({
      connections: CONNECTIONS_MAX,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs },
    });
  }

  #noteTime(headers: AnswerHeaders): void {
    const theirs = Date.parse(header(headers, "date") ?? "");
    this.#differenceMs = Number.isNaN(theirs) ? undefined : theirs - this.connection.clock();
  }

  /** Takes up the other side's time; true when that changes what is signed. */
  #learnTime(): boolean {
    const skewMs = this.#differenceMs;
    if (skewMs === undefined || Math.abs(skewMs - this.#skewMs) < SKEW_MS) return false;
    this.#skewMs = skewMs;
    return true;
  }
}

interface SignedParts {
  readonly headers: Record<string, string>;
  readonly query: string;
}

/** Why an attempt was none. */
class Failed {
  readonly error: RetryableError;
  readonly isPassing: boolean;
  readonly failure: AwsFailure | undefined;

  constructor(error: RetryableError, isPassing: boolean, failure?: AwsFailure) {
    this.error = error;
    this.isPassing = isPassing;
    this.failure = failure;
  }
}

/** Reads a body of at most `bytesMax` bytes; throws a RangeError for a longer one. */
export async function readWithin(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  for await (const block of body) {
    bytes += block.length;
    if (bytes > bytesMax) throw new RangeError(`Answer is longer than ${bytesMax} bytes`);
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

/** The error of a connection that was refused, broke off or took too long. */
export function connectionError(action: string, cause: unknown): RetryableError {
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "NoAnswer";
  return new RetryableError(`${action}: ${reason === "" ? code : reason}`, { code, cause });
}

/** Encodes text for a path or query, exactly as signatures want it: all but `A-Za-z0-9-._~`. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** SHA-256 as the signer wants to be given it. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined
      ? createHash("sha256")
      : createHmac("sha256", typeof secret === "string" ? secret : bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new TypeError("Cannot reset hash: each is used once");
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
