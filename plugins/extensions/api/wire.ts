// The two wires of CloudTrail: JSON 1.1 (POST /, the operation in X-Amz-Target) and the REST call of
// cloudtrail-data (POST /PutAuditEvents). What comes in as a call, what goes out as an answer.

import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { AwsFault } from "../../sdk/aws/fault.ts";
import type { HttpHead, HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** The REST call's path. */
export const PUT_PATH = "/PutAuditEvents";
/** As the SDKs send it; the short form is taken, too. */
const TARGET =
  /^(?:com\.amazonaws\.cloudtrail\.v20131101\.)?CloudTrail_20131101\.([A-Za-z]{1,64})$/;
/** AWS's names for what the server itself refuses. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "SerializationException",
  404: "UnknownOperationException",
  405: "UnknownOperationException",
  408: "RequestTimeoutException",
  413: "RequestEntityTooLargeException",
  415: "UnsupportedMediaTypeException",
  500: "InternalFailure",
  503: "ServiceUnavailable",
};

/** Refuses by its head what is no call at all; the body is then not read. */
export function refuseHead(head: HttpHead): HttpResponse | undefined {
  const { method, path, headers } = head;
  if (path !== "/" && path !== PUT_PATH) return refusal(head, 404, "There is nothing at this path");
  if (method !== "POST") return refusal(head, 405, "Expected POST");
  const encoding = headers["content-encoding"];
  // A signature is that of the body as it was sent.
  if (encoding !== undefined && encoding !== "identity") {
    return refusal(head, 415, "Expected a body without content-encoding");
  }
  return undefined;
}

/** The operation that a JSON 1.1 call names. Throws AwsFault. */
export function operationOf({ headers }: HttpHead): string {
  const target = headers["x-amz-target"];
  const name = typeof target === "string" ? TARGET.exec(target)?.[1] : undefined;
  if (name !== undefined) return name;
  throw new AwsFault("UnknownOperationException", "X-Amz-Target names no operation of CloudTrail");
}

/** The body as an object. Throws AwsFault. */
export function objectOf({ body }: HttpRequest): JsonObject {
  let value: unknown;
  // Read anyhow, what is no UTF-8 would be stored as other text than was signed.
  if (!isUtf8(body)) throw new AwsFault("SerializationException", "The body is no UTF-8");
  try {
    value = body.length === 0 ? {} : JSON.parse(body.toString());
  } catch {
    throw new AwsFault("SerializationException", "The body is no JSON");
  }
  if (isObject(value as JsonObject)) return value as JsonObject;
  throw new AwsFault("SerializationException", "The body is no JSON object");
}

/** A fresh id for a request, as answers and records have it. */
export function requestId(): string {
  return randomUUID();
}

/** An answer that a call was answered with. */
export function success({ path }: HttpHead, id: string, value: JsonObject): HttpResponse {
  return { status: 200, headers: headersOf(path, id), body: JSON.stringify(value) };
}

/** A fault as an answer. */
export function failure({ path }: HttpHead, id: string, fault: AwsFault): HttpResponse {
  const { code, message } = fault;
  // JSON 1.1 knows no status but 400 for what the caller has done.
  const isClient = fault.status < 500 && fault.status !== 413;
  const status = isClient && path !== PUT_PATH ? 400 : fault.status;
  return {
    status,
    headers: { ...headersOf(path, id), "x-amzn-errortype": code },
    body: JSON.stringify({ __type: code, message }),
  };
}

/** What the server refused by itself, in AWS's form. */
export function reword(answer: HttpResponse, head: HttpHead): HttpResponse {
  const message = String(answer.body ?? "").trim();
  return refusal(head, answer.status, message, answer.headers);
}

function refusal(
  { path }: HttpHead,
  status: number,
  message: string,
  headers: HttpResponse["headers"] = {},
): HttpResponse {
  const code = REFUSALS[status] ?? "InternalFailure";
  return {
    status,
    headers: { ...headers, ...headersOf(path, requestId()), "x-amzn-errortype": code },
    body: JSON.stringify({ __type: code, message }),
  };
}

function headersOf(path: string, id: string): Readonly<Record<string, string>> {
  const type = path === PUT_PATH ? "application/json" : "application/x-amz-json-1.1";
  return { "content-type": type, "x-amzn-requestid": id };
}
