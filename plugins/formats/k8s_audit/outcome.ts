// How a request ended: its HTTP status and, where the answer was not recorded, the decision to allow it.

import type { Outcome } from "../../sdk/event.ts";
import { objectIn, textIn } from "../../sdk/json-frame.ts";
import type { JsonObject } from "../../sdk/json.ts";

const SUCCESS: Outcome = { success: true };
const PASCAL = /^[A-Z][A-Za-z]{0,63}$/;

// Where a status has a name that all sources share, or Kubernetes may leave its own out.
const CODES: Readonly<Record<number, string>> = {
  401: "AuthenticationFailed",
  403: "AccessDenied",
};
const DEFAULT_CODES: Readonly<Record<number, string>> = {
  400: "BadRequest",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/**
 * The outcome of an audit event. `isPrivate`: what the API says about a value it does not like would
 * quote it.
 */
export function outcomeOf(event: JsonObject, isPrivate: boolean): Outcome {
  const status = objectIn(event, "responseStatus");
  const code = status?.code;
  if (typeof code === "number" && code >= 400) {
    const reason = textIn(status, "reason") ?? "";
    const name = CODES[code] ?? (PASCAL.test(reason) ? reason : DEFAULT_CODES[code]) ??
      `HttpStatus${Math.trunc(code)}`;
    const message = isPrivate && (code === 400 || code === 422)
      ? undefined
      : textIn(status, "message");
    return { success: false, code: name, ...(message !== undefined && { message }) };
  }
  if (event.stage === "Panic") return { success: false, code: "InternalError" };
  if (status?.status === "Failure") {
    const reason = textIn(status, "reason") ?? "";
    return { success: false, code: PASCAL.test(reason) ? reason : "RequestFailed" };
  }
  const decision = textIn(objectIn(event, "annotations"), "authorization.k8s.io/decision");
  return decision === "forbid" && code === undefined
    ? { success: false, code: "AccessDenied" }
    : SUCCESS;
}
