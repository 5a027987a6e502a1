// What all senders have brought and is not durable yet: one batch fills while the one before it is
// being stored, whoever its messages came from. Senders wait when it is full.

import type { Decoded, Intake } from "../../sdk/index.ts";
import { Delivery, FollowBatch, NO_LINES, type OnDelivery } from "../../sdk/follow-batch.ts";

/** Bytes of messages in one batch; its number of messages is bounded, too. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** See the top of the file. */
export class Inbox {
  readonly #delivery: Delivery;
  readonly #abort = new AbortController();
  readonly #waiting = new Set<() => void>();
  #batch = emptyBatch();
  #bytes = 0;
  #run: Promise<void> | undefined;

  /** `onDelivery` hears of failing intake calls, which are repeated until they succeed. */
  constructor(intake: Intake, onDelivery: OnDelivery) {
    this.#delivery = new Delivery(intake, this.#abort.signal, onDelivery);
  }

  /** Whether the next batch is full: who has more to bring waits for `room`. */
  get isFull(): boolean {
    return this.#batch.isFull || this.#bytes >= BATCH_BYTES_MAX;
  }

  /** Takes what a format made of a message of so many bytes. */
  take(decoded: Decoded, bytes: number): void {
    this.#batch.take(decoded);
    this.#added(bytes);
  }

  /** Takes bytes that are no message. */
  reject(raw: Uint8Array, id: string, reason: string): void {
    this.#batch.rejects.push({ raw, id, reason });
    this.#added(raw.length);
  }

  /** Resolves when there is room, or nothing is taken any more. First come, first served. */
  async room(): Promise<void> {
    while (this.isFull && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves when all that was taken is durable. */
  async settled(): Promise<void> {
    while (this.#run !== undefined) await this.#run;
  }

  /** Gives up what is not durable. */
  close(): void {
    this.#abort.abort(new Error("Stopped"));
    this.#release();
  }

  #added(bytes: number): void {
    this.#bytes += bytes;
    // Without events, such as for chatter, there is nothing to store.
    if (this.#batch.size > 0) this.#run ??= this.#store();
    else this.#bytes = 0;
  }

  async #store(): Promise<void> {
    // What comes with the same bytes of a sender is stored with them.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#batch.size > 0 && !this.#abort.signal.aborted) {
      const batch = this.#batch;
      this.#batch = emptyBatch();
      this.#bytes = 0;
      this.#release();
      try {
        await this.#delivery.send(batch);
        await this.#delivery.settled();
      } catch {
        // Only after close: until then it is repeated.
        break;
      }
    }
    // In the same turn as the last look, or what comes in between would never be stored.
    this.#run = undefined;
  }

  #release(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

function emptyBatch(): FollowBatch {
  return new FollowBatch(NO_LINES, "", 0);
}
