// What AWS answers when it says no, in XML or JSON, as one error that says who can act. Nothing here
// is permanent: credentials, policies, buckets and queues can be mended while the agent waits.

import { Buffer } from "node:buffer";
import { RetryableError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { isObject } from "../mapping-path.ts";
import { elements, parseXml, textOf } from "./xml.ts";

/** Headers of an answer, names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What an answer that is no success says. */
export interface AwsFailure {
  readonly status: number;
  /** AWS's name of it, such as `NoSuchKey`; `Http404` where the answer names nothing. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string | undefined;
  /** The region to ask instead. */
  readonly region: string | undefined;
  /** Where the answer sends who asks. */
  readonly location?: string | undefined;
}

const THROTTLED = /Throttl|SlowDown|TooManyRequests|RequestLimitExceeded|BandwidthLimitExceeded/;
const CLOCK_CODES = new Set([
  "RequestTimeTooSkewed",
  "RequestExpired",
  "RequestInTheFuture",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
]);
const IDENTITY_CODES = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidToken",
  "UnrecognizedClientException",
  "SignatureDoesNotMatch",
]);

/** True for what may well succeed a moment later: throttling and failures of the other side. */
export function isPassing({ status, code }: AwsFailure): boolean {
  return status >= 500 || status === 429 || status === 408 || THROTTLED.test(code);
}

/** True where the time that was signed may be the reason. */
export function isAboutTime({ code }: AwsFailure): boolean {
  return CLOCK_CODES.has(code);
}

/** True where the credentials themselves were refused, and others may be there by now. */
export function isAboutIdentity({ code }: AwsFailure): boolean {
  return IDENTITY_CODES.has(code);
}

/** Reads an answer's body, whatever it is made of; never throws. */
export async function readFailure(
  status: number,
  headers: AnswerHeaders,
  body: Uint8Array,
): Promise<AwsFailure> {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  const said = jsonFailure(text) ?? await xmlFailure(text);
  const code = said?.code ?? header(headers, "x-amzn-errortype");
  return {
    status,
    code: shortCode(code) ?? `Http${status}`,
    message: said?.message ?? "",
    requestId: header(headers, "x-amzn-requestid") ?? header(headers, "x-amz-request-id"),
    region: said?.region ?? header(headers, "x-amz-bucket-region"),
    location: header(headers, "location"),
  };
}

/**
 * The error for a failure: `code` is AWS's own, `cause` the failure. `action` says what was tried:
 * `Cannot read object "s3://b/k"`.
 */
export function awsError(
  action: string,
  failure: AwsFailure,
  headers: AnswerHeaders,
  now: number,
): RetryableError {
  const { status, code, message, requestId } = failure;
  const said = message === "" || message === code ? code : `${code}: ${message}`;
  const id = requestId === undefined ? "" : `, request ${requestId}`;
  const afterMs = retryAfterMs(header(headers, "retry-after"), now);
  return new RetryableError(`${action}: ${said} (HTTP ${status}${id})${hint(failure)}`, {
    code,
    cause: failure,
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}

function hint({ code, status, region, location }: AwsFailure): string {
  if (isRegionCode(code, status) && region !== undefined) return `; write region: ${region}`;
  if (status >= 300 && status < 400) {
    const where = location === undefined ? "" : ` "${location.slice(0, 200)}"`;
    return `; redirects${where} are not followed: check region, endpoint and proxies`;
  }
  if (code === "ExpiredToken" || code === "ExpiredTokenException") {
    return "; renew the credentials, they are read again";
  }
  if (IDENTITY_CODES.has(code)) return "; check the credentials, they are read again";
  if (status === 403) return "; grant it to these credentials, it is tried again";
  return "";
}

function isRegionCode(code: string, status: number): boolean {
  return status === 301 || status === 307 || code === "AuthorizationHeaderMalformed" ||
    code === "IllegalLocationConstraintException";
}

interface Said {
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly region?: string | undefined;
}

function jsonFailure(text: string): Said | undefined {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  return {
    code: member(value, "__type") ?? member(value, "code"),
    message: member(value, "message") ?? member(value, "Message"),
  };
}

async function xmlFailure(text: string): Promise<Said | undefined> {
  if (!text.trimStart().startsWith("<")) return undefined;
  try {
    const root = await parseXml(text);
    // S3 answers the error itself, the query protocol wraps it.
    const [error = root] = elements(root, "Error");
    return {
      code: textOf(error, "Code"),
      message: textOf(error, "Message"),
      region: textOf(error, "Region"),
    };
  } catch {
    return undefined;
  }
}

/** Without the namespace before it and the address behind it. */
function shortCode(code: string | undefined): string | undefined {
  const short = code?.split(":")[0]?.split("#").at(-1);
  return short === undefined || short === "" ? undefined : short;
}

function member(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === "string" ? value : undefined;
}

/** What AWS answered, of an error that awsError() made; undefined where nobody answered. */
export function failureOf(error: unknown): AwsFailure | undefined {
  const cause = error instanceof RetryableError ? error.cause : undefined;
  return isFailure(cause) ? cause : undefined;
}

function isFailure(cause: unknown): cause is AwsFailure {
  return typeof cause === "object" && cause !== null && "status" in cause && "code" in cause;
}

/** The one value of a header, the first of several. */
export function header(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/**
 * How long a Retry-After header, in seconds or as a date, asks to wait, in milliseconds; undefined
 * where it says nothing.
 */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
