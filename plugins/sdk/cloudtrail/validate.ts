// What makes a value a CloudTrail record. Two checks, both run on every record on its way in: a
// lenient one for records that arrive as CloudTrail (every record AWS ever delivered passes, of any
// eventVersion), and a strict one for records the agent makes itself.

import { Buffer } from "node:buffer";
import { isEventTime, parseEventTime } from "./event-time.ts";

/** Says what is wrong with a value, or undefined when nothing is. */
type Check = (value: unknown) => string | undefined;

/**
 * Says why a value is no CloudTrail record, naming the field; undefined when it is one. Known
 * fields must have their type (null stands for absent), unknown fields may hold anything, and there
 * must be a moment: eventTime, or the end of an aggregated event's timeWindow.
 */
export function validateRecord(record: unknown): string | undefined {
  if (!isObject(record)) return "Record is not a JSON object";
  for (let i = 0; i < FIELDS.length; i++) {
    const value = record[FIELDS[i]!];
    if (value === undefined || value === null) continue;
    const problem = CHECKS[i]!(value);
    if (problem !== undefined) return `${FIELDS[i]!}: ${problem}`;
  }
  return typeof record.eventTime === "string" ? undefined : validateTimeWindow(record);
}

/**
 * Milliseconds since the epoch at which a record that passed `validateRecord` happened: its
 * eventTime, or for aggregated events the end of their window.
 */
export function recordTime(record: Readonly<Record<string, unknown>>): number {
  const { eventTime, timeWindow } = record;
  if (typeof eventTime === "string") return parseEventTime(eventTime) ?? Number.NaN;
  const end = isObject(timeWindow) ? timeWindow.windowEnd : undefined;
  return (typeof end === "string" ? parseEventTime(end) : undefined) ?? Number.NaN;
}

function validateTimeWindow(record: Record<string, unknown>): string | undefined {
  if (record.timeWindow === undefined) return "eventTime: Missing";
  return Number.isNaN(recordTime(record)) ? "timeWindow: windowEnd is not a time" : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const string: Check = (value) => typeof value === "string" ? undefined : "Expected a string";

// Old exporters spell flags as strings; both say the same.
const flag: Check = (value) =>
  typeof value === "boolean" || value === "true" || value === "false"
    ? undefined
    : "Expected true or false";

const object: Check = (value) => isObject(value) ? undefined : "Expected an object";

// Some services, and copies out of table exports, give these as text.
const objectOrText: Check = (value) =>
  isObject(value) || typeof value === "string" ? undefined : "Expected an object";

const objects: Check = (value) => {
  if (!Array.isArray(value)) return "Expected a list";
  for (let i = 0; i < value.length; i++) {
    if (!isObject(value[i])) return `Expected a list of objects: item ${i} is none`;
  }
  return undefined;
};

const time: Check = (value) => {
  if (typeof value !== "string") return "Expected a string";
  return parseEventTime(value) === undefined
    ? "Expected a time as 2026-01-31T23:59:59Z"
    : undefined;
};

// Minor versions only add fields; another major version may mean something else by the same name.
const version: Check = (value) => {
  if (typeof value !== "string") return "Expected a string";
  return /^1(\.\d{1,4})?$/.test(value) ? undefined : "Expected version 1, with any minor version";
};

const LENIENT: Readonly<Record<string, Check>> = {
  eventVersion: version,
  userIdentity: object,
  eventTime: time,
  eventSource: string,
  eventName: string,
  awsRegion: string,
  sourceIPAddress: string,
  userAgent: string,
  errorCode: string,
  errorMessage: string,
  requestParameters: objectOrText,
  responseElements: objectOrText,
  additionalEventData: objectOrText,
  requestID: string,
  eventID: string,
  readOnly: flag,
  resources: objects,
  eventType: string,
  managementEvent: flag,
  recipientAccountId: string,
  sharedEventID: string,
  serviceEventDetails: objectOrText,
  vpcEndpointId: string,
  vpcEndpointAccountId: string,
  eventCategory: string,
  addendum: object,
  sessionCredentialFromConsole: flag,
  edgeDeviceDetails: object,
  tlsDetails: object,
  eventContext: object,
  insightDetails: object,
};

const FIELDS = Object.keys(LENIENT);
const CHECKS = Object.values(LENIENT);

/** Longest content of a field, in bytes of UTF-8 (texts) or of JSON (objects). */
export const FIELD_BYTES_MAX = {
  userAgent: 1024,
  errorCode: 1024,
  errorMessage: 1024,
  requestID: 1024,
  edgeDeviceDetails: 28 * 1024,
  additionalEventData: 28 * 1024,
  requestParameters: 100 * 1024,
  responseElements: 100 * 1024,
  serviceEventDetails: 100 * 1024,
} as const;
const SIZES = Object.entries(FIELD_BYTES_MAX);

/**
 * Longest JSON text of a record; CloudTrail sends no longer one to EventBridge or CloudWatch Logs.
 */
export const RECORD_BYTES_MAX = 256 * 1024;

const IDENTITY_TYPES: ReadonlySet<unknown> = new Set([
  "Root",
  "IAMUser",
  "AssumedRole",
  "Role",
  "FederatedUser",
  "Directory",
  "AWSAccount",
  "AWSService",
  "IdentityCenterUser",
  "Unknown",
  "SAMLUser",
  "WebIdentityUser",
]);

// Event types by category: those the agent writes.
const EVENT_TYPES: Readonly<Record<string, readonly string[]>> = {
  Management: ["AwsApiCall", "AwsServiceEvent", "AwsConsoleAction", "AwsConsoleSignIn"],
  Data: ["AwsApiCall", "AwsServiceEvent"],
  NetworkActivity: ["AwsVpceEvent"],
  Insight: ["AwsCloudTrailInsight"],
  ActivityAuditLog: ["ActivityLog"],
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const ALWAYS = [
  "eventVersion",
  "eventTime",
  "awsRegion",
  "eventID",
  "eventType",
  "recipientAccountId",
  "eventCategory",
];
const CALLS = [...ALWAYS, "userIdentity", "eventSource", "eventName", "sourceIPAddress"];
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  Management: [...CALLS, "requestParameters", "responseElements", "readOnly", "managementEvent"],
  Data: [...CALLS, "requestParameters", "responseElements", "readOnly", "managementEvent"],
  NetworkActivity: CALLS,
  Insight: [...ALWAYS, "insightDetails"],
  ActivityAuditLog: CALLS,
};

const FORMATS: Readonly<Record<string, Check>> = {
  eventVersion: (v) => v === "1.11" ? undefined : "Expected 1.11",
  eventTime: (v) => typeof v === "string" && isEventTime(v) ? undefined : "Expected a UTC second",
  awsRegion: (v) => matches(v, /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, "a region"),
  eventID: (v) => matches(v, UUID, "a UUID in lower case"),
  sharedEventID: (v) => matches(v, UUID, "a UUID in lower case"),
  recipientAccountId: (v) => matches(v, /^\d{12}$/, "twelve digits"),
  eventSource: (v) => matches(v, /^[a-z0-9][a-z0-9._-]{0,252}$/, "a lower-case service name"),
  eventName: (v) => matches(v, /^[!-~]{1,256}$/, "a name of 1 to 256 characters"),
  sourceIPAddress: (v) => matches(v, /^.{1,1024}$/, "an address or name"),
  sessionCredentialFromConsole: (v) => v === "true" ? undefined : 'Expected "true"',
  readOnly: (v) => typeof v === "boolean" ? undefined : "Expected true or false",
  managementEvent: (v) => typeof v === "boolean" ? undefined : "Expected true or false",
  userIdentity: (v) => {
    if (!isObject(v)) return "Expected an object";
    return IDENTITY_TYPES.has(v.type) ? undefined : "type is not one CloudTrail knows";
  },
};

/**
 * The strict check, for records the agent makes: all of `validateRecord`, and every field the
 * record's category requires, in its format, within its limits. Says what is wrong, naming the
 * field. `bytes` is the length of the record's JSON text, where the caller has it: a field whose
 * limit is no less need not be measured.
 */
export function validateOwnRecord(record: unknown, bytes = Infinity): string | undefined {
  const problem = validateRecord(record);
  if (problem !== undefined) return problem;
  const fields = record as Record<string, unknown>;
  const category = String(fields.eventCategory);
  if (!Object.hasOwn(REQUIRED, category)) return "eventCategory: Not one the agent writes";
  for (const name of REQUIRED[category]!) {
    if (fields[name] === undefined) return `${name}: Missing`;
  }
  if (!EVENT_TYPES[category]!.includes(String(fields.eventType))) {
    return `eventType: Not one of category ${category}`;
  }
  const managed = fields.managementEvent;
  if (managed !== undefined && managed !== (category === "Management")) {
    return `managementEvent: Does not agree with category ${category}`;
  }
  return validateFormats(fields) ?? validateSizes(fields, bytes);
}

function validateFormats(fields: Record<string, unknown>): string | undefined {
  for (const name in FORMATS) {
    const value = fields[name];
    if (value === undefined) continue;
    const problem = FORMATS[name]!(value);
    if (problem !== undefined) return `${name}: ${problem}`;
  }
  return undefined;
}

function validateSizes(fields: Record<string, unknown>, bytes: number): string | undefined {
  for (const [name, bytesMax] of SIZES) {
    if (bytes <= bytesMax) continue;
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (isLonger(value, bytesMax)) return `${name}: Longer than ${bytesMax} bytes`;
  }
  return undefined;
}

function isLonger(value: unknown, bytesMax: number): boolean {
  if (longestBytes(value, bytesMax) <= bytesMax) return false;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return Buffer.byteLength(text) > bytesMax;
}

/** No fewer bytes than the value takes; stops counting past `enough`. Cheap, for the usual case. */
function longestBytes(value: unknown, enough: number): number {
  // A UTF-16 unit takes at most three bytes, escaped six; a number 25 characters.
  if (typeof value === "string") return value.length * 6 + 2;
  if (typeof value !== "object" || value === null) return 25;
  let bytes = 2;
  for (const name in value) {
    bytes += name.length * 6 + 4 + longestBytes((value as Record<string, unknown>)[name], enough);
    if (bytes > enough) break;
  }
  return bytes;
}

function matches(value: unknown, pattern: RegExp, what: string): string | undefined {
  return typeof value === "string" && pattern.test(value) ? undefined : `Expected ${what}`;
}
