// cairn tap and cairn support-bundle: what passes a running agent and what is gathered of it, without
// secrets, without holding anything up.

import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { Taps } from "../../src/pipeline/taps.ts";
import { parseArguments, type Shell } from "../../src/cli/command.ts";
import { tap as tapCommand } from "../../src/cli/tap.ts";
import { tar } from "../../src/cli/tar.ts";
import { commandOf, runtimeName, startCairn } from "../e2e/cairn.ts";

// Several processes start at once, perhaps on a busy machine.
const PATIENCE_MS = 60_000;
const KEY = "AKIAIOSFODNN7EXAMPLE";

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn-tap-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function record(number: number, more: object = {}): string {
  return `${
    JSON.stringify({
      eventVersion: "1.11",
      eventID: `6f0e3a34-8c1d-4d5e-9f5b-${String(number).padStart(12, "0")}`,
      eventTime: "2026-01-02T03:04:05Z",
      eventSource: "s3.amazonaws.com",
      eventName: "PutObject",
      awsRegion: "local",
      eventType: "AwsApiCall",
      recipientAccountId: "000000000000",
      ...more,
    })
  }\n`;
}

/** An agent that reads a file of records; `put` appends to it. */
async function running(t: Test) {
  const folder = folderOf(t);
  const config = join(folder, "cairn.yaml");
  const input = join(folder, "in.jsonl");
  writeFileSync(input, "");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers: { file: { path: ${input}, format: cloudtrail, start_at: beginning } }
exporters: { file: { path: ${folder}/out.jsonl, batch: { max_age: 10ms } } }
service: { self_audit: false, pipelines: { p: { receivers: [file], exporters: [file] } } }
`,
  );
  const agent = startCairn(["run", "--config", config]);
  t.teardown(async () => {
    agent.kill("SIGTERM");
    await agent.exit;
  });
  await agent.said(/"Running"/);
  return { folder, config, agent, put: (text: string) => appendFileSync(input, text) };
}

/** A tap as a process: its lines as they come. */
function startTap(config: string, ...args: string[]) {
  const [program, ...first] = commandOf(runtimeName);
  const child = spawn(program!, [...first, "tap", "--config", config, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (output.stderr += text));
  const end = new Promise<number | null>((done) => child.on("close", done));
  return {
    child,
    output,
    end,
    lines: () =>
      output.stdout.trim().split("\n").filter((line) => line !== "").map((line) =>
        JSON.parse(line) as Record<string, unknown>
      ),
  };
}

t.test("cairn tap shows each stage of the running agent without secrets, and ends at --limit", async (t) => {
  const { config, put } = await running(t);
  const stages = ["received", "normalized", "stored", "exported", "rejected"];
  const tap = startTap(config, ...stages.flatMap((stage) => ["--stage", stage]));
  const limited = startTap(config, "--limit", "3", "--component", "file", "--pipeline", "p");
  const other = startTap(config, "--component", "fiel");
  await until(() => /^Watching/m.test(other.output.stderr), "the tap to listen", PATIENCE_MS);
  // On and on: only what comes once a tap is open is shown.
  let number = 0;
  const feed = setInterval(() => {
    const secrets = { requestParameters: { password: "marked-1", note: KEY } };
    put(`${record(++number, secrets)}no json ${number} with ${KEY}\n`);
  }, 50);
  t.teardown(() => clearInterval(feed));
  await until(
    () => {
      const shown = new Set(tap.lines().map(({ stage }) => stage));
      return stages.every((stage) => shown.has(stage)) && limited.lines().length === 3;
    },
    "every stage is shown",
    PATIENCE_MS,
  );
  clearInterval(feed);
  t.equal(await limited.end, 0, "as many as --limit, then the end");
  tap.child.kill("SIGTERM");
  for (const { stage, pipeline, component } of tap.lines()) {
    t.same([pipeline, component], ["p", "file"], String(stage));
  }
  const of = (name: string) => tap.lines().find(({ stage }) => stage === name);
  for (const stage of ["received", "normalized", "stored", "exported"]) {
    t.match(of(stage), {
      time: /^\d{4}-.*Z$/,
      record: {
        eventName: "PutObject",
        requestParameters: { password: /^HIDDEN/, note: /^HIDDEN/ },
      },
    }, stage);
  }
  t.match(of("rejected"), { reason: /JSON/, input: /^no json \d+ with HIDDEN/ });
  t.notMatch(tap.output.stdout + limited.output.stdout, /marked-1|AKIAIOSFODNN7EXAMPLE/);
  t.same(other.lines(), [], "of another component nothing");
  process.kill(other.child.pid!, "SIGINT");
  t.equal(await other.end, 0);
});

t.test("cairn tap ends when its reader goes, at SIGINT, and when the agent stops", async (t) => {
  const { config, agent, put } = await running(t);
  const feed = setInterval(() => put(record(Math.floor(performance.now()))), 20);
  t.teardown(() => clearInterval(feed));
  const leaving = startTap(config);
  const gone = startTap(config);
  gone.child.stdout.once("data", () => gone.child.stdout.destroy());
  t.equal(await gone.end, 0, "EPIPE");
  await until(() => leaving.lines().length > 0, "lines come", PATIENCE_MS);
  // Deno's child.kill() would report the signal as the end, though the child exits by itself.
  process.kill(leaving.child.pid!, "SIGINT");
  t.equal(await leaving.end, 0, "SIGINT");
  const staying = startTap(config);
  await until(() => staying.lines().length > 0, "lines come", PATIENCE_MS);
  agent.kill("SIGTERM");
  t.equal(await staying.end, 0, "the agent stops");
  t.match(staying.output.stderr, /^The agent has stopped$/m);
  t.equal((await agent.exit).code, 0);
  const none = startTap(config);
  t.equal(await none.end, 5, "no agent");
  t.match(none.output.stderr, /No agent is running/);
});

t.test("cairn tap tells what is wrong with its options", async (t) => {
  // It is told before anything of the outside is used.
  const shell = {} as Shell;
  for (
    const [args, message] of [
      [["--stage", "stord"], /Unknown stage "stord" \(did you mean "stored"\?\)/],
      [["--rate", "100000"], /at most 1000 a second/],
      [["--limit", "0"], /Cannot read --limit "0"/],
    ] as const
  ) {
    const asked = parseArguments(args, tapCommand.options);
    await t.rejects(tapCommand.run(asked, shell), { name: "UsageError", message });
  }
});

const ALL = {
  stages: ["received", "normalized", "stored", "exported", "rejected"],
  perSecond: 3,
} as const;
const PASSAGE = { stage: "stored", pipeline: "p", component: "file" } as const;
const show = (number: number) => ({ record: { number } });

t.test("Taps shows so many a second and counts the rest, for each reader by itself", async (t) => {
  let now = 1_000_000;
  const taps = new Taps(() => now, () => []);
  t.notOk(taps.isOpen, "nobody looks");
  const stop = new AbortController();
  const slow = taps.open(ALL, stop.signal);
  const other = taps.open({ ...ALL, component: "webhook" }, stop.signal);
  taps.offer(PASSAGE, [1, 2], show);
  taps.offer(PASSAGE, [3, 4, 5], show);
  const read = async (lines: AsyncGenerator<string>) => {
    const { value } = await lines.next();
    return String(value).trim().split("\n").map((line) => JSON.parse(line));
  };
  t.match(await read(slow), [
    { record: { number: 1 } },
    { record: { number: 2 } },
    { record: { number: 3 } },
    { missed: 2 },
  ]);
  now += 1000;
  taps.offer(PASSAGE, [6], show);
  taps.offer({ ...PASSAGE, component: "webhook" }, [7], show);
  t.match(await read(slow), [{ record: { number: 6 } }, { record: { number: 7 } }]);
  t.match(await read(other), [{ record: { number: 7 } }], "only its component");
  stop.abort();
  t.same(await slow.next(), { value: undefined, done: true });
  t.notOk(taps.isOpen);
});

t.test("Taps keeps a MiB at most for a reader that does not read", async (t) => {
  const taps = new Taps(() => 0, () => []);
  const lines = taps.open({ ...ALL, perSecond: 1000 }, new AbortController().signal);
  const text = "x".repeat(100_000);
  taps.offer(PASSAGE, Array.from({ length: 500 }, (_, number) => number), () => ({ text }));
  const { value } = await lines.next();
  t.ok(value!.length < 1_300_000, `${value!.length} characters`);
  const shown = value!.trim().split("\n");
  t.same(JSON.parse(shown.at(-1)!), { missed: 500 - (shown.length - 1) });
  taps.close();
  t.equal((await lines.next()).done, true, "closed");
});

t.test("Taps hides the configuration's own secrets, refuses a ninth reader, and bad input harms none", (t) => {
  const taps = new Taps(() => 0, () => ["the secret word", "abc"]);
  const stop = new AbortController();
  const [first] = Array.from({ length: 8 }, () => taps.open({ ...ALL, perSecond: 9 }, stop.signal));
  t.throws(() => taps.open(ALL, stop.signal), /8 taps are open already/);
  taps.offer(PASSAGE, ["say the secret word, abc"], (text) => ({ text, "the secret word": null }));
  return first!.next().then(({ value }) => {
    t.match(JSON.parse(value), { text: "say HIDDEN_DUE_TO_SECURITY_REASONS, abc" });
    stop.abort();
    t.notOk(taps.isOpen);
  });
});

t.test("tar() writes what tar reads", async (t) => {
  const folder = folderOf(t);
  const files = [
    { path: "a/empty.txt", content: new Uint8Array() },
    { path: "a/block.txt", content: Buffer.alloc(512, "b") },
    { path: "a/more.txt", content: Buffer.from("ä\n".repeat(300)) },
  ];
  writeFileSync(join(folder, "x.tar"), tar(files, Date.UTC(2026, 0, 2)));
  execFileSync("tar", ["-xf", "x.tar"], { cwd: folder });
  for (const { path, content } of files) {
    t.same(readFileSync(join(folder, path)), Buffer.from(content), path);
  }
  t.equal(statSync(join(folder, "a/more.txt")).mtimeMs, Date.UTC(2026, 0, 2));
  t.throws(() => tar([{ path: "x".repeat(101), content: new Uint8Array() }], 0), /name too long/);
});

/** The files of a bundle, by their names without the folder. */
function unpack(path: string, folder: string): ReadonlyMap<string, string> {
  const names = execFileSync("tar", ["-tzf", path]).toString().trim().split("\n");
  execFileSync("tar", ["-xzf", path, "-C", folder]);
  return new Map(
    names.map((name) => [name.split("/")[1]!, readFileSync(join(folder, name), "utf8")]),
  );
}

t.test("cairn support-bundle holds what is asked for, of a running agent and without one", async (t) => {
  const { folder, config, agent, put } = await running(t);
  put(record(1));
  put(`nothing to read ${KEY}\n`);
  await until(
    () => readFileSync(join(folder, "out.jsonl"), { encoding: "utf8", flag: "a+" }) !== "",
    "a record is delivered",
    PATIENCE_MS,
  );
  const path = join(folder, "bundle.tar.gz");
  const bundle = (...args: string[]) =>
    startCairn(["support-bundle", "--config", config, "-o", path, ...args]).exit;
  const { code, stderr } = await bundle();
  t.match({ code, stderr }, { code: 0, stderr: /^Wrote ".*": look through it/ });
  t.equal(statSync(path).mode & 0o777, 0o600, "for its owner alone");
  const files = unpack(path, folder);
  t.same([...files.keys()].sort(), [
    "about.json",
    "config-problems.txt",
    "config.yaml",
    "dead-letters.jsonl",
    "log.jsonl",
    "metrics.txt",
    "process.json",
    "queues.txt",
    "status.json",
    "status.txt",
  ]);
  t.match(JSON.parse(files.get("about.json")!), {
    runtime: runtimeName,
    dataDir: `${folder}/data`,
  });
  t.match(JSON.parse(files.get("status.json")!), { state: "running" });
  t.match(files.get("config.yaml"), /data_dir: .*# .*cairn\.yaml:1:10/);
  t.match(files.get("queues.txt"), /queue of pipeline p: nothing wrong/);
  t.match(files.get("metrics.txt"), /^cairn_pipeline_stored_records_total\{pipeline="p"\} 1$/m);
  t.match(files.get("log.jsonl"), /"Running"/);
  const [books, letter] = files.get("dead-letters.jsonl")!.trim().split("\n");
  t.match(JSON.parse(books!), { pipeline: "p", kept: 1 });
  t.match(JSON.parse(letter!), { from: "file", code: "CAIRN_REJECTED_INPUT", attempts: 1 });
  for (const [name, text] of files) t.notMatch(text, /nothing to read|AKIAIOSFODNN7EXAMPLE/, name);
  t.match(await bundle(), { code: 1, stderr: /it is there already; name another with -o/ });
  agent.kill("SIGTERM");
  await agent.exit;
  rmSync(path);
  const without = await bundle("--with-payload");
  t.match(without, { code: 0, stderr: /^Without status\.json: No agent is running/ });
  const offline = unpack(path, folder);
  t.match(offline.get("dead-letters.jsonl"), /nothing to read HIDDEN_DUE_TO_SECURITY_REASONS/);
  t.match(offline.get("queues.txt"), /nothing wrong/);
  t.notOk(offline.has("log.jsonl"));
});

t.test("cairn support-bundle of a broken configuration and no data_dir is a bundle all the same", async (t) => {
  const folder = folderOf(t);
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/none }\nreceivers: { fiel: { token: marked-2 } }\n`,
  );
  const path = join(folder, "bundle.tar.gz");
  const { code, stderr } = await startCairn([
    ...["support-bundle", "-o", path, "--config", config],
  ]).exit;
  t.equal(code, 0, stderr);
  const files = unpack(path, folder);
  t.match(files.get("config-problems.txt"), /Unknown receiver type "fiel"/);
  for (const [name, text] of files) t.notMatch(text, "marked-2", name);
  const closed = await startCairn(["support-bundle", "-o", "/no/such/folder/x"]).exit;
  t.match(closed, { code: 1, stderr: /Cannot write "\/no\/such\/folder\/x"/ });
});
