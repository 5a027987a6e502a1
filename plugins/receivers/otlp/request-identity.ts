// What the ids of a request's records derive from. OTLP gives requests none, but a sender that got no
// answer, or none in time, sends the same bytes again, and those must be known again.

import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";

// Senders that were refused and have not come again since, of so many requests, are remembered.
const REMEMBERED_MAX = 8192;
// 128 bits: no two requests will ever share them by chance.
const DIGITS = 32;

/** One attempt of a sender to have a request taken. */
export interface Claim {
  readonly id: string;
  /** The attempt is over; unless it `isTaken` the same bytes are expected again, under this id. */
  end(isTaken: boolean): void;
}

/** Attempts with the same bytes, by number. */
interface Attempts {
  readonly running: Set<number>;
  readonly expected: Set<number>;
}

/**
 * Gives ids to requests: the hash of the bytes. They hold when each record was made, most often to
 * the nanosecond, so that the same bytes are the same request: sent again because the answer was
 * late, lost, or died with the agent. Only a request whose bytes are just being taken, for a sender
 * that still waits, is another one (an application that logs the same twice in a millisecond, each
 * in a request): it has a number besides.
 */
export class RequestIdentities {
  readonly #attempts = new LRUCache<string, Attempts>({ max: REMEMBERED_MAX });

  claim(bytes: Uint8Array): Claim {
    const digits = hash("sha256", bytes, "hex").slice(0, DIGITS);
    const attempts = this.#attempts.get(digits) ?? { running: new Set(), expected: new Set() };
    this.#attempts.set(digits, attempts);
    const { running, expected } = attempts;
    let [number = 0] = expected;
    while (running.has(number)) number++;
    expected.delete(number);
    running.add(number);
    let isRunning = true;
    return {
      id: number === 0 ? digits : `${digits}.${number}`,
      end: (isTaken) => {
        if (!isRunning) return;
        isRunning = false;
        running.delete(number);
        if (!isTaken) expected.add(number);
        if (running.size === 0 && expected.size === 0) this.#attempts.delete(digits);
      },
    };
  }
}
