// The service that a store offers: lookups, bounded by what is kept, over the parts there are.

import type {
  EventHistory,
  HistoryExtent,
  HistoryFilter,
  HistoryPage,
  HistoryQuery,
} from "../../sdk/event-history.ts";
import { counts, histogram, lookup, type Source } from "./lookup.ts";
import { PartGoneError } from "./part.ts";
import type { ReadCache } from "./segment.ts";
import type { HistoryStore } from "./store.ts";

// Parts change at most once while a page is looked up; more often only where somebody deletes them.
const ATTEMPTS = 3;

/** What the history answers from; `store` is asked each time, since it may be opened anew. */
export interface HistoryParts {
  /** Id of the exporter. */
  readonly exporter?: string | undefined;
  readonly store: () => HistoryStore;
  readonly cache: ReadCache;
  readonly own: Source["own"];
}

/** A store as the service. */
export class StoredHistory implements EventHistory {
  readonly #of: HistoryParts;

  constructor(parts: HistoryParts) {
    this.#of = parts;
  }

  get exporter(): string | undefined {
    return this.#of.exporter;
  }

  lookup(query: HistoryQuery): Promise<HistoryPage> {
    return this.#read(query, lookup);
  }

  histogram(query: Parameters<EventHistory["histogram"]>[0]): Promise<readonly number[]> {
    return this.#read(query, histogram);
  }

  counts(query: Parameters<NonNullable<EventHistory["counts"]>>[0]): ReturnType<typeof counts> {
    return this.#read(query, counts);
  }

  extent(): HistoryExtent {
    const { parts, bytes } = this.#of.store();
    const held = parts.filter(({ rows }) => rows > 0);
    const events = held.reduce((sum, { rows }) => sum + rows, 0);
    if (events === 0) return { events, bytes };
    return {
      events,
      bytes,
      oldest: held.reduce((time, part) => Math.min(time, part.oldest), Number.POSITIVE_INFINITY),
      newest: held.reduce((time, part) => Math.max(time, part.newest), Number.NEGATIVE_INFINITY),
    };
  }

  async #read<Q extends HistoryFilter, A>(
    query: Q,
    read: (source: Source, query: Q) => Promise<A>,
  ): Promise<A> {
    for (let attempt = 1;; attempt++) {
      const store = this.#of.store();
      const { parts, horizon } = store;
      const startTime = Math.max(query.startTime ?? horizon, horizon);
      try {
        return await read({ ...this.#of, parts }, { ...query, startTime });
      } catch (error) {
        if (!(error instanceof PartGoneError) || attempt === ATTEMPTS) throw error;
      }
    }
  }
}
