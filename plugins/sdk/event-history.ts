// The event history as a service: how an extension or a command looks up what happened, whatever
// keeps it. An exporter provides it. Events come back as LookupEvents of CloudTrail describes them.

import { type ServiceKind, serviceKind } from "./service.ts";

/** The attributes of LookupEvents. */
export const LOOKUP_KEYS = [
  "AccessKeyId",
  "EventId",
  "EventName",
  "EventSource",
  "ReadOnly",
  "ResourceName",
  "ResourceType",
  "Username",
] as const;

/** An attribute of LookupEvents. */
export type LookupKey = (typeof LOOKUP_KEYS)[number];

/** Which events are meant; all that is given must hold. */
export interface HistoryFilter {
  /** Compared exactly, case-sensitive, as LookupEvents does; `ReadOnly` is "true" or "false". */
  readonly attributes: readonly { readonly key: LookupKey; readonly value: string }[];
  readonly category: "management" | "insight";
  /** Stands somewhere in the record's JSON text, in any case. */
  readonly text?: string | undefined;
  /** Milliseconds since the epoch, inclusive. */
  readonly startTime?: number | undefined;
  /** Milliseconds since the epoch, inclusive. */
  readonly endTime?: number | undefined;
  readonly accountId?: string | undefined;
  readonly region?: string | undefined;
  /** Only events with an errorCode. */
  readonly errorsOnly?: boolean | undefined;
}

/** One page of a lookup. */
export interface HistoryQuery extends HistoryFilter {
  /** Most events of the page. With 0 and order `arrival`, `next` is where the history ends now. */
  readonly limit: number;
  /** `next` of the page before, asked with the same filter and order; another one is an error. */
  readonly after?: string | undefined;
  /** By eventTime, newest first by default; `arrival`: as they came into the history. */
  readonly order?: "newest" | "oldest" | "arrival" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One event. */
export interface HistoryEvent {
  readonly id: string;
  readonly name: string;
  /** eventTime in milliseconds since the epoch. */
  readonly time: number;
  readonly source: string;
  readonly username?: string;
  readonly accessKeyId?: string;
  readonly readOnly?: boolean;
  readonly errorCode?: string;
  readonly sourceIPAddress?: string;
  readonly resources: readonly { readonly type?: string; readonly name?: string }[];
  readonly accountId: string;
  readonly region: string;
  /** The record's JSON text as it was stored. */
  readonly text: string;
}

/** A page. It may hold fewer than `limit`, even none, and still have a `next`: then ask on. */
export interface HistoryPage {
  readonly events: readonly HistoryEvent[];
  /** An opaque position; missing at the end. Always there for order `arrival`: ask again later. */
  readonly next?: string;
}

/** How much there is. Times in milliseconds since the epoch. */
export interface HistoryExtent {
  readonly events: number;
  /** On the disk. */
  readonly bytes: number;
  readonly oldest?: number;
  readonly newest?: number;
}

/** A position that no lookup of this kind has answered. */
export class HistoryPositionError extends Error {
  override readonly name = "HistoryPositionError";
  readonly code = "CAIRN_HISTORY_POSITION";
}

/** What was recorded and can be looked up. */
export interface EventHistory {
  /** Id of the exporter that keeps it, by which people choose where there are several. */
  readonly exporter?: string | undefined;
  /** One page. Throws HistoryPositionError where `after` is none of its positions. */
  lookup(query: HistoryQuery): Promise<HistoryPage>;
  /** How many events fall into each of `buckets` equal parts of `from` (inclusive) to `to`. */
  histogram(
    query: HistoryFilter & {
      readonly from: number;
      readonly to: number;
      readonly buckets: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<readonly number[]>;
  /** The values that an attribute has most often, most frequent first. */
  counts?(
    query: HistoryFilter & {
      readonly attribute: LookupKey;
      readonly limit: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<readonly { readonly value: string; readonly count: number }[]>;
  extent(): HistoryExtent;
}

/** Where a history lies that is to be read without its agent. */
export interface HistoryPlace {
  /** The component's folder. */
  readonly directory: string;
  /** What the agent calls an account or region that a record does not name. */
  readonly own: { readonly accountId: string; readonly region: string };
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Told what is damaged. */
  readonly tell: (message: string) => void;
}

/** The kind; there may be several, one for each exporter that keeps a history. */
export const eventHistoryService: ServiceKind<EventHistory> = serviceKind("event history");
