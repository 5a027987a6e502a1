// From lines to the intake: a batch collects what a format makes of some lines, and Delivery makes
// batches durable one after the other, while the next one is being decoded.

import type { AuditEvent } from "./event.ts";
import { RejectedInput } from "./errors.ts";
import type { Block } from "./follow-blocks.ts";
import { type Decoded, type Format, NOTHING } from "./format.ts";
import type { Intake, Position } from "./intake.ts";
import { pause } from "./follow-wait.ts";
import type { LineTaker } from "./lines.ts";

/** Events, records and rejects in one batch. Large enough that a disk sync costs little per event. */
const BATCH_ITEMS_MAX = 1000;
/** Rejects under way at once; they are written one by one where they go. */
const REJECTS_AT_ONCE = 8;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5000;

/** The format of a batch that moves a position and has no lines. */
export const NO_LINES: Format = {
  decode: () => NOTHING,
  flush: () => NOTHING,
  oldestPending: () => undefined,
};

/** What the lines of one stretch of a stream gave. Fills itself as a LineSplitter's taker. */
export class FollowBatch implements LineTaker {
  events: AuditEvent[] = [];
  records: Uint8Array[] = [];
  rejects: { readonly raw: Uint8Array; readonly reason: string; readonly id: string }[] = [];
  /** Set before it is sent. */
  position: Position | undefined;
  readonly block: Block | undefined;
  readonly #format: Format;
  readonly #source: string;
  readonly #receivedAt: number;
  /** Offset of the line that each record stands in. */
  readonly #offsets: number[] = [];

  constructor(format: Format, source: string, receivedAt: number, block?: Block) {
    this.#format = format;
    this.#source = source;
    this.#receivedAt = receivedAt;
    this.block = block;
  }

  /** Events, records and rejects so far. */
  get size(): number {
    return this.events.length + this.records.length + this.rejects.length;
  }

  /** Whether it takes no more lines. */
  get isFull(): boolean {
    return this.size >= BATCH_ITEMS_MAX;
  }

  line(bytes: Uint8Array, offset: number): boolean {
    try {
      const at = { source: this.#source, offset, receivedAt: this.#receivedAt };
      this.take(this.#format.decode(bytes, at), offset);
    } catch (error) {
      return this.reject(bytes, offset, reasonOf(error));
    }
    return !this.isFull;
  }

  reject(bytes: Uint8Array, offset: number, reason: string): boolean {
    this.rejects.push({ raw: bytes, reason, id: this.#identity(offset) });
    return !this.isFull;
  }

  /** The identity of the line that a record stands in. */
  identify(record: number): string {
    return this.#identity(this.#offsets[record]!);
  }

  #identity(offset: number): string {
    return `${this.#source}:${offset}`;
  }

  /** Adds what a format answered, to the line at `offset` if it was to one. */
  take(decoded: Decoded, offset = 0): void {
    if ("events" in decoded) {
      for (const event of decoded.events) this.events.push(event);
      return;
    }
    for (const record of decoded.records) {
      this.records.push(record);
      this.#offsets.push(offset);
    }
  }
}

/** Why a format did not take a frame. */
export function reasonOf(error: unknown): string {
  if (error instanceof RejectedInput) return error.message;
  // A mistake in the format must not end the process either (promise P8).
  return `Format failed: ${error instanceof Error ? error.message : String(error)}`;
}

/** What Delivery tells while it cannot deliver, and when it can again. */
export type OnDelivery = (failure: string | undefined) => void;

/**
 * Hands batches to the intake in their order, one at a time: a call that fails is repeated with the
 * same data before anything later is sent, or a position could pass what was not taken.
 */
export class Delivery {
  readonly #intake: Intake;
  readonly #signal: AbortSignal;
  readonly #onDelivery: OnDelivery;
  #current: Promise<void> = Promise.resolve();

  constructor(intake: Intake, signal: AbortSignal, onDelivery: OnDelivery) {
    this.#intake = intake;
    this.#signal = signal;
    this.#onDelivery = onDelivery;
  }

  /** Waits for the batch before and starts this one; rejects once the signal has aborted. */
  async send(batch: FollowBatch): Promise<void> {
    if (batch.block !== undefined) batch.block.users++;
    await this.#current;
    this.#current = this.#deliver(batch);
    // Its failure is met by who waits next.
    this.#current.catch(() => {});
  }

  /** Resolves when all that was sent is durable. */
  async settled(): Promise<void> {
    await this.#current;
  }

  async #deliver(batch: FollowBatch): Promise<void> {
    let failed = false;
    for (let waitMs = RETRY_FIRST_MS;; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      this.#signal.throwIfAborted();
      try {
        await makeDurable(batch, this.#intake, this.#signal);
        if (batch.block !== undefined) batch.block.users--;
        if (failed) this.#onDelivery(undefined);
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        failed = true;
        this.#onDelivery(error instanceof Error ? error.message : String(error));
      }
      await pause(waitMs, this.#signal);
    }
  }
}

/**
 * Hands a batch to the intake; resolves when all of it is durable. Where it rejects, what is not
 * durable yet is still in the batch.
 */
export async function makeDurable(
  batch: FollowBatch,
  intake: Intake,
  signal: AbortSignal,
): Promise<void> {
  while (batch.rejects.length > 0) {
    const some = batch.rejects.slice(0, REJECTS_AT_ONCE);
    const answers = await Promise.allSettled(
      some.map(({ raw, reason, id }) => intake.reject(raw, reason, { id, signal })),
    );
    for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
    batch.rejects.splice(0, some.length);
  }
  const { records, position } = batch;
  const last = position === undefined ? { signal } : { position, signal };
  if (records.length === 0) {
    if (batch.events.length > 0 || position !== undefined) await intake.events(batch.events, last);
    return;
  }
  if (batch.events.length > 0) await intake.events(batch.events, { signal });
  batch.events = [];
  const identify = (index: number) => batch.identify(index);
  await intake.records(records, { ...last, identify });
}
