// Promise P11 on the real agent: under load, good and bad configurations one after the other, and every
// way to ask for a reload. Stops with a dead destination leave the queue as it is (P2).

import { hash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { askControl } from "../../src/agent/ask-control.ts";
import { SDK_VERSION } from "../../plugins/sdk/index.ts";
import { dataDirAt } from "../../src/agent/data-dir.ts";
import { reloadReport } from "../../src/agent/reload-report.ts";
import type { AgentStatus } from "../../src/agent/status.ts";
import { sampleRecord } from "../bench/sample-data.ts";
import { root, type RunningCairn, runtimeName, startCairn } from "./cairn.ts";

const RELOADS = process.env.CAIRN_SOAK ? 200 : 15;
const STOPS = process.env.CAIRN_SOAK ? 200 : 5;

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

const pause = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!await isTrue()) await pause();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { readonly port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** An agent in a folder, and what asks it. */
function agentIn(folder: string) {
  const path = join(folder, "cairn.yaml");
  const { socket } = dataDirAt(join(folder, "data"));
  return {
    path,
    write: (text: string) => writeFileSync(path, text),
    start: async () => {
      const agent = startCairn(["run", "--config", path], { timeoutMs: 3_000_000 });
      await agent.said(/"Running"/);
      return agent;
    },
    reload: async () =>
      reloadReport.parse(await askControl(socket, "/reload", { value: {}, answerMs: 60_000 })),
    status: async () => await askControl(socket, "/status") as AgentStatus,
  };
}

type Asked = ReturnType<typeof agentIn>;

/** Both sides of every pipeline's books (P7). */
function checkBooks(t: Test, { pipelines }: AgentStatus): void {
  for (const { counts, exporters } of pipelines) {
    const { received, filtered, duplicate, rejected, stored } = counts;
    t.equal(received, filtered + duplicate + rejected + stored, "the way in balances");
    for (const { id, delivered, deadLettered, excluded, lost, queued } of exporters) {
      const sum = delivered + deadLettered + excluded + lost + queued;
      t.equal(stored, sum, `the way to ${id} balances`);
    }
  }
}

interface Line {
  readonly eventID: string;
  readonly eventName: string;
  readonly eventSource: string;
  readonly errorCode?: string;
  readonly additionalEventData?: Readonly<Record<string, unknown>>;
}

function readLines(path: string): readonly Line[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const isOwn = ({ eventSource }: Line) => eventSource === "cairn.internal";

/** Resident memory in MiB. */
function memoryOf({ pid }: RunningCairn): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return Math.round(Number(kib) / 1024);
}

/** What runs in one round: every part comes, goes and changes now and then. */
function goodConfig(folder: string, ports: readonly number[], round: number): string {
  const has = (every: number) => round % every === 0;
  const parts = {
    receivers: ["file", "webhook", ...has(3) ? ["syslog"] : []],
    processors: [...has(2) ? ["enrich"] : [], ...has(5) ? ["redact"] : []],
    exporters: ["file", ...has(4) ? ["file/second"] : []],
  };
  return `
agent: { data_dir: ${folder}/data }
receivers:
  file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning }
  webhook:
    endpoint: 127.0.0.1:${ports[0]}
    format: json
    mapping: { time: $.at, service: shop, action: $.what, actor: { name: $.who }, id: $.id }
  syslog: { protocol: udp, endpoint: "127.0.0.1:${ports[1]}" }
processors:
  enrich: {}
  redact: {}
exporters:
  file: { path: ${folder}/out.jsonl, batch: { max_age: 20ms, max_records: ${50 + round} } }
  file/second: { path: ${folder}/second.jsonl, batch: { max_age: 20ms } }
service:
  pipelines:
    main:
      receivers: [${parts.receivers.join(", ")}]
      processors: [${parts.processors.join(", ")}]
      exporters: [${parts.exporters.join(", ")}]
      queue: { max_bytes: ${64 + round}MiB }
`;
}

/** Ways to be wrong; each with what `cairn reload` is to answer. */
function badConfig(good: string, ports: readonly number[], round: number) {
  const ways = [
    [`${good}\noops: 1\n`, "refused"],
    [`${good}\n  : [`, "refused"],
    [good.replace("format: json", "format: ${file:/no/such/file}"), "refused"],
    [good.replace("exporters: [file", "exporters: [fiel"), "refused"],
    [good.replace("agent: {", 'agent: { account_id: "111122223333",'), "refused"],
    [
      good.replace("receivers: [file", "receivers: [webhook/taken, file")
        .replace(
          "  syslog:",
          `  webhook/taken: { endpoint: "127.0.0.1:${ports[2]}", format: github }\n  syslog:`,
        ),
      "failed",
    ],
  ] as const;
  return ways[round % ways.length]!;
}

/** Writes records into the file and posts events until it is stopped. */
function load(folder: string, port: number) {
  const written: string[] = [];
  const answers = { taken: 0, other: [] as unknown[] };
  let isOver = false;
  const post = async (n: number) => {
    const body = JSON.stringify({ id: n, at: "2026-01-02T03:04:05Z", what: "Login", who: "u" });
    try {
      const headers = { "content-type": "application/json" };
      const url = `http://127.0.0.1:${port}/`;
      const answer = await fetch(url, { method: "POST", body, headers });
      await answer.text();
      if (answer.ok) answers.taken++;
      else answers.other.push(answer.status);
    } catch (error) {
      answers.other.push(error);
    }
  };
  const done = (async () => {
    for (let n = 0; !isOver; n++) {
      const records = Array.from({ length: 5 }, (_, i) => sampleRecord(n * 5 + i));
      appendFileSync(
        join(folder, "in.jsonl"),
        records.map((record) => `${JSON.stringify(record)}\n`).join(""),
      );
      written.push(...records.map(({ eventID }) => String(eventID)));
      await post(n);
      await pause(2);
    }
  })();
  return { written, answers, end: () => (isOver = true, done) };
}

t.test(`P11: ${RELOADS} reloads under load, good and bad, lose and repeat nothing`, async (t) => {
  const folder = t.testdir();
  const cairn = agentIn(folder);
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
  t.teardown(() => taken.close());
  const takenPort = (taken.address() as { readonly port: number }).port;
  const ports = [await freePort(), await freePort(), takenPort];
  writeFileSync(join(folder, "in.jsonl"), "");
  cairn.write(goodConfig(folder, ports, 1));
  const agent = await cairn.start();
  const work = load(folder, ports[0]!);
  let memory = { before: 0, after: 0 };
  for (let round = 2; round < RELOADS + 2; round++) {
    const good = goodConfig(folder, ports, round);
    const [text, outcome] = round % 3 === 1 ? badConfig(good, ports, round / 3 | 0) : [
      good,
      "applied",
    ];
    cairn.write(text);
    const report = await cairn.reload();
    t.equal(report.outcome, outcome, report.problems.join("; "));
    if (round === Math.floor(RELOADS / 4)) memory = { ...memory, before: memoryOf(agent) };
    await pause(20);
  }
  await work.end();
  const last = goodConfig(folder, ports, RELOADS + 2);
  cairn.write(last);
  t.match(await cairn.reload(), { problems: [] });
  const all = work.written.length + work.answers.taken;
  const file = async () => (await cairn.status()).pipelines[0]!;
  await until(async () => (await file()).counts.stored >= all);
  await until(async () => (await file()).exporters.every(({ queued }) => queued === 0));
  checkBooks(t, await cairn.status());
  memory = { ...memory, after: memoryOf(agent) };
  agent.kill("SIGTERM");
  t.match(await agent.exit, { code: 0 });

  const lines = readLines(join(folder, "out.jsonl"));
  const ids = new Set(lines.map(({ eventID }) => eventID));
  t.equal(ids.size, lines.length, "no record is there twice");
  t.ok(work.written.every((id) => ids.has(id)), "no record of the file is missing");
  const posted = lines.filter(({ eventSource }) => eventSource === "shop.host.internal");
  t.equal(posted.length, work.answers.taken, "each event that was acknowledged is there");
  t.same(work.answers.other, [], "an unchanged receiver kept its socket: every request was taken");
  const own = lines.filter(isOwn).map(({ eventName }) => eventName);
  t.equal(own.filter((name) => name === "ReloadConfiguration").length, RELOADS + 1);
  t.ok(memory.after - memory.before < 64, `memory is flat: ${JSON.stringify(memory)} MiB`);
  t.comment("| runtime | reloads | records | twice | missing | RSS before, after (MiB) |");
  const figures = [runtimeName, RELOADS, lines.length, lines.length - ids.size, 0];
  t.comment(`| ${figures.join(" | ")} | ${memory.before}, ${memory.after} |`);
});

function simple(folder: string, over = "", exporter = `{ path: ${folder}/out.jsonl }`): string {
  return `
agent: { data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning } }
exporters: { file: ${exporter} }
service:
  pipelines: { main: { receivers: [file], exporters: [file] } }
  ${over}
`;
}

async function reloaded(cairn: Asked, trigger: string, after = 0): Promise<AgentStatus> {
  let status = await cairn.status();
  await until(async () => {
    status = await cairn.status();
    return status.reload?.trigger === trigger && status.reload.at > after;
  });
  return status;
}

t.test("SIGHUP and cairn reload read the configuration again, also where it is gone", async (t) => {
  const folder = t.testdir();
  const cairn = agentIn(folder);
  cairn.write(simple(folder));
  const starting = startCairn(["run", "--config", cairn.path]);
  await until(() => existsSync(dataDirAt(join(folder, "data")).socket));
  starting.kill("SIGHUP");
  const first = await reloaded(cairn, "signal");
  t.match(first.reload, { outcome: "unchanged" });
  const { stdout: printed } = await startCairn(["print-config", "--config", cairn.path]).exit;
  t.equal(first.configuration, hash("sha256", printed), "anybody can tell what it runs");
  const run = (...args: string[]) => startCairn(["reload", "--config", cairn.path, ...args]).exit;

  cairn.write(simple(folder, "stop_timeout: 3s\n  oops: 1"));
  const [one, other] = await Promise.all([run(), run()]);
  const problem = /^error: .*cairn\.yaml:8:3: service\.oops: Unknown option/;
  t.match(one, { code: 3, stderr: problem, stdout: "" });
  t.match(other, { code: 3, stderr: problem });
  cairn.write(simple(folder, "", "{ path: /proc/none/out.jsonl }"));
  const failed = await run("--json");
  t.equal(JSON.parse(failed.stdout).outcome, failed.code === 0 ? "applied" : "failed");
  cairn.write(simple(folder, "", `{ path: ${folder}/other.jsonl }`));
  t.match(await run(), {
    code: 0,
    stdout: /^Configuration reloaded:\n {2}exporter "file" restarted/,
  });
  rmSync(cairn.path);
  const byDataDir = ["reload", "--data-dir", join(folder, "data")];
  t.match(await startCairn(byDataDir).exit, { code: 3, stderr: /Cannot read configuration/ });
  t.match((await cairn.status()).reload, { outcome: "refused" });
  starting.kill("SIGTERM");
  t.equal((await starting.exit).code, 0);
  t.match(await startCairn(byDataDir).exit, { code: 5, stderr: /No agent is running/ });
});

t.test("P11: a plugin that ends the process does not end the agent", async (t) => {
  const folder = t.testdir();
  const cairn = agentIn(folder);
  const plugin = (load: string, create: string, start: string) =>
    writeFileSync(
      join(folder, "ending.js"),
      `import process, { exit } from "node:process";
      import { z } from "${root}/node_modules/zod/index.js";
      ${load};
      export default {
        kind: "extension", type: "ending", sdk: "${SDK_VERSION}",
        stability: "beta", summary: "Ends the process", config: z.strictObject({}),
        create: () => {
          ${create};
          return { start: async () => { ${start} }, stop: async () => {} };
        },
      };`,
    );
  cairn.write(simple(folder));
  const agent = await cairn.start();
  const used = simple(folder, "extensions: [ending]");
  cairn.write(`plugins: [./ending.js]\nextensions: { ending: {} }${used}`);
  for (const end of ["process.exit(1)", "exit(1)", "process.abort()"]) {
    plugin(end, "", "");
    t.match(await cairn.reload(), { outcome: "refused", problems: [/is refused: a part/] }, end);
    plugin("", end, "");
    t.match(await cairn.reload(), { outcome: "failed", problems: [/Cannot make .*is refused/] });
    plugin("", "", end);
    t.match(await cairn.reload(), { outcome: "failed", problems: [/Cannot start .*is refused/] });
  }
  plugin("", "", "setTimeout(() => exit(1))");
  t.match(await cairn.reload(), { outcome: "applied" });
  await agent.said(/Error that no component handled: .*is refused/);
  checkBooks(t, await cairn.status());
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0);
});

t.test("watched files, a ConfigMap's swapped link and ${file:} reload by themselves", async (t) => {
  const folder = t.testdir();
  const cairn = agentIn(folder);
  const map = join(folder, "map");
  const version = (name: string, text: string) => {
    mkdirSync(join(map, name), { recursive: true });
    writeFileSync(join(map, name, "cairn.yaml"), text);
    symlinkSync(name, join(map, "..data_tmp"));
    renameSync(join(map, "..data_tmp"), join(map, "..data"));
  };
  const text = (age: string) =>
    simple(
      folder,
      "reload: { watch: true, interval: 100ms }",
      `{ path: "\${file:${folder}/place}", batch: { max_age: ${age} } }`,
    );
  writeFileSync(join(folder, "place"), `${folder}/one.jsonl\n`);
  version("..1", text("10ms"));
  symlinkSync("..data/cairn.yaml", join(map, "cairn.yaml"));
  const agent = startCairn(["run", "--config", join(map, "cairn.yaml")]);
  await agent.said(/"Running"/);
  version("..2", text("20ms"));
  const swapped = (await reloaded(cairn, "change")).reload!;
  t.match(swapped, { outcome: "applied", changes: ['exporter "file" restarted'] });
  writeFileSync(join(folder, "place"), `${folder}/two.jsonl\n`);
  const moved = (await reloaded(cairn, "change", swapped.at)).reload!;
  t.match(moved, { outcome: "applied", changes: ['exporter "file" restarted'] });
  version("..3", "no: configuration");
  const refused = (await reloaded(cairn, "change", moved.at)).reload!;
  t.match(refused, { outcome: "refused" });
  version("..4", text("30ms"));
  t.match((await reloaded(cairn, "change", refused.at)).reload, { outcome: "applied" });
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0);
  const names = readLines(join(folder, "two.jsonl")).map(({ eventName, errorCode }) =>
    `${eventName} ${errorCode ?? ""}`
  );
  t.ok(names.includes("ReloadConfiguration InvalidConfiguration"));
  t.equal(names.at(-1), "StopAgent ");
});

t.test(`P2: ${STOPS} stops with a dead destination: nothing leaves the queue`, async (t) => {
  const folder = t.testdir();
  const cairn = agentIn(folder);
  const port = await freePort();
  cairn.write(
    simple(folder, "stop_timeout: 5s").replace(
      "exporters: { file:",
      `exporters: { otlp: { protocol: http/protobuf, endpoint: "http://127.0.0.1:${port}" }, file:`,
    ).replace("exporters: [file]", "exporters: [otlp]"),
  );
  let written = 0;
  for (let life = 1; life <= STOPS; life++) {
    const lines = Array.from({ length: 20 }, () => `${JSON.stringify(sampleRecord(written++))}\n`);
    appendFileSync(join(folder, "in.jsonl"), lines.join(""));
    const agent = await cairn.start();
    // Each life begins and ends with a record of its own.
    const stored = written + 2 * life - 1;
    await until(async () => (await cairn.status()).pipelines[0]!.counts.stored === stored);
    const status = await cairn.status();
    checkBooks(t, status);
    t.match(status.pipelines[0]!.exporters, [{ delivered: 0, lost: 0, queued: stored }]);
    agent.kill("SIGTERM");
    t.equal((await agent.exit).code, 0);
  }
  cairn.write(simple(folder));
  const last = await startCairn(["run", "--once", "--config", cairn.path]).exit;
  t.equal(last.code, 0, last.stderr);
  const lines = readLines(join(folder, "out.jsonl"));
  t.equal(new Set(lines.map(({ eventID }) => eventID)).size, lines.length);
  t.equal(lines.filter((line) => !isOwn(line)).length, written, "all of it is delivered");
  const own = lines.filter(isOwn).map(({ eventName }) => eventName);
  t.equal(own.filter((name) => name === "StartAgent").length, STOPS);
  t.equal(own.filter((name) => name === "StopAgent").length, STOPS);
});
