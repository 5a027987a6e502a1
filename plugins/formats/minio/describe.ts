// One entry of MinIO's audit log -> one AuditEvent. Calls have S3's own names already.

import { checkedAction } from "../../sdk/action-name.ts";
import type { Actor, AuditEvent, Outcome, Resource } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { failure, outcomeOfStatus } from "../../sdk/http-status.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  membersExcept,
  membersOf,
  numberIn,
  objectIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { withoutSecrets } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { isObject } from "../../sdk/mapping-path.ts";

// Members that stand elsewhere in the event, and those of the request and of the response.
const TAKEN: ReadonlySet<string> = new Set([
  "time",
  "api",
  "remotehost",
  "userAgent",
  "accessKey",
]);
const REQUEST: ReadonlySet<string> = new Set([
  "requestPath",
  "requestHost",
  "requestQuery",
  "requestHeader",
]);
const RESPONSE: ReadonlySet<string> = new Set(["responseHeader"]);
const TAKEN_HERE: ReadonlySet<string> = new Set([...REQUEST, ...RESPONSE]);

// Members of `api`: what was asked for, and what stands elsewhere.
const ASKED: ReadonlySet<string> = new Set(["bucket", "object", "objects"]);
const TOLD: ReadonlySet<string> = new Set(["name", ...ASKED]);

const READ = /^(?:Get|Head|List|Select|Info|ServerInfo|StorageInfo|DataUsageInfo|Describe)/;
// Calls on the objects of a bucket that name none.
const OBJECTS = /^(?:ListObject|ListMultipart|DeleteMultipleObjects|PostPolicyBucket|SelectObject)/;

/** Makes the event, or says why an object is none. */
export function describeEvent(
  root: JsonObject,
  at: FramePosition,
  index: number,
): AuditEvent | string {
  const api = objectIn(root, "api");
  if (api === undefined) {
    return textIn(root, "level") !== undefined || textIn(root, "errKind") !== undefined
      ? "no audit entry: log of the server"
      : "no audit entry: names no call";
  }
  const bucket = textIn(api, "bucket");
  const object = textIn(api, "object");
  const name = textIn(api, "name") ?? textIn(root, "trigger") ?? textIn(root, "event");
  const action = checkedAction(pascalCase(name ?? ""), "CallApi");
  const data = bucket !== undefined &&
    (object !== undefined || listIn(api, "objects") !== undefined || OBJECTS.test(action));
  const safe = withoutSecrets(root);
  const event: EventDraft = {
    id: idOf(root, at, index),
    time: timeAt(at, root.time),
    service: "minio",
    action,
    actor: actorOf(root),
    outcome: outcomeOf(root, api),
    readOnly: READ.test(action),
    category: data ? "Data" : "Management",
  };
  const origin = originOf(textIn(root, "remotehost"), textIn(root, "userAgent"));
  if (origin !== undefined) event.origin = origin;
  const resources = resourcesOf(api, bucket, object);
  if (resources.length > 0) event.resources = resources;
  const request = membersOf(safe, REQUEST, membersOf(api, ASKED));
  if (request !== undefined) event.request = request;
  const response = membersOf(safe, RESPONSE, membersExcept(api, TOLD));
  if (response !== undefined) event.response = response;
  const additional = membersExcept(safe, TAKEN, TAKEN_HERE);
  if (additional !== undefined) event.additional = additional;
  return event;
}

/** MinIO's ids of requests are unique within a deployment. Work it does by itself has none. */
function idOf(root: JsonObject, at: FramePosition, index: number): string {
  const id = textIn(root, "requestID");
  if (id === undefined) return frameId(at, index);
  return `${textIn(root, "deploymentid") ?? ""}:${id}:${textIn(root, "time") ?? ""}`;
}

/** A service account or a temporary key acts for its parent. No key: anonymous, or MinIO itself. */
function actorOf(root: JsonObject): Actor {
  const key = textIn(root, "accessKey");
  if (key === undefined) {
    const trigger = textIn(root, "trigger");
    const byItself = trigger !== undefined && trigger !== "incoming";
    return byItself ? { type: "service", name: "minio" } : { type: "anonymous" };
  }
  const parent = textIn(root, "parentUser");
  return parent === undefined
    ? { type: "user", name: key }
    : { type: "user", name: parent, id: key };
}

function outcomeOf(root: JsonObject, api: JsonObject): Outcome {
  const header = objectIn(root, "responseHeader");
  const said = textIn(header, "X-Minio-Error-Code");
  const message = textIn(header, "X-Minio-Error-Desc") ?? textIn(root, "error");
  const outcome = outcomeOfStatus(numberIn(api, "statusCode"), message);
  if (said !== undefined) return failure(pascalCase(said), message);
  return outcome.success && textIn(root, "error") !== undefined
    ? failure("OperationFailed", message)
    : outcome;
}

function resourcesOf(
  api: JsonObject,
  bucket: string | undefined,
  object: string | undefined,
): Resource[] {
  if (bucket === undefined) return [];
  const found: Resource[] = [];
  if (object !== undefined) found.push({ type: "S3::Object", name: `${bucket}/${object}` });
  for (const item of listIn(api, "objects") ?? []) {
    const name = isObject(item) ? textIn(item, "objectName") : undefined;
    if (name !== undefined) found.push({ type: "S3::Object", name: `${bucket}/${name}` });
  }
  found.push({ type: "S3::Bucket", name: bucket });
  return found;
}
