// Counts what a request in Protocol Buffers holds before any of it is built: two bytes are enough for
// a record, and a record takes hundreds in memory. Read by decode-protobuf.ts.

import { DEPTH_MAX } from "./any-value.ts";
import { ItemBudget, ITEMS_MAX } from "./item-budget.ts";
import { WireReader } from "./wire.ts";

/** A message, as far as others stand in it, by the number of their field. */
interface Message {
  /** Whether it is a record, a value, or a list of them. */
  readonly isItem: boolean;
  readonly fields: Map<number, Message>;
}

const anyValue: Message = { isItem: false, fields: new Map() };
const listed: Message = { isItem: true, fields: anyValue.fields };
const keyValue = message(true, [2, anyValue]);
anyValue.fields.set(5, message(false, [1, listed])).set(6, message(false, [1, keyValue]));
const record = message(true, [5, anyValue], [6, keyValue]);
const scopeLogs = message(true, [1, message(false, [3, keyValue])], [2, record]);
const resourceLogs = message(true, [1, message(false, [1, keyValue])], [2, scopeLogs]);
const request = message(false, [1, resourceLogs]);

/** An item is a tag and a length at least. */
const ITEM_BYTES_MIN = 2;
/** Each level of values is two messages; beyond, the decoder reads nothing. */
const LEVELS_MAX = 2 * DEPTH_MAX + 8;

/** Throws RejectedInput where a request holds more than may be built; what is malformed is left. */
export function checkItems(bytes: Uint8Array): void {
  // So few bytes cannot hold so many.
  if (bytes.length < ITEM_BYTES_MIN * ITEMS_MAX) return;
  const budget = new ItemBudget();
  const reader = new WireReader(bytes);
  let items = 0;
  const count = (end: number, { fields }: Message, level: number): void => {
    while (reader.at < end && items <= ITEMS_MAX) {
      const tag = reader.tag(end);
      if ((tag & 7) !== 2) {
        reader.skip(tag, 0, end);
        continue;
      }
      const stop = reader.length(end);
      const inner = fields.get(tag >>> 3);
      if (inner?.isItem) items++;
      if (inner !== undefined && level < LEVELS_MAX) count(stop, inner, level + 1);
      reader.at = stop;
    }
  };
  try {
    count(bytes.length, request, 0);
  } catch {
    // The decoder gets no further either, and has the words for it.
  }
  budget.take(items);
}

function message(isItem: boolean, ...fields: readonly (readonly [number, Message])[]): Message {
  return { isItem, fields: new Map(fields) };
}
