// What the page shows of the event history: pages of events, one record, how events spread over time,
// and which values an attribute has.

import {
  type EventHistory,
  type HistoryEvent,
  type HistoryFilter,
  LOOKUP_KEYS,
} from "../../sdk/event-history.ts";
import type { HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import { QueryError, readFilter, readNumber } from "./filter.ts";
import { jsonAnswer, refusal } from "./guard.ts";

const PAGE_EVENTS = 50;
const PAGE_EVENTS_MAX = 200;
/** A page that fills slowly is shown as it is; the next one goes on. */
const PAGE_MS = 2000;
const BUCKETS_MAX = 500;
const VALUES_MAX = 20;
/** Counting reads every record that free text may stand in: longer than this nobody waits. */
const COUNT_MS = 5000;

type Asked = Pick<HttpRequest, "query" | "signal">;

/** A page of events, without the records' text. */
export async function answerEvents(history: EventHistory, asked: Asked): Promise<HttpResponse> {
  const { query, signal } = asked;
  const filter = readFilter(query);
  const limit = Math.max(1, readNumber(query, "limit", PAGE_EVENTS_MAX) ?? PAGE_EVENTS);
  const order = query.get("order") === "oldest" ? "oldest" : "newest";
  const begin = performance.now();
  const events: object[] = [];
  let after = query.get("after") ?? undefined;
  do {
    const left = limit - events.length;
    const page = await history.lookup({ ...filter, order, limit: left, after, signal });
    events.push(...page.events.map(withoutText));
    after = page.next;
  } while (after !== undefined && events.length < limit && performance.now() - begin < PAGE_MS);
  return jsonAnswer({ events, ...(after !== undefined && { next: after }) });
}

function withoutText({ text: _text, ...event }: HistoryEvent): object {
  return event;
}

/** The text of the record with an id and a time. */
export async function answerRecord(history: EventHistory, asked: Asked): Promise<HttpResponse> {
  const filter = readFilter(asked.query);
  if (filter.attributes.length === 0) throw new QueryError('Expected "EventId"');
  const { events } = await history.lookup({ ...filter, limit: 1, signal: asked.signal });
  if (events.length === 0) return refusal(404, "The event is not in the history any more");
  return jsonAnswer({ text: events[0]!.text });
}

/** How many events fall into each part of the time from `from` to `to`. */
export async function answerHistogram(history: EventHistory, asked: Asked): Promise<HttpResponse> {
  const filter = readFilter(asked.query);
  const { startTime: from, endTime: to } = filter;
  const buckets = readNumber(asked.query, "buckets", BUCKETS_MAX) ?? 0;
  if (from === undefined || to === undefined || to <= from || buckets < 1) {
    throw new QueryError('Expected "from" before "to", and "buckets"');
  }
  return await withinTime(asked.signal, async (signal) => ({
    counts: await history.histogram({ ...filter, from, to, buckets, signal }),
  }));
}

/** The values that an attribute has most often. */
export async function answerValues(history: EventHistory, asked: Asked): Promise<HttpResponse> {
  const attribute = LOOKUP_KEYS.find((key) => key === asked.query.get("attribute"));
  if (attribute === undefined) throw new QueryError('Expected "attribute"');
  const filter: HistoryFilter = readFilter(asked.query);
  return await withinTime(asked.signal, async (signal) => ({
    values: await history.counts?.({ ...filter, attribute, limit: VALUES_MAX, signal }) ?? [],
  }));
}

/** What takes too long is answered as such: the page does without. */
async function withinTime(
  asked: AbortSignal,
  count: (signal: AbortSignal) => Promise<object>,
): Promise<HttpResponse> {
  const late = AbortSignal.timeout(COUNT_MS);
  try {
    return jsonAnswer(await count(AbortSignal.any([asked, late])));
  } catch (error) {
    if (!late.aborted || asked.aborted) throw error;
    return jsonAnswer({ tooMany: true });
  }
}
