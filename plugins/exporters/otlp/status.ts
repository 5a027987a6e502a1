// google.rpc.Status, as OTLP receivers explain a refusal: its message, and when to come again. What
// sdk/otlp/answer.ts writes.

import { Buffer } from "node:buffer";
import type { Json } from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { WireReader } from "../../sdk/otlp/wire.ts";

/** What a status says; empty where it says nothing that can be read. */
export interface RpcStatus {
  /** On one line, bounded. */
  readonly message: string;
  /** How long to wait, of a RetryInfo. */
  readonly afterMs?: number;
}

const MESSAGE_LENGTH_MAX = 500;
const NOTHING: RpcStatus = { message: "" };
const RETRY_INFO = "google.rpc.RetryInfo";

/** Another side's words, fit for a message of ours. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ").trim().slice(0, MESSAGE_LENGTH_MAX);
}

/** Reads a status in Protocol Buffers; never throws. */
export function readStatus(bytes: Uint8Array): RpcStatus {
  let message = "";
  let afterMs: number | undefined;
  try {
    eachField(bytes, (field, value) => {
      if (typeof value === "number") return;
      if (field === 2) message = plainText(Buffer.from(value).toString("utf8"));
      if (field === 3) afterMs = retryMs(value) ?? afterMs;
    });
  } catch {
    return NOTHING;
  }
  return afterMs === undefined ? { message } : { message, afterMs };
}

/** Reads a status in JSON, or a plain text; never throws. */
export function readTextStatus(bytes: Uint8Array): RpcStatus {
  const text = Buffer.from(bytes).toString("utf8");
  try {
    const value: Json = JSON.parse(text);
    const message = isObject(value) ? value.message : undefined;
    return typeof message === "string" ? { message: plainText(message) } : NOTHING;
  } catch {
    return { message: plainText(text) };
  }
}

/** Of an Any that holds a RetryInfo, which holds a Duration. */
function retryMs(any: Uint8Array): number | undefined {
  let isRetryInfo = false;
  let info: Uint8Array = new Uint8Array(0);
  eachField(any, (field, value) => {
    if (typeof value === "number") return;
    if (field === 1) isRetryInfo = Buffer.from(value).toString("utf8").endsWith(RETRY_INFO);
    if (field === 2) info = value;
  });
  if (!isRetryInfo) return undefined;
  let ms = 0;
  eachField(info, (field, delay) => {
    if (field !== 1 || typeof delay === "number") return;
    eachField(delay, (part, value) => {
      if (typeof value === "number") ms += part === 1 ? value * 1000 : value / 1_000_000;
    });
  });
  return Math.max(0, ms);
}

/** Calls with each varint and each delimited field; others are stepped over. */
function eachField(
  bytes: Uint8Array,
  take: (field: number, value: number | Uint8Array) => void,
): void {
  const reader = new WireReader(bytes);
  const end = bytes.length;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if ((tag & 7) === 0) take(tag >>> 3, Number(reader.int64(end)));
    else if ((tag & 7) === 2) {
      const stop = reader.length(end);
      take(tag >>> 3, reader.bytes.subarray(reader.at, stop));
      reader.at = stop;
    } else reader.skip(tag, 0, end);
  }
}
