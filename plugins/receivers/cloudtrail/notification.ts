// A queue's message -> the objects it announces: S3's own notifications, S3 events through
// EventBridge, CloudTrail's message, and each of them inside SNS's envelope. No I/O.

import { RejectedInput } from "../../sdk/index.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** An object that somebody announced. */
export interface AnnouncedObject {
  readonly bucket: string;
  readonly key: string;
  /** Of the bucket, where it is told. */
  readonly region?: string | undefined;
}

/** What a message says. */
export interface Notification {
  readonly objects: readonly AnnouncedObject[];
  /** What else it says, as reasons for leaving it out. */
  readonly ignored: readonly string[];
}

/** What CloudTrail publishes when a topic is configured; plain text, unlike everything else. */
const VALIDATION = "CloudTrail validation message.";

const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;

/** Reads a message. Throws RejectedInput for one of no known kind. */
export function parseNotification(body: string): Notification {
  return parse(body, true);
}

function parse(body: string, mayBeWrapped: boolean): Notification {
  if (body.trim() === VALIDATION) return ignored("validation message of CloudTrail");
  const value = parseJson(body);
  if (!isObject(value)) throw new RejectedInput("Message is no JSON object");
  if (mayBeWrapped && value.Type === "Notification" && typeof value.Message === "string") {
    return parse(value.Message, false);
  }
  if (value.Event === "s3:TestEvent") return ignored("test event of S3");
  if (Array.isArray(value.Records)) return merge(value.Records.map(fromS3));
  if (isObject(value.detail)) return fromEventBridge(value, value.detail);
  if (typeof value.s3Bucket === "string") return fromCloudTrail(value.s3Bucket, value.s3ObjectKey);
  throw new RejectedInput("Message announces no object");
}

function parseJson(body: string): Json {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new RejectedInput("Message is not JSON", { cause: error });
  }
}

function ignored(reason: string): Notification {
  return { objects: [], ignored: [reason] };
}

function merge(parts: readonly Notification[]): Notification {
  return {
    objects: parts.flatMap(({ objects }) => objects),
    ignored: parts.flatMap(({ ignored }) => ignored),
  };
}

function fromS3(record: Json): Notification {
  const s3 = isObject(record) ? record.s3 : undefined;
  if (!isObject(record) || !isObject(s3)) throw new RejectedInput("Record is none of S3's");
  if (!String(record.eventName).startsWith("ObjectCreated:")) return ignored("no new object");
  const bucket = nameIn(s3.bucket, "name");
  const key = nameIn(s3.object, "key");
  if (bucket === undefined || key === undefined) throw new RejectedInput("Record names no object");
  return announced(bucket, decodeKey(key), record.awsRegion);
}

function fromEventBridge(event: JsonObject, detail: JsonObject): Notification {
  if (event["detail-type"] !== "Object Created") return ignored("no new object");
  const bucket = nameIn(detail.bucket, "name");
  const key = nameIn(detail.object, "key");
  if (bucket === undefined || key === undefined) throw new RejectedInput("Event names no object");
  return announced(bucket, key, event.region);
}

function fromCloudTrail(bucket: string, keys: Json | undefined): Notification {
  const list = Array.isArray(keys) ? keys : [keys];
  if (!list.every((key) => typeof key === "string")) {
    throw new RejectedInput("Message names no object");
  }
  return { objects: list.map((key) => ({ bucket, key })), ignored: [] };
}

function announced(bucket: string, key: string, region: Json | undefined): Notification {
  const isRegion = typeof region === "string" && REGION.test(region);
  return { objects: [isRegion ? { bucket, key, region } : { bucket, key }], ignored: [] };
}

function nameIn(value: Json | undefined, member: string): string | undefined {
  const name = isObject(value) ? value[member] : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** S3 encodes keys in its notifications as forms are. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch (error) {
    throw new RejectedInput("Record's key is not encoded as S3 does it", { cause: error });
  }
}
