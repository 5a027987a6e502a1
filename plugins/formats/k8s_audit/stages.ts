// The stages of a request, each an event of the same auditID, made into one: what was only received
// waits for its answer; an answer that lasts (watch, exec) is told when it begins, and not once more
// when it ends.

import type { FramePosition } from "../../sdk/format.ts";
import type { JsonObject } from "../../sdk/json.ts";

/** A request that was received and not answered yet. */
export interface Waiting {
  readonly key: string;
  readonly event: JsonObject;
  readonly time: number;
  readonly at: FramePosition;
  /** The first `nowMs` that flush() brought after it came. */
  seenMs: number | undefined;
}

/** What to do with an event. */
export type Verdict = "tell" | "wait" | "told" | "panic";

/** Answers that are remembered so that a late first stage is known: stages are milliseconds apart. */
const TOLD_MAX = 4096;
/** Lasting answers that are remembered until they end. */
const STARTED_MAX = 65_536;

/** What was received, begun and told of one stream. */
export class Stages {
  readonly #waitingMax: number;
  /** In the order they came. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #started = new Set<string>();
  readonly #told = new Set<string>();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** Takes an event; one that waits is kept until its answer or flush(). */
  take(key: string, event: JsonObject, time: number, at: FramePosition): Verdict {
    const { source, offset } = at;
    switch (event.stage) {
      case "RequestReceived":
        if (this.#told.has(key) || this.#started.has(key)) return "told";
        if (!this.#waiting.has(key)) {
          this.#waiting.set(key, { key, event, time, at: { source, offset }, seenMs: undefined });
        }
        return "wait";
      case "ResponseStarted":
        this.#waiting.delete(key);
        remember(this.#started, key, STARTED_MAX);
        return "tell";
      case "Panic":
        this.#waiting.delete(key);
        return this.#started.delete(key) ? "panic" : "tell";
      default:
        this.#waiting.delete(key);
        if (this.#started.delete(key)) return "told";
        remember(this.#told, key, TOLD_MAX);
        return "tell";
    }
  }

  /** Takes out what is over the limit, the oldest first. */
  overflow(): readonly Waiting[] {
    const over: Waiting[] = [];
    for (const one of this.#waiting.values()) {
      if (this.#waiting.size <= this.#waitingMax) break;
      this.#waiting.delete(one.key);
      over.push(one);
    }
    return over;
  }

  /** Takes out what has waited `waitMs` by `nowMs`; Infinity takes out all. */
  flush(nowMs: number, waitMs: number): readonly Waiting[] {
    const done: Waiting[] = [];
    for (const one of this.#waiting.values()) {
      // A clock that was set back starts the wait again.
      if (one.seenMs === undefined || one.seenMs > nowMs) one.seenMs = nowMs;
      if (nowMs !== Infinity && nowMs - one.seenMs < waitMs) continue;
      this.#waiting.delete(one.key);
      done.push(one);
    }
    return done;
  }

  /** Where the oldest that waits was found. */
  oldest(): FramePosition | undefined {
    for (const { at } of this.#waiting.values()) return at;
    return undefined;
  }
}

function remember(keys: Set<string>, key: string, max: number): void {
  keys.add(key);
  if (keys.size <= max) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}
