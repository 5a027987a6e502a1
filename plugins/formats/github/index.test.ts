// Format github: its contract, entries and payloads of every kind, other people's samples.

import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { AuditEvent } from "../../sdk/index.ts";
import github from "./index.ts";
import { sampleFile } from "../../../test/formats/sample-file.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const receivedAt = Date.UTC(2026, 0, 1);

function events(text: string, context = testContext(), offset = 7): readonly AuditEvent[] {
  const decoded = github.create({}, context)
    .decode(encode(text), { source: "s", offset, receivedAt });
  if (!("events" in decoded)) throw new Error("Format github made records");
  return decoded.events;
}

const event = (root: object) => events(JSON.stringify(root))[0]!;

await conformance(t, github, {
  minimal: {},
  frames: Array.from(
    { length: 50 },
    (_, i) => encode(`{"action":"repo.create","actor":"a","created_at":${1_700_000_000_000 + i}}`),
  ),
});

t.test("an entry of the audit log becomes who, what, to what, from where", async (t) => {
  const entry = {
    "@timestamp": 1_700_000_000_123,
    _document_id: "doc-1",
    action: "org.add_member",
    actor: "alice",
    actor_id: 7,
    actor_ip: "192.0.2.7",
    actor_location: { country_code: "DE" },
    created_at: 1_700_000_000_123,
    org: "acme",
    org_id: 12,
    user: "bob",
    user_id: 8,
    user_agent: "Mozilla/5.0",
    hashed_token: "aGFzaA==",
    permission: "read",
    config: { secret: "s3cret" },
  };
  t.same(event(entry), {
    id: "doc-1:org.add_member:1700000000123",
    time: 1_700_000_000_123,
    service: "github",
    action: "AddUserToOrganization",
    actor: { type: "user", name: "alice", id: "7" },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
    origin: { address: "192.0.2.7", userAgent: "Mozilla/5.0" },
    resources: [
      { type: "GitHub::User", name: "bob" },
      { type: "GitHub::Organization", name: "acme" },
    ],
    request: {
      org: "acme",
      user: "bob",
      permission: "read",
      config: { secret: "[not copied]" },
    },
    additional: {
      action: "org.add_member",
      _document_id: "doc-1",
      actor_location: { country_code: "DE" },
      hashed_token: "aGFzaA==",
      org_id: 12,
      user_id: 8,
    },
  });
});

t.test("actors: apps, site admins as another, nobody; failed logins", async (t) => {
  const base = { created_at: 1_700_000_000_000 };
  t.same(event({ ...base, action: "git.push", actor: "deploy[bot]", actor_id: 3 }).actor, {
    type: "service",
    name: "deploy[bot]",
  });
  t.same(event({ ...base, action: "staff.fake_login", actor: "root", user: "bob" }).actor, {
    type: "role",
    name: "bob",
    assumedBy: { type: "user", name: "root" },
  });
  t.same(event({ ...base, action: "git.clone", actor: "" }).actor, { type: "user" });
  t.match(event({ ...base, action: "user.failed_login", actor: "bob" }), {
    action: "UserLogin",
    outcome: { success: false, code: "AuthenticationFailed" },
  });
  t.match(event({ ...base, action: "git.clone", actor: "bob", repo: "a/b" }), {
    readOnly: true,
    category: "Data",
  });
});

t.test("exports as lists and lines, Splunk's envelope and syslog are opened", async (t) => {
  const entry = '{"action":"team.destroy","actor":"a","created_at":1700000000000}';
  t.same(events(`[${entry},${entry}]`).map(({ id }) => id), ["s:7", "s:7:1"]);
  t.equal(events(`${entry}\n${entry}\n`).length, 2);
  t.match(events(`{"time":1,"event":${entry}}`), [{ action: "DeleteTeam" }]);
  t.match(events(`<190>May 22 12:05:54 ghe github_audit: ${entry}`), [{ action: "DeleteTeam" }]);
  const context = testContext();
  t.same(events("<190>May 22 12:05:54 ghe sshd[1]: hello", context), []);
  t.same(events('{"hello":1}', context), []);
  t.same(context.ignoredCounts, {
    "no GitHub event: another program's line": 1,
    "no GitHub event: neither audit entry nor webhook payload": 1,
  });
  t.throws(() => events("hello"), { name: "RejectedInput", message: "Is not JSON" });
  t.throws(() => events("<190>May 22 12:05:54 ghe github_audit: {"), { name: "RejectedInput" });
});

t.test("payloads of webhooks are named by what they are about", async (t) => {
  const repository = { id: 1, full_name: "acme/app", private: true };
  const sender = { login: "alice", id: 7, type: "User" };
  const action = (members: object) => event({ repository, sender, ...members }).action;
  t.equal(action({ action: "opened", pull_request: {} }), "OpenPullRequest");
  t.equal(action({ action: "created", issue: {}, comment: {} }), "CreateComment");
  t.equal(action({ action: "publicized" }), "ChangeRepositoryVisibility");
  t.equal(action({ action: "deleted" }), "DeleteRepository");
  t.equal(action({ action: "in_progress", workflow_run: {} }), "StartWorkflowRun");
  t.equal(action({ action: "added", member: { login: "bob" } }), "AddUserToRepository");
  t.equal(
    action({ action: "removed", member: {}, team: {}, membership: {} }),
    "RemoveUserFromGroup",
  );
  t.equal(action({ ref: "v1", ref_type: "tag", master_branch: "main" }), "CreateTag");
  t.equal(action({ ref: "old", ref_type: "branch" }), "DeleteBranch");
  t.equal(action({ forkee: {} }), "ForkRepository");
  t.equal(action({ zen: "Design for failure.", hook: {} }), "PingHook");
  const push = event({
    ref: "refs/heads/main",
    commits: [],
    head_commit: { timestamp: "2026-01-02T03:04:05Z" },
    repository,
    sender,
    organization: { login: "acme", id: 2 },
  });
  t.same(push, {
    id: "s:7",
    time: Date.UTC(2026, 0, 2, 3, 4, 5),
    service: "github",
    action: "GitPush",
    actor: { type: "user", name: "alice", id: "7" },
    outcome: { success: true },
    readOnly: false,
    category: "Data",
    resources: [
      { type: "GitHub::Repository", name: "acme/app" },
      { type: "GitHub::Organization", name: "acme" },
    ],
    request: {
      ref: "refs/heads/main",
      commits: [],
      head_commit: { timestamp: "2026-01-02T03:04:05Z" },
    },
    additional: {
      event: "repository",
      repository_id: 1,
      repository_private: true,
      organization_id: 2,
      pusher: undefined,
    },
  });
});

function sample(t: Test, name: string): readonly string[] {
  const path = sampleFile(t, `github-audit/${name}`);
  if (path === undefined) return [];
  return readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
}

t.test("Panther's and StreamAlert's samples are described or left out, none rejected", async (t) => {
  const context = testContext();
  const names = ["panther-analysis/github-rule-tests", "streamalert/github-enterprise-syslog"];
  const lines = names.flatMap((name) => sample(t, `${name}.jsonl`));
  if (lines.length === 0) return;
  for (const [offset, line] of lines.entries()) {
    const source = JSON.parse(line);
    const entry = source.program === "github_audit"
      ? JSON.parse(source.message.slice(source.message.indexOf("{")))
      : source;
    for (const found of events(line, context, offset)) {
      t.match(found.action, /^[A-Z][A-Za-z0-9]+$/, line.slice(0, 80));
      const name = "name" in found.actor ? found.actor.name : undefined;
      t.equal(name, entry.actor || entry.sender?.login || entry.pusher?.name || undefined);
      if (entry.actor_ip) t.equal(found.origin?.address ?? found.origin?.host, entry.actor_ip);
      if (entry.created_at > 1e12) t.equal(found.time, entry.created_at);
      const repository = entry.repo ?? entry.repository?.full_name ?? entry.repository;
      if (repository) t.match(found.resources, [{ name: repository }]);
    }
  }
  // Events of Zendesk and Okta, on which rules for GitHub must not fire.
  t.same(context.ignoredCounts, {
    "no GitHub event: neither audit entry nor webhook payload": 6,
  });
});
