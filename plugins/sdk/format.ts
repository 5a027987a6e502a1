// A format knows what the bytes of one source mean. Receivers bring the bytes.

import type { AuditEvent } from "./event.ts";
import type { JsonObject } from "./json.ts";

/** Where a frame was found. Ordered within one source: a later frame has a greater offset. */
export interface FramePosition {
  /** The stream it belongs to, such as a file's identity; the same after a restart. */
  readonly source: string;
  /** Byte offset of the frame's first byte in that stream. */
  readonly offset: number;
  /**
   * When the receiver took the frame in, in milliseconds since the epoch, where it says so. A
   * format has no clock: this decides the year of a time that has none, and nothing that an id
   * derives from.
   */
  readonly receivedAt?: number;
  /** Address of the sender, where frames come over a network: for those that name no host. */
  readonly peer?: string;
}

/** What came out of one frame: nothing yet, events, or CloudTrail records as their exact JSON text. */
export type Decoded =
  | { readonly events: readonly AuditEvent[] }
  | { readonly records: readonly Uint8Array[] };

/**
 * Bytes of one source to events or records. No I/O, no clock; its only state is what waits for
 * more frames, and what it has `learned`. One instance serves one stream.
 */
export interface Format {
  /**
   * Takes one frame (a line without its line end, a message). May answer with events of earlier
   * frames that are now complete. Throws RejectedInput when the frame cannot be read; whatever
   * waits stays as it was. The frame's memory belongs to the caller and may be overwritten later,
   * except that `records` in the answer may be views of it, valid until the next call.
   */
  decode(frame: Uint8Array, at: FramePosition): Decoded;
  /** Hands out groups that have waited long enough by `nowMs`; Infinity hands out all. */
  flush(nowMs: number): Decoded;
  /** The first frame that still waits. A receiver's stored position never passes it. */
  oldestPending(): FramePosition | undefined;
  /**
   * What earlier frames told that later ones are read with, as far as it changed since the last
   * call: by key, null where it is forgotten. A receiver that stores a position stores it there,
   * and hands all of it to `recall` of the next instance. Few and small entries, bounded by the
   * format; left out by one whose frames stand alone.
   */
  learned?(): JsonObject | undefined;
  /** Called before the first frame, with what an earlier instance had learned. */
  recall?(learned: JsonObject): void;
}

/** The shared answer for "nothing yet". */
export const NOTHING: Decoded = { events: [] };
