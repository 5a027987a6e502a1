// Reads what answer.ts writes: what an OTLP receiver took and did not take, and google.rpc.Status, by
// which it explains a refusal and says when to come again.

import { Buffer } from "node:buffer";
import type { Json } from "../json.ts";
import { isObject } from "../mapping-path.ts";
import type { Encoding, PartialSuccess } from "./answer.ts";
import type { Signal } from "./sender.ts";
import { WireReader } from "./wire.ts";

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
const ALL_TAKEN: PartialSuccess = { rejected: 0, reason: "" };
const REJECTED: Readonly<Record<Signal, string>> = {
  logs: "rejectedLogRecords",
  metrics: "rejectedDataPoints",
  traces: "rejectedSpans",
};

/** Another side's words, fit for a message of ours. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ").trim().slice(0, MESSAGE_LENGTH_MAX);
}

/**
 * Reads the answer to a request that was taken, whose reason is on one line and bounded; one that
 * cannot be read says that all was taken. `rejected` may be 0 where there is a reason: a warning.
 */
export function readPartialSuccess(
  encoding: Encoding,
  signal: Signal,
  bytes: Uint8Array,
): PartialSuccess {
  if (bytes.length === 0) return ALL_TAKEN;
  try {
    const said = encoding === "json" ? partialJson(signal, bytes) : partialProtobuf(bytes);
    const rejected = said.rejected > 0 ? said.rejected : 0;
    return { rejected, reason: plainText(said.reason) };
  } catch {
    return ALL_TAKEN;
  }
}

function partialJson(signal: Signal, bytes: Uint8Array): PartialSuccess {
  const answer: Json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  const said = isObject(answer) ? answer.partialSuccess : undefined;
  if (!isObject(said)) return ALL_TAKEN;
  // JSON writes 64 bits as text.
  return { rejected: Number(said[REJECTED[signal]] ?? 0), reason: String(said.errorMessage ?? "") };
}

/** The fields have the same numbers for each signal. */
function partialProtobuf(bytes: Uint8Array): PartialSuccess {
  let { rejected, reason } = ALL_TAKEN;
  eachField(bytes, (field, partial) => {
    if (field !== 1 || typeof partial === "number") return;
    eachField(partial, (part, value) => {
      if (typeof value !== "number") {
        if (part === 2) reason = Buffer.from(value).toString("utf8");
      } else if (part === 1) rejected = value;
    });
  });
  return { rejected, reason };
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
