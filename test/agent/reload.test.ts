// Promise P11 inside one process: what a reload exchanges, what it leaves running, and how it brings
// everything back where a part of the new configuration cannot run.

import { existsSync } from "node:fs";
import t from "tap";
import { type SelfAudit, selfAuditService } from "../../plugins/sdk/index.ts";
import { askControl } from "../../src/agent/ask-control.ts";
import { dataDirAt } from "../../src/agent/data-dir.ts";
import type { ReadAgain } from "../../src/agent/reloader.ts";
import { formatStatus } from "../../src/agent/status.ts";
import { event } from "./plugins.ts";
import { checkBooks, type Options, running, type Text, type Written } from "./reloading.ts";

const IN: Written = { in: {} };
const OUT: Written = { out: {} };
const MAIN = { main: {} };
const plain: Text = { receivers: IN, exporters: OUT, pipelines: MAIN };
const fail = (message: string) => () => Promise.reject(new Error(message));

t.test("P11: a configuration with problems is refused, and nothing is touched", async (t) => {
  const { agent, next, diary, send, exported } = await running(t, plain);
  diary.length = 0;
  next.read = () => Promise.resolve({ problems: ["a.yaml:1:1: oops"], warnings: [], hash: "h" });
  t.match(await agent.reload("signal"), {
    outcome: "refused",
    trigger: "signal",
    problems: ["a.yaml:1:1: oops"],
    to: "h",
  });
  next.read = fail("EACCES");
  t.match(await agent.reload("command"), { outcome: "refused", problems: ["EACCES"] });
  t.same(diary, []);
  await send();
  await agent.drained();
  t.equal(exported.length, 1);
  t.match(formatStatus(agent.status()), /Configuration is refused, the agent goes on .*: EACCES/);
});

t.test("P11: what cannot be made or started brings the old configuration back whole", async (t) => {
  for (const kind of ["extensions", "exporters", "processors", "receivers"] as const) {
    const all: Text = {
      receivers: IN,
      exporters: OUT,
      processors: { mark: {} },
      extensions: { side: {} },
      pipelines: MAIN,
    };
    const { agent, reload, send, exported, diary, lines } = await running(t, all);
    await send();
    const [id] = Object.keys(all[kind]!) as [string];
    const unmakable = { ...all, [kind]: { [id]: { create: () => JSON.parse("no JSON") } } };
    t.match(await reload(unmakable), { outcome: "failed", problems: [/^Cannot make/] }, kind);
    t.same(diary, [], "nothing that runs was touched");
    const unstartable = { ...all, [kind]: { [id]: { start: fail("port is taken") } } };
    t.match(await reload(unstartable), {
      outcome: "failed",
      problems: [`Cannot start ${kind.slice(0, -1)} "${id}": port is taken`],
    });
    t.same(diary.at(-1), `start ${id}`, "the old one runs again");
    t.equal(agent.status().components.every(({ state }) => state === "running"), true);
    await send();
    await agent.drained();
    t.same(exported.map(({ user }) => user), ["marked", "marked"]);
    checkBooks(t, agent);
    t.match(lines().filter(({ level }) => level === "error").at(-1), { message: /port is taken/ });
  }
});

t.test("P11: a component that never starts brings the old configuration back", async (t) => {
  const never = { start: () => new Promise<void>(() => {}) };
  const over = { startTimeoutMs: 20 };
  const { agent, reload, send, exported } = await running(t, plain);
  t.match(await reload({ ...plain, exporters: { out: never }, over }), {
    outcome: "failed",
    problems: ['Cannot start exporter "out": it is still starting after 0.02 s'],
  });
  await send();
  await agent.drained();
  t.equal(exported.length, 1, "the old exporter delivers");
  t.match(await reload({ ...plain, receivers: { in: {}, more: {} } }), { outcome: "applied" });
});

t.test("reload() restarts what has changed and leaves the rest running", async (t) => {
  const before: Text = {
    receivers: { "in": {}, "in/b": {} },
    exporters: { "out": {}, "out/b": {} },
    extensions: { side: {}, "side/b": {} },
    pipelines: MAIN,
  };
  const { agent, reload, diary, send, exported } = await running(t, before);
  t.match(await reload(before), { outcome: "unchanged", changes: [] });
  const after = {
    ...before,
    receivers: { "in": before.receivers.in!, "in/b": {} },
    exporters: { "out": {}, "out/b": before.exporters["out/b"]! },
    extensions: { "side/b": before.extensions!["side/b"]!, "side/c": {} },
  };
  t.match(await reload(after), {
    outcome: "applied",
    changes: [
      'extension "side" stopped',
      'extension "side/c" started',
      'exporter "out" restarted',
      'receiver "in/b" restarted',
    ],
  });
  t.same(diary, [
    "stop side",
    "start side/c",
    "stop out",
    "start out",
    "stop in/b",
    "start in/b",
  ]);
  t.equal(agent.status().components.length, 6, "what is gone is not shown");
  await send("in");
  await send("in/b");
  await agent.drained();
  t.equal(exported.length, 4);
  t.same(
    await askControl(dataDirAt(agent.status().dataDir).socket, "/reload", { value: {} }),
    agent.status().reload,
    "the report travels over the control socket",
  );
});

t.test("a changed exporter goes on where the old one was: nothing is lost or repeated", async (t) => {
  const { agent, reload, send, exported } = await running(t, plain);
  for (let round = 0; round < 20; round++) {
    const sending = send("in", 50);
    await reload({ ...plain, exporters: { out: {} } });
    await sending;
  }
  await agent.drained();
  t.equal(exported.length, 1000);
  checkBooks(t, agent);
  t.equal(agent.status().pipelines[0]!.exporters[0]!.delivered, 1000);
});

t.test("an export that never ends is left behind; the next exporter delivers its batch", async (t) => {
  const stuck = {
    export: () => new Promise<void>(() => {}),
    stop: () => new Promise<void>(() => {}),
  };
  const { agent, reload, send, exported, lines } = await running(t, {
    ...plain,
    exporters: { out: stuck },
  });
  await send("in", 3);
  t.match(await reload(plain), { outcome: "applied", changes: ['exporter "out" restarted'] });
  await agent.drained();
  t.equal(exported.length, 3);
  checkBooks(t, agent);
  t.match(lines().filter(({ level }) => level === "error"), [{
    message: 'Cannot stop exporter "out" in time: left behind',
  }]);
});

t.test("an exporter that fails at each export can be exchanged, and its records wait", async (t) => {
  const broken = { ...plain, exporters: { out: { export: fail("no route") } } };
  const { agent, reload, send, exported } = await running(t, broken);
  await send("in", 5);
  t.equal(exported.length, 0);
  t.match(await reload(plain), { outcome: "applied" });
  await agent.drained();
  t.equal(exported.length, 5);
  t.match(await reload(broken), { outcome: "applied" });
  await send("in", 2);
  t.match(await reload(plain), { outcome: "applied" });
  await agent.drained();
  t.equal(exported.length, 7);
  checkBooks(t, agent);
});

t.test("a pipeline that comes takes what its receivers send from then on", async (t) => {
  const { agent, reload, send, exported, diary, intakes, dataDir, lines } = await running(t, plain);
  await send();
  const two: Text = {
    receivers: IN,
    exporters: { ...OUT, "out/b": {} },
    pipelines: { main: { exporters: ["out"] }, second: { exporters: ["out/b"] } },
  };
  t.match(await reload(two), {
    outcome: "applied",
    changes: [
      'pipeline "second" added',
      'exporter "out/b" started',
      'receiver "in" goes to "main", "second" now',
    ],
  });
  t.same(diary, ["start out/b"], "the receiver kept running");
  t.same(intakes.get("in")!.position(), { at: 1 }, "it is where it was");
  await send();
  await agent.drained();
  t.same(exported.map(({ exporter }) => exporter).sort(), ["out", "out", "out/b"]);
  t.match(await reload(plain), {
    outcome: "applied",
    changes: [
      'pipeline "second" removed; its queue stays on disk',
      'exporter "out/b" stopped',
      'receiver "in" goes to "main" now',
    ],
  });
  t.ok(existsSync(dataDirAt(dataDir).queue("second")));
  t.equal(agent.status().pipelines.length, 1);
  await send();
  t.match(await reload(two), { outcome: "applied" });
  t.same(intakes.get("in")!.position(), { at: 3 }, "not where the second one was when it left");
  await send();
  await agent.drained();
  t.equal(exported.filter(({ exporter }) => exporter === "out/b").length, 2);
  checkBooks(t, agent);
  t.same(lines().filter(({ level }) => level === "error"), []);
});

t.test("what an exporter had not delivered when it went is told: let go, or kept on disk", async (t) => {
  const text: Text = { ...plain, exporters: { ...OUT, "out/dead": { export: fail("no route") } } };
  const { agent, reload, send } = await running(t, text);
  await send("in", 3);
  t.match(await reload(plain), {
    changes: [
      'exporter "out/dead" stopped',
      '"out/dead" had not delivered up to 3 records: let go',
    ],
  });
  await agent.drained();
  const dead: Text = { ...plain, exporters: { out: { export: fail("no route") } } };
  await reload(dead);
  await send();
  t.match(await reload({ ...plain, pipelines: { other: {} } }), {
    changes: [
      'pipeline "main" removed; its queue stays on disk',
      'exporter "out" stopped',
      'pipeline "other" added',
      'exporter "out" started',
      'receiver "in" goes to "other" now',
      '"out" had not delivered up to 1 record: kept in the queue',
    ],
  });
});

t.test("processors are exchanged between batches: each record meets the old or the new", async (t) => {
  const marked = (as: string): Text => ({ ...plain, processors: { mark: { as } } });
  const { agent, reload, send, exported, diary } = await running(t, marked("0"));
  for (let round = 1; round <= 10; round++) {
    const sending = Promise.all([send(), send(), send()]);
    t.match(await reload(round % 5 === 0 ? plain : marked(String(round))), { outcome: "applied" });
    await sending;
  }
  await reload(marked("last"));
  t.same(diary, ["start mark"]);
  await send();
  await agent.drained();
  t.equal(exported.length, 31);
  t.equal(exported.at(-1)!.user, "last");
  checkBooks(t, agent);
});

t.test("a larger limit lets receivers go on that wait for room", async (t) => {
  const small = { bytesMax: 2 ** 20, freeDiskBytesMin: 0, overflow: "block" } as const;
  const dead = { export: fail("no route") };
  const text: Text = { ...plain, exporters: { out: dead }, pipelines: { main: { queue: small } } };
  const { agent, reload, send, diary } = await running(t, text);
  let waiting = true;
  const filling = (async () => {
    while (waiting) await send("in", 200);
  })();
  while (!agent.status().pipelines[0]!.queue.blocked) await new Promise((go) => setTimeout(go, 5));
  const { stored } = agent.status().pipelines[0]!.counts;
  const large = { ...text, pipelines: { main: { queue: { ...small, bytesMax: 2 ** 24 } } } };
  t.match(await reload(large), { changes: ['limits of pipeline "main" changed'] });
  t.same(diary, []);
  waiting = false;
  await filling;
  t.ok(agent.status().pipelines[0]!.counts.stored > stored);
  checkBooks(t, agent);
});

t.test("a hundred requests at once are two reloads", async (t) => {
  const { agent, next } = await running(t, plain);
  const reports = await Promise.all(Array.from({ length: 100 }, () => agent.reload("command")));
  t.equal(reports.length, 100);
  t.equal(next.reads, 2, "the one under way, and one for all that came meanwhile");
});

t.test("a configuration that takes long to read holds up nothing", async (t) => {
  const { agent, next, send, exported } = await running(t, plain);
  let finish = (_: ReadAgain) => {};
  next.read = () => new Promise((resolve) => finish = resolve);
  const reloading = agent.reload("command");
  await send("in", 10);
  await agent.drained();
  t.equal(exported.length, 10);
  finish({ problems: ["too late"], warnings: [] });
  t.match(await reloading, { outcome: "refused" });
});

t.test("reload() waits for the start, and is refused while the agent stops", async (t) => {
  const { agent, next } = await running(t, plain);
  let finish = (_: ReadAgain) => {};
  next.read = () => new Promise((resolve) => finish = resolve);
  const reloading = agent.reload("command");
  const stopping = agent.stop(AbortSignal.timeout(2000));
  await t.rejects(agent.reload("signal"), { message: /the agent is stopping$/ });
  finish({ problems: ["x"], warnings: [] });
  await reloading;
  await stopping;
  t.ok(agent.status().components.every(({ state }) => state === "stopped"));
});

t.test("an agent that stops amid a reload starts nothing again", async (t) => {
  const { agent, reload, diary } = await running(t, plain);
  let begun = () => {};
  const beginning = new Promise<void>((resolve) => begun = resolve);
  let release = () => {};
  const slow = {
    start: () => {
      begun();
      return new Promise<void>((resolve) => release = resolve);
    },
  };
  const reloading = reload({ ...plain, exporters: { out: slow } });
  await beginning;
  const stopping = agent.stop(AbortSignal.timeout(2000));
  release();
  t.match(await reloading, { outcome: "failed" });
  await stopping;
  t.same(diary, ["stop out", "start out", "stop out", "stop in"]);
});

t.test("an old part that does not run again is told, and made anew by the next reload", async (t) => {
  let starts = 0;
  const once: Options = {
    start: () => {
      if (++starts === 2) throw new Error("port was taken meanwhile");
    },
  };
  const text: Text = { ...plain, receivers: { in: once } };
  const { agent, reload, send, exported } = await running(t, text);
  t.match(await reload({ ...plain, receivers: { in: { start: fail("no") } } }), {
    outcome: "failed",
    problems: [/start receiver "in": no; and what ran before does not run whole: .*meanwhile$/],
  });
  t.match(await reload(text), { outcome: "applied", changes: ['receiver "in" restarted'] });
  await send();
  await agent.drained();
  t.equal(exported.length, 1);
});

t.test("options of the service hold at once: the log's level, the time to stop", async (t) => {
  const { reload, agent, lines, diary } = await running(t, plain);
  t.match(await reload({ ...plain, over: { logs: { level: "error" }, stopTimeoutMs: 50 } }), {
    outcome: "applied",
    changes: ['log level is "error"', "options of the service changed"],
  });
  t.same(diary, []);
  t.equal(agent.config.stopTimeoutMs, 50);
  const said = lines().length;
  await reload(plain);
  t.equal(lines().length, said + 1, "nothing below the level but the reload that ends it");
});

t.test("what is set once for the process is refused by its path", async (t) => {
  const { reload, diary } = await running(t, {
    ...plain,
    over: { fixed: { "agent.region": "local", "agent.data_dir": "/a" } },
  });
  t.match(await reload({ ...plain, over: { fixed: { "agent.region": "x" } } }), {
    outcome: "refused",
    problems: [
      "agent.region: Cannot change while the agent runs (restart it, or set it back)",
      /^agent\.data_dir: Cannot change/,
    ],
  });
  t.same(diary, []);
});

t.test("starts, stops and reloads are records, each once, in every pipeline", async (t) => {
  let audit: SelfAudit | undefined;
  const text: Text = {
    ...plain,
    extensions: { side: { start: (host) => void (audit = host.find(selfAuditService)[0]) } },
    over: { selfAudit: true, hash: "abc" },
  };
  let now = Date.UTC(2026, 0, 2);
  const { agent, reload, exported } = await running(t, text, () => now++);
  await reload({ ...text, exporters: { out: { start: fail("no") } } });
  await audit!.record({ ...event("by somebody"), service: "cairn", action: "LookupEvents" });
  await agent.stop(AbortSignal.timeout(2000));
  t.same(exported.map(({ name }) => name), [
    "StartAgent",
    "ReloadConfiguration",
    "LookupEvents",
    "StopAgent",
  ], "the last one, too, is delivered where delivery works");
  await t.rejects(audit!.record(event("late")), { message: /the agent stops$/ });
});
