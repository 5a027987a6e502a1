// A cursor is one exporter's reader of the queue: where it stands, what it plans, and its books.
// What every cursor has passed, the queue lets go.

import { isMap } from "./codec.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { RecordReader } from "./record-reader.ts";
import type { ReadResult, Source } from "./record-reader.ts";

/** A range that is about to be delivered, recorded before the first attempt (promise P5). */
export interface Plan {
  readonly first: number;
  readonly last: number;
  /** When it was planned, ms since the epoch. */
  readonly at: number;
  /** Runs `[first, last]` inside the range that the exporter's selectors do not want. */
  readonly excluded?: readonly (readonly [number, number])[];
}

/**
 * A cursor's books. Always: delivered + deadLettered + excluded + lost = position - 1, so that with
 * what is queued (the queue's nextSequence - position) they add up to what was stored.
 */
export interface CursorState {
  /** The next sequence to deliver; all below are done with. */
  readonly position: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Not wanted by the selectors, or stored before the cursor was first used. */
  readonly excluded: number;
  /** Dropped by a limit or destroyed by damage. */
  readonly lost: number;
  readonly plan?: Plan;
}

/** One exporter's reader. */
export interface Cursor {
  readonly name: string;
  /** As last saved, or as found at start. */
  state(): CursorState;
  /**
   * Replaces the state, durably, and lets go what no cursor needs any more. Rejects with
   * RangeError, changing nothing, where the state moves backwards, beyond the end, or does not add
   * up.
   */
  save(state: CursorState): Promise<void>;
  /**
   * Reads from a sequence on, which need not be the position. `bytes` counts the records' JSON; one
   * record is answered whatever its size. Rejects with what the disk said; then try again.
   */
  read(
    from: number,
    limit: { readonly records: number; readonly bytes: number },
    signal?: AbortSignal,
  ): Promise<ReadResult>;
  /**
   * Takes back the memory of all records read so far before a sequence: their `bytes` may be empty
   * from then on. Nothing is lost by it: read again, they are there again.
   */
  release(sequence: number): void;
  /** Resolves when a record with that sequence is there to be read. */
  wait(sequence: number, signal: AbortSignal): Promise<void>;
}

/** What a cursor asks of its queue. */
export interface CursorHost extends Source {
  /** Called after a save. */
  moved(name: string, position: number): Promise<void>;
  wait(sequence: number, signal: AbortSignal): Promise<void>;
}

/** The queue's own implementation. */
export class QueueCursor implements Cursor {
  readonly name: string;
  readonly #checkpoint: Checkpoint;
  readonly #host: CursorHost;
  readonly #reader: RecordReader;
  #state: CursorState;
  #saving: Promise<unknown> = Promise.resolve();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(name: string, checkpoint: Checkpoint, state: CursorState, host: CursorHost) {
    this.name = name;
    this.#checkpoint = checkpoint;
    this.#state = state;
    this.#host = host;
    this.#reader = new RecordReader(host);
  }

  state(): CursorState {
    return this.#state;
  }

  save(state: CursorState): Promise<void> {
    const saved = this.#saving.then(async () => {
      this.#check(state);
      await this.#checkpoint.save(state);
      this.#state = state;
      await this.#host.moved(this.name, state.position);
    });
    this.#saving = saved.catch(() => {});
    return saved;
  }

  read(
    from: number,
    limit: { readonly records: number; readonly bytes: number },
    signal?: AbortSignal,
  ): Promise<ReadResult> {
    const read = this.#reading.then(() => this.#reader.read(from, limit, signal));
    this.#reading = read.catch(() => this.#reader.close());
    return read;
  }

  release(sequence: number): void {
    this.#reader.release(sequence);
  }

  wait(sequence: number, signal: AbortSignal): Promise<void> {
    return this.#host.wait(sequence, signal);
  }

  /** Finishes what is under way and closes the file it reads. */
  async close(): Promise<void> {
    await this.#saving;
    await this.#reading;
    await this.#reader.close();
  }

  /** Closes, and removes the cursor's files. */
  async remove(): Promise<void> {
    await this.close();
    await this.#checkpoint.remove();
  }

  #check(state: CursorState): void {
    const problem = problemOf(state) ??
      (state.position < this.#state.position ? "it moves backwards" : undefined) ??
      (Math.max(state.position - 1, state.plan?.last ?? 0) >= this.#host.state.next
        ? "it reaches beyond the queue's end"
        : undefined);
    if (problem === undefined) return;
    throw new RangeError(
      `Cannot save cursor "${this.name}" at ${state.position}: ${problem}`,
    );
  }
}

/** The state of a cursor used for the first time: what is no longer there is not its own. */
export function firstState(oldest: number): CursorState {
  return { position: oldest, delivered: 0, deadLettered: 0, excluded: oldest - 1, lost: 0 };
}

/** A state read from a checkpoint; undefined where it is none. */
export function readState(value: unknown): CursorState | undefined {
  if (!isMap(value)) return undefined;
  const { position, delivered, deadLettered, excluded, lost } = value;
  const numbers = [position, delivered, deadLettered, excluded, lost];
  if (!numbers.every((each) => typeof each === "number")) return undefined;
  // The checksum was right, so this is what a cursor saved; only its shape is made sure of.
  const state = value as unknown as CursorState;
  return problemOf(state) === undefined ? state : undefined;
}

function problemOf(state: CursorState): string | undefined {
  const { position, delivered, deadLettered, excluded, lost, plan } = state;
  const counts = [delivered, deadLettered, excluded, lost];
  if (![position, ...counts].every((each) => Number.isSafeInteger(each) && each >= 0)) {
    return "its numbers are not whole";
  }
  const sum = delivered + deadLettered + excluded + lost;
  if (sum !== position - 1) {
    return `${delivered} delivered + ${deadLettered} dead-lettered + ${excluded} excluded + ` +
      `${lost} lost are not the ${position - 1} records before it`;
  }
  if (plan !== undefined && !(plan.first >= position && plan.last >= plan.first)) {
    return `its plan ${plan.first}-${plan.last} is not a range after it`;
  }
  return undefined;
}
