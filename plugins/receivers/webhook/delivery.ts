// The identity of a delivery: what its events' ids are made of, so that one that a sender repeats is
// known as a repeat.

import { hash } from "node:crypto";
import type { HttpRequest } from "../../sdk/http-message.ts";

// GitHub, GitLab (which gives related events the same UUID, hence the key first), Standard Webhooks,
// and the header of an internet draft that others use.
const HEADERS = [
  "x-github-delivery",
  "idempotency-key",
  "x-gitlab-event-uuid",
  "webhook-id",
];

/**
 * The source that a request's frames belong to. With an id of the sender's it is the same for a
 * repeat; the body's hash keeps apart what shares an id. Without one it is this receiver's
 * and the request's own: two equal bodies are two deliveries.
 */
export function deliveryOf(
  request: HttpRequest,
  receiver: string,
  own: string | undefined,
): string {
  for (const name of own === undefined ? HEADERS : [own.toLowerCase()]) {
    const id = request.headers[name];
    if (typeof id !== "string" || id === "" || id.length > 200) continue;
    return `${name}:${id}:${hash("sha256", request.body).slice(0, 16)}`;
  }
  return `${receiver} ${request.id}`;
}
