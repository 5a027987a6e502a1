// Time zones of the mapping language: how far local time is ahead of UTC.

import { offset } from "./mapping-time-format.ts";

const BLOCK_MS = 900_000;

/**
 * For `UTC`, `+02:00` or an IANA name, a function from local time (as if it were UTC, in ms) to its
 * offset in ms; undefined for an unknown name. An hour that clocks run through twice is its first
 * run.
 */
export function zoneOffset(name: string): ((localMs: number) => number) | undefined {
  if (name === "UTC") return () => 0;
  if (/^(Z|[+-]\d\d:?\d\d)$/.test(name)) {
    const fixed = offset(name);
    return () => fixed;
  }
  const wall = wallClock(name);
  if (wall === undefined) return undefined;
  // Lines come in order of time, so the last quarter of an hour is nearly always the one wanted.
  let block = Number.NaN;
  let last = 0;
  return (localMs) => {
    const wanted = Math.floor(localMs / BLOCK_MS);
    if (wanted !== block) {
      // The offset a day before gives the first run of a repeated hour, if it fits there at all.
      const before = wall(localMs - 86_400_000) - (localMs - 86_400_000);
      const guess = localMs - before;
      last = wall(guess) === localMs ? before : wall(guess) - guess;
      block = wanted;
    }
    return last;
  };
}

/** From an instant to what a clock on the wall says, as if that were UTC. */
function wallClock(timeZone: string): ((utcMs: number) => number) | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return undefined;
  }
  return (utcMs) => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(utcMs)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    const whole = Date.UTC(year, month - 1, day, hour, minute, second);
    return whole + (utcMs - Math.floor(utcMs / 1000) * 1000);
  };
}
