// A stored record as text: readable JSON, one JSON line, one line for people.

import { Buffer } from "node:buffer";
import type { StoredRecord } from "../../plugins/sdk/index.ts";
import { escapeBytes, escapeText, formatTime } from "./printable.ts";

/** Indented JSON, safe for a terminal and still the same JSON. */
export function prettyRecord(bytes: Uint8Array): string {
  const text = decode(bytes);
  try {
    return `${escapeText(JSON.stringify(JSON.parse(text), null, 2))}\n`;
  } catch {
    // Not what a queue should hold; shown all the same.
    return `${escapeBytes(bytes)}\n`;
  }
}

/** The JSON as it is stored, on one line. */
export function recordLine(record: StoredRecord): string {
  return `${decode(record.bytes)}\n`;
}

/** What happened, for people: sequence, time, who, what, eventID. */
export function readableLine(record: StoredRecord): string {
  const { sequence, time, id } = record;
  let what = "";
  try {
    const { eventSource, eventName, userIdentity, errorCode } = record.record;
    const who = userIdentity?.arn ?? userIdentity?.userName ?? userIdentity?.type ?? "-";
    what = `${eventSource ?? "-"} ${eventName ?? "-"} ${who}`;
    if (typeof errorCode === "string") what += ` ${errorCode}`;
  } catch {
    what = "(no JSON)";
  }
  return `${escapeText(`${sequence} ${formatTime(time)} ${what} ${id}`).replaceAll("\n", " ")}\n`;
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
