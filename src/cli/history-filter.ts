// Which events `cairn history` is asked for: options and KEY=VALUE words -> a filter.

import {
  type HistoryFilter,
  LOOKUP_KEYS,
  type LookupKey,
} from "../../plugins/sdk/event-history.ts";
import { duration } from "../../plugins/sdk/index.ts";
import { suggest } from "../config/suggest.ts";
import { type Arguments, type Option, UsageError } from "./command.ts";

/** The option of each attribute. */
const ATTRIBUTE_OPTIONS: Readonly<Record<LookupKey, string>> = {
  AccessKeyId: "access-key-id",
  EventId: "event-id",
  EventName: "event-name",
  EventSource: "event-source",
  ReadOnly: "read-only",
  ResourceName: "resource-name",
  ResourceType: "resource-type",
  Username: "username",
};

const TIME_HELP = "2026-11-22, 2026-11-22T08:00Z, or 2h, 7d ago";

/** The options. */
export const FILTER_OPTIONS = {
  "event-name": { type: "string", value: "NAME", help: "Only this action: UserLogin" },
  "event-source": { type: "string", value: "NAME", help: "Only of this service" },
  "event-id": { type: "string", value: "ID", help: "Only this event" },
  username: { type: "string", value: "NAME", help: "Only of this user or role session" },
  "access-key-id": { type: "string", value: "ID", help: "Only with this access key" },
  "resource-name": { type: "string", value: "NAME", help: "Only on this resource: ARN or name" },
  "resource-type": { type: "string", value: "TYPE", help: "Only on resources of this type" },
  "read-only": { type: "string", value: "true|false", help: "Only reads, or only changes" },
  errors: { type: "boolean", help: "Only what failed" },
  insights: { type: "boolean", help: "Insight events instead of management events" },
  text: { type: "string", value: "TEXT", help: "Only records that hold this text, in any case" },
  account: { type: "string", value: "ID", help: "Only of this account" },
  region: { type: "string", value: "NAME", help: "Only of this region" },
  since: { type: "string", value: "TIME", help: `Only from then on: ${TIME_HELP}` },
  until: { type: "string", value: "TIME", help: "Only until then, or the end of that day" },
} as const satisfies Readonly<Record<string, Option>>;

/** Reads options and words. Throws UsageError. */
export function historyFilter({ values, flags, words }: Arguments, nowMs: number): HistoryFilter {
  const attributes = words.map(parseWord);
  for (const key of LOOKUP_KEYS) {
    const [value] = values[ATTRIBUTE_OPTIONS[key]] ?? [];
    if (value !== undefined) attributes.push({ key, value });
  }
  const readOnly = attributes.find(({ key }) => key === "ReadOnly")?.value ?? "true";
  if (readOnly !== "true" && readOnly !== "false") {
    throw new UsageError(`Cannot read ReadOnly "${readOnly}": true or false is expected`);
  }
  const moment = (name: "since" | "until") => {
    const [text] = values[name] ?? [];
    return text === undefined ? undefined : parseTime(text, name, nowMs);
  };
  return {
    attributes,
    category: flags.has("insights") ? "insight" : "management",
    text: values.text?.[0],
    startTime: moment("since"),
    endTime: moment("until"),
    accountId: values.account?.[0],
    region: values.region?.[0],
    errorsOnly: flags.has("errors"),
  };
}

function parseWord(word: string): { key: LookupKey; value: string } {
  const at = word.indexOf("=");
  const name = at < 0 ? word : word.slice(0, at);
  const key = LOOKUP_KEYS.find((each) => each.toLowerCase() === name.toLowerCase());
  if (key !== undefined && at >= 0) return { key, value: word.slice(at + 1) };
  const hint = suggest(name, LOOKUP_KEYS);
  const known = hint ?? `KEY is one of ${LOOKUP_KEYS.join(", ")}`;
  throw new UsageError(`Cannot read "${word}": KEY=VALUE is expected (${known})`);
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const ZONE = /(?:Z|[+-]\d{2}:?\d{2})$/i;
const DAY_MS = 86_400_000;

/** A moment in milliseconds since the epoch; without a zone it is UTC, as records are. */
function parseTime(text: string, name: "since" | "until", nowMs: number): number {
  const age = duration.safeParse(text.replace(/^-/, ""));
  if (age.success) return nowMs - age.data;
  const isDay = DAY.test(text);
  const isIso = /^\d{4}-\d{2}-\d{2}[T ]/.test(text);
  const time = isDay || isIso
    ? Date.parse(isDay || ZONE.test(text) ? text : `${text}Z`)
    : Number.NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`Cannot read --${name} "${text}": ${TIME_HELP} is expected`);
  }
  return isDay && name === "until" ? time + DAY_MS - 1 : time;
}
