// Format gitlab: its contract, events as logged and as streamed, requests, and Panther's samples.

import { readFileSync } from "node:fs";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { AuditEvent } from "../../sdk/index.ts";
import gitlab from "./index.ts";
import { sampleFile } from "../../../test/formats/sample-file.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function events(text: string, context = testContext()): readonly AuditEvent[] {
  const at = { source: "s", offset: 7, receivedAt: Date.UTC(2026, 0, 1) };
  const decoded = gitlab.create({}, context).decode(encode(text), at);
  if (!("events" in decoded)) throw new Error("Format gitlab made records");
  return decoded.events;
}

const event = (root: object) => events(JSON.stringify(root))[0]!;

const logged = {
  severity: "INFO",
  time: "2026-01-02T03:04:05.678Z",
  author_id: 3,
  author_name: "Alice",
  entity_id: 4,
  entity_type: "Project",
  entity_path: "team/app",
  change: "visibility",
  from: "Private",
  to: "Public",
  target_id: 4,
  target_type: "Project",
  target_details: "team/app",
  ip_address: "192.0.2.7",
  correlation_id: "c-1",
};

await conformance(t, gitlab, {
  minimal: {},
  frames: Array.from(
    { length: 50 },
    (_, i) => encode(JSON.stringify({ ...logged, author_id: i + 1 })),
  ),
});

t.test("a line of audit_json.log becomes who, what, to what, from where", async (t) => {
  t.same(event(logged), {
    id: "s:7",
    time: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    service: "gitlab",
    action: "UpdateProjectVisibility",
    actor: { type: "user", name: "Alice", id: "3" },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
    origin: { address: "192.0.2.7" },
    resources: [{ type: "GitLab::Project", name: "team/app" }],
    request: {
      entity_id: 4,
      entity_type: "Project",
      entity_path: "team/app",
      change: "visibility",
      from: "Private",
      to: "Public",
      target_id: 4,
      target_type: "Project",
      target_details: "team/app",
    },
    additional: { severity: "INFO", correlation_id: "c-1" },
  });
});

t.test("a streamed event is read with its details", async (t) => {
  const streamed = {
    id: "18d1",
    author_id: 1,
    entity_id: 6,
    entity_type: "Group",
    details: {
      author_name: "Administrator",
      author_class: "User",
      target_type: "User",
      target_details: "Bob",
      as: "Owner",
      custom_message: "Membership created",
      deploy_token: "glpat-x",
    },
    ip_address: "2001:db8::7",
    author_name: "Administrator",
    entity_path: "team",
    created_at: "2026-01-02T03:04:05Z",
    event_type: "member_created",
  };
  t.match(event(streamed), {
    id: "18d1:member_created:2026-01-02T03:04:05Z",
    time: Date.UTC(2026, 0, 2, 3, 4, 5),
    action: "AddUserToGroup",
    actor: { type: "user", name: "Administrator", id: "1" },
    origin: { address: "2001:db8::7" },
    resources: [{ type: "GitLab::Group", name: "team" }, { type: "GitLab::User", name: "Bob" }],
    request: { as: "Owner", custom_message: "Membership created" },
    additional: {
      author_class: "User",
      event_type: "member_created",
      deploy_token: "[not copied]",
    },
  });
  const git = { protocol: "ssh", action: "git-upload-pack" };
  t.match(
    event({
      ...streamed,
      event_type: "repository_git_operation",
      details: { custom_message: git },
    }),
    {
      action: "GitFetch",
      readOnly: true,
      category: "Data",
    },
  );
});

t.test("actions are named after the event, or after what was changed", async (t) => {
  const action = (members: object) =>
    event({ ...logged, change: undefined, target_type: "User", ...members }).action;
  t.equal(action({ event_name: "project_created" }), "CreateProject");
  t.equal(action({ event_name: "user_destroyed" }), "DeleteUser");
  t.equal(action({ event_name: "ci_variable_updated" }), "UpdateCiVariable");
  t.equal(action({ event_name: "user_impersonation" }), "AssumeRole");
  t.equal(action({ event_name: "personal_access_token_revoked" }), "RevokePersonalAccessToken");
  t.equal(action({ add: "user_access", as: "Developer" }), "AddUserToGroup");
  t.equal(action({ remove: "user_access" }), "RemoveUserFromGroup");
  t.equal(action({ change: "access_level" }), "UpdateProjectAccessLevel");
  t.equal(action({ add: "project" }), "CreateProject");
  t.equal(action({ remove: "user" }), "DeleteUser");
  t.equal(action({ add: "email" }), "AddEmail");
  t.equal(action({ with: "standard" }), "UserLogin");
  t.equal(action({ custom_message: "Something else" }), "RecordAuditEvent");
});

t.test("actors and failed logins", async (t) => {
  const actor = (members: object) => event({ ...logged, ...members }).actor;
  t.same(actor({ author_id: -1, author_name: "An unauthenticated user" }), {
    type: "user",
    name: "An unauthenticated user",
  });
  t.same(actor({ author_id: -1, author_name: undefined }), { type: "user" });
  t.same(actor({ author_name: "(System)" }), { type: "service", name: "gitlab" });
  t.same(actor({ impersonated_by: "Root" }), {
    type: "role",
    name: "Alice",
    assumedBy: { type: "user", name: "Root" },
  });
  t.match(event({ ...logged, change: undefined, failed_login: "STANDARD" }), {
    action: "UserLogin",
    outcome: { success: false, code: "AuthenticationFailed" },
  });
});

t.test("requests are named after their controller or route", async (t) => {
  const base = {
    time: "2026-01-02T03:04:05Z",
    remote_ip: "192.0.2.7",
    username: "alice",
    user_id: 3,
  };
  t.match(
    event({
      ...base,
      method: "GET",
      path: "/team/app/-/issues",
      controller: "Projects::IssuesController",
      action: "index",
      status: 200,
      ua: "curl/8",
    }),
    {
      action: "ListProjectsIssues",
      actor: { type: "user", name: "alice", id: "3" },
      readOnly: true,
      origin: { address: "192.0.2.7", userAgent: "curl/8" },
    },
  );
  t.match(
    event({
      ...base,
      method: "DELETE",
      path: "/api/v4/projects/1/hooks/2",
      status: 403,
      route: "/api/:version/projects/:id/hooks/:hook_id",
    }),
    {
      action: "DeleteProjectsHooks",
      outcome: { success: false, code: "AccessDenied" },
    },
  );
  const params = [{ key: "private_token", value: "x" }, { key: "page", value: "2" }, 7];
  t.same(event({ ...base, method: "GET", path: "/a", params }).request, {
    method: "GET",
    path: "/a",
    params: [{ key: "private_token", value: "[not copied]" }, { key: "page", value: "2" }, 7],
  });
  t.match(event({ ...base, method: "POST", path: "/users/sign_in", status: 422 }), {
    action: "UserLogin",
    outcome: { success: false, code: "AuthenticationFailed" },
  });
});

t.test("what is neither is left out and counted", async (t) => {
  const context = testContext();
  t.same(events('{"severity":"INFO","message":"hello"}', context), []);
  t.same(context.ignoredCounts, { "no GitLab event: neither audit event nor request": 1 });
});

t.test("Panther's samples are requests with their parameters", async (t) => {
  const path = sampleFile(t, "gitlab-audit/panther-analysis/gitlab-rule-tests.jsonl");
  if (path === undefined) return;
  const lines = readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
  const found = lines.map((line) => events(line)[0]!);
  t.same(found.map(({ action }) => action), ["RequestPage", "ResetPassword", "ResetPassword"]);
  for (const [index, line] of lines.entries()) t.same(found[index]!.request, JSON.parse(line));
});
