// How many messages of one sender are taken in a second. Kept for the senders seen last, so that a
// sender does not begin anew with each connection.

import { LRUCache } from "lru-cache";

/** What one sender may still send. */
export interface Allowance {
  /** Second since some moment. */
  second: number;
  taken: number;
}

const SENDERS_MAX = 4096;

/** The allowances of all senders. */
export class Allowances {
  readonly #perSecond: number;
  readonly #senders = new LRUCache<string, Allowance>({ max: SENDERS_MAX });

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** That of one sender. */
  of(peer: string): Allowance {
    const known = this.#senders.get(peer);
    if (known !== undefined) return known;
    const fresh = { second: 0, taken: 0 };
    this.#senders.set(peer, fresh);
    return fresh;
  }

  /** Counts a message at a time of a steady clock; false where it is one too many. */
  take(allowance: Allowance, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== allowance.second) {
      allowance.second = second;
      allowance.taken = 0;
    }
    if (allowance.taken >= this.#perSecond) return false;
    allowance.taken++;
    return true;
  }

  /** Milliseconds until more is allowed; 0 where it is. */
  waitMs(allowance: Allowance, nowMs: number): number {
    const isUsedUp = allowance.second === Math.floor(nowMs / 1000) &&
      allowance.taken >= this.#perSecond;
    return isUsedUp ? 1000 - nowMs % 1000 : 0;
  }
}
