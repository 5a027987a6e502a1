// The agent's lifecycle, with components that behave and components that do not.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { serviceKind } from "../../plugins/sdk/index.ts";
import { type Agent, createAgent } from "../../src/agent/agent.ts";
import { askControl } from "../../src/agent/ask-control.ts";
import { dataDirAt } from "../../src/agent/data-dir.ts";
import { IgnoredCounts } from "../../src/agent/ignored.ts";
import { type AgentStatus, formatStatus } from "../../src/agent/status.ts";
import type { ResolvedConfig } from "../../src/config/resolved.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { type Behaviour, type Diary, event, recordingLogs, testConfig } from "./plugins.ts";

const runtime = await detectRuntime();

function setUp(t: Test, behaviours: Readonly<Record<string, Behaviour>> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-agent-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const diary: Diary = { entries: [], exported: [] };
  const config = testConfig(dataDir, diary, behaviours);
  const { logs, lines } = recordingLogs();
  const make = (over: Partial<ResolvedConfig> = {}): Agent => {
    const agent = createAgent({ ...config, ...over }, { version: "0.0.0", logs, runtime });
    t.teardown(() => agent.stop(AbortSignal.timeout(1000)));
    return agent;
  };
  return { dataDir, diary, config, lines, make };
}

const soon = () => AbortSignal.timeout(2000);

t.test("an agent starts at the far end of the flow and stops at its beginning", async (t) => {
  const { diary, make } = setUp(t);
  const agent = make();
  await agent.start();
  t.equal(agent.status().state, "running");
  await agent.stop(soon());
  t.same(diary.entries, [
    "start extension",
    "start exporter",
    "start processor",
    "start receiver",
    "stop receiver",
    "stop processor",
    "stop exporter",
    "stop extension",
  ]);
  await agent.stop(soon());
  t.equal(diary.entries.length, 8, "a second stop does nothing");
});

t.test("an agent that never started stops, and leaves nothing open", async (t) => {
  const { diary, make } = setUp(t);
  await make().stop(soon());
  t.same(diary.entries, []);
});

t.test("drained() reads finite sources to their end and delivers all of it", async (t) => {
  const { diary, make } = setUp(t, {
    receiver: {
      drain: (intake) => intake.events([event("1"), event("2")], { position: { at: 2 } }),
    },
  });
  const agent = make();
  await agent.start();
  t.same(await agent.drained(), { endless: [], failed: [] });
  t.equal(diary.exported.flatMap(({ records }) => records).length, 2);
  const [pipeline] = agent.status().pipelines;
  t.match(pipeline, {
    counts: { received: 2, stored: 2 },
    exporters: [{ delivered: 2, queued: 0 }],
  });
});

t.test("drained() names receivers without an end and those that fail", async (t) => {
  const endless = setUp(t).make();
  await endless.start();
  t.same(await endless.drained(), { endless: ["source"], failed: [] });
  const failing = setUp(t, { receiver: { drain: () => Promise.reject(new Error("gone")) } }).make();
  await failing.start();
  t.same(await failing.drained(), { endless: [], failed: [{ id: "source", reason: "gone" }] });
});

t.test("drained() ends with the signal", async (t) => {
  const agent = setUp(t, { receiver: { drain: () => new Promise(() => {}) } }).make();
  await agent.start();
  const controller = new AbortController();
  const drained = agent.drained(controller.signal);
  controller.abort(new Error("enough"));
  await t.rejects(drained, { message: "enough" });
});

t.test("a component that cannot start is named, and what had started is stopped", async (t) => {
  const refuse = { start: () => Promise.reject(new Error("port 514 is taken")) };
  for (const kind of ["receiver", "processor", "exporter", "extension"]) {
    const { diary, make } = setUp(t, { [kind]: refuse });
    await t.rejects(make().start(), {
      name: "StartError",
      message: new RegExp(`^Cannot start ${kind} ".*": port 514 is taken$`),
    });
    const started = diary.entries.filter((entry) => entry.startsWith("start"));
    const stopped = diary.entries.filter((entry) => entry.startsWith("stop"));
    t.same(stopped.sort(), started.map((entry) => entry.replace("start", "stop")).sort(), kind);
  }
});

t.test("a component that cannot even be made is named", async (t) => {
  const { make } = setUp(t, {
    exporter: {
      create: () => {
        throw new Error("no");
      },
    },
  });
  await t.rejects(make().start(), { message: 'Cannot make exporter "sink": no' });
});

t.test("a component that never stops is left behind, and the others stop", async (t) => {
  const { diary, make, lines } = setUp(t, { receiver: { stop: () => new Promise(() => {}) } });
  const agent = make();
  await agent.start();
  await agent.stop(AbortSignal.timeout(20));
  t.equal(diary.entries.at(-1), "stop extension");
  t.match(lines().filter(({ level }) => level === "error"), [
    { message: 'Cannot stop receiver "source" in time: left behind' },
  ]);
});

t.test("a component that throws while stopping does not keep the others from it", async (t) => {
  const { diary, make, lines } = setUp(t, {
    exporter: { stop: () => Promise.reject(new Error("disk gone")) },
  });
  const agent = make();
  await agent.start();
  await agent.stop(soon());
  t.equal(diary.entries.at(-1), "stop extension");
  t.match(lines().filter(({ level }) => level === "error"), [{
    message: 'Cannot stop exporter "sink": disk gone',
  }]);
});

t.test("stop() during start() ends both, and later components are not started", async (t) => {
  let begun = () => {};
  const beginning = new Promise<void>((resolve) => begun = resolve);
  let release = () => {};
  const { diary, make } = setUp(t, {
    extension: {
      start: () => {
        begun();
        return new Promise<void>((resolve) => release = resolve);
      },
    },
  });
  const agent = make();
  const started = agent.start();
  await beginning;
  const stopped = agent.stop(soon());
  release();
  await Promise.all([started, stopped]);
  t.same(diary.entries, ["start extension", "stop extension"]);
});

t.test("a component's report is its status, and a change of it a line in the log", async (t) => {
  const { make, lines } = setUp(t, {
    receiver: { start: (host) => host.report("waiting", "no audit log yet") },
    extension: { start: (host) => host.report("failed", "no port") },
  });
  const agent = make();
  await agent.start();
  t.match(agent.status().components.find(({ kind }) => kind === "receiver"), {
    id: "source",
    state: "waiting",
    reason: "no audit log yet",
  });
  t.match(agent.status().components.find(({ kind }) => kind === "exporter"), { state: "running" });
  t.match(lines().find(({ level }) => level === "error"), {
    component: "side",
    message: "Now failed: no port",
  });
  t.match(formatStatus(agent.status()), /receiver source +waiting since .*: no audit log yet/);
});

t.test("what a receiver leaves out on purpose is counted by reason, and shown", async (t) => {
  const { make } = setUp(t, {
    receiver: {
      start: (_, context) => {
        context.ignored("no action: chatter");
        context.ignored("no action: chatter", 41);
        context.ignored("program without parser");
      },
    },
  });
  const agent = make();
  await agent.start();
  const receiver = agent.status().components.find(({ kind }) => kind === "receiver")!;
  t.same(receiver.ignored, { "no action: chatter": 42, "program without parser": 1 });
  t.match(formatStatus(agent.status()), /^ {2}left out 42: no action: chatter$/m);
});

t.test("IgnoredCounts keeps a hundred reasons apart and counts the rest together", async (t) => {
  const ignored = new IgnoredCounts();
  t.equal(ignored.counts(), undefined);
  for (let i = 0; i < 150; i++) ignored.add(`reason ${i}`);
  ignored.add("reason 7", 2);
  const counts = ignored.counts()!;
  t.equal(counts["reason 7"], 3);
  t.equal(counts["other reasons"], 50);
});

t.test("a service is found while its provider runs", async (t) => {
  const kind = serviceKind<string>("test");
  let found: readonly string[] = [];
  let find = () => {};
  const { make } = setUp(t, {
    exporter: { start: (host) => host.provide(kind, "history") },
    extension: {
      start: (host) => {
        find = () => found = host.find(kind);
      },
    },
  });
  const agent = make();
  await agent.start();
  find();
  t.same(found, ["history"]);
  await agent.stop(soon());
  find();
  t.same(found, []);
});

t.test("a component's state survives the agent, and broken state is set aside", async (t) => {
  const seen: unknown[] = [];
  const { dataDir, make, lines } = setUp(t, {
    exporter: {
      start: async (_, { state }) => {
        seen.push(state.get("n"));
        await Promise.all([state.set("n", 1), state.set("n", 2), state.set("gone", undefined)]);
      },
    },
  });
  for (let run = 0; run < 2; run++) {
    const agent = make();
    await agent.start();
    await agent.stop(soon());
  }
  t.same(seen, [undefined, 2]);
  const path = dataDirAt(dataDir).state("exporter", "sink");
  await writeFile(path, "{oops");
  await make().start();
  t.equal(seen[2], undefined);
  t.ok(existsSync(`${path}.broken`));
  t.match(lines().find(({ level }) => level === "error"), { message: /State is unreadable/ });
});

t.test("a running agent answers on its socket, which only its user may use", async (t) => {
  const { dataDir, make } = setUp(t);
  const agent = make();
  await agent.start();
  const { socket } = dataDirAt(dataDir);
  const answer = await askControl(socket, "/status") as AgentStatus;
  t.match(answer, { state: "running", version: "0.0.0", pipelines: [{ name: "audit" }] });
  t.equal((await stat(socket)).mode & 0o777, 0o600);
  await t.rejects(askControl(socket, "/nothing"), { message: /does not know the question/ });
  await agent.stop(soon());
  await t.rejects(askControl(socket, "/status"), { name: "AgentNotRunningError" });
});

t.test("a second agent on the same data_dir is refused by name", async (t) => {
  const { make } = setUp(t);
  await make().start();
  await t.rejects(make().start(), {
    name: "DataDirError",
    message: /Another agent, process \d+, answers/,
  });
});

t.test("a long data_dir has its socket in the temporary folder", async (t) => {
  const { socket } = dataDirAt(`/${"x".repeat(120)}`);
  t.ok(Buffer.byteLength(socket) <= 100);
  t.equal(socket, dataDirAt(`/${"x".repeat(120)}/.`).socket);
});

t.test("a data_dir that cannot be used is one line that says what to do", async (t) => {
  const { make, dataDir } = setUp(t);
  await writeFile(join(dataDir, "file"), "");
  await t.rejects(make({ dataDir: join(dataDir, "file", "x") }).start(), {
    name: "DataDirError",
    message:
      /^Cannot use data_dir ".*": a part of the path is a file or a broken link; set agent\.data_dir/,
  });
  if (process.getuid?.() === 0) return t.comment("Permissions do not bind root: not tried");
  await mkdir(join(dataDir, "closed"));
  await chmod(join(dataDir, "closed"), 0o500);
  await t.rejects(make({ dataDir: join(dataDir, "closed", "x") }).start(), {
    name: "DataDirError",
    message: /permission denied; run as a user who may write there/,
  });
});
