// How much a request may hold, in records and values: the limit on its bytes does not bound the memory
// that what they decode to takes. Shared by both encodings.

import { RejectedInput } from "../errors.ts";

// A real request of 32 MiB holds about 1.5 million; one of empty values 16 million.
const ITEMS_MAX = 2_000_000;

/** Counts what one request holds. */
export class ItemBudget {
  #left = ITEMS_MAX;

  /** Called before so many records or values are made. Throws RejectedInput where that is too many. */
  take(count: number): void {
    this.#left -= count;
    if (this.#left < 0) {
      throw new RejectedInput(`Holds more than ${ITEMS_MAX} records and values`);
    }
  }
}
