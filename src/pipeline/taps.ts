// Taps: live looks at what passes the stages of a pipeline, for `cairn tap`. Without one open, a stage
// costs one comparison a batch. With one, what passes is copied out without its secrets, up to so many
// a second; a reader that is slower loses the rest, which is counted, and holds nothing up.

import { Buffer } from "node:buffer";
import type { Json } from "../../plugins/sdk/index.ts";
import { redactedJson } from "./redacted-json.ts";

/** Where one can look, in the order of the flow; `rejected` is what was set aside, at either end. */
export const STAGES = ["received", "normalized", "stored", "exported", "rejected"] as const;

/** One of them. */
export type Stage = typeof STAGES[number];

/** What to look at; what is left out is not narrowed. */
export interface TapFilter {
  readonly stages: readonly Stage[];
  readonly pipeline?: string | undefined;
  /** Id of a receiver or exporter. */
  readonly component?: string | undefined;
  /** Most that is shown in a second. */
  readonly perSecond: number;
}

/** Where something passes. */
export interface Passage {
  readonly stage: Stage;
  readonly pipeline: string;
  /** Id of the receiver or exporter. */
  readonly component: string;
}

/** What is shown of one thing: its kind and itself. */
export type Shown = Readonly<Record<string, unknown>>;

/** What of the taps a pipeline uses. */
export type TapPoint = Pick<Taps, "isOpen" | "offer">;

// What one reader may leave lying, beside what its connection holds.
const WAITING_CHARS_MAX = 1024 * 1024;
// Of input that is no record, the beginning tells what it is.
const INPUT_BYTES_MAX = 4096;
/** Readers at a time. */
const TAPS_MAX = 8;

/** How a record is shown, of its bytes. */
export function showRecord({ bytes }: { readonly bytes: Uint8Array }): Shown {
  return { record: readJson(bytes) };
}

/** How something is shown that was set aside. */
export function showRejected(
  { raw, reason }: { readonly raw: Uint8Array; readonly reason: string },
): Shown {
  return { reason, input: Buffer.from(raw.subarray(0, INPUT_BYTES_MAX)).toString("utf8") };
}

/** How a record is shown that came as its text. */
export function showText(bytes: Uint8Array): Shown {
  return { record: readJson(bytes) };
}

/** How an event is shown as its receiver gave it. */
export function showEvent(event: unknown): Shown {
  return { event };
}

function readJson(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, INPUT_BYTES_MAX);
  }
}

/** The taps of an agent. */
export class Taps {
  readonly #clock: () => number;
  readonly #secrets: () => readonly string[];
  readonly #taps = new Set<Tap>();
  #isClosed = false;

  /** `secrets`: texts of the configuration that are not to be shown, whatever they stand in. */
  constructor(clock: () => number, secrets: () => readonly string[]) {
    this.#clock = clock;
    this.#secrets = secrets;
  }

  /** Whether anybody looks; asked once for each batch. */
  get isOpen(): boolean {
    return this.#taps.size > 0;
  }

  /** Shows a batch to whoever looks there. Never waits, never throws. */
  offer<T>(passage: Passage, items: readonly T[], show: (item: T) => Shown): void {
    for (const tap of this.#taps) tap.offer(passage, items, show);
  }

  /**
   * JSON lines of what passes from now on, until `signal` aborts or the taps are closed. A line
   * `{"missed": n}` stands where n were not shown. Throws where too many look already.
   */
  open(filter: TapFilter, signal: AbortSignal): AsyncGenerator<string> {
    if (this.#taps.size >= TAPS_MAX) throw new Error(`${TAPS_MAX} taps are open already`);
    const tap = new Tap(filter, this.#clock, this.#secrets());
    if (this.#isClosed) tap.end();
    this.#taps.add(tap);
    const end = () => {
      this.#taps.delete(tap);
      tap.end();
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    return tap.lines(end);
  }

  /** Ends every tap. */
  close(): void {
    this.#isClosed = true;
    for (const tap of this.#taps) tap.end();
    this.#taps.clear();
  }
}

class Tap {
  readonly #filter: TapFilter;
  readonly #clock: () => number;
  readonly #secrets: readonly string[];
  #waiting: string[] = [];
  #chars = 0;
  #missed = 0;
  #second = -1;
  #left = 0;
  #isEnded = false;
  #wake: () => void = () => {};

  constructor(filter: TapFilter, clock: () => number, secrets: readonly string[]) {
    this.#filter = filter;
    this.#clock = clock;
    this.#secrets = secrets;
  }

  offer<T>(passage: Passage, items: readonly T[], show: (item: T) => Shown): void {
    const { stages, pipeline = passage.pipeline, component = passage.component } = this.#filter;
    if (!stages.includes(passage.stage)) return;
    if (pipeline !== passage.pipeline || component !== passage.component) return;
    const now = this.#clock();
    this.#refill(now);
    for (let i = 0; i < items.length; i++) {
      if (this.#left === 0 || this.#chars > WAITING_CHARS_MAX) {
        this.#missed += items.length - i;
        break;
      }
      this.#left--;
      this.#put({ time: new Date(now).toISOString(), ...passage, ...show(items[i]!) });
    }
    this.#wake();
  }

  async *lines(end: () => void): AsyncGenerator<string> {
    try {
      while (true) {
        const text = this.#take();
        if (text !== "") yield text;
        else if (this.#isEnded) return;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      end();
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  #refill(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#left = this.#filter.perSecond;
  }

  #put(shown: Shown): void {
    const line = `${JSON.stringify(redactedJson(shown as Json, this.#secrets))}\n`;
    this.#waiting.push(line);
    this.#chars += line.length;
  }

  #take(): string {
    const lines = this.#waiting;
    if (this.#missed > 0) lines.push(`${JSON.stringify({ missed: this.#missed })}\n`);
    this.#waiting = [];
    this.#chars = 0;
    this.#missed = 0;
    return lines.join("");
  }
}
