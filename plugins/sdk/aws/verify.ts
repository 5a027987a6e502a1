// Checks the Signature Version 4 of a request that came in, in its header or its query. The counterpart
// of request.ts, which signs. No I/O: who the key belongs to is the caller's to look up.

import { Buffer } from "node:buffer";
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { AwsFault } from "./fault.ts";

/** A request as it came. */
export interface SignedRequest {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As it was sent. */
  readonly body: Uint8Array;
}

/** What a signature says of itself, before it is checked. */
export interface Signature {
  readonly accessKeyId: string;
  /** Of the credential's scope. */
  readonly region: string;
  readonly service: string;
  readonly date: string;
  /** When it was made, in milliseconds since the epoch, and as it was spelled. */
  readonly time: number;
  readonly timeText: string;
  /** How long it holds; set for one in the query. */
  readonly expiresMs?: number;
  /** In lower case, in order. */
  readonly signedHeaders: readonly string[];
  readonly securityToken?: string;
  /** In hexadecimal digits. */
  readonly value: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
/** By how much the clocks of caller and agent may differ, as with AWS. */
const SKEW_MS = 5 * 60_000;
const SIGNED_HEADERS_MAX = 64;
/** As AWS has it: a week. */
const EXPIRES_SECONDS_MAX = 604_800;

/** The signature of a request. Throws AwsFault where there is none, or it cannot be read. */
export function readSignature({ headers, query }: Pick<SignedRequest, "headers" | "query">) {
  const authorization = first(headers.authorization);
  if (authorization !== undefined) return fromHeader(authorization, headers);
  if (query.has("X-Amz-Signature")) return fromQuery(query);
  throw new AwsFault("MissingAuthenticationTokenException", "Missing Authentication Token", 403);
}

function fromHeader(authorization: string, headers: SignedRequest["headers"]): Signature {
  if (!authorization.startsWith(`${ALGORITHM} `)) {
    throw incomplete(`Authorization header requires the algorithm '${ALGORITHM}'`);
  }
  const parts = new Map(
    authorization.slice(ALGORITHM.length + 1).split(",").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const;
    }),
  );
  const part = (name: string) => {
    const text = parts.get(name);
    if (!text) throw incomplete(`Authorization header requires '${name}' parameter`);
    return text;
  };
  const timeText = first(headers["x-amz-date"]);
  if (timeText === undefined) {
    throw incomplete("Authorization header requires existence of a 'X-Amz-Date' header");
  }
  const token = first(headers["x-amz-security-token"]);
  return {
    ...scopeOf(part("Credential")),
    ...timeOf(timeText),
    signedHeaders: namesOf(part("SignedHeaders")),
    value: part("Signature"),
    ...(token !== undefined && { securityToken: token }),
  };
}

function fromQuery(query: URLSearchParams): Signature {
  const part = (name: string) => {
    const text = query.get(name);
    if (!text) throw incomplete(`AWS query-string parameters must include '${name}'`);
    return text;
  };
  if (part("X-Amz-Algorithm") !== ALGORITHM) {
    throw incomplete(`AWS query-string parameter 'X-Amz-Algorithm' must be '${ALGORITHM}'`);
  }
  const expires = part("X-Amz-Expires");
  if (!/^\d{1,6}$/.test(expires) || Number(expires) > EXPIRES_SECONDS_MAX) {
    throw incomplete("X-Amz-Expires must be a number of seconds, at most 604800");
  }
  const token = query.get("X-Amz-Security-Token");
  return {
    ...scopeOf(part("X-Amz-Credential")),
    ...timeOf(part("X-Amz-Date")),
    expiresMs: Number(expires) * 1000,
    signedHeaders: namesOf(part("X-Amz-SignedHeaders")),
    value: part("X-Amz-Signature"),
    ...(token !== null && { securityToken: token }),
  };
}

/**
 * Checks a signature with the key's secret. `services` are those that the scope may name. Throws
 * AwsFault, in the words AWS has for it.
 */
export function verifySignature(
  request: SignedRequest,
  signature: Signature,
  secret: string,
  { services, now }: { readonly services: readonly string[]; readonly now: number },
): void {
  if (!services.includes(signature.service)) {
    const wanted = services.map((service) => `'${service}'`).join(" or ");
    throw invalid(`Credential should be scoped to correct service: ${wanted}.`);
  }
  checkTime(signature, now);
  checkSignedHeaders(request, signature);
  const wanted = Buffer.from(signatureOf(request, signature, secret));
  const found = Buffer.from(signature.value);
  if (wanted.length === found.length && timingSafeEqual(wanted, found)) return;
  throw invalid(
    "The request signature we calculated does not match the signature you provided. Check your " +
      "AWS Secret Access Key and signing method. Consult the service documentation for details.",
  );
}

function checkTime({ time, timeText, date, expiresMs = SKEW_MS }: Signature, now: number): void {
  if (!timeText.startsWith(date)) {
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: '${date}'`,
    );
  }
  const at = basic(now);
  if (time - SKEW_MS > now) {
    const latest = `${basic(now + SKEW_MS)} (${at} + 5 min.)`;
    throw invalid(`Signature not yet current: ${timeText} is still later than ${latest}`);
  }
  if (time + expiresMs >= now) return;
  const minutes = expiresMs / 60_000;
  const earliest = `${basic(now - expiresMs)} (${at} - ${minutes} min.)`;
  throw invalid(`Signature expired: ${timeText} is now earlier than ${earliest}`);
}

/** What could change the meaning of a request must be in its signature. */
function checkSignedHeaders({ headers, body }: SignedRequest, { signedHeaders }: Signature): void {
  const signed = new Set(signedHeaders);
  for (const name in headers) {
    const isMeant = name === "host" || name.startsWith("x-amz-");
    if (!isMeant || signed.has(name)) continue;
    throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
  const claimed = first(headers["x-amz-content-sha256"]);
  if (claimed === undefined || claimed === hash("sha256", body, "hex")) return;
  throw invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
}

/** The signature that the request should have. */
function signatureOf(request: SignedRequest, signature: Signature, secret: string): string {
  const { method, path, query, headers, body } = request;
  const { date, region, service, timeText, signedHeaders } = signature;
  const canonical = [
    method,
    // Everybody but S3 encodes the path once more.
    path.split("/").map(encode).join("/"),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${canonicalValue(headers[name])}`),
    "",
    signedHeaders.join(";"),
    hash("sha256", body, "hex"),
  ].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = `${ALGORITHM}\n${timeText}\n${scope}\n${hash("sha256", canonical, "hex")}`;
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of [date, region, service, "aws4_request"]) {
    key = createHmac("sha256", key).update(part).digest();
  }
  return createHmac("sha256", key).update(text).digest("hex");
}

function canonicalQuery(query: URLSearchParams): string {
  const pairs: (readonly [name: string, value: string])[] = [];
  for (const [name, value] of query) {
    if (name !== "X-Amz-Signature") pairs.push([encode(name), encode(value)]);
  }
  // By code units, as encoded text is ASCII: by name, then by value.
  pairs.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function canonicalValue(value: string | readonly string[] | undefined): string {
  const values = typeof value === "string" ? [value] : value ?? [];
  return values.map((text) => text.trim().replace(/ +/g, " ")).join(",");
}

/** As RFC 3986 has it: encodeURIComponent leaves five signs that are to be encoded. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function scopeOf(credential: string) {
  const parts = credential.split("/");
  const [end, service, region, date] = parts.reverse();
  const accessKeyId = parts.slice(4).reverse().join("/");
  const isWhole = accessKeyId !== "" && service && region && end === "aws4_request";
  if (!isWhole || !/^\d{8}$/.test(date ?? "") || !/^[a-z0-9-]{1,64}$/i.test(region)) {
    throw incomplete(
      "Credential must have the form <key>/<YYYYMMDD>/<region>/<service>/aws4_request",
    );
  }
  return { accessKeyId, service, region, date: date! };
}

function timeOf(text: string): Pick<Signature, "time" | "timeText"> {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const [, year, month, day, hour, minute, second] = match ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time)) throw incomplete("Date must be in ISO-8601 'basic format'");
  return { time, timeText: text };
}

function namesOf(text: string): readonly string[] {
  const names = text.toLowerCase().split(";");
  if (names.length > SIGNED_HEADERS_MAX) throw incomplete("Too many signed headers");
  return names;
}

function basic(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function incomplete(message: string): AwsFault {
  return new AwsFault("IncompleteSignatureException", message, 403);
}

function invalid(message: string): AwsFault {
  return new AwsFault("InvalidSignatureException", message, 403);
}
