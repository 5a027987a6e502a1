// Calls of services that speak JSON 1.0 and 1.1: the operation in a header, one object there and one
// back.

import { Buffer } from "node:buffer";
import type { Json, JsonObject } from "../json.ts";
import { isObject } from "../mapping-path.ts";
import { type AwsClient, connectionError, readWithin } from "./request.ts";

/** One call. */
export interface JsonCall {
  /** What is tried, for errors. */
  readonly action: string;
  readonly version: "1.0" | "1.1";
  /** Service and operation: `AmazonSQS.ReceiveMessage`. */
  readonly target: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** An object, or its JSON text. */
  readonly input: JsonObject | string;
  readonly signal: AbortSignal;
}

// Ten messages of a queue, each of at most 1 MiB, every character escaped at worst.
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Makes a call and gives what was answered. Throws as AwsClient.send() does. */
export async function callJson(client: AwsClient, call: JsonCall): Promise<JsonObject> {
  const { action, version, target, origin, input, signal } = call;
  const { body } = await client.send({
    action,
    method: "POST",
    origin,
    path: "/",
    headers: { "content-type": `application/x-amz-json-${version}`, "x-amz-target": target },
    body: typeof input === "string" ? input : JSON.stringify(input),
    signal,
  });
  return await readJson(body, action, signal);
}

/** Reads an answer that is one JSON object; none is an empty one. Throws RetryableError for others. */
export async function readJson(
  body: AsyncIterable<Uint8Array>,
  action: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  try {
    const text = Buffer.from(await readWithin(body, ANSWER_BYTES_MAX)).toString("utf8");
    const output: Json = text === "" ? {} : JSON.parse(text);
    if (isObject(output)) return output;
    throw new TypeError("Answer is no JSON object");
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(action, error);
  }
}
