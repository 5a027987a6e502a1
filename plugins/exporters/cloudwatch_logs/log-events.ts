// Records as log events: divided into requests as PutLogEvents limits them, written as JSON, and
// what an answer says of those it did not take. Pure.

import { Buffer } from "node:buffer";
import type { Json, StoredRecord } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** A record and the time it is filed under, in milliseconds since the epoch. */
export interface LogEvent {
  readonly record: StoredRecord;
  readonly timestamp: number;
}

/** Limits of one request: bytes with 26 for each event, events, and the time they span. */
export const PUT_LIMITS = {
  bytesMax: 1_048_576,
  eventBytes: 26,
  eventsMax: 10_000,
  spanMsMax: 24 * 3_600_000,
} as const;

/** In chronological order; records of one time in that of their sequence. */
export function chronological(events: readonly LogEvent[]): readonly LogEvent[] {
  const isSorted = events.every((event, i) =>
    i === 0 || events[i - 1]!.timestamp <= event.timestamp
  );
  return isSorted ? events : events.toSorted((a, b) => a.timestamp - b.timestamp);
}

/** Divides events, in chronological order, into requests. */
export function* requests(events: readonly LogEvent[]): Generator<readonly LogEvent[], void> {
  const { bytesMax, eventBytes, eventsMax, spanMsMax } = PUT_LIMITS;
  let first = 0;
  let bytes = 0;
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!;
    const size = event.record.bytes.length + eventBytes;
    const isFull = bytes + size > bytesMax || i - first === eventsMax ||
      event.timestamp - events[first]!.timestamp > spanMsMax;
    if (isFull && i > first) {
      yield events.slice(first, i);
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (events.length > first) yield events.slice(first);
}

/** The JSON text of a request. Each message is the record's text as it is. */
export function writeRequest(group: string, stream: string, events: readonly LogEvent[]): string {
  const head = JSON.stringify({ logGroupName: group, logStreamName: stream }).slice(0, -1);
  let text = `${head},"logEvents":[`;
  let separator = "";
  for (const { record: { bytes }, timestamp } of events) {
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    text += `${separator}{"timestamp":${timestamp},"message":${JSON.stringify(message)}}`;
    separator = ",";
  }
  return `${text}]}`;
}

/** How an answer divides the events of its request: those before and after are not taken. */
export interface Taken {
  /** Index of the first that was taken. */
  readonly from: number;
  /** Index behind the last. */
  readonly to: number;
}

/** Reads `rejectedLogEventsInfo`; without it, all `count` were taken. */
export function readRejected(info: Json | undefined, count: number): Taken {
  if (!isObject(info)) return { from: 0, to: count };
  const index = (name: string, otherwise: number) => {
    const value = info[name];
    return typeof value === "number" ? Math.min(Math.max(value, 0), count) : otherwise;
  };
  const to = index("tooNewLogEventStartIndex", count);
  const from = Math.max(index("tooOldLogEventEndIndex", 0), index("expiredLogEventEndIndex", 0));
  return { from: Math.min(from, to), to };
}
