// Format `cloudtrail`: frames that hold CloudTrail records already. They pass as they are.

import { type Decoded, defineFormat, NOTHING, RejectedInput } from "../../sdk/index.ts";
import { isSpace } from "../../sdk/cloudtrail/json-text.ts";
import { beginsAsRecord, parseRecord } from "../../sdk/cloudtrail/parse-record.ts";
import { splitRecords } from "../../sdk/cloudtrail/record-splitter.ts";
import { config } from "./config.ts";

const OPEN_LIST = 0x5b;

export default defineFormat({
  type: "cloudtrail",
  stability: "beta",
  summary:
    "CloudTrail records: one a frame, a log file, an EventBridge event or LookupEvents' answer",
  config,
  create: () => ({
    decode,
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});

/** A frame is usually one record, which is for the pipeline to parse. */
function decode(frame: Uint8Array): Decoded {
  let start = 0;
  let end = frame.length;
  while (start < end && isSpace(frame[start]!)) start++;
  while (end > start && isSpace(frame[end - 1]!)) end--;
  if (start === end) return NOTHING;
  const text = frame.subarray(start, end);
  if (beginsAsRecord(text)) return { records: [text] };
  if (text[0] === OPEN_LIST) return decodeMany(text);
  const { record, bytes } = parseRecord(text);
  if (Array.isArray(record.Records) || Array.isArray(record.Events)) return decodeMany(text);
  return { records: [bytes] };
}

function decodeMany(text: Uint8Array): Decoded {
  const records = splitRecords(text).map(({ bytes, problem }) => {
    if (problem !== undefined) throw new RejectedInput(problem);
    return parseRecord(bytes).bytes;
  });
  return { records };
}
