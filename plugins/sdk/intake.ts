// What a receiver is given to hand its findings on, and the promise that comes back.

import type { AuditEvent } from "./event.ts";
import type { JsonObject } from "./json.ts";

/**
 * Where a receiver has got to. Its top-level keys are merged into the receiver's stored position,
 * one by one; a key set to null is removed. So a receiver of many files passes only what moved.
 */
export type Position = JsonObject;

/** What comes with a batch. */
export interface IntakeOptions {
  /** Made durable in the same frame as the data it comes with (promise P3). */
  readonly position?: Position;
  /** Gives up waiting for room in the queue; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What comes with records. */
export interface RecordOptions {
  /**
   * The identity at its source of the text with this index, as `reject` wants it; asked for a text
   * that is no record.
   */
  readonly identify?: (index: number) => string;
  /**
   * The receiver made the records, and their eventIDs of what happened: another record with a known
   * eventID is then a repeat whatever else it says, such as when it came in. Without it, records of
   * others repeat each other with the same bytes alone.
   */
  readonly identified?: boolean;
}

/**
 * The way into the pipelines. A call that resolves means: durable, safe to acknowledge. A call that
 * rejects means: not taken, the receiver keeps it and may call again with the same data. Calls of
 * one receiver become durable in the order they were made. Waiting is backpressure: a receiver
 * reads no further ahead than a few outstanding calls.
 */
export interface Intake {
  /** Takes events; an empty list with a position moves the position alone. */
  events(events: readonly AuditEvent[], options?: IntakeOptions): Promise<void>;
  /**
   * Takes records of a source that already speaks CloudTrail, each as its JSON text, which travels
   * on as it came (number spellings, unknown fields). A text that is no record is set aside as
   * `reject` would. The texts are the intake's until the call settles: nobody writes into them.
   */
  records(texts: readonly Uint8Array[], options?: IntakeOptions & RecordOptions): Promise<void>;
  /**
   * Sets unreadable input aside, verbatim, with the reason. `id` is the input's identity at its
   * source (file and offset), so that reading it again after a crash does not set it aside twice.
   */
  reject(
    raw: Uint8Array,
    reason: string,
    options?: IntakeOptions & { readonly id?: string },
  ): Promise<void>;
  /** The receiver's merged position as of its last durable batch; undefined at the first start. */
  position(): Position | undefined;
}
