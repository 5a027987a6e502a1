// LookupEvents, and ListInsightsData which asks the same of insights: the event history in AWS's words,
// with AWS's own checks.

import { AwsFault } from "../../sdk/aws/fault.ts";
import {
  type EventHistory,
  eventHistoryService,
  type HistoryEvent,
  type HistoryFilter,
  HistoryPositionError,
  LOOKUP_KEYS,
  type LookupKey,
} from "../../sdk/event-history.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { type Call, numberOf, placeOf, queryOf, seconds, textOf, timeOf } from "./call.ts";
import { unsupported } from "./refusal.ts";
import { findTrail } from "./trails.ts";

const PAGE_MAX = 50;
const VALUE_LENGTH_MAX = 2000;
/** A page that fills slowly is answered as it is, with a token to go on. */
const PAGE_MS = 2000;
const INSIGHT_KEYS: ReadonlySet<string> = new Set(["EventId", "EventName", "EventSource"]);
const KEYS: ReadonlySet<string> = new Set(LOOKUP_KEYS);

/** LookupEvents. */
export async function lookupEvents(call: Call): Promise<JsonObject> {
  const limit = numberOf(call, "MaxResults") ?? PAGE_MAX;
  if (limit < 1 || limit > PAGE_MAX) {
    const message =
      `A maximum results value of ${limit} is invalid. Specify a value between 1 and 50`;
    throw new AwsFault("InvalidMaxResultsException", message);
  }
  const category = textOf(call, "EventCategory");
  if (category !== undefined && category !== "insight") {
    const message = "Event category can only be insight; leave it out for management events";
    throw new AwsFault("InvalidEventCategoryException", message);
  }
  const isInsight = category === "insight";
  return await page(call, limit, {
    category: isInsight ? "insight" : "management",
    attributes: attributesOf(call.input.LookupAttributes, isInsight ? INSIGHT_KEYS : KEYS),
  });
}

/** ListInsightsData: the insights of a trail, which are those of the history. */
export async function listInsightsData(call: Call): Promise<JsonObject> {
  findTrail(call, textOf(call, "InsightSource")!);
  const dimensions = (call.input.Dimensions ?? {}) as Readonly<Record<string, string>>;
  return await page(call, numberOf(call, "MaxResults") ?? PAGE_MAX, {
    category: "insight",
    attributes: Object.entries(dimensions).map(([key, value]) => ({
      key: key as LookupKey,
      value,
    })),
  });
}

async function page(
  call: Call,
  limit: number,
  filter: Pick<HistoryFilter, "attributes" | "category">,
): Promise<JsonObject> {
  const startTime = timeOf(call, "StartTime");
  const endTime = timeOf(call, "EndTime");
  if (startTime !== undefined && endTime !== undefined && startTime > endTime) {
    throw new AwsFault("InvalidTimeRangeException", "Start time is later than end time");
  }
  const place = placeOf(call);
  const history = call.find(eventHistoryService)[0];
  if (history === undefined) {
    throw unsupported("No event history is kept: add an exporter history to the configuration");
  }
  const { accountId } = call.caller;
  const wanted = { ...filter, startTime, endTime, accountId, region: call.region };
  const { events, next } = await fill(call, history, wanted, limit, place);
  const answer: JsonObject = { Events: events.map(eventOf) };
  return next === undefined
    ? answer
    : { ...answer, NextToken: call.tokens.seal(next, queryOf(call)) };
}

/** A whole page where the history gives it within reasonable time. */
async function fill(
  { signal }: Call,
  history: EventHistory,
  filter: HistoryFilter,
  limit: number,
  place: Json | undefined,
): Promise<{ readonly events: readonly HistoryEvent[]; readonly next: string | undefined }> {
  const events: HistoryEvent[] = [];
  const begin = performance.now();
  let after = typeof place === "string" ? place : undefined;
  try {
    do {
      const left = limit - events.length;
      const found = await history.lookup({ ...filter, limit: left, after, signal });
      events.push(...found.events);
      after = found.next;
    } while (after !== undefined && events.length < limit && performance.now() - begin < PAGE_MS);
  } catch (error) {
    if (!(error instanceof HistoryPositionError)) throw error;
    throw new AwsFault("InvalidNextTokenException", "The token's place is not there any more");
  }
  return { events, next: after };
}

function attributesOf(value: Json | undefined, keys: ReadonlySet<string>) {
  const list = value ?? [];
  if (!Array.isArray(list)) throw invalidAttributes("Lookup attributes have to be a list");
  if (list.length > 1) throw invalidAttributes("Lookup attributes can hold one item at most");
  return list.map((item: Json) => {
    const { AttributeKey: key, AttributeValue: text } = isObject(item) ? item : {};
    if (typeof key !== "string" || !keys.has(key)) {
      throw invalidAttributes(`Lookup attribute key is none of ${[...keys].join(", ")}`);
    }
    if (typeof text !== "string" || text === "" || lengthOf(text) > VALUE_LENGTH_MAX) {
      throw invalidAttributes(`Value of ${key} has to be a text of 1 to 2000 characters`);
    }
    return { key: key as LookupKey, value: text };
  });
}

/** As AWS counts: some signs count as two characters. */
function lengthOf(text: string): number {
  return text.length + (text.match(/[_ ,\n]/g)?.length ?? 0);
}

function invalidAttributes(message: string): AwsFault {
  return new AwsFault("InvalidLookupAttributesException", message);
}

function eventOf(event: HistoryEvent): JsonObject {
  return {
    EventId: event.id,
    EventName: event.name,
    ReadOnly: event.readOnly === undefined ? undefined : String(event.readOnly),
    AccessKeyId: event.accessKeyId,
    EventTime: seconds(event.time),
    EventSource: event.source,
    Username: event.username,
    Resources: event.resources.map(({ type, name }) => ({
      ResourceType: type,
      ResourceName: name,
    })),
    CloudTrailEvent: event.text,
  };
}
