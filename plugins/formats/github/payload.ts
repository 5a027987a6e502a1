// The payload of a GitHub webhook -> one AuditEvent. The event's name stands in a header that the
// format does not see, so it is told by the members that only payloads of that event have.

import { actionName, checkedAction } from "../../sdk/action-name.ts";
import type { Actor, AuditEvent, Resource } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  membersExcept,
  objectIn,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { withoutSecrets } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { ruleOf } from "./actions.ts";

// The member an event is about, its noun; payloads may have several, the first counts.
const SUBJECTS: readonly (readonly [string, string])[] = [
  ["workflow_job", "WorkflowJob"],
  ["workflow_run", "WorkflowRun"],
  ["check_run", "CheckRun"],
  ["check_suite", "CheckSuite"],
  ["deployment_status", "DeploymentStatus"],
  ["deployment", "Deployment"],
  ["review", "PullRequestReview"],
  ["thread", "PullRequestThread"],
  ["comment", "Comment"],
  ["pull_request", "PullRequest"],
  ["issue", "Issue"],
  ["discussion", "Discussion"],
  ["release", "Release"],
  ["rule", "BranchProtectionRule"],
  ["repository_ruleset", "RepositoryRuleset"],
  ["key", "DeployKey"],
  ["alert", "Alert"],
  ["hook", "Hook"],
  ["membership", "Membership"],
  ["member", "Member"],
  ["team", "Team"],
  ["label", "Label"],
  ["milestone", "Milestone"],
  ["package", "Package"],
  ["forkee", "Fork"],
  ["pages", "Wiki"],
  ["build", "PageBuild"],
  ["installation", "Installation"],
];
// Operations whose word is no verb, or not the one that fits.
const OPERATIONS: ReadonlyMap<string, string> = new Map([
  ["in_progress", "started"],
  ["synchronize", "updated"],
  ["privatized", "visibility"],
  ["publicized", "visibility"],
]);
// Members that stand elsewhere, or say where all of it can be found at GitHub.
const TAKEN: ReadonlySet<string> = new Set([
  "action",
  "sender",
  "repository",
  "organization",
  "enterprise",
  "pusher",
]);

/** Whether an object is the payload of a webhook. */
export function isPayload(root: JsonObject): boolean {
  return objectIn(root, "repository") !== undefined || objectIn(root, "sender") !== undefined ||
    (textIn(root, "zen") !== undefined && objectIn(root, "hook") !== undefined);
}

/** Makes the event. Throws RejectedInput where the payload has no time and the receiver has none. */
export function describePayload(root: JsonObject, at: FramePosition, index: number): AuditEvent {
  const subject = SUBJECTS.find(([member]) => objectIn(root, member) !== undefined) ??
    (listIn(root, "pages") === undefined ? undefined : ["pages", "Wiki"] as const);
  const about = subject === undefined ? undefined : objectIn(root, subject[0]);
  const noun = subject?.[1];
  const action = checkedAction(actionOf(root, noun), `Change${noun ?? "Repository"}`);
  const event: EventDraft = {
    id: frameId(at, index),
    time: timeOf(root, about, at),
    service: "github",
    action,
    actor: actorOf(root),
    outcome: { success: true },
    readOnly: false,
    category: action === "GitPush" ? "Data" : "Management",
  };
  const resources = resourcesOf(root);
  if (resources.length > 0) event.resources = resources;
  const request = membersExcept(withoutSecrets(root), TAKEN);
  if (request !== undefined) event.request = request;
  event.additional = { event: subject?.[0] ?? "repository", ...idsOf(root) };
  return event;
}

function actionOf(root: JsonObject, noun: string | undefined): string {
  if (textIn(root, "zen") !== undefined) return "PingHook";
  if (textIn(root, "ref") !== undefined) {
    if (listIn(root, "commits") !== undefined) return "GitPush";
    const type = textIn(root, "ref_type");
    // Payloads of `create` have the default branch, those of `delete` have not.
    if (type !== undefined) {
      return `${textIn(root, "master_branch") === undefined ? "Delete" : "Create"}${
        pascalCase(type)
      }`;
    }
  }
  if (noun === "Fork") return "ForkRepository";
  const said = textIn(root, "action") ?? "";
  const operation = OPERATIONS.get(said) ?? said;
  const subject = noun ?? "Repository";
  if (operation === "visibility") return "ChangeRepositoryVisibility";
  const rule = subject === "Membership" || subject === "Member"
    ? ruleOf(`${subject === "Member" ? "repo" : "team"}.${memberVerb(operation)}_member`).action
    : undefined;
  return rule ?? actionName(subject, operation);
}

function memberVerb(operation: string): string {
  return operation === "removed" ? "remove" : operation === "added" ? "add" : operation;
}

function actorOf(root: JsonObject): Actor {
  const sender = objectIn(root, "sender");
  const name = textIn(sender, "login") ?? textIn(objectIn(root, "pusher"), "name");
  if (name === undefined) return { type: "user" };
  if (textIn(sender, "type") === "Bot" || name.endsWith("[bot]")) return { type: "service", name };
  const id = textIn(sender, "id");
  return id === undefined ? { type: "user", name } : { type: "user", name, id };
}

/** When what the payload is about last changed. */
function timeOf(root: JsonObject, about: JsonObject | undefined, at: FramePosition): number {
  const repository = objectIn(root, "repository");
  return timeAt(
    at,
    objectIn(root, "head_commit")?.timestamp,
    about?.updated_at,
    about?.completed_at,
    about?.submitted_at,
    about?.created_at,
    listIn(root, "commits") === undefined ? undefined : repository?.pushed_at,
  );
}

function resourcesOf(root: JsonObject): Resource[] {
  const found: Resource[] = [];
  const named: readonly (readonly [string, string, string])[] = [
    ["repository", "full_name", "GitHub::Repository"],
    ["team", "slug", "GitHub::Team"],
    ["member", "login", "GitHub::User"],
    ["organization", "login", "GitHub::Organization"],
    ["enterprise", "slug", "GitHub::Enterprise"],
  ];
  for (const [member, key, type] of named) {
    const name = textIn(objectIn(root, member), key);
    if (name !== undefined) found.push({ type, name });
  }
  return found;
}

/** What tells repository and organization apart when they are renamed. */
function idsOf(root: JsonObject): JsonObject {
  const repository = objectIn(root, "repository");
  return {
    repository_id: repository?.id,
    repository_private: repository?.private,
    organization_id: objectIn(root, "organization")?.id,
    pusher: objectIn(root, "pusher")?.name,
  };
}
