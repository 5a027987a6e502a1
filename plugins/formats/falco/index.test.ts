// Format falco: who, what and where of an alert, secrets left out, and the samples of others.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testAgent, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import falco from "./index.ts";
import { sampleFile } from "../../../test/formats/sample-file.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const encode = (text: string) => new TextEncoder().encode(text);
const linesOf = (path: string) => readFileSync(path, "utf8").trim().split("\n");
const alerts = linesOf(join(folder, "testdata/alerts.jsonl"));

function read(lines: readonly string[], host = testAgent.host) {
  const context = testContext({ agent: { ...testAgent, host } });
  const format = falco.create(falco.config.parse({}), context);
  const events: AuditEvent[] = [];
  const rejected: string[] = [];
  for (const [offset, line] of lines.entries()) {
    try {
      const decoded = format.decode(encode(line), { source: "s", offset });
      if ("events" in decoded) events.push(...decoded.events);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      rejected.push(`${error.message}: ${line}`);
    }
  }
  return { events, rejected, ignored: context.ignoredCounts };
}

await conformance(t, falco, { minimal: {}, frames: alerts.map(encode) });

t.test("an alert is named for its rule, and tells who acted for whom", async (t) => {
  const { events, rejected } = read(alerts);
  t.same(rejected, []);
  t.same(events[0], {
    id: "s:0",
    time: Date.UTC(2026, 10, 22, 10),
    service: "falco",
    action: "TerminalShellInContainer",
    actor: {
      type: "role",
      name: "root",
      id: "0",
      assumedBy: { type: "user", name: "alice", id: "1000" },
    },
    outcome: { success: true },
    host: "node-1",
    resources: [
      { type: "Docker::Container", name: "3ad7b26ded6d" },
      { type: "Kubernetes::Pod", name: "shop/db-0" },
    ],
    request: {
      rule: "Terminal shell in container",
      priority: "Notice",
      source: "syscall",
      tags: ["container", "shell"],
    },
    additional: {
      output: "10:00:00.000000001: Notice A shell was spawned in a container with an attached " +
        "terminal (user=root user_loginuid=1000 shell=bash cmdline=bash -c " +
        "PGPASSWORD=[not copied] psql container_id=3ad7b26ded6d)",
      fields: {
        "container.id": "3ad7b26ded6d",
        "container.image.repository": "docker.io/library/postgres",
        "evt.time": "1795348800000000001",
        "k8s.ns.name": "shop",
        "k8s.pod.name": "db-0",
        "proc.cmdline": "bash -c PGPASSWORD=[not copied] psql",
        "proc.env": "[not copied]",
        "proc.tty": 34816,
        "user.loginname": "alice",
        "user.loginuid": 1000,
        "user.name": "root",
        "user.uid": 0,
      },
    },
    readOnly: false,
    category: "Management",
  });
  t.match(events[1], {
    actor: { type: "user", name: "bob", id: "1001" },
    resources: [{ type: "Host::File", name: "/etc/shadow" }],
    additional: { output: /env=\[not copied\]\)$/ },
  });
  t.match(events[2], {
    action: "DisallowedK8sUser",
    actor: { type: "user", name: "system:serviceaccount:shop:web" },
    outcome: { success: false, code: "AccessDenied" },
    resources: [{ type: "Kubernetes::Secret", name: "shop/tls" }],
  });
  t.match(events[3], { id: "b1f6ef27-4a7e-4d1e-a0f0-1b0f2b0a0a01", action: "Ünusual" });
  t.match(events[4], { action: "LoseEvents", actor: { type: "service", name: "falco" } });
  t.notMatch(JSON.stringify(events), /hunter2|TOKEN=abc/);
});

t.test("the agent's own host is not told again; nobody is invented", async (t) => {
  const { events } = read(alerts, "node-1");
  t.notOk(events.some(({ host }) => host !== undefined));
  const unknown = { rule: "R", time: "2026-01-01T00:00:00Z", output_fields: { "user.name": null } };
  t.same(read([JSON.stringify(unknown)]).events[0]?.actor, { type: "user" });
});

t.test("what has no rule is rejected; metrics are ignored with a reason", async (t) => {
  const { rejected, ignored } = read([
    '{"output":"x","time":"2026-01-01T00:00:00Z"}',
    '{"rule":"Falco internal: metrics snapshot"}',
    '{"rule":"no time"}',
  ]);
  t.match(rejected, [/^Has no "rule"/, /^Has no time/]);
  t.same(ignored, { "no action: Falco's own metrics": 1 });
});

t.test("every sample of Falco's site and falcosidekick is an event or Falco's metrics", async (t) => {
  for (const [name, metrics] of [["falco-website", 6], ["falcosidekick", 0]] as const) {
    const path = sampleFile(t, `falco/${name}/alerts.jsonl`);
    if (path === undefined) return;
    const lines = linesOf(path);
    const { events, rejected, ignored } = read(lines);
    t.same(rejected, []);
    t.equal(ignored["no action: Falco's own metrics"] ?? 0, metrics);
    t.equal(events.length, lines.length - metrics);
    const shells = events.filter(({ action }) => action === "TerminalShellInContainer");
    t.ok(shells.every(({ actor }) => actor.type === "root"));
    t.ok(shells.every(({ resources }) => resources?.[1]?.type === "Kubernetes::Pod"));
    t.same(events.filter(({ action }) => !/^[A-Z]\w+$/.test(action)), []);
  }
});
