// Reads frames with a format and keeps the books: what became events or records, what was left out
// and why, what was rejected, and what ended as nothing of these, which must never be.

import { testAgent } from "../../plugins/sdk/conformance.ts";
import {
  type AuditEvent,
  type Decoded,
  type Format,
  type FormatFactory,
  RejectedInput,
} from "../../plugins/sdk/index.ts";
import type { SampleRow } from "./samples.ts";

/** When all frames were received: a time without a year is before it. */
export const RECEIVED_AT = Date.UTC(2026, 5, 1);

/** What came of some frames. */
export interface Reading {
  frames: number;
  /** Events and records. */
  actions: number;
  readonly events: AuditEvent[];
  /** How much was left out, by reason. */
  readonly ignored: Map<string, number>;
  readonly rejected: { readonly reason: string; readonly frame: Uint8Array }[];
  /** Frames that disappeared: neither taken, nor left out, nor rejected, nor waiting. */
  readonly silent: Uint8Array[];
}

/** A format with its books. */
export class Reader {
  readonly reading: Reading = {
    frames: 0,
    actions: 0,
    events: [],
    ignored: new Map(),
    rejected: [],
    silent: [],
  };
  readonly #format: Format;
  readonly #row: SampleRow;
  #offset = 0;
  #ignored = 0;

  constructor(factory: FormatFactory, row: SampleRow) {
    this.#row = row;
    this.#format = factory.create(factory.config.parse(row.config ?? {}), {
      agent: testAgent,
      ignored: (reason, count = 1) => {
        this.#ignored += count;
        this.reading.ignored.set(reason, (this.reading.ignored.get(reason) ?? 0) + count);
      },
    });
  }

  /** Reads one frame. Throws what the format throws, except RejectedInput. */
  read(frame: Uint8Array): void {
    const at = { source: "sample:1", offset: this.#offset, receivedAt: RECEIVED_AT };
    this.#offset += frame.length + 1;
    this.reading.frames++;
    const before = this.#ignored;
    let actions: number;
    try {
      actions = this.#take(this.#format.decode(frame, at));
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      this.reading.rejected.push({ reason: error.message, frame });
      return;
    }
    const isTaken = actions > 0 || this.#ignored > before || isEmpty(frame, this.#row);
    if (!isTaken && this.#format.oldestPending() === undefined) this.reading.silent.push(frame);
  }

  /** Drops what was read so far from the books, so that they do not grow with it. */
  forget(): void {
    this.reading.events.length = 0;
    this.reading.rejected.length = 0;
    this.reading.silent.length = 0;
  }

  /** Hands out what waits, as at the end of a run. */
  end(): Reading {
    this.#take(this.#format.flush(Infinity));
    const pending = this.#format.oldestPending();
    if (pending !== undefined) throw new Error(`Waits after flush: ${JSON.stringify(pending)}`);
    return this.reading;
  }

  #take(decoded: Decoded): number {
    const found = "events" in decoded ? decoded.events : decoded.records;
    this.reading.actions += found.length;
    if ("events" in decoded) this.reading.events.push(...decoded.events);
    return found.length;
  }
}

/** Whether a frame says nothing that could be lost: spaces alone, or what the row names. */
export function isEmpty(frame: Uint8Array, { empty }: SampleRow): boolean {
  if (frame.every((byte) => byte <= 0x20)) return true;
  return empty !== undefined && empty.test(Buffer.from(frame).toString("latin1"));
}

/** Reads frames from the first to the last, and what waits behind them. */
export function readAll(
  factory: FormatFactory,
  row: SampleRow,
  frames: readonly Uint8Array[],
): Reading {
  const reader = new Reader(factory, row);
  for (const frame of frames) reader.read(frame);
  return reader.end();
}

/** Whether a frame that is all there is ends as something: taken, left out or rejected. */
export function isAccountedAlone(
  factory: FormatFactory,
  row: SampleRow,
  frame: Uint8Array,
): boolean {
  const { actions, ignored, rejected } = readAll(factory, row, [frame]);
  return actions + ignored.size + rejected.length > 0 || isEmpty(frame, row);
}
