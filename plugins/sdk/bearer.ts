// Bearer tokens: whether who posts shows the one it was given, and the answer to who does not.

import { type HttpHead, type HttpResponse, plainAnswer } from "./http-message.ts";
import type { Secret } from "./secret.ts";

/** Whether the request's Authorization is the token; some senders leave the word Bearer out. */
export function showsBearer({ headers }: Pick<HttpHead, "headers">, token: Secret): boolean {
  return token.equals((headers.authorization ?? "").replace(/^bearer +/i, ""));
}

/** The answer to a request without the token. */
export const NO_BEARER: HttpResponse = plainAnswer(401, "No valid token", {
  "www-authenticate": "Bearer",
});

/** The reason under which refused requests are counted. */
export const NO_CREDENTIALS = "refused: no valid token or signature";
