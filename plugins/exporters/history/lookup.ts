// Lookups over the parts of a history: pages in any order, histograms, the most frequent values. What
// the columns find is compared with the record itself before it is answered.

import { Buffer } from "node:buffer";
import type {
  EventHistory,
  HistoryEvent,
  HistoryFilter,
  HistoryPage,
  HistoryQuery,
  LookupKey,
} from "../../sdk/event-history.ts";
import type { CloudTrailRecord } from "../../sdk/index.ts";
import { eventOf, fingerprint, valuesOf } from "./attributes.ts";
import type { Part } from "./part.ts";
import type { ReadCache } from "./segment.ts";
import { END_ROW, Merge, type Row, rowOf } from "./merge.ts";
import { decodePosition, encodePosition, mayHold, select, type Selected } from "./select.ts";

/** Most events of a page. */
export const LIMIT_MAX = 10_000;
// What a page looks at, at most, before it answers what it has: some 100 ms of work.
const EXAMINED_MAX = 20_000;
// Blocks that are read at the same time: half the wait, and some 4 MiB.
const READ_AT_ONCE = 16;
// Parts whose columns are read at the same time.
const SELECTED_AT_ONCE = 4;
// And what it may weigh: records of the largest size are a quarter MiB.
const PAGE_TEXT_MAX = 16 * 1024 * 1024;
// Attributes with more values than this are counted by the most frequent ones so far.
const COUNTED_MAX = 100_000;

/** What a lookup reads from. */
export interface Source {
  /** As they are now. */
  readonly parts: readonly Part[];
  /** Keeps texts of blocks. */
  readonly cache: ReadCache;
  /** What the agent calls an account or region that a record does not name. */
  readonly own: { readonly accountId: string; readonly region: string };
}

/** A page of events. Throws PartGoneError where the parts changed meanwhile. */
export async function lookup(source: Source, query: HistoryQuery): Promise<HistoryPage> {
  const order = query.order ?? "newest";
  const after = query.after === undefined ? undefined : decodePosition(query.after, order);
  const limit = Math.min(query.limit, LIMIT_MAX);
  if (order === "arrival" && limit === 0) return { events: [], next: endOf(source.parts) };
  const stream = new Merge(source.parts, query, order, after);
  const events: HistoryEvent[] = [];
  let last = after;
  let examined = 0;
  let bytes = 0;
  while (events.length < limit && examined < EXAMINED_MAX && bytes < PAGE_TEXT_MAX) {
    query.signal?.throwIfAborted();
    const rows = await take(stream, Math.min(limit - events.length, READ_AT_ONCE));
    const found = await readEvents(source, rows, query);
    for (const event of found) {
      events.push(event);
      bytes += event.text.length;
    }
    examined += rows.length;
    last = rows.at(-1)?.position ?? last;
    if (rows.length > 0) continue;
    if (order !== "arrival") return { events };
    return { events, next: last === undefined ? endOf([]) : encodePosition(last, order) };
  }
  if (last === undefined) return { events };
  const isEnd = order !== "arrival" && await stream.next() === undefined;
  return isEnd ? { events } : { events, next: encodePosition(last, order) };
}

async function take(stream: Merge, count: number): Promise<Row[]> {
  const rows: Row[] = [];
  while (rows.length < count) {
    const row = await stream.next();
    if (row === undefined) break;
    rows.push(row);
  }
  return rows;
}

/** Position of the last event that came in. */
function endOf(parts: readonly Part[]): string {
  const live = parts.reduce<Part | undefined>(
    (last, part) => last === undefined || part.log >= last.log ? part : last,
    undefined,
  );
  // All of a sealed log stands before the next one, whatever its rows are.
  const { log, rows } = live ?? { log: 0, rows: 0 };
  const position = rows === 0
    ? { log: Math.max(0, log - 1), row: END_ROW }
    : { log, row: rows - 1 };
  return encodePosition({ time: 0, ...position }, "arrival");
}

/** Counts of events by equal parts of a stretch of time. */
export async function histogram(
  source: Source,
  query: Parameters<EventHistory["histogram"]>[0],
): Promise<readonly number[]> {
  const { from, to, buckets } = query;
  const counts = new Array<number>(buckets).fill(0);
  const within = {
    ...query,
    startTime: Math.max(from, query.startTime ?? from),
    endTime: Math.min(to - 1, query.endTime ?? to),
  };
  for await (const { selected, indexes } of matches(source, within)) {
    for (const index of indexes) {
      counts[Math.floor(((selected.times[index]! - from) / (to - from)) * buckets)]!++;
    }
  }
  return counts;
}

/** The values that an attribute has most often. */
export async function counts(
  source: Source,
  query: Parameters<NonNullable<EventHistory["counts"]>>[0],
): Promise<readonly { readonly value: string; readonly count: number }[]> {
  const { attribute, limit } = query;
  const found: Counted = new Map();
  for await (const { selected, indexes } of matches(source, query)) {
    const byIndex = await fingerprints(selected.part, attribute);
    for (const index of indexes) count(found, byIndex(index), selected, index);
  }
  const top = [...found].sort(([, a], [, b]) => b.count - a.count).slice(0, limit);
  const values: { value: string; count: number }[] = [];
  for (const [print, { count, row }] of top) {
    const text = await readText(source, row, new Map());
    const record = text === undefined ? undefined : parsed(text);
    const value = record && valuesOf(record, attribute).find((text) => fingerprint(text) === print);
    if (value !== undefined) values.push({ value, count });
  }
  return values;
}

/** How often each fingerprint came, and a row that has it. */
type Counted = Map<number, { count: number; readonly row: Row }>;

function count(
  found: Counted,
  values: readonly number[],
  selected: Selected,
  index: number,
): void {
  for (const value of values) {
    const entry = found.get(value);
    if (entry !== undefined) entry.count++;
    else if (found.size < COUNTED_MAX) found.set(value, { count: 1, row: rowOf(selected, index) });
  }
}

/** How to get the fingerprints that a row has of an attribute. */
async function fingerprints(
  part: Part,
  attribute: LookupKey,
): Promise<(index: number) => readonly number[]> {
  const column = await part.column(attribute);
  if (attribute !== "ResourceName" && attribute !== "ResourceType") {
    return (index) => column[index] ? [column[index]] : [];
  }
  const owners = await part.column(`${attribute}.row`);
  const byOwner = new Map<number, number[]>();
  for (const [at, owner] of owners.entries()) {
    const list = byOwner.get(owner);
    if (list === undefined) byOwner.set(owner, [column[at]!]);
    else if (!list.includes(column[at]!)) list.push(column[at]!);
  }
  return (index) => byOwner.get(index) ?? [];
}

/** Of each part, the rows that a filter means. */
async function* matches(
  source: Source,
  filter: HistoryFilter & { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<{ readonly selected: Selected; readonly indexes: Uint32Array }> {
  const parts = source.parts.filter((part) => mayHold(part, filter, "newest", undefined));
  for (let first = 0; first < parts.length; first += SELECTED_AT_ONCE) {
    filter.signal?.throwIfAborted();
    const some = parts.slice(first, first + SELECTED_AT_ONCE);
    for (const selected of await Promise.all(some.map((part) => select(part, filter, "newest")))) {
      yield { selected, indexes: await meant(source, selected, filter) };
    }
  }
}

/** Of the selected rows, those whose record holds the filter's text. */
async function meant(
  source: Source,
  selected: Selected,
  filter: HistoryFilter & { readonly signal?: AbortSignal | undefined },
): Promise<Uint32Array> {
  if (filter.text === undefined) return selected.indexes;
  const indexes: number[] = [];
  for (const index of selected.indexes) {
    filter.signal?.throwIfAborted();
    const [event] = await readEvents(source, [rowOf(selected, index)], filter);
    if (event !== undefined) indexes.push(index);
  }
  return Uint32Array.from(indexes);
}

/** The events of rows that are what the filter means; without those that are damaged. */
async function readEvents(
  source: Source,
  rows: readonly Row[],
  filter: HistoryFilter,
): Promise<HistoryEvent[]> {
  const blocks: Blocks = new Map();
  const texts = await Promise.all(rows.map((row) => readText(source, row, blocks)));
  const sought = filter.text?.toLowerCase() ?? "";
  return texts.flatMap((text, i) => {
    if (text === undefined || (sought !== "" && !text.toLowerCase().includes(sought))) return [];
    return eventIn(source, text, rows[i]!, filter) ?? [];
  });
}

function eventIn(
  source: Source,
  text: string,
  row: Row,
  filter: HistoryFilter,
): HistoryEvent | undefined {
  const record = parsed(text);
  if (record === undefined) return undefined;
  if (!filter.attributes.every(({ key, value }) => valuesOf(record, key).includes(value))) {
    return undefined;
  }
  const accountId = nameOr(record.recipientAccountId, ACCOUNT, source.own.accountId);
  const region = nameOr(record.awsRegion, REGION, source.own.region);
  if (filter.accountId !== undefined && filter.accountId !== accountId) return undefined;
  if (filter.region !== undefined && filter.region !== region) return undefined;
  return eventOf(record, text, { time: row.position.time, accountId, region });
}

// As the queue tells which account and region a record belongs to.
const ACCOUNT = /^\d{12}$/;
const REGION = /^[a-z0-9-]{1,32}$/;

function nameOr(value: unknown, pattern: RegExp, own: string): string {
  return typeof value === "string" && pattern.test(value) ? value : own;
}

/** Blocks that are being read. */
type Blocks = Map<string, Promise<Uint8Array | undefined>>;

async function readText(
  source: Source,
  { part, index }: Row,
  reading: Blocks,
): Promise<string | undefined> {
  const [blocks, offsets] = await Promise.all([part.column("block"), part.column("offset")]);
  const block = blocks[index];
  const offset = offsets[index];
  if (block === undefined || offset === undefined) return undefined;
  const key = `${part.name} ${block}`;
  let read = reading.get(key);
  if (read === undefined) reading.set(key, read = readBlock(source, part, block, key));
  const bytes = await read;
  if (bytes === undefined) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf(0x0a, offset);
  return buffer.toString("utf8", offset, end < 0 ? buffer.length : end);
}

async function readBlock(
  { cache }: Source,
  part: Part,
  block: number,
  key: string,
): Promise<Uint8Array | undefined> {
  const cached = cache.get(key);
  if (cached instanceof Uint8Array) return cached;
  const bytes = await part.block(block);
  if (bytes !== undefined) cache.set(key, bytes);
  return bytes;
}

function parsed(text: string): CloudTrailRecord | undefined {
  try {
    return JSON.parse(text) as CloudTrailRecord;
  } catch {
    // The queue takes nothing that is no JSON; one such text would not hide all others.
    return undefined;
  }
}
