// The rows of many parts in one order, as a lookup goes through them.

import type { HistoryFilter } from "../../sdk/event-history.ts";
import type { Part } from "./part.ts";
import { compare, mayHold, type Order, type Position, select, type Selected } from "./select.ts";

/** More rows than a log ever has; seven digits of base 36 hold it. */
export const END_ROW = 2 ** 32 - 1;

// A part that is read is up to 1.5 MiB of columns.
const OPENED_AT_ONCE_MAX = 8;

/** A row that a lookup came upon. */
export interface Row {
  readonly part: Part;
  readonly index: number;
  readonly position: Position;
}

/** A row by its index. */
export function rowOf({ part, times, rows }: Selected, index: number): Row {
  return { part, index, position: { time: times[index]!, log: part.log, row: rows[index]! } };
}

/** A part that rows are taken from, and how many were. */
interface OpenPart {
  readonly selected: Selected;
  at: number;
}

/** The rows of many parts in one order; a part is opened when its turn may have come. */
export class Merge {
  readonly #filter: HistoryFilter;
  readonly #order: Order;
  readonly #after: Position | undefined;
  readonly #waiting: Part[];
  readonly #open: OpenPart[] = [];
  #atOnce = 1;

  constructor(
    parts: readonly Part[],
    filter: HistoryFilter,
    order: Order,
    after: Position | undefined,
  ) {
    this.#filter = filter;
    this.#order = order;
    this.#after = after;
    this.#waiting = parts.filter((part) => mayHold(part, filter, order, after))
      .sort((a, b) => compare(this.#bound(a), this.#bound(b), order));
  }

  /** The next row; undefined at the end. */
  async next(): Promise<Row | undefined> {
    while (true) {
      let best: OpenPart | undefined;
      for (const open of this.#open) {
        if (best === undefined || compare(head(open), head(best), this.#order) < 0) best = open;
      }
      const [part] = this.#waiting;
      if (part !== undefined && !(best && this.#comesFirst(best, part))) {
        await this.#openNext();
        continue;
      }
      if (best === undefined) return undefined;
      const row = rowOf(best.selected, best.selected.indexes[best.at++]!);
      if (best.at === best.selected.indexes.length) {
        this.#open.splice(this.#open.indexOf(best), 1);
      }
      return row;
    }
  }

  /** Opens the next part; where those before held nothing, twice as many at once. */
  async #openNext(): Promise<void> {
    const parts = this.#waiting.splice(0, this.#atOnce);
    const all = await Promise.all(
      parts.map((part) => select(part, this.#filter, this.#order, this.#after)),
    );
    const found = all.filter(({ indexes }) => indexes.length > 0);
    for (const selected of found) this.#open.push({ selected, at: 0 });
    this.#atOnce = found.length > 0 ? 1 : Math.min(this.#atOnce * 2, OPENED_AT_ONCE_MAX);
  }

  /** Where the first row of a part may stand, at the earliest. */
  #bound(part: Part): Position {
    const isNewest = this.#order === "newest";
    const time = isNewest ? part.newest : part.oldest;
    return { time, log: part.log, row: isNewest ? END_ROW : 0 };
  }

  #comesFirst(open: OpenPart, part: Part): boolean {
    return compare(head(open), this.#bound(part), this.#order) < 0;
  }
}

function head({ selected, at }: OpenPart): Position {
  const index = selected.indexes[at]!;
  const { part, times, rows } = selected;
  return { time: times[index]!, log: part.log, row: rows[index]! };
}
