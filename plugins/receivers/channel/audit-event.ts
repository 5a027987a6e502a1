// One event of a PutAuditEvents call -> the record that CloudTrail makes of it, or why it is none. Pure.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { isIP } from "node:net";
import type { AuditEventEntry } from "../../sdk/channel-service.ts";
import { formatEventTime, parseEventTime } from "../../sdk/cloudtrail/event-time.ts";
import { nestsDeeper } from "../../sdk/cloudtrail/parse-record.ts";
import { SPLIT_LIMITS } from "../../sdk/cloudtrail/span.ts";
import { derivedId } from "../../sdk/derived-id.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** What all events of a channel have in common. */
export interface ChannelIdentity {
  readonly arn: string;
  readonly accountId: string;
  readonly region: string;
  /** `Custom`, or a partner's name. */
  readonly source: string;
}

/** The record of an event. */
export interface AuditRecord {
  readonly eventId: string;
  /** JSON text. */
  readonly bytes: Uint8Array;
}

/** Why an event is not taken, under AWS's name. */
export interface EventFault {
  readonly errorCode: string;
  readonly errorMessage: string;
}

const KB = 1024;
const EVENT_BYTES_MAX = 256 * KB;
/** The record nests one level deeper than the event. */
const DEPTH_MAX = SPLIT_LIMITS.depthMax - 2;

/** Texts: name, longest in characters, and whether it has to be there. */
const TEXTS: readonly (readonly [name: string, max: number, required: boolean])[] = [
  ["version", 256, true],
  ["eventSource", 1024, true],
  ["eventName", 1024, true],
  ["eventTime", 64, true],
  ["UID", 1024, true],
  ["recipientAccountId", 64, true],
  ["userAgent", 1024, false],
  ["errorCode", 256, false],
  ["errorMessage", 256, false],
  ["sourceIPAddress", 64, false],
];
const IDENTITY_TEXTS: typeof TEXTS = [["type", 128, true], ["principalId", 1024, true]];
/** Objects: name, longest in bytes of JSON. */
const OBJECTS: readonly (readonly [name: string, max: number])[] = [
  ["requestParameters", 100 * KB],
  ["responseElements", 100 * KB],
  ["additionalEventData", 28 * KB],
];
/** UTC, as AWS documents it and as its samples have it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?$/;

/** A surrogate without its other half. */
const HALF = /\p{Surrogate}/u;

/** The members that all records of a call share, up to where the event's own text begins. */
export function sharedMembers({ arn, accountId, region }: ChannelIdentity, now: number): string {
  const shared = JSON.stringify({
    awsRegion: region,
    recipientAccountId: accountId,
    metadata: { ingestionTime: formatEventTime(now), channelARN: arn },
  });
  return `${shared.slice(1, -1)},"eventData":`;
}

/** The record of an event; or why there is none. `shared`: what sharedMembers() says of its call. */
export function auditRecord(
  entry: AuditEventEntry,
  channel: ChannelIdentity,
  shared: string,
): AuditRecord | EventFault {
  const { eventData, eventDataChecksum } = entry;
  const length = Buffer.byteLength(eventData);
  if (length > EVENT_BYTES_MAX) return tooLong("eventData", EVENT_BYTES_MAX, "bytes");
  if (eventDataChecksum !== undefined && eventDataChecksum !== null) {
    if (hash("sha256", eventData, "base64") !== eventDataChecksum) {
      return fault("InvalidChecksum", "eventDataChecksum is not that of eventData");
    }
  }
  // Half a character cannot be written down: another text than was sent would be stored.
  if (HALF.test(eventData)) return fault("InvalidData", "eventData is no Unicode text");
  const event = parse(eventData);
  if (event === undefined) return fault("InvalidData", "eventData is no JSON object");
  if (nestsDeeper(eventData, event, DEPTH_MAX)) {
    return fault("InvalidData", `eventData nests deeper than ${DEPTH_MAX} levels`);
  }
  return problemOf(event, length, channel) ?? recordOf(event, eventData, channel.arn, shared);
}

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function problemOf(
  event: JsonObject,
  bytes: number,
  { accountId, source }: ChannelIdentity,
): EventFault | undefined {
  const { userIdentity } = event;
  if (userIdentity === undefined || userIdentity === null) return missing("userIdentity");
  if (!isObject(userIdentity)) return wrong("userIdentity", "an object");
  const problem = textProblem(event, TEXTS, "") ??
    textProblem(userIdentity, IDENTITY_TEXTS, "userIdentity.") ??
    objectProblem(event, bytes);
  if (problem !== undefined) return problem;
  const { details } = userIdentity;
  if (details !== undefined && details !== null && !isObject(details)) {
    return wrong("userIdentity.details", "an object");
  }
  if (timeOf(event) === undefined) return wrong("eventTime", "a UTC time as 2026-01-31T23:59:59Z");
  const { sourceIPAddress: address, recipientAccountId, eventSource } = event;
  if (typeof address === "string" && isIP(address) === 0) {
    return wrong("sourceIPAddress", "an IP address");
  }
  if (recipientAccountId !== accountId) {
    const message = "recipientAccountId is not the account that has the channel";
    return fault("InvalidRecipient", message);
  }
  if (source === "Custom" || eventSource === source) return undefined;
  return fault("InvalidEventSource", `eventSource is not that of the channel: ${source}`);
}

function textProblem(
  object: JsonObject,
  texts: typeof TEXTS,
  at: string,
): EventFault | undefined {
  for (const [name, max, required] of texts) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (value === undefined || value === null || value === "") {
      if (required) return missing(`${at}${name}`);
    } else if (typeof value !== "string") return wrong(`${at}${name}`, "a text");
    else if (value.length > max) return tooLong(`${at}${name}`, max, "characters");
  }
  return undefined;
}

function objectProblem(event: JsonObject, bytes: number): EventFault | undefined {
  for (const [name, max] of OBJECTS) {
    const value = event[name];
    if (value === undefined || value === null) continue;
    if (!isObject(value)) return wrong(name, "an object");
    // A part is no longer than the whole, which is short as a rule.
    if (bytes > max && Buffer.byteLength(JSON.stringify(value)) > max) {
      return tooLong(name, max, "bytes");
    }
  }
  return undefined;
}

function timeOf({ eventTime }: JsonObject): number | undefined {
  if (typeof eventTime !== "string" || !TIME.test(eventTime)) return undefined;
  const ms = parseEventTime(eventTime.endsWith("Z") ? eventTime : `${eventTime}Z`);
  // Years before 100 are read as those of the twentieth century.
  return eventTime.startsWith("00") ? undefined : ms;
}

/** The event's text travels in it as it came. Its source tells apart what several programs count. */
function recordOf(event: JsonObject, text: string, arn: string, shared: string): AuditRecord {
  const eventId = derivedId("cairn", "channel", arn, String(event.eventSource), String(event.UID));
  const eventTime = formatEventTime(timeOf(event)!);
  // Put together as text, once: nothing in it but the event's own part needs escaping.
  const record = `{"eventVersion":"1.11","eventCategory":"ActivityAuditLog",` +
    `"eventType":"ActivityLog","eventID":"${eventId}","eventTime":"${eventTime}",${shared}${text}}`;
  return { eventId, bytes: Buffer.from(record) };
}

function missing(name: string): EventFault {
  return fault("FieldNotFound", `${name} is missing`);
}

function wrong(name: string, wanted: string): EventFault {
  return fault("InvalidData", `${name} has to be ${wanted}`);
}

function tooLong(name: string, max: number, unit: string): EventFault {
  return fault("FieldTooLong", `${name} is longer than ${max} ${unit}`);
}

function fault(errorCode: string, errorMessage: string): EventFault {
  return { errorCode, errorMessage };
}
