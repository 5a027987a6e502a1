// Whether a request of a test is signed as AWS wants it, by a reckoning of its own, over the path as it
// came.

import { createHmac, hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** An access key that test servers know, and its secret. */
export const AWS_KEYS = { access_key_id: "AKIATEST", secret_access_key: "secret/+of=tests" };

const SKEW_MS = 5 * 60_000;

/** A request as it came. */
export interface SignedTestRequest {
  readonly method?: string | undefined;
  /** With its query. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** AWS's code of the refusal; undefined for a signature that holds at the server's time. */
export function signatureRefusal(
  { method, url = "", headers }: SignedTestRequest,
  body: Uint8Array,
  now: number,
): string | undefined {
  const [path = "", query = ""] = url.split("?");
  const parts = /Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)/
    .exec(headers.authorization ?? "");
  if (parts === null) return "AccessDenied";
  const [, id, scope = "", signedHeaders = "", signature] = parts;
  if (id !== AWS_KEYS.access_key_id) return "InvalidAccessKeyId";
  const time = String(headers["x-amz-date"]);
  const signedAt = Date.parse(
    time.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"),
  );
  if (!(Math.abs(signedAt - now) < SKEW_MS)) return "RequestTimeTooSkewed";
  const [date = "", region = "", service = ""] = scope.split("/");
  const canonical = [
    method,
    path,
    query.split("&").sort().join("&"),
    ...signedHeaders.split(";").map((name) => `${name}:${headers[name]}`),
    "",
    signedHeaders,
    hash("sha256", body),
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, hash("sha256", canonical)].join("\n");
  const hmac = (key: string | Uint8Array, part: string) =>
    createHmac("sha256", key).update(part).digest();
  const secret = `AWS4${AWS_KEYS.secret_access_key}`;
  const key = [date, region, service, "aws4_request"].reduce<string | Uint8Array>(hmac, secret);
  const right = hmac(key, text).toString("hex");
  return right === signature ? undefined : "SignatureDoesNotMatch";
}
