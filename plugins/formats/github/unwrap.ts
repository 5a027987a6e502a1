// Where the entry is in what carries it: a line of Enterprise Server's syslog, such a line inside the
// JSON of a log collector, or the envelope of a Splunk stream.

import { Buffer } from "node:buffer";
import type { JsonObject } from "../../sdk/json.ts";
import { objectIn, parseJsonFrame, textIn } from "../../sdk/json-frame.ts";

// The program under which Enterprise Server writes its audit log.
const TAG = "github_audit";
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/**
 * The JSON of a frame: all of it, or what follows the tag of a line of syslog. Undefined for a line
 * of syslog that another program wrote; bytes that are neither are handed on as they are.
 */
export function entryText(frame: Uint8Array): Uint8Array | undefined {
  const first = firstByte(frame);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return frame;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const tag = bytes.indexOf(TAG);
  if (tag >= 0) {
    const begin = bytes.indexOf(OPEN_BRACE, tag);
    return begin < 0 ? frame : frame.subarray(begin);
  }
  return SYSLOG.test(bytes.toString("latin1", 0, 64)) ? undefined : frame;
}

// A priority, or a date as syslog writes it.
const SYSLOG =
  /^(?:<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\dT[\d:.]+\S* \S+ )/;

function firstByte(frame: Uint8Array): number | undefined {
  // A byte order mark or blanks may stand before it.
  let at = frame[0] === 0xef && frame[1] === 0xbb ? 3 : 0;
  while (at < frame.length && frame[at]! <= 0x20) at++;
  return frame[at];
}

/** The entry inside a collector's object or a stream's envelope, else the object itself. */
export function unwrap(root: JsonObject): JsonObject {
  if (textIn(root, "action") !== undefined) return root;
  const message = textIn(root, "message");
  if (message !== undefined && message.includes(TAG)) {
    const begin = message.indexOf("{", message.indexOf(TAG));
    if (begin >= 0) return parseJsonFrame(Buffer.from(message.slice(begin)));
  }
  const event = objectIn(root, "event");
  return event !== undefined && textIn(event, "action") !== undefined ? event : root;
}
