// What befalls a pipeline's queue, as records in that queue: dropped records, damaged frames. They
// must not feed on themselves: while one is being stored, what it causes waits for the next batch
// of the receivers.

import type { AuditEvent, JsonObject } from "../../plugins/sdk/index.ts";

/** Events that wait are merged beyond this: the last one then counts for those after it. */
const WAITING_MAX = 64;

/** The events of one pipeline about itself. */
export class OwnEvents {
  readonly #pipeline: string;
  readonly #clock: () => number;
  #store: ((events: readonly AuditEvent[]) => Promise<void>) | undefined;
  #waiting: AuditEvent[] = [];
  #storing = false;

  constructor(pipeline: string, clock: () => number) {
    this.#pipeline = pipeline;
    this.#clock = clock;
  }

  /**
   * Notes what happened. `what` identifies it in this pipeline: with the same `what`, the record
   * has the same eventID.
   */
  add(action: "DropRecords" | "QuarantineFrame", what: string, facts: JsonObject): void {
    if (this.#waiting.length >= WAITING_MAX) {
      const last = this.#waiting.pop()!;
      const merged = Number(last.additional?.merged ?? 0) + 1;
      this.#waiting.push({ ...last, additional: { ...last.additional, merged } });
      return;
    }
    this.#waiting.push({
      id: `${this.#pipeline}/${action}/${what}`,
      time: this.#clock(),
      service: "cairn",
      action,
      actor: { type: "service", name: "cairn" },
      outcome: { success: true },
      additional: { pipeline: this.#pipeline, ...facts },
      readOnly: false,
      category: "Management",
    });
    this.flush();
  }

  /** From now on events can be stored; those that waited are. */
  open(store: (events: readonly AuditEvent[]) => Promise<void>): void {
    this.#store = store;
    this.flush();
  }

  /** No more are stored. */
  close(): void {
    this.#store = undefined;
  }

  /** Stores what waits, unless some are being stored. Called after a receiver's batch. */
  flush(): void {
    if (this.#storing || this.#store === undefined || this.#waiting.length === 0) return;
    const events = this.#waiting;
    this.#waiting = [];
    this.#storing = true;
    this.#store(events).catch(() => {
      // Not taken, because the queue closes: the loss itself stays in the cursors' books.
      this.#waiting = [...events, ...this.#waiting];
    }).finally(() => this.#storing = false);
  }
}
