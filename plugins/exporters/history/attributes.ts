// What of a record can be looked up: record -> attributes as LookupEvents names them, and each value
// as a number that a column holds. Pure.

import type { CloudTrailRecord, RecordResource } from "../../sdk/index.ts";
import type { HistoryEvent, LookupKey } from "../../sdk/event-history.ts";
import type { UserIdentity } from "../../sdk/cloudtrail/record.ts";

const BACKSLASH = 0x5c;

/** A resource as lookups answer it. */
type EventResource = HistoryEvent["resources"][number];

/**
 * A text as a number of 32 bits, never 0: that is for "has none". Different texts may have the same
 * one, so what it finds is compared with the text itself.
 */
export function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return finish(hash);
}

function finish(hash: number): number {
  return (Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0) || 1;
}

/** Like fingerprint(), of ASCII text in JSON; -1 where it holds an escape or other letters. */
export function fingerprintBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80 || byte === BACKSLASH) return -1;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return finish(hash);
}

/** Like fingerprint(), of a member that may be missing or no text. */
export function fingerprintOf(value: unknown): number {
  return typeof value === "string" ? fingerprint(value) : 0;
}

/**
 * Who acted, as the event history of CloudTrail has it: the user's name, a role's session name,
 * `root`; undefined for services and whom nobody knows.
 */
export function usernameOf(identity: UserIdentity | undefined): string | undefined {
  if (typeof identity !== "object" || identity === null) return undefined;
  const { type, userName, principalId, arn } = identity;
  if (typeof userName === "string") return userName;
  if (type === "Root") return "root";
  if (type !== "AssumedRole" && type !== "FederatedUser") return undefined;
  // AROAEXAMPLE:session; where there is none, arn:…:assumed-role/role/session.
  const text = typeof principalId === "string" && principalId.includes(":") ? principalId : arn;
  if (typeof text !== "string") return undefined;
  const end = Math.max(text.lastIndexOf(":"), text.lastIndexOf("/"));
  return end < 0 ? undefined : text.slice(end + 1);
}

/** Who acted; of a channel's event, the principal as its application names it. */
export function actorOf(record: CloudTrailRecord): string | undefined {
  if (record.userIdentity !== undefined) return usernameOf(record.userIdentity);
  const identity = detailsOf(record).userIdentity;
  if (!isObject(identity)) return undefined;
  return typeof identity.principalId === "string" ? identity.principalId : undefined;
}

/** A member that says what happened: of an Insight or a channel's event, the one inside of it. */
export function factOf(record: CloudTrailRecord, name: Fact): unknown {
  return record[name] ?? detailsOf(record)[name];
}

type Fact = "eventName" | "eventSource" | "errorCode" | "sourceIPAddress";

/** What an event of another kind is about. */
function detailsOf(record: CloudTrailRecord): Readonly<Record<string, unknown>> {
  const { eventData, insightDetails } = record;
  if (isObject(eventData)) return eventData;
  return isObject(insightDetails) ? insightDetails : NOTHING;
}

const NOTHING = {};

/** The resources; a name is the ARN as the record has it. */
export function resourcesOf(record: CloudTrailRecord): readonly EventResource[] {
  return resourceList(record).flatMap((resource) => {
    if (!isObject(resource)) return [];
    const { ARN, ARNPrefix, type } = resource as RecordResource;
    const name = ARN ?? ARNPrefix;
    return [{
      ...(typeof type === "string" && { type }),
      ...(typeof name === "string" && { name }),
    }];
  });
}

/** The list, whatever stands in it. */
export function resourceList(record: CloudTrailRecord): readonly unknown[] {
  return Array.isArray(record.resources) ? record.resources : [];
}

/** What of an ARN people call the resource: behind the last slash or colon. */
export function shortName(arn: string): string {
  return arn.slice(Math.max(arn.lastIndexOf("/"), arn.lastIndexOf(":")) + 1);
}

/** The values that a record has of an attribute. */
export function valuesOf(record: CloudTrailRecord, key: LookupKey): readonly string[] {
  switch (key) {
    case "AccessKeyId":
      return texts(record.userIdentity?.accessKeyId);
    case "EventId":
      return texts(record.eventID);
    case "EventName":
      return texts(factOf(record, "eventName"));
    case "EventSource":
      return texts(factOf(record, "eventSource"));
    case "ReadOnly":
      return typeof record.readOnly === "boolean" ? [String(record.readOnly)] : [];
    case "Username":
      return texts(actorOf(record));
    case "ResourceType":
      return resourcesOf(record).flatMap(({ type }) => texts(type));
    case "ResourceName":
      return resourcesOf(record).flatMap(({ name }) =>
        name === undefined ? [] : [name, shortName(name)]
      );
  }
}

/** The event as lookups answer it. */
export function eventOf(
  record: CloudTrailRecord,
  text: string,
  place: Pick<HistoryEvent, "time" | "accountId" | "region">,
): HistoryEvent {
  const first = (key: LookupKey) => valuesOf(record, key)[0];
  const { readOnly } = record;
  const errorCode = factOf(record, "errorCode");
  const sourceIPAddress = factOf(record, "sourceIPAddress");
  const username = first("Username");
  const accessKeyId = first("AccessKeyId");
  return {
    id: first("EventId") ?? "",
    name: first("EventName") ?? "",
    source: first("EventSource") ?? "",
    ...place,
    ...(username !== undefined && { username }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(typeof readOnly === "boolean" && { readOnly }),
    ...(typeof errorCode === "string" && { errorCode }),
    ...(typeof sourceIPAddress === "string" && { sourceIPAddress }),
    resources: resourcesOf(record),
    text,
  };
}

function texts(value: unknown): readonly string[] {
  return typeof value === "string" ? [value] : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
