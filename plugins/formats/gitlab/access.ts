// One request of GitLab's production_json.log or api_json.log -> one AuditEvent.

import { checkedAction } from "../../sdk/action-name.ts";
import type { Actor, AuditEvent } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { failure, outcomeOfStatus } from "../../sdk/http-status.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  membersExcept,
  membersOf,
  numberIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { isSecretName, NOT_COPIED, withoutSecrets } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { isObject } from "../../sdk/mapping-path.ts";

// Members that stand elsewhere in the event.
const TAKEN: ReadonlySet<string> = new Set(["time", "user_id", "username", "remote_ip", "ua"]);
const REQUEST: ReadonlySet<string> = new Set([
  "method",
  "path",
  "params",
  "controller",
  "action",
  "route",
  "format",
]);

const METHODS: ReadonlyMap<string, string> = new Map([
  ["GET", "Get"],
  ["HEAD", "Get"],
  ["OPTIONS", "Get"],
  ["POST", "Create"],
  ["PUT", "Update"],
  ["PATCH", "Update"],
  ["DELETE", "Delete"],
]);
// Rails' own names of what controllers do.
const ACTIONS: ReadonlyMap<string, string> = new Map([
  ["index", "List"],
  ["show", "Get"],
  ["new", "Get"],
  ["edit", "Get"],
  ["create", "Create"],
  ["update", "Update"],
  ["destroy", "Delete"],
]);
// Paths that say more than their controller; without a method they may have been only looked at.
const PATHS: ReadonlyMap<string, string> = new Map([
  ["POST /users/sign_in", "UserLogin"],
  ["POST /users/sign_out", "UserLogout"],
  ["DELETE /users/sign_out", "UserLogout"],
  ["POST /users/password", "ResetPassword"],
  [" /users/password", "ResetPassword"],
  ["PUT /users/password", "ChangePassword"],
]);

/** Whether an object is a request. */
export function isAccess(root: JsonObject): boolean {
  return textIn(root, "path") !== undefined || textIn(root, "route") !== undefined;
}

/** Makes the event. Throws RejectedInput where it has no time and the receiver has none. */
export function describeAccess(root: JsonObject, at: FramePosition, index: number): AuditEvent {
  const method = textIn(root, "method")?.toUpperCase() ?? "";
  const action = checkedAction(actionOf(root, method), "RequestPage");
  const status = numberIn(root, "status");
  const message = textIn(root, "exception.message");
  const refused = action === "UserLogin" && status === 422;
  const event: EventDraft = {
    // One request may write several lines under its correlation id.
    id: frameId(at, index),
    time: timeAt(at, root.time),
    service: "gitlab",
    action,
    actor: actorOf(root),
    outcome: refused ? failure("AuthenticationFailed", message) : outcomeOfStatus(status, message),
    readOnly: METHODS.get(method) === "Get",
    category: "Management",
  };
  const origin = originOf(textIn(root, "remote_ip"), textIn(root, "ua"));
  if (origin !== undefined) event.origin = origin;
  const project = textIn(root, "meta.project");
  if (project !== undefined) event.resources = [{ type: "GitLab::Project", name: project }];
  const safe = withoutSecrets(root);
  const request = membersOf(safe, REQUEST);
  const params = listIn(safe, "params");
  if (request !== undefined && params !== undefined) request.params = params.map(withoutSecret);
  if (request !== undefined) event.request = request;
  const additional = membersExcept(safe, TAKEN, REQUEST);
  if (additional !== undefined) event.additional = additional;
  return event;
}

/** A parameter `{ key, value }`; GitLab itself filters most secrets. */
function withoutSecret(param: Json): Json {
  if (!isObject(param) || typeof param.value !== "string") return param;
  const secret = isSecretName(textIn(param, "key") ?? "") && param.value !== "[FILTERED]";
  return secret ? { ...param, value: NOT_COPIED } : param;
}

function actionOf(root: JsonObject, method: string): string {
  const path = textIn(root, "path") ?? "";
  const known = PATHS.get(`${method} ${path}`);
  if (known !== undefined) return known;
  const controller = textIn(root, "controller")?.replace(/Controller$/, "");
  if (controller !== undefined) {
    const action = textIn(root, "action") ?? "";
    return `${ACTIONS.get(action) ?? pascalCase(action)}${pascalCase(controller)}`;
  }
  const verb = METHODS.get(method) ?? "Request";
  const route = textIn(root, "route");
  if (route === undefined) return `${verb}Page`;
  // `/api/:version/projects/:id/hooks` -> `ProjectsHooks`
  const words = route.split("/").filter((part) => part !== "" && part !== "api" && part[0] !== ":");
  return `${verb}${pascalCase(words.map((word) => word.replace(/:.*$/, "")).join(" "))}`;
}

function actorOf(root: JsonObject): Actor {
  const name = textIn(root, "username") ?? textIn(root, "meta.user");
  const id = textIn(root, "user_id");
  return {
    type: "user",
    ...(name === undefined ? undefined : { name }),
    ...(id === undefined ? undefined : { id }),
  };
}
