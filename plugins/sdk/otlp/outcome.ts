// How the action that a log record tells of ended: what the record says of it, else its status, its
// error, its severity, in this order.

import type { Outcome } from "../event.ts";
import { failure, outcomeOfStatus } from "../http-status.ts";
import { booleanOf, pascalCase } from "../mapping-event.ts";
import { type Attributes, type SortedAttributes, textOf } from "./attributes.ts";
import type { LogRecord } from "./log-record.ts";

// Severity numbers from which on a record tells of an error and of a fatal one, and the last of all;
// what is beyond says nothing.
const ERROR = 17;
const FATAL = 21;
const SEVERITY_MAX = 24;

const SUCCESS: Outcome = { success: true };

// gRPC's status codes by number.
const GRPC = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
const CODES: ReadonlyMap<string, string> = new Map([
  ["PERMISSION_DENIED", "AccessDenied"],
  ["UNAUTHENTICATED", "AuthenticationFailed"],
  ["RESOURCE_EXHAUSTED", "TooManyRequests"],
  ["INVALID_ARGUMENT", "InvalidRequest"],
  ["UNAVAILABLE", "ServiceUnavailable"],
  ["INTERNAL", "InternalError"],
]);

/** The outcome of a record. */
export function outcomeOf(record: LogRecord, { response, other }: SortedAttributes): Outcome {
  const said = booleanOf(other?.["event.outcome"]);
  if (said === true) return SUCCESS;
  const message = textOf(other, "error.message", "exception.message") ??
    (isError(record.severityNumber) && typeof record.body === "string" && record.body !== ""
      ? record.body
      : undefined);
  const found = ofStatus(response, message) ?? ofError(response, other, message) ??
    ofSeverity(record.severityNumber, message);
  return said === false && found.success ? failure("Failure", message) : found;
}

function ofStatus(response: Attributes | undefined, message?: string): Outcome | undefined {
  if (response === undefined) return undefined;
  const http = response["http.response.status_code"] ?? response["http.status_code"];
  if (http !== undefined) return outcomeOfStatus(Number(http), message);
  const rpc = response["rpc.response.status_code"] ?? response["rpc.grpc.status_code"];
  if (rpc === undefined || rpc === null) return undefined;
  const word = GRPC[Number(rpc)] ?? String(rpc);
  return word === "OK" ? SUCCESS : failure(CODES.get(word) ?? codeOf(word), message);
}

function ofError(
  response: Attributes | undefined,
  other: Attributes | undefined,
  message?: string,
): Outcome | undefined {
  const type = textOf(other, "error.type", "exception.type");
  if (type === undefined) {
    return other?.["exception.message"] === undefined ? undefined : failure("Error", message);
  }
  const status = Number(type);
  if (status >= 400 && status < 600) return outcomeOfStatus(status, message);
  return failure(codeOf(textOf(response, "db.response.status_code") ?? type), message);
}

function ofSeverity(severity: number, message?: string): Outcome {
  if (!isError(severity)) return SUCCESS;
  return failure(severity < FATAL ? "Error" : "FatalError", message);
}

function isError(severity: number): boolean {
  return severity >= ERROR && severity <= SEVERITY_MAX;
}

/** `java.net.ConnectException` is ConnectException; an error number's name stays as it is. */
function codeOf(type: string): string {
  const last = /[^.:$/\\]*$/.exec(type.trim())?.[0] ?? "";
  if (/^E[A-Z0-9]+$/.test(last)) return last;
  return pascalCase(last) || "Error";
}
