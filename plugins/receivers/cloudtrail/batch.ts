// Records on their way to the intake, over the borders of files, with the position behind the last
// of them. One call at a time is unanswered while the next batch fills: were several, one could be
// taken after an earlier one failed, and the position would pass records that are not stored.

import type { Intake, Position } from "../../sdk/index.ts";
import { pause, unlessAborted } from "../../sdk/wait.ts";

// A batch of this size hides the cost of a sync and is still small beside the memory of the agent.
const RECORDS_MAX = 500;
const BYTES_MAX = 1024 * 1024;
// Of files without records, whose batches would hold positions only.
const KEYS_MAX = 200;

const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 10_000;

/** A record's text, and where it was found. */
export interface FoundRecord {
  readonly text: Uint8Array;
  readonly path: string;
  /** Of its first byte in the file's text. */
  readonly offset: number;
}

/** The identity of what stands at a place in a file, for the dead letters. */
export function identityOf(path: string, offset: number): string {
  return `${path}:${offset}`;
}

/** Collects records and hands them on. All calls are made one after the other. */
export class Batches {
  readonly #intake: Intake;
  readonly #signal: AbortSignal;
  readonly #onFailure: (error: unknown) => void;
  #records: FoundRecord[] = [];
  #bytes = 0;
  #position: Record<string, Position[string]> = {};
  #keys = 0;
  #sending: Promise<void> = Promise.resolve();

  /** `onFailure` is told of each call that was not taken, before it is made again. */
  constructor(intake: Intake, signal: AbortSignal, onFailure: (error: unknown) => void) {
    this.#intake = intake;
    this.#signal = signal;
    this.#onFailure = onFailure;
  }

  /** Adds a record; true when the batch is full, and `flush` is due. */
  add(record: FoundRecord): boolean {
    this.#records.push(record);
    this.#bytes += record.text.length;
    return this.#records.length >= RECORDS_MAX || this.#bytes >= BYTES_MAX;
  }

  /** Moves the position to behind what was added; true when `flush` is due for its size. */
  move(position: Position): boolean {
    Object.assign(this.#position, position);
    return ++this.#keys >= KEYS_MAX;
  }

  /** Hands the batch on, as soon as the one before it is durable; resolves when that one is. */
  async flush(): Promise<void> {
    const [records, position] = [this.#records, this.#position];
    if (records.length === 0 && this.#keys === 0) return;
    this.#records = [];
    this.#bytes = 0;
    this.#position = {};
    this.#keys = 0;
    const signal = this.#signal;
    const texts = records.map(({ text }) => text);
    const identify = (index: number) => identityOf(records[index]!.path, records[index]!.offset);
    await this.#next(() =>
      texts.length === 0
        ? this.#intake.events([], { position, signal })
        : this.#intake.records(texts, { identify, position, signal })
    );
  }

  /** Sets input aside, after all that was added before it. */
  async reject(raw: Uint8Array, reason: string, id: string, position: Position): Promise<void> {
    await this.flush();
    const signal = this.#signal;
    await this.#next(() => this.#intake.reject(raw, reason, { id, position, signal }));
  }

  /** Resolves when everything handed on is durable. */
  async settled(): Promise<void> {
    await this.flush();
    await this.#sending;
  }

  async #next(call: () => Promise<void>): Promise<void> {
    await this.#sending;
    this.#sending = this.#send(call);
    // Seen by whoever waits for it next; until then it must not count as unhandled.
    this.#sending.catch(() => {});
  }

  async #send(call: () => Promise<void>): Promise<void> {
    for (let waitMs = RETRY_FIRST_MS;; waitMs = Math.min(waitMs * 2, RETRY_LAST_MS)) {
      try {
        return await unlessAborted(call(), this.#signal);
      } catch (error) {
        this.#signal.throwIfAborted();
        this.#onFailure(error);
        await pause(waitMs, this.#signal);
      }
    }
  }
}
