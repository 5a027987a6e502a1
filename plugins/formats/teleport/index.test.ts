// Format teleport: its contract, Teleport's own fixtures, and CrowdSec's reading of them.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import teleport from "./index.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function events(text: string, offset = 7): readonly AuditEvent[] {
  const decoded = teleport.create({}, testContext())
    .decode(encode(text), { source: "file:1", offset });
  if (!("events" in decoded)) throw new Error("Format teleport made records");
  return decoded.events;
}

function event(root: object): AuditEvent {
  return events(JSON.stringify({ time: "2026-01-02T03:04:05.678Z", uid: "u", ...root }))[0]!;
}

await conformance(t, teleport, {
  minimal: {},
  frames: Array.from(
    { length: 50 },
    (_, i) => encode(`{"event":"user.login","uid":"u${i}","time":"2026-01-02T03:04:05Z"}`),
  ),
});

t.test("an event of a session becomes who, in what, to which node", async (t) => {
  const found = event({
    event: "session.command",
    code: "T4000I",
    ei: 3,
    cluster_name: "one.example",
    user: "alice",
    login: "root",
    sid: "s-1",
    server_id: "n-1",
    server_hostname: "web-01",
    path: "/usr/bin/id",
    argv: ["-u"],
    "addr.remote": "[2001:db8::7]:51752",
  });
  t.same(found, {
    id: "u:T4000I:2026-01-02T03:04:05.678Z",
    time: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    service: "teleport",
    action: "ExecuteCommand",
    actor: { type: "user", name: "alice", session: { id: "s-1" } },
    outcome: { success: true },
    readOnly: false,
    category: "Data",
    origin: { address: "2001:db8::7", port: 51752 },
    resources: [
      { type: "Teleport::Node", name: "web-01" },
      { type: "Host::File", name: "/usr/bin/id" },
    ],
    request: { login: "root", path: "/usr/bin/id", argv: ["-u"] },
    additional: {
      event: "session.command",
      code: "T4000I",
      ei: 3,
      cluster_name: "one.example",
      sid: "s-1",
      server_id: "n-1",
      server_hostname: "web-01",
    },
  });
});

t.test("actors: impersonated, Teleport itself, bots, devices, nobody", async (t) => {
  const actor = (root: object) => event({ event: "cert.create", ...root }).actor;
  t.same(actor({ user: "ci", impersonator: "alice" }), {
    type: "role",
    name: "ci",
    assumedBy: { type: "user", name: "alice" },
  });
  const host = "05ff66c9-a948-42f4-af0e-a1b6ba62561e.root";
  t.same(actor({ user: host }), { type: "service", name: "teleport" });
  t.same(actor({ bot_name: "deploy" }), { type: "user", name: "deploy" });
  t.same(actor({ user: { user: "lisa" } }), { type: "user", name: "lisa" });
  t.same(actor({ user: "unimplemented" }), { type: "user" });
  t.same(actor({}), { type: "user" });
});

t.test("outcomes: what is said, statuses, exit codes, warnings", async (t) => {
  const outcome = (root: object) => event(root).outcome;
  t.same(outcome({ event: "user.login", success: false, error: "no" }), {
    success: false,
    code: "AuthenticationFailed",
    message: "no",
  });
  t.same(outcome({ event: "exec", exitCode: "2", exitError: "exit status 2" }), {
    success: false,
    code: "CommandFailed",
    message: "exit status 2",
  });
  t.same(outcome({ event: "kube.request", response_code: 403 }), {
    success: false,
    code: "AccessDenied",
  });
  t.same(outcome({ event: "db.session.start", success: false, error: "access denied to db" }), {
    success: false,
    code: "AccessDenied",
    message: "access denied to db",
  });
  t.same(outcome({ event: "session.start", code: "T2000I" }), { success: true });
});

t.test("requests to Kubernetes have the names of the cluster's own log", async (t) => {
  const action = (verb: string, kind: string, name?: string) =>
    event({ event: "kube.request", verb, resource_kind: kind, resource_name: name }).action;
  t.equal(action("POST", "pods", "web"), "CreatePod");
  t.equal(action("GET", "pods"), "ListPods");
  t.equal(action("DELETE", "networkpolicies", "all"), "DeleteNetworkPolicy");
  t.equal(action("GET", "networkpolicies"), "ListNetworkPolicies");
  t.equal(action("GET", "secrets", "db"), "GetSecret");
  const exec = {
    request_path: "/api/v1/namespaces/a/pods/web/exec?command=id",
    resource_name: "web",
  };
  t.match(event({ event: "kube.request", verb: "POST", resource_kind: "pods", ...exec }), {
    action: "ExecPod",
    category: "Data",
  });
  t.equal(
    event({ event: "kube.request", verb: "GET", request_path: "/version" }).action,
    "GetVersion",
  );
});

t.test("an object without an event is left out, and its reason counted", async (t) => {
  const context = testContext();
  const format = teleport.create({}, context);
  const at = { source: "s", offset: 0 };
  t.same(format.decode(encode('[{"level":"info"},{"msg":"x"}]'), at), { events: [] });
  t.same(context.ignoredCounts, { "no Teleport event: names none": 2 });
  t.throws(() => format.decode(encode('{"event":"exec"}'), at), { name: "RejectedInput" });
});

function sample(t: Test, name: string): readonly string[] | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json")) || /\bdist\b/.test(root)) root = dirname(root);
  const path = join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), "teleport", name);
  if (existsSync(path)) return readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
  if (process.env.CI) t.fail(`${name} is missing`);
  else t.pass(`${name} is not on this machine`, { skip: true });
  return undefined;
}

t.test("every event of Teleport's fixtures is described by name", async (t) => {
  const lines = sample(t, "webapps-fixtures/events.jsonl") ?? [];
  const ids = new Set<string>();
  const unnamed: string[] = [];
  for (const [index, line] of lines.entries()) {
    const [found] = events(line, index);
    ids.add(found!.id);
    const source = JSON.parse(line);
    if (!/^[A-Z][a-z]+[A-Z0-9]\w+$/.test(found!.action)) unnamed.push(found!.action);
    t.equal(
      found!.outcome.success,
      !(source.success === false || /[WE]$/.test(source.code)) &&
        source.status?.success !== false,
      line.slice(0, 120),
    );
    const all = { ...found!.request, ...found!.additional };
    for (const [name, value] of Object.entries(source)) {
      if (!/^(event|time|uid|user|user_agent|addr\.remote)$/.test(name)) t.same(all[name], value);
    }
  }
  t.same(unnamed, []);
  if (lines.length > 0) t.equal(lines.length, 82);
  // Three events of devices stand there twice, once as a success and once as a failure.
  t.ok(lines.length === 0 || ids.size === 79, `${ids.size} ids`);
});

t.test("CrowdSec's asserts agree with user, address and outcome", async (t) => {
  const lines = sample(t, "crowdsec-hub/teleport-logs__teleport-logs.log") ?? [];
  const asserts = sample(t, "crowdsec-hub/teleport-logs__parser.assert") ?? [];
  const meta = new Map<string, string>();
  for (const line of asserts) {
    const match = /s01-parse.*Evt\.Meta\["(\w+)"\] == "(.*)"$/.exec(line);
    if (match !== null) meta.set(match[1]!, match[2]!);
  }
  for (const line of lines) {
    const [found] = events(line);
    t.equal(found!.actor.type === "user" && found!.actor.name, meta.get("user"));
    t.equal(found!.origin?.address, meta.get("source_ip"));
    t.equal(found!.origin?.userAgent, meta.get("http_user_agent"));
    t.equal(found!.action, "UserLogin");
    t.equal(String(found!.outcome.success), meta.get("success"));
  }
  for (const name of ["teleport-bf__teleport-bf", "teleport-impossible-travel__teleport-bf"]) {
    for (const line of sample(t, `crowdsec-hub/${name}.log`) ?? []) {
      t.equal(events(line)[0]!.action, "UserLogin");
    }
  }
});

t.test("bytes that are no JSON are rejected", async (t) => {
  t.throws(() => events('{"event":'), RejectedInput);
});
