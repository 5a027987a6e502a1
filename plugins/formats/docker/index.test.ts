// Format docker: what Podman's API and `docker events` really wrote, actions of every kind, and the
// samples of Docker's manual.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import docker from "./index.ts";
import { sampleFile } from "../../../test/formats/sample-file.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const encode = (text: string) => new TextEncoder().encode(text);
const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");
const podman = linesOf(join(folder, "testdata/podman.jsonl"));
const text = linesOf(join(folder, "testdata/events.txt"));

interface Read {
  readonly events: readonly AuditEvent[];
  readonly rejected: readonly string[];
  readonly ignored: Readonly<Record<string, number>>;
}

function read(lines: readonly string[], config: unknown = {}): Read {
  const context = testContext();
  const format = docker.create(docker.config.parse(config), context);
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

const one = (event: unknown, config?: unknown) => read([JSON.stringify(event)], config).events[0];

await conformance(t, docker, { minimal: {}, frames: [...podman, ...text].map(encode) });

t.test("every event of Podman's API has an action of its own name, and an id of its own", async (t) => {
  const { events, rejected } = read(podman);
  t.same(rejected, []);
  t.equal(new Set(events.map(({ id }) => id)).size, podman.length);
  t.same(events.map(({ action }) => action), [
    "TagImage",
    "CreateVolume",
    "CreateContainer",
    "PullImage",
    "RenameContainer",
    "MountContainer",
    "CommitContainer",
    "DeleteContainer",
    "TagImage",
    "UntagImage",
    "SaveImage",
    "UntagImage",
    "DeleteImage",
    "UntagImage",
    "DeleteImage",
    "LoadImage",
    "UntagImage",
    "DeleteImage",
    "DeleteVolume",
  ]);
  const { id: _, ...created } = events[2]!;
  const container = JSON.parse(podman[2]!).Actor.ID;
  t.same(created, {
    time: 1_795_348_729_643,
    service: "docker",
    action: "CreateContainer",
    actor: { type: "user" },
    outcome: { success: true },
    resources: [{ type: "Docker::Container", name: container }],
    request: { id: container, image: "localhost/tiny:1", name: "web" },
    additional: {
      engineAction: "create",
      scope: "local",
      labels: { "com.example.team": "ops", "com.example.api-token": "[not copied]" },
    },
    readOnly: false,
    category: "Management",
  });
});

t.test("the text of docker events says the same as the JSON of the API", async (t) => {
  const [fromText, fromJson] = [read(text), read(podman)];
  t.same(fromText.rejected, []);
  const told = ({ id: _, additional, ...rest }: AuditEvent) => ({
    ...rest,
    additional: { ...additional, scope: undefined },
  });
  t.same(fromText.events.map(told), fromJson.events.map(told));
});

t.test("a command of exec is copied without its secrets and environment", async (t) => {
  const event = (action: string, more = {}) => ({
    Type: "container",
    Action: action,
    Actor: { ID: "c1", Attributes: { execID: "e1", image: "db", name: "db", ...more } },
    time: 1700000000,
    timeNano: 1700000000123456789n.toString(),
  });
  t.match(one(event("exec_start: env PGPASSWORD=hunter2 psql --token abc -c 'select 1'")), {
    id: "1700000000123456789:container:exec_start:c1:e1",
    time: 1700000000123,
    action: "ExecuteCommand",
    category: "Data",
    actor: { type: "user" },
    request: {
      execId: "e1",
      command: "env PGPASSWORD=[not copied] psql --token [not copied] -c 'select 1'",
    },
  });
  t.match(one(event("exec_die", { exitCode: "137" })), {
    action: "EndCommand",
    actor: { type: "service", name: "docker" },
    response: { exitCode: 137 },
  });
});

t.test("every type has actions named for it, also those that are not known here", async (t) => {
  const cases: [string, string, string][] = [
    ["network", "connect", "ConnectNetwork"],
    ["network", "create", "CreateNetwork"],
    ["volume", "mount", "MountVolume"],
    ["plugin", "enable", "EnablePlugin"],
    ["plugin", "remove", "DeletePlugin"],
    ["node", "update", "UpdateNode"],
    ["service", "remove", "DeleteService"],
    ["secret", "create", "CreateSecret"],
    ["config", "update", "UpdateConfig"],
    ["daemon", "reload", "ReloadConfiguration"],
    ["builder", "prune", "PruneBuildCache"],
    ["container", "oom", "ExhaustContainerMemory"],
    ["container", "archive-path", "CopyFromContainer"],
    ["model", "warm-up", "WarmUpModel"],
  ];
  for (const [Type, Action, action] of cases) {
    const made = one({ Type, Action, Actor: { ID: "x", Attributes: {} }, time: 1700000000 });
    t.equal(made?.action, action);
    t.match(made?.resources?.[0]?.type, /^Docker::[A-Z]\w+$/);
  }
});

t.test("events of the first engines, without type and actor, are read", async (t) => {
  t.match(one({ status: "start", id: "abc", from: "ubuntu:14.04", time: 1400000000 }), {
    action: "StartContainer",
    time: 1400000000000,
    request: { id: "abc", image: "ubuntu:14.04" },
  });
  t.match(one({ status: "pull", id: "ubuntu:14.04", time: 1400000000 }), {
    action: "PullImage",
    resources: [{ type: "Docker::Image", name: "ubuntu:14.04" }],
  });
});

t.test("labels are copied up to the limit, and the rest is counted", async (t) => {
  const Attributes = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`label${i}`, "x".repeat(2000)]),
  );
  const event = { Type: "container", Action: "start", Actor: { ID: "a", Attributes }, time: 1e9 };
  const made = one(event, { max_labels: 3 });
  t.match(made?.additional, { labelsLeftOut: 37 });
  t.same(Object.keys(made?.additional?.labels ?? {}), ["label0", "label1", "label2"]);
  t.ok(JSON.stringify(made).length < 5000);
});

t.test("health checks are ignored with a reason; what is no event is rejected", async (t) => {
  const health = { Type: "container", Action: "health_status: healthy", time: 1e9 };
  const found = read([JSON.stringify(health), "{}", "hello", '{"Action":"x"}']);
  t.same(found.events, []);
  t.same(found.ignored, { "no action: container health check": 1 });
  t.match(found.rejected, [/^Has no "Action"/, /^Is no event of an engine/, /^Has no time/]);
});

t.test("every sample of Docker's own tests and manual is an event", async (t) => {
  const at = sampleFile(t, "docker-events/docker-cli");
  if (at === undefined) return;
  const names = [
    "docker-events-json.golden",
    "docker-events-json-template.golden",
    "events-text.log",
  ];
  for (const name of names) {
    const lines = linesOf(join(at, name));
    const { events, rejected } = read(lines);
    t.same(rejected, [], name);
    t.equal(events.length, lines.length, name);
    t.same(events.filter(({ action }) => !/^[A-Z][A-Za-z]+$/.test(action)), []);
    t.ok(events.every(({ resources }) => resources?.[0]?.name));
  }
});
