// Promises P7 and P8 on the real agent: whatever stands in its sources, it goes on, sets aside what
// it cannot read, and its books balance.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { sampleAuditEvent, sampleRecord } from "../bench/sample-data.ts";
import type { AgentStatus } from "../../src/agent/status.ts";
import { type RunningCairn, startCairn } from "./cairn.ts";
import { readTrail, trailObjects } from "./trail.ts";
import { callCairn } from "../cli/call.ts";

interface Setup {
  readonly folder: string;
  readonly config: string;
}

/** A configuration with one receiver, and a trail beside the exporters given. */
function setUp(t: Test, receiver: string, exporters = ""): Setup {
  const folder = t.testdir({ in: {}, trail: {} });
  const config = join(folder, "cairn.yaml");
  const names = ["trail", ...exporters.match(/[\w/]+(?=: \{)/g) ?? []];
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data, host: h }
receivers: { ${receiver.replaceAll("IN", `${folder}/in`)} }
exporters:
  trail: { directory: ${folder}/trail, batch: { max_age: 20ms } }
${exporters}
service:
  # The books are to tell what the sources hold.
  self_audit: false
  pipelines: { p: { receivers: [${/^[\w/]+/.exec(receiver)}], exporters: [${names}] } }
`,
  );
  return { folder, config };
}

async function statusOf(config: string): Promise<AgentStatus> {
  const { code, stdout, stderr } = await callCairn(["status", "--json", "--config", config]);
  if (code !== 0) throw new Error(`cairn status ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as AgentStatus;
}

/** Asks until the agent has taken that many records and lines, and delivered what it stored. */
async function settled(config: string, received: number): Promise<AgentStatus> {
  for (;;) {
    const status = await statusOf(config);
    const { counts, exporters } = status.pipelines[0]!;
    if (counts.received >= received && exporters.every(({ queued }) => queued === 0)) return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** P7, for every pipeline and exporter. */
function checkBooks(t: Test, status: AgentStatus): void {
  for (const { counts, exporters } of status.pipelines) {
    const { received, filtered, duplicate, rejected, stored } = counts;
    t.equal(received, filtered + duplicate + rejected + stored, "the books of the way in balance");
    for (const { id, delivered, deadLettered, excluded, lost, queued } of exporters) {
      t.equal(stored, delivered + deadLettered + excluded + lost + queued, `the books of ${id} do`);
    }
  }
}

async function stop(t: Test, agent: RunningCairn): Promise<void> {
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.exit;
  t.equal(code, 0, stderr);
  t.notMatch(stderr, /no component handled/);
}

const line = (index: number, more: object = {}) =>
  JSON.stringify({ ...sampleRecord(index), ...more });

function spliced(index: number, member: string): string {
  return `${line(index).slice(0, -1)},${member}}`;
}

t.test("P8: lines of every bad sort become dead letters; the good ones between arrive", async (t) => {
  const { folder, config } = setUp(t, "file: { path: IN/a.jsonl, format: cloudtrail }");
  const bad = [
    line(0).slice(0, 200),
    "\0\0\0\0",
    "\xff\xfe\x80binary",
    "[1,2]",
    "7",
    "null",
    "{}",
    `{"Records":`,
    "[".repeat(100_000),
    `{"a":`.repeat(50_000),
    line(1, { requestParameters: { blob: "x".repeat(5 * 1024 ** 2) } }),
    line(2, { eventTime: "yesterday" }),
  ];
  // Odd, but records: numbers beyond a double, keys named like a prototype, halves of a character.
  const odd = [
    spliced(10, `"additionalEventData":{"n":1e400,"m":-0,"big":12345678901234567890}`),
    spliced(11, `"additionalEventData":{"__proto__":{"x":1},"constructor":2}`),
    spliced(12, `"additionalEventData":{"half":"\\ud800","nul":"\\u0000","esc":"\\u001b[2J"}`),
    spliced(13, `"additionalEventData":{"a":1,"a":2}`),
    // Such an account and region become a part of no path.
    line(14, { awsRegion: "../../../../../etc" }),
    line(15, { recipientAccountId: "../../x" }),
  ];
  const lines = bad.flatMap((text, index) => [text, line(100 + index)]).concat(odd);
  const bytes = Buffer.concat(lines.map((text) => Buffer.from(`${text}\n`, "latin1")));
  writeFileSync(join(folder, "in/a.jsonl"), bytes);
  const agent = startCairn([
    "run",
    "--config",
    config,
    "--set",
    "receivers.file.start_at=beginning",
  ]);
  await agent.said(/"Running"/);
  const status = await settled(config, lines.length);
  checkBooks(t, status);
  const { counts, deadLetters } = status.pipelines[0]!;
  t.match(counts, {
    received: lines.length,
    rejected: bad.length,
    stored: bad.length + odd.length,
  });
  t.equal(deadLetters, bad.length, "every bad line is a dead letter");
  await stop(t, agent);
  const trail = join(folder, "trail");
  t.equal(readTrail(trail).length, bad.length + odd.length);
  for (const object of trailObjects(trail)) {
    t.match(
      relative(trail, object),
      /^AWSLogs\/\d{12}\/CloudTrail\/[\w-]+\/\d{4}\//,
      "inside the trail",
    );
  }
});

t.test("a line of 64 MiB without an end is one dead letter, and memory stays small", async (t) => {
  const { folder, config } = setUp(t, "file: { path: IN/a.jsonl, format: cloudtrail }");
  const path = join(folder, "in/a.jsonl");
  writeFileSync(path, `${line(0)}\n`);
  const chunk = Buffer.alloc(16 * 1024 ** 2, 0x61);
  for (let i = 0; i < 4; i++) appendFileSync(path, chunk);
  appendFileSync(path, `\n${line(1)}\n`);
  const { code, stderr } = await startCairn(["run", "--once", "--config", config], {
    env: { NODE_OPTIONS: "--max-old-space-size=96" },
  }).exit;
  t.equal(code, 0, stderr);
  t.equal(readTrail(join(folder, "trail")).length, 2);
});

t.test("torn, interleaved, backward and binary audit lines harm no other event", async (t) => {
  const { folder, config } = setUp(t, "auditd: { path: IN/audit.log, start_at: beginning }");
  const events = Array.from({ length: 6 }, (_, index) => sampleAuditEvent(index));
  const [a, b] = [events[1]!.split("\n"), events[2]!.split("\n")];
  const woven = a.flatMap((text, index) => [text, b[index] ?? ""]).filter((text) => text !== "");
  const text = [
    events[0]!,
    "type=SYSCALL msg=audit(17",
    "\0\x01\x02\xff garbage",
    'type=CWD msg=audit(1.1:999999999999999999999): cwd="/"',
    ...woven,
    events[5]!.trimEnd(),
    events[4]!.trimEnd(),
    `type=EXECVE msg=audit(1767323045.1:77): argc=99999999 a0=${"41".repeat(3_000_000)}`,
    events[3]!,
  ].join("\n");
  writeFileSync(join(folder, "in/audit.log"), Buffer.from(text, "latin1"));
  const { code, stderr } = await callCairn(["run", "--once", "--config", config]);
  t.equal(code, 0, stderr);
  const names = readTrail(join(folder, "trail")).map(({ record }) => JSON.stringify(record));
  for (let index = 0; index < events.length; index++) {
    t.equal(
      names.filter((name) => name.includes(`/release-${index}/`)).length,
      1,
      `event ${index}`,
    );
  }
});

t.test("bombs, torn gzip, folders, pipes, sockets and circles in a folder of log files", async (t) => {
  const { folder, config } = setUp(t, "cloudtrail: { path: IN }");
  const file = (index: number) => gzipSync(JSON.stringify({ Records: [sampleRecord(index)] }));
  const at = (name: string) => join(folder, "in", name);
  writeFileSync(at("a-good.json.gz"), file(0));
  writeFileSync(at("b-torn.json.gz"), file(1).subarray(0, 60));
  writeFileSync(at("c-bomb.json.gz"), gzipSync(Buffer.alloc(300 * 1024 ** 2), { level: 1 }));
  writeFileSync(at("d-binary.json"), Buffer.from([0, 255, 254, 0, 1, 2, 3]));
  writeFileSync(at("e-empty.json"), "");
  mkdirSync(at("f-folder.json"));
  execFileSync("mkfifo", [at("g-pipe.json.gz")]);
  symlinkSync(".", at("h-circle"));
  symlinkSync("nowhere", at("i-dangling.json"));
  // A socket's path is short: it is made where that is the working folder.
  const server = createServer();
  const cwd = process.cwd();
  process.chdir(join(folder, "in"));
  await new Promise<void>((done) => server.listen("j-socket.json", done));
  process.chdir(cwd);
  writeFileSync(at("z-good.json.gz"), file(2));
  const { code, stderr } = await callCairn(["run", "--once", "--config", config]);
  await new Promise((done) => server.close(done));
  t.equal(code, 0, stderr);
  const ids = readTrail(join(folder, "trail")).map(({ record }) => record.eventID).sort();
  t.same(ids, [sampleRecord(0), sampleRecord(2)].map(({ eventID }) => eventID).sort());
});

t.test("a glob that matches a pipe, a folder and a circle reads the files beside them", async (t) => {
  const { folder, config } = setUp(t, "file: { path: 'IN/*', format: cloudtrail }");
  execFileSync("mkfifo", [join(folder, "in/a-pipe")]);
  mkdirSync(join(folder, "in/b-folder"));
  symlinkSync("c-circle", join(folder, "in/c-circle"));
  writeFileSync(join(folder, "in/d.jsonl"), `${line(0)}\n`);
  const { code, stderr } = await callCairn(["run", "--once", "--config", config]);
  t.equal(code, 0, stderr);
  t.equal(readTrail(join(folder, "trail")).length, 1);
});

t.test("a file that shrinks while it is read is read on from its new beginning", async (t) => {
  const { folder, config } = setUp(t, "file: { path: IN/a.jsonl, format: cloudtrail }");
  const path = join(folder, "in/a.jsonl");
  const text = Array.from({ length: 2000 }, (_, index) => `${line(index)}\n`).join("");
  writeFileSync(path, text);
  const agent = startCairn([
    "run",
    "--config",
    config,
    "--set",
    "receivers.file.start_at=beginning",
  ]);
  await agent.said(/"Running"/);
  truncateSync(path, 100);
  truncateSync(path, 0);
  writeFileSync(path, `${line(5000)}\n`);
  const last = String(sampleRecord(5000).eventID);
  const trail = join(folder, "trail");
  while (!readTrail(trail).some(({ record }) => record.eventID === last)) {
    await new Promise((done) => setTimeout(done, 50));
  }
  checkBooks(t, await statusOf(config));
  await stop(t, agent);
});

t.test("what logs say does not steer the terminal of who looks at them", async (t) => {
  const { folder, config } = setUp(
    t,
    "file: { path: IN/a.jsonl, format: cloudtrail }",
    "  debug: { color: never }\n  debug/all: { verbosity: detailed }",
  );
  const escape = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m";
  const userIdentity = { type: "IAMUser", userName: escape, arn: escape };
  const odd = line(0, {
    eventName: escape,
    sourceIPAddress: escape,
    userAgent: escape,
    userIdentity,
  });
  writeFileSync(join(folder, "in/a.jsonl"), `${odd}\n${escape}\n`);
  const { code, stdout, stderr } = await startCairn(["run", "--once", "--config", config]).exit;
  t.equal(code, 0, stderr);
  t.match(stdout, /owned/);
  t.notMatch(stdout + stderr, /[^\P{Cc}\n]/u, "no control character but the end of a line");
});
