// A CloudTrail record that travels as the body of a log record: found, and handed on with its text
// unchanged. What is around it in OTLP is only its envelope.

import { Buffer } from "node:buffer";
import { parseRecord } from "../cloudtrail/parse-record.ts";
import { RejectedInput } from "../errors.ts";
import { jsonText, KeyValueList } from "./any-value.ts";
import type { LogRecord } from "./log-record.ts";

// What every record of an API call has.
const FIELDS = ["eventVersion", "eventSource", "eventName"] as const;

/**
 * The text of the CloudTrail record in the body: JSON text or a structure with `eventVersion`, `eventSource` and
 * `eventName`; undefined where there is none. With the attribute `event.dataset` set to
 * `aws.cloudtrail` the body has to be one of whatever fields: throws RejectedInput where it is not.
 */
export function carriedRecord(record: LogRecord): Uint8Array | undefined {
  const { body } = record;
  const isMarked = hasMark(record);
  if (typeof body === "string") {
    if (!isMarked && !(mayBegin(body) && FIELDS.every((name) => body.includes(`"${name}"`)))) {
      return undefined;
    }
    return parse(body.trim(), isMarked);
  }
  if (body instanceof KeyValueList) {
    const keys = new Set(body.entries.map(({ key }) => key));
    if (isMarked || FIELDS.every((name) => keys.has(name))) return parse(jsonText(body), isMarked);
  } else if (isMarked) {
    throw new RejectedInput("Is marked as CloudTrail, but the body is no record");
  }
  return undefined;
}

function hasMark({ attributes }: LogRecord): boolean {
  for (const { key, value } of attributes) {
    if (key === "event.dataset") return value === "aws.cloudtrail";
  }
  return false;
}

function mayBegin(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x7b || first <= 0x20;
}

function parse(text: string, isMarked: boolean): Uint8Array | undefined {
  try {
    const { record, bytes } = parseRecord(Buffer.from(text));
    if (isMarked || FIELDS.every((name) => typeof record[name] === "string")) return bytes;
  } catch (error) {
    // A message that happens to hold the words is a message.
    if (isMarked) throw error;
  }
  return undefined;
}
