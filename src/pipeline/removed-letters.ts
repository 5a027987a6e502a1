// Which dead letters have been replayed or purged. Letters lie in a queue, from which only the oldest
// can go; so the numbers of those that went from between others are kept in a checkpoint beside it.

import { join } from "node:path";
import { Checkpoint } from "../queue/checkpoint.ts";
import type { Files } from "../queue/files.ts";

/** Numbers from the first to the last, both included. */
export type Run = readonly [first: number, last: number];

/** How a letter left: its record is in the queue again, or an operator let it go. */
export type Removal = "replayed" | "purged";

/** What the checkpoint holds. */
interface Removed {
  /** In order, with a gap between each two. */
  readonly runs: readonly Run[];
  /** Since the folder was made. */
  readonly replayed: number;
  readonly purged: number;
}

/** Each is some twenty bytes of a file that is written anew with each removal. */
const RUNS_MAX = 65_536;

/** The letters that are no longer there. Calls of `add` must not overlap. */
export class RemovedLetters {
  readonly #checkpoint: Checkpoint;
  #removed: Removed;

  private constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
    this.#removed = readRemoved(checkpoint.value);
  }

  /** Reads the checkpoint of a folder, so that what was read is durable. */
  static async open(files: Files, directory: string): Promise<RemovedLetters> {
    const checkpoint = await Checkpoint.open(files, join(directory, "removed"));
    await checkpoint.setAside();
    return new RemovedLetters(checkpoint);
  }

  /** Reads it without touching it, for whoever only looks. */
  static async peek(files: Files, directory: string): Promise<RemovedLetters> {
    return new RemovedLetters(await Checkpoint.peek(files, join(directory, "removed")));
  }

  /** What could not be read: letters that were removed may be there again. */
  get problems(): readonly string[] {
    return this.#checkpoint.problems;
  }

  /** How many were replayed and purged since the folder was made. */
  get totals(): { readonly replayed: number; readonly purged: number } {
    const { replayed, purged } = this.#removed;
    return { replayed, purged };
  }

  /** Whether a letter has gone. */
  has(number: number): boolean {
    return this.#runAt(number) !== undefined;
  }

  /** The first number from this one on that has not gone. */
  skip(number: number): number {
    return (this.#runAt(number)?.[1] ?? number - 1) + 1;
  }

  /** How many have gone, from a number on. */
  countFrom(number: number): number {
    let count = 0;
    for (const [first, last] of this.#removed.runs) {
      count += Math.max(0, last - Math.max(first, number) + 1);
    }
    return count;
  }

  /**
   * Notes, durably, that letters have gone, and forgets of those below `floor`, which are not there
   * anyway. Answers how many of them had been there.
   */
  async add(runs: readonly Run[], how: Removal, floor: number): Promise<number> {
    const before = this.countFrom(floor);
    const known = this.#removed.runs.filter(([, last]) => last >= floor);
    const merged = merge([...known, ...runs]);
    if (merged.length > RUNS_MAX) {
      throw new Error(
        "Cannot remove the dead letters: too many are kept between them; remove older ones first",
      );
    }
    const after = merged.reduce((sum, [first, last]) => {
      return sum + Math.max(0, last - Math.max(first, floor) + 1);
    }, 0);
    const count = after - before;
    if (count === 0) return 0;
    const removed = { ...this.#removed, runs: merged };
    removed[how] += count;
    await this.#checkpoint.save(removed);
    this.#removed = removed;
    return count;
  }

  #runAt(number: number): Run | undefined {
    const { runs } = this.#removed;
    let low = 0;
    let high = runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (runs[middle]![1] < number) low = middle + 1;
      else high = middle;
    }
    const run = runs[low];
    return run !== undefined && run[0] <= number ? run : undefined;
  }
}

/** The same numbers in as few runs as there can be, in order. */
export function merge(runs: readonly Run[]): readonly Run[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...runs].sort((a, b) => a[0] - b[0])) {
    if (last < first) continue;
    const open = merged[merged.length - 1];
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

function readRemoved(value: unknown): Removed {
  const { runs, replayed, purged } = (value ?? {}) as Partial<Removed>;
  return {
    runs: Array.isArray(runs) ? runs : [],
    replayed: Number(replayed ?? 0),
    purged: Number(purged ?? 0),
  };
}
