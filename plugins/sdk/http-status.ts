// The outcome of a request over HTTP, in the words that every source uses for it.

import type { Outcome } from "./event.ts";

const CODES: ReadonlyMap<number, string> = new Map([
  [400, "BadRequest"],
  [401, "AuthenticationFailed"],
  [403, "AccessDenied"],
  [404, "NotFound"],
  [405, "MethodNotAllowed"],
  [409, "Conflict"],
  [410, "Expired"],
  [412, "PreconditionFailed"],
  [413, "RequestEntityTooLarge"],
  [415, "UnsupportedMediaType"],
  [422, "Invalid"],
  [429, "TooManyRequests"],
  [500, "InternalError"],
  [503, "ServiceUnavailable"],
  [504, "Timeout"],
]);

/** The outcome that a status stands for; what has no status went well. */
export function outcomeOfStatus(status: number | undefined, message?: string): Outcome {
  if (status === undefined || !(status >= 400)) return { success: true };
  return failure(CODES.get(status) ?? `HttpStatus${Math.trunc(status)}`, message);
}

/** A failure, with a message where there is one. */
export function failure(code: string, message?: string): Outcome {
  return message === undefined ? { success: false, code } : { success: false, code, message };
}
