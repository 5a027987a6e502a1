// The appends that wait for a commit, in the order they were made.

import type { Append } from "./append.ts";
import type { PositionText } from "./codec.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";
import { positionText } from "./log-state.ts";
import { tooLarge } from "./write-error.ts";

// MessagePack around an entry's bytes: id, time, lengths; and around all entries of a frame.
const ENTRY_BYTES = 96;
const NOTE_BYTES = 1024;

/** One append that waits. */
export interface Waiting {
  readonly append: Append;
  readonly position: PositionText | undefined;
  /** What it takes in a frame, at most. */
  readonly bytes: number;
  readonly resolve: (range: { first: number; last: number }) => void;
  readonly reject: (error: unknown) => void;
  readonly abort: (() => void) | undefined;
}

/** First in, first out; an append whose signal aborts leaves. */
export class WaitingList {
  #list: Waiting[] = [];
  readonly #onAbort: () => void;

  constructor(onAbort: () => void) {
    this.#onAbort = onAbort;
  }

  get length(): number {
    return this.#list.length;
  }

  /** Puts an append at the end; the promise settles with it. Rejects what no frame can hold. */
  add(append: Append): Promise<{ first: number; last: number }> {
    const { signal } = append;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const position = positionText(append);
      const bytes = frameBytes(append, position);
      if (bytes > FRAME_BYTES_MAX) throw tooLarge(bytes, FRAME_BYTES_MAX);
      const abort = signal === undefined ? undefined : () => this.#abort(waiting);
      const waiting: Waiting = { append, position, bytes, resolve, reject, abort };
      if (abort !== undefined) signal?.addEventListener("abort", abort, { once: true });
      this.#list.push(waiting);
    });
  }

  /** How many of the first go into one commit of about that size, at least one, and their bytes. */
  measure(bytesMax: number): { count: number; bytes: number } {
    let bytes = 0;
    let count = 0;
    while (count < this.#list.length) {
      const more = this.#list[count]!.bytes;
      if (count > 0 && bytes + more > bytesMax) break;
      bytes += more;
      count++;
    }
    return { count, bytes };
  }

  /** Takes the first ones out: they can no longer leave. */
  take(count: number): readonly Waiting[] {
    return this.#list.splice(0, count);
  }

  /** Puts them back where they were taken from. */
  putBack(taken: readonly Waiting[]): void {
    this.#list.unshift(...taken);
  }

  #abort(waiting: Waiting): void {
    const at = this.#list.indexOf(waiting);
    // Not there: its commit is under way and can no longer be called off.
    if (at < 0) return;
    this.#list.splice(at, 1);
    waiting.reject(waiting.append.signal?.reason);
    this.#onAbort();
  }
}

/** Takes the listener off, so that a long-lived signal does not gather them. */
export function settle(waiting: Waiting): Waiting {
  if (waiting.abort !== undefined) {
    waiting.append.signal?.removeEventListener("abort", waiting.abort);
  }
  return waiting;
}

/** Rejects them all. */
export function rejectAll(all: readonly Waiting[], error: unknown): void {
  for (const waiting of all) settle(waiting).reject(error);
}

function frameBytes({ entries }: Append, position: PositionText | undefined): number {
  // Three bytes are the most that UTF-8 takes for one character of a JavaScript string.
  let bytes = NOTE_BYTES + (position === undefined ? 0 : 3 * position[1].length);
  for (const entry of entries) bytes += entry.bytes.length + 3 * entry.id.length + ENTRY_BYTES;
  return bytes;
}
