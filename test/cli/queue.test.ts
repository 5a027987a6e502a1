// `cairn queue` and `cairn dead-letters` on a real data_dir: beside a running agent and without one,
// with damage, with kills, two at once.

import { Buffer } from "node:buffer";
import { execFile } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { dataDirAt } from "../../src/agent/data-dir.ts";
import { listStores, viewLetters, viewStore } from "../../src/agent/stores.ts";
import { escapeBytes, escapeText } from "../../src/cli/printable.ts";
import { commandOf, type RunningCairn, runtimeName, startCairn } from "../e2e/cairn.ts";
import { readTrail } from "../e2e/trail.ts";
import { callCairn, type Said } from "./call.ts";

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

function record(n: number): Record<string, unknown> {
  return {
    eventVersion: "1.11",
    eventID: `6f0e3a34-8c1d-4d5e-9f5b-${String(n).padStart(12, "0")}`,
    eventTime: "2026-01-02T03:04:05Z",
    eventSource: "s3.amazonaws.com",
    eventName: "ListBuckets",
    awsRegion: "eu-central-1",
    eventType: "AwsApiCall",
    recipientAccountId: "111122223333",
  };
}

const ids = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String(record(from + i).eventID));

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${JSON.stringify(record(from + i))}\n`).join("");

interface Setup {
  readonly folder: string;
  readonly config: string;
  readonly dataDir: string;
  run(...args: string[]): Promise<Said>;
  start(): Promise<RunningCairn>;
  stop(agent: RunningCairn): Promise<void>;
  /** eventIDs of the trail, sorted. */
  delivered(): string[];
}

/** A pipeline of records, and receiver file/strange, which cannot read what comes. */
function setUp(t: Test): Setup {
  const folder = mkdtempSync(join(tmpdir(), "cairn-queue-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "in.jsonl"), "");
  writeFileSync(join(folder, "strange.log"), "");
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers:
  file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning }
  file/strange:
    path: ${folder}/strange.log
    format: json
    start_at: beginning
    mapping: { time: $.moment, service: door, action: $.what, actor: { name: $.who } }
exporters: { trail: { directory: ${folder}/trail, batch: { max_age: 20ms } } }
# Records are named by their sequence here: those of the agent itself would shift them.
service:
  self_audit: false
  pipelines: { p: { receivers: [file, file/strange], exporters: [trail] } }
`,
  );
  const dataDir = join(folder, "data");
  return {
    folder,
    config,
    dataDir,
    run: (...args) => callCairn([...args, "--data-dir", dataDir]),
    async start() {
      const agent = startCairn(["run", "--config", config]);
      await agent.said(/"Running"/);
      return agent;
    },
    async stop(agent) {
      agent.kill("SIGTERM");
      await agent.exit;
    },
    delivered: () =>
      readTrail(join(folder, "trail")).map(({ record }) => String(record.eventID)).sort(),
  };
}

const once = (setup: Setup) => callCairn(["run", "--once", "--config", setup.config]);

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

/** How many records were ever stored. */
async function stored({ dataDir }: Setup): Promise<number> {
  const [store] = await listStores(dataDirAt(dataDir), "queue");
  return store === undefined ? 0 : (await viewStore(dataDirAt(dataDir), store)).next - 1;
}

/** The dead letters there are, read as the commands do. */
async function kept({ dataDir }: Setup): Promise<number> {
  const [store] = await listStores(dataDirAt(dataDir), "dead letters");
  return store === undefined ? 0 : (await viewLetters(dataDirAt(dataDir), store)).kept;
}

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!await isTrue()) await pause();
}

t.test("queue ls, show, dump and verify read beside a running agent and without one", async (t) => {
  const setup = setUp(t);
  const { run, folder } = setup;
  t.match(await run("queue", "ls"), { code: 4, stderr: /there is no such folder/ });
  const agent = await setup.start();
  appendFileSync(join(folder, "in.jsonl"), lines(1, 30));
  await until(() => setup.delivered().length === 30);
  for (const owner of [agent.pid, undefined]) {
    if (owner === undefined) await setup.stop(agent);
    const [people, json, one, range, byId, gone, dump, verify] = await Promise.all([
      run("queue", "ls"),
      run("queue", "ls", "--json"),
      run("queue", "show", "3"),
      run("queue", "show", "4-5", "--pipeline", "p"),
      run("queue", "show", ids(9, 9)[0]!),
      run("queue", "show", "3", "31", "no-such-id"),
      run("queue", "dump", "--from", "2", "--to", "29"),
      run("queue", "verify"),
    ]);
    t.match(people, {
      code: 0,
      stdout: /pipeline p.*\n {2}30 records \(1-30\)[^]*trail: at 31, 0 to/,
    });
    t.match(JSON.parse(json.stdout), [{ pipeline: "p", records: 30, cursors: [{ lag: 0 }] }]);
    t.equal(JSON.parse(json.stdout)[0].pid, owner);
    t.same(JSON.parse(one.stdout), record(3));
    t.equal(range.stdout, [4, 5].map((n) => `${JSON.stringify(record(n), null, 2)}\n`).join(""));
    t.same(JSON.parse(byId.stdout), record(9));
    t.match(gone, { code: 6, stderr: /Not in the queue, or no longer: "31", "no-such-id"/ });
    t.equal(dump.stdout, lines(2, 29));
    t.match(verify, { code: 0, stdout: /queue of pipeline p: nothing wrong[^]*1-30, 30 records/ });
  }
  const other = await run("queue", "ls", "--pipeline", "q");
  t.match(other, { code: 6, stderr: /no pipeline "q" in the data_dir \(did you mean "p"\?\)/ });
});

t.test("a reader that leaves ends a dump; --follow goes on with what comes", async (t) => {
  const setup = setUp(t);
  const { folder, dataDir } = setup;
  writeFileSync(join(folder, "in.jsonl"), lines(1, 2000));
  t.match(await once(setup), { code: 0 });
  const cairn = commandOf(runtimeName).map((word) => `'${word}'`).join(" ");
  writeFileSync(
    join(folder, "status.sh"),
    `{ ${cairn} queue dump --data-dir ${dataDir}; ` +
      `echo "ended $?" >&2; } | head -n 1\n`,
  );
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) =>
    execFile("sh", [join(folder, "status.sh")], (_, stdout, stderr) => done({ stdout, stderr }))
  );
  t.equal(stdout, lines(1, 1));
  t.equal(stderr, "ended 0\n");

  const agent = await setup.start();
  const range = ["--from", "2001", "--to", "2002"];
  const dump = startCairn(["queue", "dump", "--follow", ...range, "--data-dir", dataDir]);
  appendFileSync(join(folder, "in.jsonl"), lines(2001, 2005));
  t.match(await dump.exit, { code: 0, stdout: lines(2001, 2002) });
  await setup.stop(agent);
});

t.test("dead letters are listed, filtered and shown, without harm to a terminal", async (t) => {
  const setup = setUp(t);
  const { run, folder } = setup;
  const bad = Buffer.from('{"who":"\x1b]0;x\x07\u202e", \xff', "latin1");
  writeFileSync(join(folder, "strange.log"), Buffer.concat([bad, Buffer.from("\n")]));
  writeFileSync(join(folder, "in.jsonl"), "nonsense\n");
  await once(setup);
  const [list, json, mine, none, since, show, raw, gone, wrong] = await Promise.all([
    run("dead-letters", "ls"),
    run("dead-letters", "ls", "--json", "--from", "file/strange"),
    run("dead-letters", "ls", "--code", "CAIRN_REJECTED_INPUT", "--since", "1h"),
    run("dead-letters", "ls", "--code", "CAIRN_OTHER"),
    run("dead-letters", "ls", "--since", "2999-01-01"),
    run("dead-letters", "show", "1-2"),
    run("dead-letters", "show", "--raw", "1-9"),
    run("dead-letters", "show", "77"),
    run("dead-letters", "show", "seven"),
  ]);
  t.match(list.stdout, /file once CAIRN_REJECTED_INPUT: .+\n/);
  t.match(list.stdout, /pipeline p: 2 dead letters \(replayed 0, purged 0, dropped 0\)\n$/);
  t.match(JSON.parse(json.stdout), { from: "file/strange", attempts: 1, bytes: bad.length });
  t.equal(mine.stdout.split("\n").length, 4);
  t.equal(none.stdout.split("\n").length, 2);
  t.equal(since.stdout.split("\n").length, 2);
  t.notMatch(show.stdout, /[^\P{Cc}\n]|\p{Bidi_Control}/u);
  t.match(show.stdout, /input {5}nonsense\n/);
  t.ok(raw.stdout.includes("nonsense"));
  t.match(gone, { code: 6, stderr: /no longer: 77/ });
  t.match(wrong, { code: 2, stderr: /Cannot read number "seven"/ });
});

t.test("a range that ends before it begins is told, and reads nothing", async (t) => {
  const { run } = setUp(t);
  for (
    const [args, message] of [
      [["queue", "dump", "--from", "9", "--to", "2"], /Option --from 9 is after --to 2/],
      [["queue", "show", "9-2"], /Cannot read sequence "9-2": its end is before its beginning/],
      [["dead-letters", "show", "9-2"], /Cannot read number "9-2": its end is before/],
    ] as const
  ) t.match(await run(...args), { code: 2, stdout: "", stderr: message });
});

t.test("escapeText() and escapeBytes() leave a terminal nothing to act upon", async (t) => {
  t.equal(escapeText("a\x1b[2J\tZoë\n\u202e\u009b"), "a\\u001b[2J\\u0009Zoë\n\\u202e\\u009b");
  t.equal(escapeBytes(Buffer.from("a\nb\x00")), "a\\nb\\u0000");
  t.equal(escapeBytes(Buffer.from([0x61, 0xff, 0x9b])), "a\\xff\\x9b");
});

t.test("dead-letters replay, killed again and again, delivers each record once", async (t) => {
  const setup = setUp(t);
  const { run, folder } = setup;
  const count = 800;
  writeFileSync(join(folder, "strange.log"), lines(1, count));
  let agent = await setup.start();
  await until(async () => await kept(setup) === count);
  const refused = await run("dead-letters", "replay", "1-3");
  t.match(refused, { code: 1, stdout: /^Replayed 0, 3 stay\n$/, stderr: /Letter 1 stays: / });
  t.match(await run("dead-letters", "replay", "1", "--format", "cluodtrail"), {
    code: 6,
    stderr: /There is no format "cluodtrail" \(did you mean "cloudtrail"\?\)/,
  });
  let kills = 0;
  for (let before = count; before > 0;) {
    const replay = run("dead-letters", "replay", "--format", "cloudtrail");
    let hasEnded = false;
    replay.finally(() => hasEnded = true);
    // Between the record and its letter, or soon after.
    const stands = await stored(setup);
    await until(async () => hasEnded || await stored(setup) > stands);
    if (!hasEnded) {
      kills++;
      agent.kill("SIGKILL");
      await agent.exit;
      t.match(await replay, { code: /^[015]$/ });
      agent = await setup.start();
    }
    before = await kept(setup);
  }
  t.ok(kills > 0, `killed ${kills} times`);
  await until(() => setup.delivered().length >= count);
  const status = JSON.parse((await run("status", "--json")).stdout);
  await setup.stop(agent);
  t.same(setup.delivered(), ids(1, count));
  const [{ counts, letters, exporters: [trail] }] = status.pipelines;
  t.equal(counts.received, counts.filtered + counts.duplicate + counts.rejected + counts.stored);
  t.equal(counts.rejected, letters.kept + letters.replayed + letters.purged + letters.dropped);
  const { delivered, deadLettered, excluded, lost, queued } = trail;
  t.equal(counts.stored, delivered + deadLettered + excluded + lost + queued);
});

t.test("dead-letters replay without an agent takes the lock, and the records wait", async (t) => {
  const setup = setUp(t);
  const { run, folder, config } = setup;
  writeFileSync(join(folder, "strange.log"), lines(1, 4));
  await once(setup);
  t.match(await run("dead-letters", "replay", "1"), { code: 2, stderr: /name its configuration/ });
  const replay = ["dead-letters", "replay", "--config", config];
  const some = [...replay, "1-3", "--format", "cloudtrail"];
  const both = await Promise.all([startCairn(some).exit, startCairn(some).exit]);
  for (const { code, stderr } of both) {
    if (code !== 0) t.match({ code, stderr }, { code: /^[46]$/, stderr: /locked by|no longer/ });
  }
  t.ok(both.some(({ code }) => code === 0));
  t.match(await callCairn([...replay, "9"]), { code: 6 });
  t.equal(await kept(setup), 1);
  t.same(setup.delivered(), []);
  await once(setup);
  t.same(setup.delivered(), ids(1, 3));
});

t.test("dead-letters purge asks, and two at once purge each letter once", async (t) => {
  const setup = setUp(t);
  const { run, folder } = setup;
  writeFileSync(join(folder, "strange.log"), lines(1, 40));
  const agent = await setup.start();
  await until(async () => await kept(setup) === 40);
  const [asks, all, none] = await Promise.all([
    run("dead-letters", "purge", "1"),
    run("dead-letters", "purge", "--yes"),
    run("dead-letters", "purge", "--yes", "--from", "file"),
  ]);
  t.match(asks, { code: 2, stderr: /not a terminal; say --yes/ });
  t.match(all, { code: 2, stderr: /or --all/ });
  t.match(none, { code: 6, stderr: /There are no such dead letters/ });
  const purge = (range: string) =>
    startCairn(["dead-letters", "purge", range, "--yes", "--data-dir", setup.dataDir]).exit;
  const both = await Promise.all([purge("1-20"), purge("11-30")]);
  let purged = 0;
  for (const { code, stdout } of both) {
    t.equal(code, 0);
    purged += Number(/^Purged (\d+)/.exec(stdout)?.[1]);
  }
  t.equal(purged, 30);
  t.match(await run("dead-letters", "purge", "5", "--yes"), { code: 6 });
  t.match(await run("dead-letters", "ls"), { stdout: /10 dead letters \(replayed 0, purged 30/ });
  await setup.stop(agent);
  t.match(await run("dead-letters", "purge", "--all", "--yes"), { code: 0, stdout: /Purged 10/ });
  t.match(await run("dead-letters", "purge", "--all", "--yes"), { code: 6 });
});

const noScript = existsSync("/usr/bin/script") ? false : "no script(1) here to make a terminal";

t.test("dead-letters purge takes no for an answer on a terminal", { skip: noScript }, async (t) => {
  const setup = setUp(t);
  const { folder, dataDir } = setup;
  writeFileSync(join(folder, "strange.log"), lines(1, 2));
  await once(setup);
  const cairn = commandOf(runtimeName).map((word) => `'${word}'`).join(" ");
  const line = join(folder, "purge.sh");
  writeFileSync(line, `exec ${cairn} dead-letters purge 1 --data-dir ${dataDir}\n`);
  for (const [answer, left] of [["n", 2], ["y", 1]] as const) {
    const shell = `(sleep 1; echo ${answer}; sleep 1) | script -qec 'sh ${line}' /dev/null`;
    const output = await new Promise<string>((done) =>
      execFile("sh", ["-c", shell], (_, stdout) => done(stdout))
    );
    t.match(output, /Purge 1 dead letter of pipeline p for ever\? \[y\/N\]/);
    t.equal(await kept(setup), left, `after ${answer}`);
  }
});

t.test("queue verify finds flipped bytes, queue repair mends them and keeps a copy", async (t) => {
  const setup = setUp(t);
  const { run, folder, dataDir } = setup;
  writeFileSync(join(folder, "in.jsonl"), lines(1, 20));
  await once(setup);
  const queue = join(dataDir, "queue", "p");
  const segment = readdirSync(queue).filter((name) => name.endsWith(".seg")).sort()[0]!;
  const bytes = readFileSync(join(queue, segment));
  const at = bytes.indexOf(ids(7, 7)[0]!);
  bytes[at]! ^= 1;
  writeFileSync(join(queue, segment), bytes);

  const verify = await run("queue", "verify");
  t.match(verify, {
    code: 1,
    stdout: /PROBLEM: Segment .* is corrupt: \d+ bytes at \d+, \d+ records/,
  });
  const report = JSON.parse((await run("queue", "verify", "--json")).stdout);
  t.match(report[0], { pipeline: "p", kind: "queue", segments: [{ header: "whole" }] });
  const repair = await run("queue", "repair");
  t.match(repair, {
    code: 0,
    stdout: /written anew without \d+ corrupt bytes at \d+: \d+ records/,
  });
  t.same(readFileSync(join(queue, `${segment}.broken`)), bytes);
  t.match(await run("queue", "verify"), { code: 0, stdout: /put aside: .*\.broken/ });
  t.same(setup.delivered(), ids(1, 20));

  const agent = await setup.start();
  const locked = await run("queue", "repair");
  t.match(locked, { code: 4, stderr: new RegExp(`locked by process ${agent.pid}`) });
  await setup.stop(agent);
});

t.test("a data_dir of a newer version is refused by all, and left as it is", async (t) => {
  const setup = setUp(t);
  const { run, folder, dataDir } = setup;
  writeFileSync(join(folder, "in.jsonl"), lines(1, 2));
  await once(setup);
  const end = join(dataDir, "queue", "p", "end.a");
  writeFileSync(end, readFileSync(end, "utf8").replace("checkpoint 1", "checkpoint 2"));
  for (const command of ["ls", "verify", "repair"]) {
    t.match(await run("queue", command), { code: 4, stderr: /format version 2, this Cairn reads/ });
  }
});
