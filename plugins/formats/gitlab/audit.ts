// One audit event of GitLab -> one AuditEvent. audit_json.log has all members side by side; a stream
// and the API have part of them in `details`.

import { actionName, checkedAction } from "../../sdk/action-name.ts";
import type { Actor, AuditEvent, Outcome, Resource } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { failure } from "../../sdk/http-status.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  membersExcept,
  membersOf,
  objectIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { withoutSecrets } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

// Members that stand elsewhere in the event.
const TAKEN: ReadonlySet<string> = new Set([
  "id",
  "time",
  "created_at",
  "details",
  "author_id",
  "author_name",
  "ip_address",
]);
// What was asked for; everything else is said about it.
const REQUEST: ReadonlySet<string> = new Set([
  "add",
  "as",
  "change",
  "remove",
  "from",
  "to",
  "with",
  "custom_message",
  "expiry_from",
  "expiry_to",
  "entity_id",
  "entity_type",
  "entity_path",
  "target_id",
  "target_type",
  "target_details",
]);

// Names of events, and actions of which the rule would make no good name.
const TABLE: ReadonlyMap<string, string> = new Map([
  ["authenticated_with_standard", "UserLogin"],
  ["authenticated_with_two_factor", "UserLogin"],
  ["authenticated_with_group_saml", "UserLogin"],
  ["user_logged_in", "UserLogin"],
  ["omniauth_login_failed", "UserLogin"],
  ["login_failed_with_standard_authentication", "UserLogin"],
  ["login_failed_with_two_factor_authentication", "UserLogin"],
  ["login_failed_with_otp_authentication", "UserLogin"],
  ["login_failed_with_webauthn_authentication", "UserLogin"],
  ["user_password_updated", "ChangePassword"],
  ["user_password_changed", "ChangePassword"],
  ["password_reset_requested", "ResetPassword"],
  ["user_impersonation", "AssumeRole"],
  ["user_destroyed", "DeleteUser"],
  ["repository_git_operation", "UseRepository"],
  ["project_repository_git_operation", "UseRepository"],
]);
// What of a repository git calls a fetch and a push.
const GIT: ReadonlyMap<string, string> = new Map([
  ["git-upload-pack", "GitFetch"],
  ["git-receive-pack", "GitPush"],
]);

/** Whether an object is an audit event. */
export function isAudit(root: JsonObject): boolean {
  return textIn(root, "entity_type") !== undefined ||
    (textIn(root, "author_id") !== undefined && textIn(root, "target_type") !== undefined) ||
    objectIn(root, "details")?.author_name !== undefined;
}

/** Makes the event. Throws RejectedInput where it has no time and the receiver has none. */
export function describeAudit(root: JsonObject, at: FramePosition, index: number): AuditEvent {
  const details = objectIn(root, "details");
  const all = details === undefined ? root : { ...details, ...root };
  const action = checkedAction(actionOf(all), "RecordAuditEvent");
  const event: EventDraft = {
    id: idOf(all, at, index),
    time: timeAt(at, all.created_at, all.time),
    service: "gitlab",
    action,
    actor: actorOf(all),
    outcome: outcomeOf(all, action),
    readOnly: action === "GitFetch",
    category: action.startsWith("Git") || action === "UseRepository" ? "Data" : "Management",
  };
  const origin = originOf(textIn(all, "ip_address"), textIn(all, "user_agent"));
  if (origin !== undefined) event.origin = origin;
  const resources = resourcesOf(all);
  if (resources.length > 0) event.resources = resources;
  const safe = withoutSecrets(all);
  const request = membersOf(safe, REQUEST);
  if (request !== undefined) event.request = request;
  const additional = membersExcept(safe, TAKEN, REQUEST);
  if (additional !== undefined) event.additional = additional;
  return event;
}

/** A stream's events have an id; lines of a log have none. */
function idOf(all: JsonObject, at: FramePosition, index: number): string {
  const id = textIn(all, "id");
  if (id === undefined) return frameId(at, index);
  // Ids of streams are numbers of events of their own kind: the same may stand under two names.
  return `${id}:${textIn(all, "event_type") ?? textIn(all, "event_name") ?? ""}:${
    textIn(all, "created_at") ?? ""
  }`;
}

function actionOf(all: JsonObject): string {
  const name = textIn(all, "event_type") ?? textIn(all, "event_name");
  const message = objectIn(all, "custom_message");
  const git = GIT.get(textIn(message, "action") ?? "");
  if (git !== undefined) return git;
  if (name !== undefined && name !== "audit_operation") {
    const known = TABLE.get(name);
    if (known !== undefined) return known;
    return member(name) ?? actionName("", name);
  }
  if (textIn(all, "failed_login") !== undefined || textIn(all, "with") !== undefined) {
    return "UserLogin";
  }
  const entity = pascalCase(textIn(all, "entity_type") ?? "");
  return changeOf(all, entity) ?? "";
}

/** `member_created` is `AddUserToGroup` where a project is a group, too. */
function member(name: string): string | undefined {
  const match = /^(?:group_|project_)?member_(created|added|destroyed|removed|updated)$/.exec(name);
  if (match === null) return undefined;
  if (match[1] === "updated") return "UpdateMember";
  return match[1] === "created" || match[1] === "added" ? "AddUserToGroup" : "RemoveUserFromGroup";
}

/** What older versions write: which member of the entity was added, changed or removed. */
function changeOf(all: JsonObject, entity: string): string | undefined {
  for (const [member, verb] of CHANGES) {
    const what = textIn(all, member);
    if (what === undefined) continue;
    if (what === "user_access") {
      if (member === "add") return "AddUserToGroup";
      return member === "remove" ? "RemoveUserFromGroup" : "UpdateMember";
    }
    const noun = pascalCase(what);
    const whole = noun === entity || noun === pascalCase(textIn(all, "target_type") ?? "");
    // To add a project is to create it; to add an email to a user is not.
    if (whole) {
      return `${verb === "Add" ? "Create" : verb === "Remove" ? "Delete" : "Update"}${noun}`;
    }
    return member === "change" ? `${verb}${entity}${noun}` : `${verb}${noun}`;
  }
  return undefined;
}

const CHANGES = [["add", "Add"], ["remove", "Remove"], ["change", "Update"]] as const;

/** Ids below one are nobody's account: a deploy token, GitLab itself, somebody unknown. */
function actorOf(all: JsonObject): Actor {
  const name = textIn(all, "author_name");
  const id = textIn(all, "author_id");
  const account = id !== undefined && !/^(?:-|0$)/.test(id);
  if (name === undefined && !account) return { type: "user" };
  if (name === "(System)") return { type: "service", name: "gitlab" };
  const user: Actor = {
    type: "user",
    ...(name === undefined ? undefined : { name }),
    ...(account ? { id } : undefined),
  };
  const impersonator = textIn(all, "impersonated_by");
  return impersonator === undefined || name === undefined
    ? user
    : { type: "role", name, assumedBy: { type: "user", name: impersonator } };
}

function outcomeOf(all: JsonObject, action: string): Outcome {
  const name = textIn(all, "event_type") ?? textIn(all, "event_name") ?? "";
  const failed = textIn(all, "failed_login") !== undefined || /(?:^|_)failed(?:_|$)/.test(name);
  if (!failed) return { success: true };
  const code = action === "UserLogin" ? "AuthenticationFailed" : "OperationFailed";
  return failure(code, textIn(all, "custom_message"));
}

function resourcesOf(all: JsonObject): Resource[] {
  const found: Resource[] = [];
  const entity = textIn(all, "entity_path") ?? textIn(all, "entity_id");
  const kind = pascalCase(textIn(all, "entity_type") ?? "");
  if (entity !== undefined && kind !== "") found.push({ type: `GitLab::${kind}`, name: entity });
  const target = textIn(all, "target_details") ?? textIn(all, "target_id");
  const type = pascalCase(textIn(all, "target_type") ?? "");
  if (target !== undefined && type !== "" && !(target === entity && type === kind)) {
    found.push({ type: `GitLab::${type}`, name: target });
  }
  return found;
}
