// A frame -> the audit events in it: one, a list of them as the API server sends it, or what clouds
// wrap them in (AKS through Event Hubs or storage, EKS through CloudWatch Logs).

import { Buffer } from "node:buffer";
import { RejectedInput } from "../../sdk/errors.ts";
import { listIn, objectIn, parseJsonFrame, textIn } from "../../sdk/json-frame.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import type { JsonLimits } from "../../sdk/json-object.ts";
import { isObject } from "../../sdk/mapping-path.ts";

/** What Azure calls its log of the audit events; others hold the components' own lines. */
const AUDIT_CATEGORIES = /^kube-audit(?:-admin)?$/;

/** Events of a list. The shortest real ones take some 600 bytes, so that 32 MiB hold fewer. */
const EVENTS_MAX = 100_000;

/** The events of a frame; throws RejectedInput where it, or one of them, is none. */
export function readEvents(
  frame: Uint8Array,
  limits: JsonLimits,
  ignored: (reason: string) => void,
): readonly JsonObject[] {
  const root = parseJsonFrame(frame, limits);
  // Most frames are one event.
  if (isEvent(root)) return [root];
  const events: JsonObject[] = [];
  unwrap(root, events, limits, ignored);
  return events;
}

function isEvent(object: JsonObject): boolean {
  return typeof object.auditID === "string" ||
    (object.kind === "Event" && typeof object.verb === "string");
}

function unwrap(
  object: JsonObject,
  events: JsonObject[],
  limits: JsonLimits,
  ignored: (reason: string) => void,
): void {
  if (isEvent(object)) {
    events.push(object);
    return;
  }
  const list = object.kind === "EventList"
    ? object.items
    : listIn(object, "records") ?? listIn(object, "logEvents");
  if (Array.isArray(list)) {
    if (list.length > EVENTS_MAX) {
      throw new RejectedInput(`Is a list of ${list.length} events: the limit is ${EVENTS_MAX}`);
    }
    for (const item of list) unwrap(itemOf(item), events, limits, ignored);
    return;
  }
  // A list of no events, as Go writes it.
  if (object.kind === "EventList" && (list === null || list === undefined)) return;
  const category = textIn(object, "category");
  if (category !== undefined && !AUDIT_CATEGORIES.test(category)) {
    return ignored("not audited: another log of the cluster");
  }
  const text = textIn(objectIn(object, "properties"), "log") ?? textIn(object, "Message") ??
    textIn(object, "message");
  if (text === undefined) throw new RejectedInput("Is no Kubernetes audit event");
  const inner = parseJsonFrame(Buffer.from(text), limits);
  if (!isEvent(inner)) throw new RejectedInput("Is a message without a Kubernetes audit event");
  events.push(inner);
}

function itemOf(item: Json): JsonObject {
  if (isObject(item)) return item;
  throw new RejectedInput("Is a list with an item that is no object");
}
