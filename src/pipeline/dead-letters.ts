// What could not be read, and what an exporter will never take: kept verbatim, with the reason, in
// a queue of its own beside the pipeline's. Written before the books or a cursor say so; the oldest
// go when it is full, others when an operator has them replayed or purged.

import { Buffer } from "node:buffer";
import { LRUCache } from "lru-cache";
import type { Log, StoredRecord } from "../../plugins/sdk/index.ts";
import { type Files, realFiles } from "../queue/files.ts";
import type { Cursor } from "../queue/cursor.ts";
import { type Entry, Queue } from "../queue/queue.ts";
import {
  type Letter,
  letterId,
  type NewLetter,
  type Owner,
  packLetter,
  unpackLetter,
} from "./letter.ts";
import { QueueWatch } from "./queue-watch.ts";
import { merge, type Removal, RemovedLetters, type Run } from "./removed-letters.ts";

export type { Letter, NewLetter } from "./letter.ts";

/** What dead letters need. */
export interface DeadLettersOptions {
  readonly directory: string;
  readonly bytesMax: number;
  readonly freeDiskBytesMin: number;
  readonly agent: Owner;
  readonly clock: () => number;
  readonly log: Log;
  readonly files?: Files;
}

/** How many letters are told apart from repeats. */
const KNOWN_MAX = 16_384;
/**
 * Input is kept verbatim up to this, and up to a quarter of the folder's limit, so that there is
 * always room for it. More is no record and no line of any source.
 */
const RAW_BYTES_MAX = 8 * 1024 * 1024;
/** Most bytes handed to the queue at once, whose frames have a limit. */
const APPEND_BYTES_MAX = 16 * 1024 * 1024;
/** Letters read at once when listing. */
const PAGE = { records: 256, bytes: 4 * 1024 * 1024 };

/** Letters since the folder was made: written = kept + replayed + purged + dropped. */
export interface LetterCounts {
  readonly kept: number;
  /** Gone because their records are in the queue again. */
  readonly replayed: number;
  readonly purged: number;
  /** Gone because the folder was full. */
  readonly dropped: number;
}

/** The dead letters of one pipeline. */
export class DeadLetters {
  readonly #queue: Queue;
  readonly #watch: QueueWatch;
  readonly #kept: Cursor;
  readonly #agent: Owner;
  readonly #rawBytesMax: number;
  readonly #removed: RemovedLetters;
  /** Number by id. */
  readonly #known = new LRUCache<string, number>({ max: KNOWN_MAX });
  readonly #inFlight = new Map<string, Promise<unknown>>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    queue: Queue,
    watch: QueueWatch,
    kept: Cursor,
    removed: RemovedLetters,
    options: DeadLettersOptions,
  ) {
    this.#queue = queue;
    this.#watch = watch;
    this.#kept = kept;
    this.#removed = removed;
    this.#agent = options.agent;
    this.#rawBytesMax = Math.min(RAW_BYTES_MAX, Math.floor(options.bytesMax / 4));
  }

  /** Opens or makes the folder; throws what Queue.open throws. */
  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const { directory, bytesMax, freeDiskBytesMin, clock, log, files = realFiles } = options;
    const watch = new QueueWatch(log, { queue: "dead letters" });
    const queue = await Queue.open({
      directory,
      bytesMax,
      segmentBytesMax: Math.max(64 * 1024, Math.min(16 * 1024 * 1024, Math.ceil(bytesMax / 8))),
      freeDiskBytesMin,
      // Blocking here would let a flood of garbage stop what can be read.
      overflow: "drop_oldest",
      clock,
      files,
      onDrop: ({ count, reason }) => {
        log.error("Dead letters dropped, the oldest first", { count, reason });
      },
      onState: (state) => watch.changed(state),
    });
    try {
      const removed = await RemovedLetters.open(files, directory);
      for (const problem of removed.problems) log.warn(`${problem}; put aside`);
      // This cursor holds the letters until the oldest of them are removed.
      const letters = new DeadLetters(queue, watch, await queue.cursor("kept"), removed, options);
      await queue.eachRecent(KNOWN_MAX, ({ id, sequence }) => {
        if (!removed.has(sequence)) letters.#known.set(id, sequence);
      });
      return letters;
    } catch (error) {
      await queue.close();
      throw error;
    }
  }

  /** The letters' books. */
  counts(): LetterCounts {
    const next = this.#queue.nextSequence();
    const kept = next - this.#floor - this.#removed.countFrom(this.#floor);
    const { replayed, purged } = this.#removed.totals;
    return { kept, replayed, purged, dropped: next - 1 - kept - replayed - purged };
  }

  /** Resolves when all are on disk. A letter that is kept already is not kept again. */
  async add(letters: readonly NewLetter[]): Promise<void> {
    let entries: Entry[] = [];
    let bytes = 0;
    const waits = new Set<Promise<unknown>>();
    const added = new Set<string>();
    for (const letter of letters) {
      const id = letterId(letter);
      const other = this.#inFlight.get(id);
      if (other !== undefined) waits.add(other);
      else if (!this.#known.has(id) && !added.has(id)) {
        added.add(id);
        const raw = letter.raw.subarray(0, this.#rawBytesMax);
        entries.push(packLetter(id, letter, raw, this.#agent));
        bytes += raw.length;
        if (bytes >= APPEND_BYTES_MAX) {
          waits.add(this.#append(entries));
          entries = [];
          bytes = 0;
        }
      }
    }
    if (entries.length > 0) waits.add(this.#append(entries));
    await Promise.all(waits);
  }

  /** The letters, oldest first, from a number on. */
  async *letters(from = 1): AsyncGenerator<Letter> {
    let next = Math.max(from, this.#floor);
    while (next < this.#queue.nextSequence()) {
      const page = await this.#kept.read(next, PAGE);
      if (page.next <= next) return;
      // All at once: another reader may take the memory back while this one waits.
      const letters = page.records.map(ownLetter);
      this.#kept.release(page.next);
      for (const letter of letters) if (!this.#removed.has(letter.number)) yield letter;
      next = page.next;
    }
  }

  /** One letter; undefined where it is not there, or no longer. */
  async letter(number: number): Promise<Letter | undefined> {
    if (number < this.#floor || this.#removed.has(number)) return undefined;
    const { records } = await this.#kept.read(number, { records: 1, bytes: 1 });
    const letter = records[0]?.sequence === number ? ownLetter(records[0]) : undefined;
    this.#kept.release(number + 1);
    return letter;
  }

  /** Runs one piece of work on the letters after the other, so that none is handled twice. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /**
   * Lets letters go, durably; answers how many of them were there. To be called within `exclusive`.
   */
  async remove(runs: readonly Run[], how: Removal): Promise<number> {
    const floor = this.#floor;
    const last = this.#queue.nextSequence() - 1;
    const within = merge(runs.map(([from, to]) => [Math.max(from, floor), Math.min(to, last)]));
    const count = await this.#removed.add(within, how, floor);
    for (const [id, number] of this.#known.entries()) {
      if (this.#removed.has(number)) this.#known.delete(id);
    }
    const state = this.#kept.state();
    const position = this.#removed.skip(this.#floor);
    if (position > state.position) {
      const excluded = state.excluded + position - state.position;
      await this.#kept.save({ ...state, position, excluded });
    }
    return count;
  }

  /** Closes the folder. */
  close(): Promise<void> {
    this.#watch.stop();
    return this.#queue.close();
  }

  /** The oldest number that may be there. */
  get #floor(): number {
    return Math.max(this.#queue.stats().oldestSequence, this.#kept.state().position);
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    const appended = this.#queue.append({ entries });
    for (const { id } of entries) this.#inFlight.set(id, appended);
    try {
      const { first } = await appended;
      entries.forEach(({ id }, index) => this.#known.set(id, first + index));
    } finally {
      for (const { id } of entries) this.#inFlight.delete(id);
    }
  }
}

/** A letter in memory of its own. */
function ownLetter(stored: StoredRecord): Letter {
  const letter = unpackLetter(stored);
  // Not slice(): of a Buffer, that is one more view.
  return { ...letter, raw: Buffer.from(letter.raw) };
}
