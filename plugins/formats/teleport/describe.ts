// One event of Teleport's audit log -> one AuditEvent: who, in which session, to what, how it ended.

import type { Actor, AuditEvent, Outcome, Resource, Session } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { failure, outcomeOfStatus } from "../../sdk/http-status.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  membersExcept,
  membersOf,
  numberIn,
  objectIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { withoutSecrets } from "../../sdk/json-secrets.ts";
import { type ActionRule, ruleOf } from "./actions.ts";

// Members that stand elsewhere in the event.
const TAKEN: ReadonlySet<string> = new Set(["event", "time", "uid", "user_agent", "addr.remote"]);
const TAKEN_WITH_USER: ReadonlySet<string> = new Set([...TAKEN, "user"]);

// What was asked for; everything else is said about it.
const REQUEST: ReadonlySet<string> = new Set([
  "login",
  "name",
  "roles",
  "path",
  "action",
  "flags",
  "program",
  "argv",
  "command",
  "working_directory",
  "addr",
  "dst_addr",
  "dst_port",
  "app_name",
  "db_service",
  "db_protocol",
  "db_name",
  "db_user",
  "db_query",
  "db_query_parameters",
  "parameters",
  "statement_id",
  "statement_name",
  "portal_name",
  "query_id",
  "proc_name",
  "schema_name",
  "process_id",
  "subcommand",
  "kubernetes_cluster",
  "kubernetes_users",
  "kubernetes_groups",
  "verb",
  "method",
  "request_path",
  "raw_query",
  "uri",
  "target",
  "body",
  "resource_kind",
  "resource_name",
  "resource_namespace",
  "resource_api_group",
  "windows_user",
  "windows_domain",
  "directory_name",
  "file_path",
  "offset",
  "length",
  "ttl",
  "expires",
  "reason",
  "state",
  "public_addr",
]);

/** Makes the event, or says why an object is none. */
export function describeEvent(
  root: JsonObject,
  at: FramePosition,
  index: number,
): AuditEvent | string {
  const name = textIn(root, "event");
  if (name === undefined) return "no Teleport event: names none";
  const rule = ruleOf(name, root);
  const safe = withoutSecrets(root);
  const event: EventDraft = {
    id: idOf(root, at, index),
    time: timeAt(at, root.time),
    service: "teleport",
    action: rule.action,
    actor: actorOf(root),
    outcome: outcomeOf(root, rule),
    readOnly: rule.readOnly,
    category: rule.data ? "Data" : "Management",
  };
  const origin = originOf(textIn(root, "addr.remote"), textIn(root, "user_agent"));
  if (origin !== undefined) event.origin = origin;
  const resources = resourcesOf(root, name);
  if (resources.length > 0) event.resources = resources;
  const request = membersOf(safe, REQUEST);
  if (request !== undefined) event.request = request;
  const named = "name" in event.actor && event.actor.name === root.user;
  const taken = named ? TAKEN_WITH_USER : TAKEN;
  event.additional = membersExcept(safe, taken, REQUEST, { event: name })!;
  return event;
}

/** Teleport's uid is unique; its own fixtures repeat some, under another code or at another time. */
function idOf(root: JsonObject, at: FramePosition, index: number): string {
  const uid = textIn(root, "uid");
  if (uid === undefined) return frameId(at, index);
  return `${uid}:${textIn(root, "code") ?? ""}:${textIn(root, "time") ?? ""}`;
}

// Teleport's own services act under the id of their host and the cluster's name.
const HOST_ACCOUNT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\./;
// What it writes where it does not know the user.
const NOBODY: ReadonlySet<string> = new Set(["unimplemented", "unknown"]);

function actorOf(root: JsonObject): Actor {
  // Devices have the user one level deeper.
  const given = textIn(root, "user") ?? textIn(objectIn(root, "user"), "user") ??
    textIn(root, "bot_name");
  if (given === undefined || NOBODY.has(given)) return { type: "user" };
  if (given === "system" || HOST_ACCOUNT.test(given)) return { type: "service", name: "teleport" };
  const session = sessionOf(root);
  const impersonator = textIn(root, "impersonator");
  if (impersonator !== undefined && impersonator !== given) {
    const assumedBy = { type: "user", name: impersonator } as const;
    const role = { type: "role", name: given, assumedBy } as const;
    return session === undefined ? role : { ...role, session };
  }
  const user = { type: "user", name: given } as const;
  return session === undefined ? user : { ...user, session };
}

function sessionOf(root: JsonObject): Session | undefined {
  const id = textIn(root, "sid");
  const mfa = textIn(root, "with_mfa") !== undefined || objectIn(root, "mfa_device") !== undefined;
  if (id === undefined) return mfa ? { mfa } : undefined;
  return mfa ? { id, mfa } : { id };
}

function outcomeOf(root: JsonObject, rule: ActionRule): Outcome {
  const message = textIn(root, "error") ?? textIn(root, "exitError") ?? textIn(root, "message");
  const said = root.success ?? objectIn(root, "status")?.success;
  if (said === true) return { success: true };
  const status = numberIn(root, "response_code") ?? numberIn(root, "status_code");
  if (said !== false && status !== undefined) return outcomeOfStatus(status, message);
  const exit = textIn(root, "exitCode") ?? textIn(root, "exit_code");
  const code = textIn(root, "code") ?? "";
  const failed = said === false || textIn(root, "error") !== undefined ||
    (exit !== undefined && exit !== "0") || /[WE]$/.test(code);
  if (!failed) return { success: true };
  const denied = rule.failure === "OperationFailed" &&
    /access denied|not allowed/i.test(message ?? "");
  return failure(denied ? "AccessDenied" : rule.failure, message);
}

// Member, kind of resource; in this order.
const RESOURCES: readonly (readonly [string, string])[] = [
  ["server_hostname", "Teleport::Node"],
  ["app_name", "Teleport::App"],
  ["db_service", "Teleport::Database"],
  ["kubernetes_cluster", "Teleport::KubernetesCluster"],
  ["desktop_addr", "Teleport::Desktop"],
  ["instance_id", "EC2::Instance"],
  ["path", "Host::File"],
  ["file_path", "Host::File"],
];

// What `name` is the name of, by the first part of the event.
const NAMED: ReadonlyMap<string, string> = new Map([
  ["user", "Teleport::User"],
  ["role", "Teleport::Role"],
  ["app", "Teleport::App"],
  ["db", "Teleport::Database"],
  ["kube", "Teleport::KubernetesCluster"],
  ["lock", "Teleport::Lock"],
  ["github", "Teleport::Connector"],
  ["oidc", "Teleport::Connector"],
  ["saml", "Teleport::Connector"],
  ["trusted_cluster", "Teleport::Cluster"],
  ["reset_password_token", "Teleport::User"],
  ["privilege_token", "Teleport::User"],
]);

function resourcesOf(root: JsonObject, event: string): Resource[] {
  const found: Resource[] = [];
  for (const [member, type] of RESOURCES) {
    const name = textIn(root, member);
    if (name !== undefined && !(member === "path" && /request$/.test(event))) {
      found.push({ type, name });
    }
  }
  // A node without a name is known by its id.
  const server = textIn(root, "server_id");
  if (server !== undefined && found.length === 0) {
    found.push({ type: "Teleport::Server", name: server });
  }
  const name = textIn(root, "name");
  const kind = name === undefined ? undefined : NAMED.get(event.slice(0, event.indexOf(".")));
  if (kind !== undefined) found.push({ type: kind, name: name! });
  const kubernetes = textIn(root, "resource_name");
  const plural = textIn(root, "resource_kind");
  if (kubernetes !== undefined && plural !== undefined) {
    const namespace = textIn(root, "resource_namespace");
    const path = namespace === undefined ? kubernetes : `${namespace}/${kubernetes}`;
    found.push({ type: "Kubernetes::Resource", name: `${plural}/${path}` });
  }
  return found;
}
