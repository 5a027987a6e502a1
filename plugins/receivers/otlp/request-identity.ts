// What the ids of a request's records derive from. OTLP gives requests none, but a sender that got no
// answer, or none in time, sends the same bytes again, and those must be known again.

import { hash } from "node:crypto";
import { setImmediate, setTimeout } from "node:timers/promises";
import { LRUCache } from "lru-cache";

// Senders that were refused and have not come again since, of so many requests, are remembered.
const REMEMBERED_MAX = 8192;
// 128 bits: no two requests will ever share them by chance.
const DIGITS = 32;
// Until it shows that a sender has left who left before now: a closed connection is read, told, and
// closed here, too, each in a turn of the event loop.
const NOTICE_MS = 10;
const NOTICE_TURNS = 5;

/** How an attempt ended: durable; answered that it must come again; or nobody was there any more. */
export type AttemptEnd = "taken" | "refused" | "left";

/** One attempt of a sender to have a request taken. */
export interface Claim {
  readonly id: string;
  /** The attempt is over; unless it was taken the same bytes are expected again, under this id. */
  end(how: AttemptEnd): void;
}

/** Attempts with the same bytes, by number. */
interface Attempts {
  readonly running: Set<number>;
  readonly expected: Set<number>;
  /** Of those expected, the ones whose sender has left. */
  readonly left: Set<number>;
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

  /** Resolves at once, unless the same bytes are just being taken: then when it shows for whom. */
  async claim(bytes: Uint8Array): Promise<Claim> {
    const digits = hash("sha256", bytes, "hex").slice(0, DIGITS);
    const known = this.#attempts.get(digits);
    const attempts = known ?? { running: new Set(), expected: new Set(), left: new Set() };
    this.#attempts.set(digits, attempts);
    let number = begin(attempts);
    if (attempts.running.size > 1) {
      await departures();
      const [left] = attempts.left;
      if (left !== undefined) {
        // It was that sender, come again before its leaving showed.
        attempts.running.delete(number);
        number = begin(attempts, left);
      }
    }
    let isRunning = true;
    return {
      id: number === 0 ? digits : `${digits}.${number}`,
      end: (how) => {
        if (!isRunning) return;
        isRunning = false;
        const { running, expected, left } = attempts;
        running.delete(number);
        if (how !== "taken") expected.add(number);
        if (how === "left") left.add(number);
        if (running.size === 0 && expected.size === 0) this.#attempts.delete(digits);
      },
    };
  }
}

/** Begins the attempt of that number, or of the first that is expected, or of a new one. */
function begin({ running, expected, left }: Attempts, wanted?: number): number {
  let [number = 0] = wanted === undefined ? expected : [wanted];
  while (running.has(number)) number++;
  expected.delete(number);
  left.delete(number);
  running.add(number);
  return number;
}

/** Resolves when all who have left before the call are known to have. */
async function departures(): Promise<void> {
  await setTimeout(NOTICE_MS);
  for (let turn = 0; turn < NOTICE_TURNS; turn++) await setImmediate();
}
