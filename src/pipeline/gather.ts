// Collects the next batch of one exporter out of the queue: by count, bytes and age, past what its
// selectors do not want. Runs ahead of deliver by one batch. Idle, it waits on the queue, not on
// time.

import type { ExportBatch, StoredRecord } from "../../plugins/sdk/index.ts";
import type { Cursor, Plan } from "../queue/cursor.ts";
import type { ReadResult } from "../queue/record-reader.ts";

/** The common `batch` options of exporters. */
export interface BatchOptions {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How long a batch waits for more, from its first record on. */
  readonly maxAgeMs: number;
}

/** A run of sequences, both ends inclusive. */
export type Run = readonly [number, number];

/** A stretch of the queue, and what of it is to be delivered. */
export interface Gathered {
  readonly range: ExportBatch["range"];
  /** Those wanted; may be none. */
  readonly records: readonly StoredRecord[];
  /** Runs inside the range that the selectors do not want. */
  readonly runs: readonly Run[];
  /** How many records those runs hold. */
  readonly excluded: number;
  /** Sequences of the range that no longer exist. */
  readonly lost: number;
  /** Set when the range was planned before, and is being delivered again. */
  readonly plan?: Plan;
}

/** A plan is one small file: a batch ends when its runs would no longer fit one. */
const RUNS_MAX = 1024;
/** A batch ends, though nothing in it is wanted, so that the cursor moves and segments can go. */
const COVERED_MAX = 65_536;
/** Longest time a timer can wait. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** The reader of one exporter. */
export class Gatherer {
  readonly #cursor: Cursor;
  readonly #selectors: (record: StoredRecord) => boolean;
  readonly #options: BatchOptions;
  readonly #stop: AbortSignal;
  #flushTo = 0;
  #wake: (() => void) | undefined;

  constructor(
    cursor: Cursor,
    selectors: (record: StoredRecord) => boolean,
    options: BatchOptions,
    stop: AbortSignal,
  ) {
    this.#cursor = cursor;
    const { name } = cursor;
    // A dead letter replayed is for the exporter that had refused it.
    this.#selectors = (record) =>
      (record.only === undefined || record.only === name) && selectors(record);
    this.#options = options;
    this.#stop = stop;
    stop.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  /** From now on, a batch that begins before this sequence does not wait for more. */
  flush(sequence: number): void {
    this.#flushTo = Math.max(this.#flushTo, sequence);
    this.#wake?.();
  }

  /** The next batch; undefined when stopped before it was full or old enough. */
  async next(from: number): Promise<Gathered | undefined> {
    const batch = new Stretch(from, this.#selectors);
    let aged = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ageMs = Math.min(this.#options.maxAgeMs, TIMER_MS_MAX);
    const age = () => {
      aged = true;
      this.#wake?.();
    };
    try {
      while (!this.#stop.aborted) {
        const room = batch.room(this.#options);
        if (room === undefined) return batch;
        const before = batch.next;
        batch.take(await this.#cursor.read(before, room, this.#stop), room.bytes);
        if (batch.isFull) return batch;
        if (batch.next > before) continue;
        const isBegun = before > from;
        if (isBegun && (aged || from < this.#flushTo)) return batch;
        if (isBegun) timer ??= setTimeout(age, ageMs);
        await this.#wait(before);
      }
      return undefined;
    } catch (error) {
      if (this.#stop.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The stretch of a plan that was recorded before, with the records it had then. */
  async again(plan: Plan): Promise<Gathered> {
    const excluded = plan.excluded ?? [];
    let at = 0;
    const batch = new Stretch(plan.first, ({ sequence }) => {
      while (at < excluded.length && excluded[at]![1] < sequence) at++;
      return at >= excluded.length || sequence < excluded[at]![0];
    });
    while (batch.next <= plan.last) {
      const records = plan.last - batch.next + 1;
      const before = batch.next;
      batch.take(await this.#cursor.read(before, { records, bytes: this.#options.maxBytes }));
      if (batch.next === before) break;
    }
    return batch.cutAfter(plan);
  }

  /** Until there is more after `sequence`, or a reason to look again. */
  async #wait(sequence: number): Promise<void> {
    const awake = new AbortController();
    this.#wake = () => awake.abort();
    if (this.#stop.aborted) return;
    try {
      await this.#cursor.wait(sequence, awake.signal);
    } catch (error) {
      if (!awake.signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}

/** A stretch that grows as it is read. */
class Stretch implements Gathered {
  readonly records: StoredRecord[] = [];
  readonly runs: [number, number][] = [];
  excluded = 0;
  /** Set when the next record would make it too long. */
  isFull = false;
  next: number;
  readonly #from: number;
  readonly #wants: (record: StoredRecord) => boolean;
  #bytes = 0;

  constructor(from: number, wants: (record: StoredRecord) => boolean) {
    this.#from = from;
    this.next = from;
    this.#wants = wants;
  }

  get range(): ExportBatch["range"] {
    return { first: this.#from, last: this.next - 1 };
  }

  get lost(): number {
    return this.next - this.#from - this.records.length - this.excluded;
  }

  /** What may still be read into it; undefined when it is full. */
  room({ maxRecords, maxBytes }: BatchOptions): { records: number; bytes: number } | undefined {
    const records = Math.min(
      maxRecords - this.records.length,
      COVERED_MAX - (this.next - this.#from),
      RUNS_MAX - this.runs.length,
    );
    const bytes = maxBytes - this.#bytes;
    return records > 0 && bytes > 0 ? { records, bytes } : undefined;
  }

  /** Takes what was read, as far as it has room; a first record always has. */
  take(read: Pick<ReadResult, "records" | "next">, bytesMax = Number.POSITIVE_INFINITY): void {
    const bytesBefore = this.#bytes;
    for (const record of read.records) {
      if (!this.#isWanted(record)) {
        this.#exclude(record.sequence);
        continue;
      }
      this.#bytes += record.bytes.length;
      if (this.records.length > 0 && this.#bytes - bytesBefore > bytesMax) {
        this.isFull = true;
        this.next = record.sequence;
        return;
      }
      this.records.push(record);
    }
    this.next = read.next;
  }

  /** What of it belongs to a plan. Reading may have gone past the plan's end, over lost records. */
  cutAfter(plan: Plan): Gathered {
    const records = this.records.filter((record) => record.sequence <= plan.last);
    let excluded = 0;
    for (const [first, last] of this.runs) {
      excluded += Math.max(0, Math.min(last, plan.last) - first + 1);
    }
    const covered = plan.last - plan.first + 1;
    return {
      range: { first: plan.first, last: plan.last },
      records,
      runs: plan.excluded ?? [],
      excluded,
      lost: covered - records.length - excluded,
      plan,
    };
  }

  #isWanted(record: StoredRecord): boolean {
    try {
      return this.#wants(record);
    } catch {
      // What a selector cannot judge is delivered: nothing is lost by it.
      return true;
    }
  }

  #exclude(sequence: number): void {
    this.excluded++;
    const run = this.runs.at(-1);
    if (run !== undefined && run[1] === sequence - 1) run[1] = sequence;
    else this.runs.push([sequence, sequence]);
  }
}
