// OTLP over HTTP: which requests are taken, and what each is answered, by the specification's rules on
// failures: 400 means never again, 503 with Retry-After means the sender keeps it and comes again.

import type { HttpHead, HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { CODE, type Encoding, exportResponse, statusBody } from "../../sdk/otlp/answer.ts";
import type { Taker } from "./take.ts";

const PATH = "/v1/logs";
const TYPES: Readonly<Record<Encoding, string>> = {
  protobuf: "application/x-protobuf",
  json: "application/json",
};
const RETRY_AFTER = { "retry-after": "1" };

// What google.rpc.Status calls the server's own refusals.
const CODES: ReadonlyMap<number, number> = new Map([
  [404, CODE.notFound],
  [405, CODE.unimplemented],
  [413, CODE.resourceExhausted],
  [429, CODE.resourceExhausted],
  [500, CODE.internal],
  [503, CODE.unavailable],
]);

/** Refuses what is no request for logs, before its body is read. */
export function admit(head: HttpHead): HttpResponse | undefined {
  const encoding = encodingOf(head) ?? "json";
  if (head.path !== PATH) return failed(encoding, 404, `Only logs are taken, at ${PATH}`);
  if (head.method !== "POST") {
    return failed(encoding, 405, "Only POST is taken", { allow: "POST" });
  }
  if (encodingOf(head) !== undefined) return undefined;
  return failed(encoding, 415, `Content-Type is neither ${TYPES.protobuf} nor ${TYPES.json}`);
}

/** The server's own refusals, which are lines of text, as OTLP has them. */
export function reword(answer: HttpResponse, head: HttpHead): HttpResponse {
  const { status, body = "", headers = {} } = answer;
  if (typeof body !== "string") return answer;
  const { "content-type": _, ...kept } = headers;
  return failed(encodingOf(head) ?? "json", status, body.trimEnd(), kept);
}

/** Takes a request that was admitted. `failure` is told why it was not taken. */
export async function answerHttp(
  taker: Taker,
  request: HttpRequest,
  onOutcome: (failure?: unknown) => void,
): Promise<HttpResponse> {
  const encoding = encodingOf(request) ?? "json";
  try {
    const { body: bytes, signal } = request;
    const taken = await taker.take({ bytes, encoding, signal });
    onOutcome();
    const headers = { "content-type": TYPES[encoding] };
    return { status: 200, headers, body: exportResponse(encoding, taken) };
  } catch (error) {
    if (error instanceof RejectedInput) return failed(encoding, 400, error.message);
    onOutcome(error);
    return failed(encoding, 503, "The logs could not be stored: send them again", RETRY_AFTER);
  }
}

function encodingOf({ headers }: HttpHead): Encoding | undefined {
  const type = (headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type === TYPES.protobuf || type === "application/protobuf") return "protobuf";
  return type === TYPES.json ? "json" : undefined;
}

function failed(
  encoding: Encoding,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { ...headers, "content-type": TYPES[encoding] },
    body: statusBody(encoding, CODES.get(status) ?? CODE.invalidArgument, message),
  };
}
