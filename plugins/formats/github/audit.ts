// One entry of GitHub's audit log -> one AuditEvent.

import type { Actor, AuditEvent } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { failure } from "../../sdk/http-status.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  type Members,
  membersExcept,
  membersOf,
  objectIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { withoutSecrets } from "../../sdk/json-secrets.ts";
import { ruleOf } from "./actions.ts";
import { resourcesOf } from "./resources.ts";

// Members that stand elsewhere in the event.
const TAKEN: ReadonlySet<string> = new Set([
  "action",
  "@timestamp",
  "created_at",
  "actor",
  "actor_id",
  "actor_ip",
  "user_agent",
]);
// Members about the entry and its actor; everything else is what was asked for.
const ABOUT: ReadonlySet<string> = new Set([
  "_document_id",
  "at_sign_timestamp",
  "operation_type",
  "request_id",
  "request_category",
  "actor_is_bot",
  "actor_is_agent",
  "actor_location",
  "actor_session",
  "business",
  "business_id",
  "external_identity_nameid",
  "external_identity_username",
  "external_id",
  "programmatic_access_type",
  "hashed_token",
  "token_id",
  "token_scopes",
  "from",
  "org_id",
  "repo_id",
  "user_id",
  "category_type",
]);
// Panther's own members begin so, in what it has stored.
const PANTHER = "p_";

/** Whether an object is an entry of the audit log. */
export function isEntry(root: JsonObject): boolean {
  const action = textIn(root, "action");
  if (action === undefined) return false;
  // Payloads of webhooks have objects where entries have names.
  const inEntry = action.includes(".") || textIn(root, "actor") !== undefined;
  return inEntry && objectIn(root, "repository") === undefined &&
    objectIn(root, "sender") === undefined;
}

/** Makes the event. Throws RejectedInput where the entry has no time and the receiver has none. */
export function describeEntry(root: JsonObject, at: FramePosition, index: number): AuditEvent {
  const name = textIn(root, "action") ?? "";
  const data = objectIn(root, "data");
  const rule = ruleOf(name);
  const event: EventDraft = {
    id: idOf(root, data, at, index),
    time: timeAt(
      at,
      root["@timestamp"],
      root.created_at,
      root.at_sign_timestamp,
      root.p_event_time,
    ),
    service: "github",
    action: rule.action,
    actor: actorOf(root, name),
    outcome: rule.failure === undefined
      ? { success: true }
      : failure(rule.failure, textIn(root, "message") ?? textIn(data, "message")),
    readOnly: rule.readOnly,
    category: rule.data ? "Data" : "Management",
  };
  const origin = originOf(
    textIn(root, "actor_ip"),
    textIn(root, "user_agent") ?? textIn(data, "user_agent"),
  );
  if (origin !== undefined) event.origin = origin;
  const resources = resourcesOf(root, data);
  if (resources.length > 0) event.resources = resources;
  const safe = withoutSecrets(root);
  const request = membersExcept(safe, TAKEN, ABOUT);
  for (const member in request) if (member.startsWith(PANTHER)) delete request[member];
  if (request !== undefined) event.request = request;
  const facts: Members = { action: name };
  if (event.actor.type === "service") {
    facts.actor = event.actor.name;
    facts.actor_id = root.actor_id ?? null;
  }
  event.additional = membersOf(safe, ABOUT, facts)!;
  return event;
}

function idOf(
  root: JsonObject,
  data: JsonObject | undefined,
  at: FramePosition,
  index: number,
): string {
  const id = textIn(root, "_document_id") ?? textIn(data, "_document_id");
  if (id === undefined || /^[.0]*$/.test(id)) return frameId(at, index);
  // An id alone is not trusted to be unique: other products fill it in, too.
  const time = textIn(root, "@timestamp") ?? textIn(root, "created_at") ?? "";
  return `${id}:${textIn(root, "action") ?? ""}:${time}`;
}

/** An app acts by itself; a site admin who signs in as another acts as that user. */
function actorOf(root: JsonObject, action: string): Actor {
  const name = textIn(root, "actor");
  const id = textIn(root, "actor_id");
  if (name === undefined) return id === undefined ? { type: "user" } : { type: "user", id };
  if (root.actor_is_bot === true || name.endsWith("[bot]")) return { type: "service", name };
  const user: Actor = id === undefined ? { type: "user", name } : { type: "user", name, id };
  const assumed = action === "staff.fake_login" ? textIn(root, "user") : undefined;
  return assumed === undefined ? user : { type: "role", name: assumed, assumedBy: user };
}
