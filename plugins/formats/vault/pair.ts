// Requests that wait for their responses: the second step of the format. Vault writes a document for
// each request and one for its response, which holds the request again; the pair is one event.
//
// A request is handed out alone when another document takes its place under the same id, when
// flush() has seen it for `waitMs`, or when too many or too large requests wait: the oldest goes.

import type { FramePosition } from "../../sdk/format.ts";
import type { JsonObject } from "../../sdk/json.ts";

/** A document, and where it was found. */
export interface Document {
  readonly root: JsonObject;
  readonly type: "request" | "response";
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly at: FramePosition;
  /** Its place among the documents of a frame. */
  readonly index: number;
  /** Whether Vault has hashed something in it: without `log_raw` it hashes every token and text. */
  readonly hashed: boolean;
}

/** A request and its response; one of them may be missing. */
export interface Exchange {
  readonly request?: Document;
  readonly response?: Document;
}

/** Bounds of what waits. */
export interface PairLimits {
  readonly waitMs: number;
  readonly requestsMax: number;
  readonly bytesMax: number;
}

interface Waiting {
  readonly id: string;
  readonly request: Document;
  readonly bytes: number;
  /** The first `nowMs` that flush() brought after the request came. */
  seenMs: number | undefined;
}

/** Joins requests with their responses by the request's id. */
export class Pairs {
  readonly #limits: PairLimits;
  // In the order they came, so the first is the oldest.
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;

  constructor(limits: PairLimits) {
    this.#limits = limits;
  }

  /** Takes a request of `bytes` bytes; adds to `done` what it pushed out. */
  request(id: string, request: Document, bytes: number, done: Exchange[]): void {
    const before = this.#take(id);
    if (before !== undefined) done.push({ request: before });
    this.#waiting.set(id, { id, request, bytes, seenMs: undefined });
    this.#bytes += bytes;
    const { requestsMax, bytesMax } = this.#limits;
    while (this.#waiting.size > requestsMax || this.#bytes > bytesMax) {
      done.push({ request: this.#take(this.#oldest()!.id)! });
    }
  }

  /** Takes a response, with the request that waits for it. */
  response(id: string, response: Document): Exchange {
    const request = this.#take(id);
    return request === undefined ? { response } : { request, response };
  }

  /** Hands out what has waited long enough by `nowMs`; Infinity hands out all. */
  flush(nowMs: number): Exchange[] {
    const done: Exchange[] = [];
    for (const waiting of this.#waiting.values()) {
      // A clock that was set back starts the wait again.
      if (waiting.seenMs === undefined || waiting.seenMs > nowMs) waiting.seenMs = nowMs;
      if (nowMs !== Infinity && nowMs - waiting.seenMs < this.#limits.waitMs) continue;
      done.push({ request: this.#take(waiting.id)! });
    }
    return done;
  }

  /** Where the oldest request was found. */
  oldestPending(): FramePosition | undefined {
    return this.#oldest()?.request.at;
  }

  #oldest(): Waiting | undefined {
    for (const waiting of this.#waiting.values()) return waiting;
    return undefined;
  }

  #take(id: string): Document | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    this.#bytes -= waiting.bytes;
    return waiting.request;
  }
}
