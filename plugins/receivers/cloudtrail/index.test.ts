// Receiver cloudtrail: files that come, grow, break off or cannot be read, each record once.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import {
  compare,
  conformance,
  type RecordingIntake,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
  testRecord,
  until,
} from "../../sdk/conformance.ts";
import receiver from "./index.ts";

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "cairn-cloudtrail-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Appears whole, as files that were downloaded beside and renamed do. */
async function put(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(`${path}.tmp`, bytes);
  await rename(`${path}.tmp`, path);
}

const logFile = (records: readonly unknown[]) => gzipSync(JSON.stringify({ Records: records }));

function make(path: string, intake: RecordingIntake, options = {}, once = false) {
  const context = testContext({ id: "cloudtrail", once });
  const config = receiver.config.parse({ path, settle: "50ms", rescan: "1s", ...options });
  return { ...context, made: receiver.create(config, context, intake) };
}

/** Reads everything once, as `--once` does. */
async function readOnce(t: Test, path: string, intake: RecordingIntake, options = {}) {
  const { made, lines } = make(path, intake, options, true);
  const host = testHost();
  await made.start(host);
  await made.drain!();
  await stopInTime(t, made);
  return { lines, reports: host.reports };
}

t.test("receiver cloudtrail keeps the conformance rules", async (t) => {
  let number = 0;
  await conformance(t, receiver, {
    minimal: { path: "/var/log/cloudtrail" },
    source: async (t) => {
      const path = await folder(t);
      const take = () => join(path, `${String(number++).padStart(6, "0")}.json.gz`);
      return {
        config: { path, rescan: "1s" },
        write: async (count) => {
          const records = Array.from({ length: count }, () => testRecord(number++));
          await put(take(), logFile(records));
          return records.map((record) => record.eventID!);
        },
        writeBad: (noise) => put(take(), Buffer.concat([Buffer.from("x\0"), noise])),
      };
    },
  });
});

t.test("records pass byte for byte, in the order of file names", async (t) => {
  const path = await folder(t);
  const a = '{"eventVersion":"1.08","eventID":"a","n":1.50,"big":12345678901234567890}';
  const b = '{ "eventVersion": "1.08",\n "eventID": "b", "s": "\\u00e9\\/" }';
  await put(join(path, "b/1.json"), `{"Records":[${b}]}`);
  await put(join(path, "a/2.json.gz"), gzipSync(`{"Records":[${a.replace('"a"', '"a2"')}]}`));
  await put(join(path, "a/1.json.gz"), gzipSync(`{"Records":[${a}]}`));
  const intake = recordingIntake();
  await readOnce(t, path, intake);
  t.strictSame(intake.ids, ["a", "a2", "b"]);
  const texts = intake.takenBytes.map((bytes) => Buffer.from(bytes!).toString());
  t.strictSame(texts, [a, a.replace('"a"', '"a2"'), b]);
  await readOnce(t, path, intake);
  t.equal(intake.ids.length, 3, "nothing again in the next run");
});

t.test("digests and results are skipped, by name and by content", async (t) => {
  const path = await folder(t);
  const digest = JSON.stringify({ awsAccountId: "1", digestS3Object: "x", logFiles: [] });
  await put(join(path, "AWSLogs/1/CloudTrail-Digest/eu/1_CloudTrail-Digest_eu.json.gz"), "no gzip");
  await put(join(path, "AWSLogs/1/CloudTrail-Lake/Query/x/result_sign.json"), "{}");
  await put(join(path, "renamed.json"), digest);
  await put(join(path, "notes.txt"), "x");
  const intake = recordingIntake();
  await readOnce(t, path, intake);
  t.strictSame([intake.ids, intake.rejects], [[], []]);
});

t.test("a glob takes what it names, whatever the file's ending", async (t) => {
  const path = await folder(t);
  for (const name of ["a.log", "b.log", "c.json"]) {
    await put(join(path, name), JSON.stringify({ ...testRecord(1), eventID: name }));
  }
  const intake = recordingIntake();
  await readOnce(t, join(path, "*.log"), intake);
  t.strictSame(intake.ids, ["a.log", "b.log"]);
});

t.test("a cut gzip is taken further when it has grown", async (t) => {
  const path = await folder(t);
  const records = Array.from({ length: 3000 }, (_, i) => ({ ...testRecord(i), noise: i * 7919 }));
  const whole = logFile(records);
  await put(join(path, "a.json.gz"), whole.subarray(0, whole.length >> 1));
  const intake = recordingIntake();
  const { made } = make(path, intake);
  const host = testHost();
  await made.start(host);
  await until(() => intake.ids.length > 500, "the records before the cut");
  await until(
    () => host.reports.some(({ reason }) => /1 files break off/.test(reason ?? "")),
    "the report of it",
  );
  t.strictSame(intake.rejects, []);
  await put(join(path, "a.json.gz"), whole);
  await until(() => intake.ids.length >= 3000, "the rest");
  await stopInTime(t, made);
  t.equal(compare(intake.ids, records.map((record) => record.eventID!)), "");
});

t.test("a cut file is set aside behind its whole records in --once", async (t) => {
  const path = await folder(t);
  const text = JSON.stringify({ Records: [testRecord(1), testRecord(2), testRecord(3)] });
  await put(join(path, "plain.json"), text.slice(0, -100));
  await put(join(path, "z.json.gz"), logFile([testRecord(4)]).subarray(0, -4));
  const intake = recordingIntake();
  await readOnce(t, path, intake);
  t.strictSame(intake.ids, [1, 2, 4].map((i) => testRecord(i).eventID));
  t.match(intake.rejects[0], {
    reason: /^Text ends inside a record: at byte \d+ of ".*plain.json"/,
  });
  t.match(intake.rejects[1], { reason: /^Gzip data ends too early: at byte/ });
  t.ok(intake.rejects.every(({ raw }) => raw.length > 0));
  await readOnce(t, path, intake);
  t.equal(intake.ids.length + intake.rejects.length, 5, "nothing again in the next run");
});

t.test("an incomplete file is set aside after its time", async (t) => {
  const path = await folder(t);
  await put(join(path, "a.json"), `{"Records":[${JSON.stringify(testRecord(1))}`);
  const intake = recordingIntake();
  const { made } = make(path, intake, { incomplete_timeout: "100ms", rescan: "50ms" });
  await made.start(testHost());
  await until(() => intake.rejects.length === 1, "the rest set aside");
  await stopInTime(t, made);
  t.strictSame(intake.ids, [testRecord(1).eventID]);
});

t.test("what is broken is set aside, and everything else goes on", async (t) => {
  const path = await folder(t);
  const good = JSON.stringify(testRecord(1));
  await put(join(path, "1.json"), `{"Records":[{"a":nope},${good}]}`);
  await put(join(path, "2.json.gz"), Buffer.from("\x1f\x8bno gzip inside", "latin1"));
  await put(join(path, "3.json"), Buffer.from([0, 1, 2, 0xff]));
  await put(join(path, "4.json"), "");
  await put(join(path, "5.json"), JSON.stringify([testRecord(2)]));
  await put(join(path, "6.json"), "x".repeat(1_000_000));
  await symlink(path, join(path, "loop"));
  await symlink(join(path, "7.json"), join(path, "7.json"));
  const intake = recordingIntake();
  const { lines } = await readOnce(t, path, intake);
  t.strictSame(intake.ids, [testRecord(1).eventID, testRecord(2).eventID]);
  const reasons = intake.rejects.map(({ reason }) => reason).sort();
  t.match(reasons, [
    /^Cannot read ".*7.json": /,
    /^Cannot read ".*loop": folder leads back/,
    /^Gzip data is damaged: .*2.json/,
    /^Record is not JSON: at byte 12 of ".*1.json"/,
    /^Text is not JSON: .*3.json/,
    /^Text is not JSON: .*6.json/,
  ]);
  t.equal(reasons.length, 6);
  t.equal(Math.max(...intake.rejects.map(({ raw }) => raw.length)), 256 * 1024);
  t.equal(lines.filter(({ level }) => level === "error").length, 2);
});

t.test("an unreadable file is reported, and taken when it can be read", {
  skip: process.getuid?.() === 0 ? "permissions do not hold for root" : false,
}, async (t) => {
  const path = await folder(t);
  await put(join(path, "a.json.gz"), logFile([testRecord(1)]));
  await chmod(join(path, "a.json.gz"), 0);
  const intake = recordingIntake();
  await readOnce(t, path, intake);
  t.match(intake.rejects, [{ reason: /permission denied/ }]);
  await chmod(join(path, "a.json.gz"), 0o600);
  await readOnce(t, path, intake);
  t.strictSame(intake.ids, [testRecord(1).eventID]);
});

t.test("folders that are made later are looked into, a missing one is waited for", async (t) => {
  const path = join(await folder(t), "later");
  const intake = recordingIntake();
  const { made } = make(path, intake, { rescan: "100ms" });
  const host = testHost();
  await made.start(host);
  await until(() => host.reports.some(({ state }) => state === "waiting"), "the report");
  await put(join(path, "AWSLogs/2026/01/01/a.json.gz"), logFile([testRecord(1)]));
  await until(() => intake.ids.length === 1, "the first file");
  await put(join(path, "AWSLogs/2026/01/02/b.json"), JSON.stringify([testRecord(2)]));
  await until(() => intake.ids.length === 2, "a file that is not compressed");
  await stopInTime(t, made);
  t.strictSame(intake.rejects, []);
});

t.test("batches go on past the borders of files, with one call unanswered", async (t) => {
  const path = await folder(t);
  for (let i = 0; i < 300; i++) {
    await put(
      join(path, `${1000 + i}.json.gz`),
      logFile([testRecord(2 * i), testRecord(2 * i + 1)]),
    );
  }
  const intake = recordingIntake();
  await readOnce(t, path, intake);
  t.equal(compare(intake.ids, Array.from({ length: 600 }, (_, i) => testRecord(i).eventID!)), "");
  t.equal(intake.outstandingMax, 1);
  t.ok(intake.calls < 10, `${intake.calls} calls`);
});
