// How one delivery is doing: its failures, what it says of itself, and the waits between attempts.
// Used by deliver. A change of state is logged and reported once, not each attempt.

import type { ComponentState, Log } from "../../plugins/sdk/index.ts";
import { messageOf } from "./draft.ts";
import { TIMER_MS_MAX } from "./gather.ts";
import { retryDelayMs, type RetryOptions } from "./retry.ts";

/** What health needs of its delivery. */
export interface HealthParts {
  /** Id of the exporter, for the log. */
  readonly id: string;
  readonly retry: RetryOptions;
  readonly report: ((state: ComponentState, reason?: string) => void) | undefined;
  readonly clock: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Ends every wait. */
  readonly stop: AbortSignal;
}

/** What a status shows of it. */
export interface HealthStatus {
  readonly state: ComponentState;
  /** Failed attempts at the batch in hand. */
  readonly failures: number;
  readonly lastError?: string;
  /** Until the next attempt, while one is waited for. */
  readonly retryInMs?: number;
}

/** The health of one delivery. */
export class Health {
  readonly #parts: HealthParts;
  #state: ComponentState = "starting";
  #failures = 0;
  #lastError: string | undefined;
  #retryAt: number | undefined;

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** Failed attempts at the batch in hand. */
  get failures(): number {
    return this.#failures;
  }

  /** How it is doing now. */
  status(): HealthStatus {
    return {
      state: this.#state,
      failures: this.#failures,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#retryAt === undefined
        ? {}
        : { retryInMs: Math.max(0, this.#retryAt - this.#parts.clock()) }),
    };
  }

  /** Sets and reports a state. */
  report(state: ComponentState, reason?: string): void {
    this.#state = state;
    this.#parts.report?.(state, reason);
  }

  /** Counts a failed attempt. */
  failed(message: string): void {
    this.#failures++;
    this.trouble(message);
  }

  /** Notes that something goes wrong, without counting an attempt. */
  trouble(message: string): void {
    this.#lastError = message;
    if (this.#state === "degraded") return;
    this.#parts.log.warn("Delivery fails and is tried again", {
      exporter: this.#parts.id,
      reason: message,
    });
    this.report("degraded", message);
  }

  /** The batch in hand is done. */
  worked(): void {
    this.#failures = 0;
    if (this.#state !== "degraded") return;
    this.#parts.log.info("Delivery works again", { exporter: this.#parts.id });
    this.report("running");
  }

  /** Waits as the retry options say after so many failures; false when stopped meanwhile. */
  async pause(failures: number, afterMs?: number): Promise<boolean> {
    const { retry, clock, random, stop } = this.#parts;
    const delayMs = retryDelayMs(retry, failures, random(), afterMs);
    this.#retryAt = clock() + delayMs;
    await sleep(delayMs, stop);
    this.#retryAt = undefined;
    return !stop.aborted;
  }

  /** Does what only the disk can refuse, until it works; undefined when stopped before it did. */
  async insist<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1;; failures++) {
      try {
        return await work();
      } catch (error) {
        this.trouble(`Cannot ${what}: ${messageOf(error)}`);
        if (!await this.pause(failures)) return undefined;
      }
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX));
    signal.addEventListener("abort", done, { once: true });
  });
}
