// A stored record -> a LogRecord of OpenTelemetry. The record's own text is the body, so that nothing
// of it is lost; the attributes repeat what receivers search by, under the conventions' names.

import { Buffer } from "node:buffer";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { AgentIdentity, Json, StoredRecord } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** What the records of one agent have in common. */
export interface Shared {
  readonly resource: Resource;
  readonly instrumentationScope: ReadableLogRecord["instrumentationScope"];
}

/** Numbers and names of the data model. */
const SEVERITY = {
  info: [9, "INFO"],
  warn: [13, "WARN"],
  error: [17, "ERROR"],
} as const;

/** Attributes of the resource: the agent. */
export function resourceAttributes(agent: AgentIdentity): Record<string, string> {
  return { "service.name": "cairn", "service.version": agent.version, "host.name": agent.host };
}

/** `observedAt` in milliseconds; the same for each attempt, so that a repeat has the same bytes. */
export function logRecord(
  stored: StoredRecord,
  shared: Shared,
  observedAt: number,
): ReadableLogRecord {
  const { bytes, record, time, category } = stored;
  const failed = text(record.errorCode) !== undefined;
  const [severityNumber, severityText] =
    SEVERITY[failed ? "error" : category === "Insight" ? "warn" : "info"];
  const eventName = text(record.eventName);
  return {
    hrTime: hrTime(time),
    hrTimeObserved: hrTime(observedAt),
    severityNumber,
    severityText,
    body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"),
    ...(eventName === undefined ? {} : { eventName }),
    attributes: attributesOf(stored, failed),
    droppedAttributesCount: 0,
    resource: shared.resource,
    instrumentationScope: shared.instrumentationScope,
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
  const add = (name: string, value: Json | undefined) => {
    if (typeof value === "string" && value !== "") attributes[name] = value;
  };
  const { userIdentity } = record;
  add("event.provider", record.eventSource);
  if (isObject(userIdentity)) {
    add("user.name", userIdentity.userName);
    add("user.id", userIdentity.principalId);
  }
  add("client.address", record.sourceIPAddress);
  add("user_agent.original", record.userAgent);
  add("aws.request_id", record.requestID);
  add("error.type", record.errorCode);
  add("error.message", record.errorMessage);
  return attributes;
}

/** Seconds and nanoseconds; what is before 1970 cannot be said. */
function hrTime(ms: number): [number, number] {
  if (!(ms > 0)) return [0, 0];
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1_000_000)];
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
