// Which rows of a part a filter means, as far as its columns tell: fingerprints may lie, so whoever
// reads the texts has the last word. Also where in the history a row stands.

import type { HistoryFilter, HistoryQuery } from "../../sdk/event-history.ts";
import { HistoryPositionError } from "../../sdk/event-history.ts";
import { fingerprint } from "./attributes.ts";
import type { Part, PartColumn } from "./part.ts";
import { DAY_MS, ERROR, INSIGHT } from "./rows.ts";

/** The order of a lookup. */
export type Order = NonNullable<HistoryQuery["order"]>;

/** Where a row stands: by time, and among those of one moment by arrival. */
export interface Position {
  /** Milliseconds since the epoch; without meaning by arrival. */
  readonly time: number;
  readonly log: number;
  readonly row: number;
}

/** Rows of one part in the order of a lookup, and what is needed to compare them with others. */
export interface Selected {
  readonly part: Part;
  /** Indexes into the columns. */
  readonly indexes: Uint32Array;
  /** By index: milliseconds since the epoch, and the row in the log. */
  readonly times: Float64Array;
  readonly rows: Uint32Array;
}

/** Below zero where `a` comes first. */
export function compare(a: Position, b: Position, order: Order): number {
  if (order === "arrival") return a.log - b.log || a.row - b.row;
  const later = a.time - b.time || a.log - b.log || a.row - b.row;
  return order === "newest" ? -later : later;
}

const LETTERS: Readonly<Record<Order, string>> = { newest: "n", oldest: "o", arrival: "a" };
const TOKEN = /^([noa])([0-9a-z]{1,10})\.([0-9a-z]{1,7})\.([0-9a-z]{1,7})$/;

/** A position as text. */
export function encodePosition({ time, log, row }: Position, order: Order): string {
  return `${LETTERS[order]}${[time, log, row].map((part) => part.toString(36)).join(".")}`;
}

/** Reads what encodePosition() wrote. Throws HistoryPositionError. */
export function decodePosition(text: string, order: Order): Position {
  const match = TOKEN.exec(text);
  if (match === null || match[1] !== LETTERS[order]) {
    throw new HistoryPositionError(`Cannot go on after "${text.slice(0, 100)}": no such position`);
  }
  const [time, log, row] = match.slice(2).map((part) => Number.parseInt(part, 36));
  return { time: time!, log: log!, row: row! };
}

/** Whether a part may hold something that comes after a position and within the filter's times. */
export function mayHold(
  part: Part,
  filter: HistoryFilter,
  order: Order,
  after: Position | undefined,
): boolean {
  if (part.rows === 0) return false;
  if (filter.startTime !== undefined && part.newest < filter.startTime) return false;
  if (filter.endTime !== undefined && part.oldest > filter.endTime) return false;
  if (after === undefined) return true;
  if (order === "arrival") return part.log >= after.log;
  return order === "newest" ? part.oldest <= after.time : part.newest >= after.time;
}

/** The rows of a part that a filter means, behind a position, in order. */
export async function select(
  part: Part,
  filter: HistoryFilter,
  order: Order,
  after?: Position,
): Promise<Selected> {
  const none = { part, indexes: new Uint32Array(), times: new Float64Array(), rows: NO_ROWS };
  let candidates: Uint32Array | undefined;
  for (const { column, value } of wanted(filter)) {
    candidates = await narrow(part, column, fingerprint(value), candidates);
    if (candidates.length === 0) return none;
  }
  const [flags, days, times, rows] = await Promise.all([
    part.column("flags"),
    part.column("day"),
    part.column("time"),
    part.column("row"),
  ]);
  // A damaged column is empty: it was told, and nothing is found here.
  const length = Math.min(flags.length, days.length, times.length, rows.length);
  const moments = new Float64Array(length);
  for (let i = 0; i < length; i++) moments[i] = days[i]! * DAY_MS + times[i]!;
  const test = tester({ flags, moments, rows, log: part.log }, filter, order, after);
  const indexes = new Uint32Array(candidates?.length ?? length);
  let count = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = candidates?.[i] ?? i;
    if (index < length && test(index)) indexes[count++] = index;
  }
  const found = sorted(indexes.subarray(0, count), moments, rows, order);
  return { part, indexes: found, times: moments, rows };
}

const NO_ROWS = new Uint32Array();

function wanted(filter: HistoryFilter): { column: PartColumn; value: string }[] {
  return [
    ...filter.attributes.map(({ key, value }) => ({ column: key, value })),
    ...(filter.accountId === undefined ? [] : [{ column: "account", value: filter.accountId }]),
    ...(filter.region === undefined ? [] : [{ column: "region", value: filter.region }]),
  ] as { column: PartColumn; value: string }[];
}

/** The rows of those so far, or of all, that have the fingerprint in a column. */
async function narrow(
  part: Part,
  name: PartColumn,
  wanted: number,
  candidates: Uint32Array | undefined,
): Promise<Uint32Array> {
  const column = await part.column(name);
  const isPair = name === "ResourceName" || name === "ResourceType";
  if (!isPair && candidates !== undefined) {
    return candidates.filter((index) => column[index] === wanted);
  }
  const found: number[] = [];
  const owners = isPair ? await part.column(`${name}.row`) : undefined;
  for (let at = column.indexOf(wanted); at >= 0; at = column.indexOf(wanted, at + 1)) {
    const index = owners === undefined ? at : owners[at];
    // A record may name a resource twice.
    if (index !== undefined && index !== found.at(-1)) found.push(index);
  }
  if (candidates === undefined) return Uint32Array.from(found);
  const among = new Set(found);
  return candidates.filter((index) => among.has(index));
}

interface Tested {
  readonly flags: Uint32Array;
  readonly moments: Float64Array;
  readonly rows: Uint32Array;
  readonly log: number;
}

function tester(
  { flags, moments, rows, log }: Tested,
  filter: HistoryFilter,
  order: Order,
  after: Position | undefined,
): (index: number) => boolean {
  const mask = INSIGHT | (filter.errorsOnly === true ? ERROR : 0);
  const flag = (filter.category === "insight" ? INSIGHT : 0) |
    (filter.errorsOnly === true ? ERROR : 0);
  const from = filter.startTime ?? Number.NEGATIVE_INFINITY;
  const to = filter.endTime ?? Number.POSITIVE_INFINITY;
  return (index) => {
    const time = moments[index]!;
    if ((flags[index]! & mask) !== flag || time < from || time > to) return false;
    return after === undefined || compare({ time, log, row: rows[index]! }, after, order) > 0;
  };
}

function sorted(
  indexes: Uint32Array,
  times: Float64Array,
  rows: Uint32Array,
  order: Order,
): Uint32Array {
  const later = order === "arrival"
    ? (a: number, b: number) => rows[a]! - rows[b]!
    : (a: number, b: number) => times[a]! - times[b]! || rows[a]! - rows[b]!;
  let isSorted = true;
  for (let i = 1; i < indexes.length && isSorted; i++) {
    isSorted = later(indexes[i - 1]!, indexes[i]!) <= 0;
  }
  if (!isSorted) indexes.sort(later);
  return order === "newest" ? indexes.reverse() : indexes;
}
