// How long an exporter waits before its next attempt. Pure; used by deliver.

/**
 * The common `retry` options of exporters. Attempts are not counted out: delivery goes on for ever.
 */
export interface RetryOptions {
  /** Wait after the first failure. */
  readonly initialMs: number;
  /** Longest wait. */
  readonly maxMs: number;
  /** What each wait is multiplied by for the next. */
  readonly multiplier: number;
  /** Part of the wait, 0 to 1, that is random, so that many agents do not come back together. */
  readonly jitter: number;
}

/** A receiving side's wish is followed up to an hour: beyond that it is a mistake or an attack. */
const WISH_MS_MAX = 3_600_000;

/**
 * Milliseconds to wait after the `attempt`th failure (from 1). `random` is 0 to 1; `afterMs` is
 * what the receiving side asked for, and the least that is waited.
 */
export function retryDelayMs(
  options: RetryOptions,
  attempt: number,
  random: number,
  afterMs = 0,
): number {
  const grown = options.initialMs * options.multiplier ** Math.min(attempt - 1, 1000);
  const delay = Math.min(options.maxMs, grown) * (1 - options.jitter * random);
  // NaN, and what is below zero, falls away.
  const wish = afterMs > 0 ? Math.min(afterMs, Math.max(WISH_MS_MAX, options.maxMs)) : 0;
  return Math.round(Math.max(delay, wish));
}
