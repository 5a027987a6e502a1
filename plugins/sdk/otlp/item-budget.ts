// How much a request may hold, in records and values: the limit on its bytes does not bound the memory
// that what they decode to takes. Shared by both encodings.

import { RejectedInput } from "../errors.ts";

/**
 * Records and values of a request. A real one of 32 MiB holds about 1.5 million; one of empty
 * values 16 million.
 */
export const ITEMS_MAX = 2_000_000;

// Each value of OTLP's JSON is an object in a list, a few in one another; what is shorter than this
// is parsed in no time, whatever it holds.
const BRACKETS_MAX = 3 * ITEMS_MAX;
const SHORT_BYTES = 1024 * 1024;
const OPEN_OBJECT = 0x7b;
const OPEN_LIST = 0x5b;

/**
 * Looks at JSON before it is parsed, when its objects and lists are not yet in memory. Throws
 * RejectedInput where there are too many.
 */
export function checkBrackets(bytes: Uint8Array): void {
  if (bytes.length < SHORT_BYTES) return;
  let left = BRACKETS_MAX;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if ((byte === OPEN_OBJECT || byte === OPEN_LIST) && --left < 0) {
      throw new RejectedInput(`Holds more than ${BRACKETS_MAX} objects and lists`);
    }
  }
}

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
