// A record as an event of PutAuditEvents, in the schema that CloudTrail Lake has for events from
// outside. Fields have limits there; what passes one is cut or left out, and named in the event.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { isIP } from "node:net";
import type { CloudTrailRecord, Json, JsonObject, StoredRecord } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** An event, written. */
export interface ChannelEvent {
  readonly record: StoredRecord;
  /** Of the event in its request; one record always has the same. */
  readonly id: string;
  /** JSON text of the entry. */
  readonly text: string;
  readonly bytes: number;
}

/** Why a record can be no event of a channel, under the code that AWS has for it. */
export class Unfit {
  readonly code: "FieldNotFound" | "FieldTooLong";
  readonly reason: string;

  constructor(code: Unfit["code"], reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

/** Called with what was left out of an event, by the field's name. */
export type Omitting = (field: string) => void;

type Fields = Record<string, Json>;

const EVENT_BYTES_MAX = 262_144;
const PARAMETERS_BYTES_MAX = 100_000;
const ADDITIONAL_BYTES_MAX = 28_000;
/** Of the note on what was left out: names, how long they are, and all of it with what is around. */
const NAMES_MAX = 5;
const NAME_LENGTH_MAX = 100;
const NOTE_BYTES = 2000;
/** No part of a record this small can pass a limit, repeated texts included. */
const SMALL_BYTES = 12_000;
const ID = /^[-_A-Za-z0-9]{1,128}$/;
/** Fields that the schema has a place for; all others go to additionalEventData. */
const MAPPED = new Set([
  "eventVersion",
  "userIdentity",
  "userAgent",
  "eventSource",
  "eventName",
  "eventTime",
  "eventID",
  "requestParameters",
  "responseElements",
  "errorCode",
  "errorMessage",
  "sourceIPAddress",
  "recipientAccountId",
  "additionalEventData",
]);
/** Optional texts, and how long they may be. */
const TEXTS = [["userAgent", 1024], ["errorCode", 256], ["errorMessage", 256]] as const;
/** Where the fields stand that the schema has no place for. */
const REST = "cloudTrailRecord";

/** Writes a record as an event for a channel of that account. */
export function channelEvent(
  record: StoredRecord,
  accountId: string,
  omitting: Omitting,
): ChannelEvent | Unfit {
  const data = eventData(record, accountId);
  if (data instanceof Unfit) return data;
  const isSmall = record.bytes.length <= SMALL_BYTES;
  if (!isSmall) fit(data, omitting);
  let text = JSON.stringify(data);
  if (!isSmall && Buffer.byteLength(text) > EVENT_BYTES_MAX) {
    const { details, ...who } = isObject(data.userIdentity) ? data.userIdentity : {};
    text = JSON.stringify({ ...data, userIdentity: who });
    if (details === undefined || Buffer.byteLength(text) > EVENT_BYTES_MAX) {
      const reason = `Record is larger than an event may be: ${EVENT_BYTES_MAX} bytes`;
      return new Unfit("FieldTooLong", reason);
    }
    omitting("userIdentity.details");
  }
  const id = ID.test(record.id) ? record.id : hash("sha256", record.id);
  const checksum = hash("sha256", text, "base64");
  const entry = `{"id":"${id}","eventData":${
    JSON.stringify(text)
  },"eventDataChecksum":"${checksum}"}`;
  return { record, id, text: entry, bytes: Buffer.byteLength(entry) };
}

function eventData(stored: StoredRecord, accountId: string): Fields | Unfit {
  const { record } = stored;
  // What came through a channel goes on as it came.
  if (record.eventCategory === "ActivityAuditLog" && isObject(record.eventData)) {
    return { ...record.eventData, recipientAccountId: accountId };
  }
  const details = isObject(record.insightDetails) ? record.insightDetails : {};
  const source = text(record.eventSource) ?? text(details.eventSource);
  const name = text(record.eventName) ?? text(details.eventName);
  if (source === undefined) return missing("eventSource");
  if (name === undefined) return missing("eventName");
  if (!Number.isFinite(stored.time)) return missing("eventTime");
  const rest = restOf(record, accountId);
  const data: Fields = {
    version: cut("eventVersion", text(record.eventVersion) ?? "1.0", 256, rest),
    userIdentity: identity(record, rest),
    eventSource: cut("eventSource", source, 1024, rest),
    eventName: cut("eventName", name, 1024, rest),
    eventTime: `${new Date(stored.time).toISOString().slice(0, 19)}Z`,
    UID: text(record.eventID) ?? stored.id,
    recipientAccountId: accountId,
  };
  for (const [field, bytesMax] of TEXTS) {
    const value = text(record[field]);
    if (value !== undefined) data[field] = cut(field, value, bytesMax, rest);
  }
  for (const field of ["requestParameters", "responseElements"] as const) {
    const value = record[field] as Json | undefined;
    if (isObject(value)) data[field] = value;
    else if (value !== undefined && value !== null) rest[field] = value;
  }
  const address = record.sourceIPAddress;
  if (typeof address === "string" && isIP(address) !== 0) data.sourceIPAddress = address;
  else if (address !== undefined) rest.sourceIPAddress = address;
  data.additionalEventData = additional(record.additionalEventData, rest);
  return data;
}

/** What the schema has no place for, and what stands in its place differently. */
function restOf(record: CloudTrailRecord, accountId: string): Fields {
  const rest: Fields = {};
  for (const field of Object.keys(record)) {
    if (!MAPPED.has(field)) rest[field] = record[field] as Json;
  }
  const { recipientAccountId, eventTime } = record;
  if (recipientAccountId !== undefined && recipientAccountId !== accountId) {
    rest.recipientAccountId = recipientAccountId;
  }
  if (typeof eventTime === "string" && eventTime.length !== "2026-01-01T00:00:00Z".length) {
    rest.eventTime = eventTime;
  }
  return rest;
}

function identity({ userIdentity }: CloudTrailRecord, rest: Fields): Fields {
  const who: JsonObject = isObject(userIdentity) ? userIdentity : {};
  const principal = text(who.principalId) ?? text(who.arn) ?? text(who.userName) ??
    text(who.invokedBy) ?? text(who.accountId) ?? "unknown";
  return {
    type: cut("userIdentity.type", text(who.type) ?? "Unknown", 128, rest),
    principalId: cut("userIdentity.principalId", principal, 1024, rest),
    details: who,
  };
}

function additional(own: Json | undefined, rest: Fields): JsonObject {
  if (own === undefined || own === null) return { [REST]: rest };
  if (isObject(own) && !Object.hasOwn(own, REST)) return { ...own, [REST]: rest };
  return { [REST]: { ...rest, additionalEventData: own } };
}

/** A text within its limit; the whole of one that is not stands in the rest. */
function cut(field: string, value: string, bytesMax: number, rest: Fields): string {
  // A UTF-16 unit is three bytes at most.
  if (value.length * 3 <= bytesMax || Buffer.byteLength(value) <= bytesMax) return value;
  rest[field] = value;
  const bytes = Buffer.from(value).subarray(0, bytesMax);
  return bytes.toString("utf8").replace(/\uFFFD$/, "");
}

/** Leaves out what passes a limit, and says so in the event. */
function fit(data: Fields, omitting: Omitting): void {
  const omitted: string[] = [];
  for (const field of ["requestParameters", "responseElements"]) {
    const value = data[field];
    if (value === undefined || sizeOf(value) <= PARAMETERS_BYTES_MAX) continue;
    delete data[field];
    omitted.push(field);
  }
  const { [REST]: mapped, ...own } = data.additionalEventData as JsonObject ?? {};
  const more = { ...own } as Fields;
  const rest = { ...mapped as JsonObject } as Fields;
  const parts = [...partsOf(more, ""), ...partsOf(rest, `${REST}.`)]
    .sort((a, b) => b.bytes - a.bytes);
  let bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  // The largest first, until the others fit, and the note on them.
  for (const { group, name, path, bytes: part } of parts) {
    if (bytes <= ADDITIONAL_BYTES_MAX - NOTE_BYTES) break;
    delete group[name];
    bytes -= part;
    omitted.push(path);
  }
  if (omitted.length === 0) return;
  const named = omitted.slice(0, NAMES_MAX);
  data.additionalEventData = { ...more, [REST]: rest, omitted: named };
  for (const field of named) omitting(field);
}

function partsOf(group: Fields, prefix: string) {
  return Object.entries(group).map(([name, value]) => ({
    group,
    name,
    path: `additionalEventData.${prefix}${name}`.slice(0, NAME_LENGTH_MAX),
    bytes: sizeOf({ [name]: value }),
  }));
}

function sizeOf(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function missing(field: string): Unfit {
  return new Unfit("FieldNotFound", `Record has no ${field}, which a channel asks for`);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
