// A stored record -> a log record of OpenTelemetry. The record's own text is the body, so that nothing
// of it is lost; the attributes repeat what receivers search by, under the conventions' names.

import type { AgentIdentity, Json, StoredRecord } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import type { Envelope, LogFields } from "./protobuf.ts";

/** Numbers and names of the data model. */
const SEVERITY = {
  info: [9, "INFO"],
  warn: [13, "WARN"],
  error: [17, "ERROR"],
} as const;

/** What the records of an agent have in common. */
export function envelopeOf({ version, host }: AgentIdentity): Envelope {
  return {
    resource: { "service.name": "cairn", "service.version": version, "host.name": host },
    scope: { name: "cairn", version },
  };
}

/** `observed` in milliseconds; the same for each attempt, so that a repeat has the same bytes. */
export function logFields(stored: StoredRecord, observed: number): LogFields {
  const { bytes, record, time, category } = stored;
  const failed = text(record.errorCode) !== undefined;
  const [severityNumber, severityText] =
    SEVERITY[failed ? "error" : category === "Insight" ? "warn" : "info"];
  return {
    time: wholeMs(time),
    observed: wholeMs(observed),
    severityNumber,
    severityText,
    body: bytes,
    attributes: attributesOf(stored, failed),
    eventName: text(record.eventName),
  };
}

function attributesOf(
  { id, record, accountId, region }: StoredRecord,
  failed: boolean,
): Record<string, string> {
  const attributes: Record<string, string> = {
    "log.record.uid": id,
    // What receivers know a CloudTrail record in the body by.
    "event.dataset": "aws.cloudtrail",
    "event.outcome": failed ? "failure" : "success",
    "cloud.account.id": accountId,
    "cloud.region": region,
  };
  const { userIdentity } = record;
  add(attributes, "event.provider", record.eventSource);
  if (isObject(userIdentity)) {
    add(attributes, "user.name", userIdentity.userName);
    add(attributes, "user.id", userIdentity.principalId);
  }
  add(attributes, "client.address", record.sourceIPAddress);
  add(attributes, "user_agent.original", record.userAgent);
  add(attributes, "aws.request_id", record.requestID);
  add(attributes, "error.type", record.errorCode);
  add(attributes, "error.message", record.errorMessage);
  return attributes;
}

function add(attributes: Record<string, string>, name: string, value: Json | undefined): void {
  const found = text(value);
  if (found !== undefined) attributes[name] = found;
}

/** What is before 1970 cannot be said. */
function wholeMs(ms: number): number {
  return ms > 0 ? Math.round(ms) : 0;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
