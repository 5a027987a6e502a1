// Whether a trail is logging, and which records came while it was not. A record came while the
// trail was stopped if its number in the queue says so: what waited before is still delivered, and a
// restart gives the same answer (P5).

import type { JsonObject, StateStore, StoredRecord } from "../../sdk/index.ts";

/** Sequences from `first` on, below `end`; without an end, all that come. */
interface Run {
  readonly first: number;
  readonly end?: number | undefined;
}

interface Saved {
  readonly runs: readonly Run[];
  readonly startedAt: number | undefined;
  readonly stoppedAt: number | undefined;
}

/** Where the queue is that the trail is fed from. */
export interface QueuePlace {
  /** Sequence of the next record to be delivered. */
  readonly position: number;
  /** Sequence that the next record to come will have. */
  readonly next: number;
}

/** Runs whose records were not delivered yet; a trail that is stopped that often is no trail. */
const RUNS_MAX = 1000;
const KEY = "logging";

/** Keeps the switch of a trail, durably. */
export class Logging {
  readonly #state: StateStore;
  readonly #clock: () => number;
  #saved: Saved;

  constructor(state: StateStore, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
    this.#saved = read(state.get(KEY));
  }

  get isLogging(): boolean {
    const last = this.#saved.runs.at(-1);
    return last === undefined || last.end !== undefined;
  }

  /** In milliseconds since the epoch; undefined where it was never stopped. */
  get startedAt(): number | undefined {
    return this.#saved.startedAt;
  }

  get stoppedAt(): number | undefined {
    return this.#saved.stoppedAt;
  }

  /** False for a record that came while the trail was stopped. */
  accepts({ sequence }: Pick<StoredRecord, "sequence">): boolean {
    const { runs } = this.#saved;
    for (let i = runs.length - 1; i >= 0; i--) {
      const { first, end = Infinity } = runs[i]!;
      if (sequence >= first && sequence < end) return false;
    }
    return true;
  }

  /** Leaves out what comes from now on. Resolves when that is durable. */
  async stop({ position, next }: QueuePlace): Promise<void> {
    if (!this.isLogging) return;
    const runs = this.#saved.runs.filter(({ end }) => end! > position);
    if (runs.length >= RUNS_MAX) {
      throw new Error(`Cannot stop logging: stopped ${RUNS_MAX} times since the last delivery`);
    }
    await this.#change({
      ...this.#saved,
      runs: [...runs, { first: next }],
      stoppedAt: this.#clock(),
    });
  }

  /** Delivers what comes from now on. Resolves when that is durable. */
  async start({ next }: QueuePlace): Promise<void> {
    if (this.isLogging) return;
    const runs = this.#saved.runs.map(({ first, end }) => ({ first, end: end ?? next }));
    await this.#change({ ...this.#saved, runs, startedAt: this.#clock() });
  }

  async #change(saved: Saved): Promise<void> {
    const before = this.#saved;
    // At once: what comes while it is written is meant, too.
    this.#saved = saved;
    try {
      await this.#state.set(KEY, JSON.parse(JSON.stringify(saved)) as JsonObject);
    } catch (error) {
      this.#saved = before;
      throw error;
    }
  }
}

function read(value: unknown): Saved {
  const saved = (value ?? {}) as Partial<Saved>;
  const runs = Array.isArray(saved.runs) ? saved.runs as Run[] : [];
  const { startedAt, stoppedAt } = saved;
  return { runs: runs.filter((run) => typeof run?.first === "number"), startedAt, stoppedAt };
}
