// From an AuditEvent to a CloudTrailRecord: the one place that knows which CloudTrail field says
// what. Pure: the same event gives the same record, byte for byte. Receivers' events pass here
// first.

import { formatEventTime } from "../../plugins/sdk/cloudtrail/event-time.ts";
import { FIELD_BYTES_MAX } from "../../plugins/sdk/cloudtrail/validate.ts";
import type {
  AgentIdentity,
  AuditEvent,
  CloudTrailRecord,
  JsonObject,
  Origin,
  RecordResource,
} from "../../plugins/sdk/index.ts";
import { derivedId } from "../../plugins/sdk/derived-id.ts";
import { type Place, resourceArn } from "./arn.ts";
import { isMoment, serviceHost, userIdentity } from "./identity.ts";
import { truncate } from "./truncate.ts";

const EVENT_VERSION = "1.11";
/**
 * What AWS's sign-in page itself records as AwsConsoleSignIn; a login at a host is no such page.
 */
const SIGN_IN_ACTIONS: ReadonlySet<string> = new Set([
  "ConsoleLogin",
  "CheckMfa",
  "SwitchRole",
  "ExitRole",
]);

/**
 * The record of an event. `source` is the type of the receiver it came through; with the account,
 * the host and the event's own id it makes the eventID. A local action has its host's name as
 * sourceIPAddress; the machine it happened on always stands in additionalEventData.host. Throws
 * where the event's time is no moment CloudTrail can write. Structured fields are not cut here: see
 * trim.ts.
 */
export function normalize(
  event: AuditEvent,
  source: string,
  agent: AgentIdentity,
): CloudTrailRecord {
  if (!isMoment(event.time)) {
    throw new RangeError("time: Expected milliseconds since 1970, before the year 10000");
  }
  const host = event.host || agent.host;
  const place: Place = { agent, host };
  const { origin, outcome, resources } = event;
  // Assigned one by one, in the order of CloudTrail's samples: half the cost of spreading parts.
  const record: Record<string, CloudTrailRecord[string]> = {
    eventVersion: EVENT_VERSION,
    userIdentity: userIdentity(event.actor, place),
    eventTime: formatEventTime(event.time),
    eventSource: serviceHost(event.service, agent),
    eventName: event.action,
    awsRegion: agent.region,
    sourceIPAddress: origin?.address || origin?.host || host,
  };
  if (origin?.userAgent) {
    record.userAgent = truncate(origin.userAgent, FIELD_BYTES_MAX.userAgent);
  }
  if (!outcome.success) {
    record.errorCode = truncate(outcome.code, FIELD_BYTES_MAX.errorCode);
    if (outcome.message) {
      record.errorMessage = truncate(outcome.message, FIELD_BYTES_MAX.errorMessage);
    }
  }
  record.requestParameters = filled(event.request);
  record.responseElements = filled(event.response);
  record.additionalEventData = additional(event, host);
  record.eventID = derivedId("cairn", agent.accountId, host, source, event.id);
  record.readOnly = event.readOnly;
  if (resources !== undefined && resources.length > 0) {
    record.resources = resources.map((resource): RecordResource => ({
      ARN: resourceArn(resource, place),
      accountId: resource.accountId ?? agent.accountId,
      type: `Cairn::${resource.type}`,
    }));
  }
  record.eventType = eventType(event);
  // CloudTrail leaves it out of network activity, which is neither kind.
  if (event.category !== "NetworkActivity") {
    record.managementEvent = event.category === "Management";
  }
  record.recipientAccountId = agent.accountId;
  record.eventCategory = event.category;
  const tls = origin?.tls && tlsDetails(origin.tls);
  if (tls) record.tlsDetails = tls;
  return record;
}

/** AwsServiceEvent for what a service does by itself; calls by or for somebody are AwsApiCall. */
function eventType(event: AuditEvent): string {
  if (event.category === "NetworkActivity") return "AwsVpceEvent";
  if (event.actor.type === "service") return "AwsServiceEvent";
  const isSignIn = event.category === "Management" && SIGN_IN_ACTIONS.has(event.action);
  return isSignIn ? "AwsConsoleSignIn" : "AwsApiCall";
}

/** CloudTrail writes null where there is nothing to say. */
function filled(object: JsonObject | undefined): JsonObject | null {
  for (const key in object) if (object[key] !== undefined) return object;
  return null;
}

/** The source's own facts, and those of ours that have no field in CloudTrail. */
function additional(event: AuditEvent, host: string): JsonObject {
  const { origin, actor } = event;
  const facts: Record<string, JsonObject[string]> = {};
  if (origin?.address && origin.host) facts.sourceHost = origin.host;
  if (origin?.port !== undefined) facts.sourcePort = origin.port;
  if ("session" in actor && actor.session?.id) facts.sessionId = actor.session.id;
  // Spread into a literal that has a member: a tenth of the cost of assigning one by one, and of
  // spreading into an empty one.
  return { host, ...facts, ...event.additional };
}

function tlsDetails(tls: NonNullable<Origin["tls"]>): JsonObject | undefined {
  const details: Record<string, string> = {};
  if (tls.version) details.tlsVersion = tls.version;
  if (tls.cipherSuite) details.cipherSuite = tls.cipherSuite;
  if (tls.serverName) details.clientProvidedHostHeader = tls.serverName;
  return Object.keys(details).length > 0 ? details : undefined;
}
