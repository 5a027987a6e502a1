// What one component read and left out on purpose: a count for each reason, since it was made.

/** Most reasons that are kept apart; a component has a handful. */
const REASONS_MAX = 100;
/** What stands for all reasons beyond. */
const OTHERS = "other reasons";

/** The counts of one component. */
export class IgnoredCounts {
  readonly #counts = new Map<string, number>();

  /** Adds to a reason's count. */
  add(reason: string, count = 1): void {
    const known = this.#counts.has(reason) || this.#counts.size < REASONS_MAX;
    const key = known ? reason : OTHERS;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  /** The counts by reason; undefined when nothing was left out. */
  counts(): Readonly<Record<string, number>> | undefined {
    return this.#counts.size === 0 ? undefined : Object.fromEntries(this.#counts);
  }
}
