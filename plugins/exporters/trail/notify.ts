// Tells a topic of SNS which files were delivered, as CloudTrail does: at least once, and without
// holding up delivery. What could not be told waits in the component's state and is tried again.

import type { Json, Log, StateStore } from "../../sdk/index.ts";
import { type LatestDelivery } from "../../sdk/trail-service.ts";
import { pause } from "../../sdk/wait.ts";

/** Sends one message to the topic. */
export type Publish = (text: string, signal: AbortSignal) => Promise<unknown>;

/** What a notifier works with. */
export interface NotifierParts {
  readonly bucket: string;
  readonly publish: Publish;
  readonly state: StateStore;
  readonly log: Log;
  readonly clock: () => number;
  /** First wait before what failed is tried again; it doubles up to a minute. */
  readonly retryMs?: number;
}

/** Files that wait to be announced; beyond it the oldest are left out, and that is said. */
const WAITING_MAX = 4000;
/** Keys of at most 1,024 bytes in a message of at most 256 KiB, each byte escaped at worst. */
const KEYS_MAX = 100;
// A topic that does not answer must not hold up delivery for longer.
const PATIENCE_MS = 5000;
const RETRY_FIRST_MS = 1000;
const RETRY_LAST_MS = 60_000;
const KEY = "notifications";

/** See above. */
export class Notifier {
  readonly #parts: NotifierParts;
  #stopping = new AbortController();
  #waiting: string[];
  #latest: LatestDelivery = {};
  #retrying: Promise<void> | undefined;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    const kept = parts.state.get(KEY);
    this.#waiting = Array.isArray(kept) ? kept.filter((key) => typeof key === "string") : [];
  }

  /** Begins with what an earlier run could not tell. */
  start(): void {
    this.#stopping = new AbortController();
    if (this.#waiting.length > 0) this.#retry();
  }

  /** When the topic was last told, and what went wrong last. */
  get latest(): LatestDelivery {
    return this.#latest;
  }

  /** Announces files. Resolves when the topic has the message, or it is durable that it waits. */
  async delivered(keys: readonly string[], signal: AbortSignal): Promise<void> {
    // Behind what waits already, so that the order is kept.
    if (this.#waiting.length === 0 && await this.#tell(keys, signal)) return;
    signal.throwIfAborted();
    this.#waiting.push(...keys);
    const excess = this.#waiting.length - WAITING_MAX;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.#parts.log.error("Delivered files will not be announced: too many wait", {
        count: excess,
      });
    }
    await this.#save();
    this.#retry();
  }

  /** Ends waiting; what was not told is told after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#retrying;
  }

  #retry(): void {
    if (this.#stopping.signal.aborted) return;
    this.#retrying ??= this.#retryUntilTold().finally(() => this.#retrying = undefined);
  }

  async #retryUntilTold(): Promise<void> {
    const { signal } = this.#stopping;
    let waitMs = this.#parts.retryMs ?? RETRY_FIRST_MS;
    try {
      while (this.#waiting.length > 0) {
        await pause(waitMs, signal);
        waitMs = Math.min(2 * waitMs, RETRY_LAST_MS);
        const keys = this.#waiting.slice(0, KEYS_MAX);
        if (!await this.#tell(keys, signal)) continue;
        this.#waiting = this.#waiting.slice(keys.length);
        await this.#save();
        waitMs = 0;
      }
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.warn("Cannot keep which files were announced", { reason });
    }
  }

  /** False where it failed, which is noted. */
  async #tell(keys: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { publish, bucket, clock, log } = this.#parts;
    const attemptTime = clock();
    try {
      for (let first = 0; first < keys.length; first += KEYS_MAX) {
        const s3ObjectKey = keys.slice(first, first + KEYS_MAX);
        const either = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
        await publish(JSON.stringify({ s3Bucket: bucket, s3ObjectKey }), either);
      }
      this.#latest = { time: clock(), attemptTime };
      return true;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (this.#latest.error === undefined && !signal.aborted) {
        log.warn("Delivered files are announced later", { reason: message });
      }
      this.#latest = { ...this.#latest, attemptTime, error: message };
      return false;
    }
  }

  async #save(): Promise<void> {
    const keys: Json = this.#waiting;
    await this.#parts.state.set(KEY, keys.length === 0 ? undefined : keys);
  }
}
