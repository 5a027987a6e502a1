// Exporter trail: where log files lie, that each appears once and whole, and what failures say.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  conformance,
  memoryState,
  stopInTime,
  storedRecord,
  testAgent,
  testBatch,
  testContext,
  testHost,
  testRecord,
  testRuntime,
} from "../../sdk/conformance.ts";
import { parseLogFileKey } from "../../sdk/cloudtrail/log-file.ts";
import type { ExportBatch } from "../../sdk/index.ts";
import { diskError } from "../../sdk/disk-error.ts";
import trail from "./index.ts";
import { DigestJournal, readChains } from "./digest-journal.ts";
import { Logging } from "./logging.ts";
import { planFiles } from "./plan.ts";

const SIGNAL = new AbortController().signal;

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "cairn-trail-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Every file below a folder with its bytes, by its path. */
async function files(path: string): Promise<Map<string, Buffer>> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const found = new Map<string, Buffer>();
  for (const entry of names.filter((name) => name.isFile())) {
    const file = join(entry.parentPath, entry.name);
    found.set(file.slice(path.length + 1), await readFile(file));
  }
  return new Map([...found].sort());
}

/** Digests have a test of their own; here they would come among the files that are counted. */
const NO_DIGESTS = { log_file_validation: false };

function make(directory: string, options = {}, members = {}) {
  const config = trail.config.parse({ directory, ...NO_DIGESTS, ...options });
  return trail.create(config, testContext({ id: "trail", ...members }));
}

t.test("exporter trail keeps the conformance rules", async (t) => {
  await conformance(t, trail, {
    minimal: { directory: "./trail" },
    target: async (t) => {
      const path = await folder(t);
      const directory = join(path, "trail");
      const isLogFile = ([key]: [string, Buffer]) => parseLogFileKey(key) !== undefined;
      const delivered = async () => new Map([...await files(directory)].filter(isLogFile));
      return {
        config: { directory },
        context: { directory: join(path, "data") },
        delivered: () => delivered().catch(() => new Map()),
      };
    },
    broken: async (t) => {
      const path = await folder(t);
      await writeFile(join(path, "file"), "in the way");
      const context = { directory: join(path, "data") };
      return { config: { directory: join(path, "file/trail") }, context };
    },
  });
});

t.test("a log file lies and is named as CloudTrail's, and holds the bytes", async (t) => {
  const directory = await folder(t);
  const exporter = make(directory, { prefix: "logs/a" });
  await exporter.start(testHost());
  const batch = testBatch(1, 3);
  await exporter.export(batch, SIGNAL);
  const [[key, bytes]] = [...await files(directory)] as [[string, Buffer]];
  t.match(
    key,
    /^logs\/a\/AWSLogs\/111122223333\/CloudTrail\/eu-central-1\/2026\/01\/02\/[^/]+$/,
  );
  t.match(
    key,
    /\/111122223333_CloudTrail_eu-central-1_20260102T0000Z_[A-Za-z0-9]{16}\.json\.gz$/,
  );
  const texts = batch.records.map((record) => Buffer.from(record.bytes).toString());
  t.equal(gunzipSync(bytes).toString(), `{"Records":[${texts.join(",")}]}`);
  const { mode } = await stat(join(directory, key));
  t.equal(mode & 0o137, 0, "nobody else reads it, nobody runs it");
  await stopInTime(t, exporter);
  t.strictSame((await readdir(directory)).sort(), ["logs"], "no temporary folder stays");
});

/** One record of each kind of place, twice, in turns. */
function mixedBatch(): ExportBatch {
  const places = [
    ["Management", "111122223333", "eu-central-1"],
    ["Insight", "111122223333", "eu-central-1"],
    ["NetworkActivity", "111122223333", "eu-central-1"],
    ["Aggregated", "111122223333", "eu-central-1"],
    ["Data", "111122223333", "eu-central-1"],
    ["Management", "444455556666", "eu-central-1"],
    ["Management", "111122223333", "us-gov-west-1"],
  ] as const;
  const records = [...places, ...places].map(([eventCategory, account, awsRegion], i) =>
    storedRecord(10 + i, {
      ...testRecord(i),
      eventCategory,
      awsRegion,
      recipientAccountId: account,
    })
  );
  return { records, range: { first: 10, last: 40 }, plannedAt: Date.UTC(2026, 1, 28, 23, 59) };
}

t.test("accounts, regions and kinds have files of their own", async (t) => {
  const directory = await folder(t);
  const members = { agent: { ...testAgent, organizationId: "o-abcdefghij" } };
  const exporter = make(directory, { organization: true }, members);
  await exporter.export(mixedBatch(), SIGNAL);
  const keys = [...(await files(directory)).keys()].map((key) => parseLogFileKey(key)!);
  t.ok(keys.every((key) => key.organizationId === "o-abcdefghij"));
  const places = keys.map((key) => `${key.accountId} ${key.folder} ${key.region}`);
  t.strictSame(places.sort(), [
    "111122223333 CloudTrail eu-central-1",
    "111122223333 CloudTrail us-gov-west-1",
    "111122223333 CloudTrail-Aggregated eu-central-1",
    "111122223333 CloudTrail-Insight eu-central-1",
    "111122223333 CloudTrail-NetworkActivity eu-central-1",
    "444455556666 CloudTrail eu-central-1",
  ]);
  await stopInTime(t, exporter);
});

t.test("planFiles gives a range the same files, and other ranges others", async (t) => {
  const place = { prefix: "", identity: ["a"] };
  const keys = (batch: ExportBatch, identity = ["a"]) =>
    planFiles(batch, { ...place, identity }).files.map(({ key }) => key);
  const batch = mixedBatch();
  t.strictSame(keys(batch), keys(mixedBatch()));
  const others = [
    keys({ ...batch, range: { first: 9, last: 40 } }),
    keys({ ...batch, plannedAt: batch.plannedAt + 1 }),
    keys(batch, ["b"]),
    keys({ ...batch, records: batch.records.map((record) => ({ ...record, id: "other" })) }),
  ];
  for (const other of others) t.notOk(other.some((key) => keys(batch).includes(key)));
});

t.test("planFiles keeps every file below 50 MB, whatever the batch", async (t) => {
  const bytes = new Uint8Array(20_000_000);
  const records = [1, 2, 3, 4, 5].map((i) => ({ ...storedRecord(i), bytes }));
  const plan = planFiles({ ...testBatch(1, 5), records }, { prefix: "", identity: [] });
  t.strictSame(plan.files.map((file) => file.records.map(({ sequence }) => sequence)), [
    [1, 2],
    [3, 4],
    [5],
  ]);
  t.equal(new Set(plan.files.map(({ key }) => key)).size, 3);
});

t.test("hostile accounts and regions name no path: the others are delivered", async (t) => {
  const directory = await folder(t);
  const exporter = make(directory);
  const batch = testBatch(1, 5);
  const hostile = ["../../etc", "", "eu/../..", "a".repeat(65)];
  const records = batch.records.map((record, i) => ({
    ...record,
    ...(i < hostile.length ? { region: hostile[i]! } : {}),
    ...(i === 1 ? { accountId: "../111122223" } : {}),
  }));
  await t.rejects(
    exporter.export({ ...batch, records }, SIGNAL),
    { name: "PermanentError", failed: [1, 2, 3, 4] },
  );
  t.equal((await files(directory)).size, 1);
  await stopInTime(t, exporter);
});

t.test("what a crash left is removed, and the same batch gives the same bytes", async (t) => {
  const directory = await folder(t);
  const first = make(directory);
  await first.start(testHost());
  await first.export(testBatch(1, 9), SIGNAL);
  const before = await files(directory);
  await stopInTime(t, first);
  const [key] = [...before.keys()] as [string];
  await rm(join(directory, key));
  await mkdir(join(directory, ".main.incomplete"));
  await writeFile(join(directory, ".main.incomplete", "half"), "half");
  const second = make(directory);
  await second.start(testHost());
  t.strictSame(await files(directory), new Map());
  await second.export(testBatch(1, 9), SIGNAL);
  t.strictSame(await files(directory), before);
  await stopInTime(t, second);
});

t.test("a failed delivery shows no file, is retried, and says what to do", async (t) => {
  const directory = await folder(t);
  const host = testHost();
  let broken = true;
  const runtime = {
    ...testRuntime,
    deflate: (piece: Uint8Array, level: number) =>
      broken
        ? Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }))
        : testRuntime.deflate(piece, level),
  };
  const exporter = make(directory, {}, { runtime });
  await exporter.start(host);
  await t.rejects(exporter.export(testBatch(1, 2), SIGNAL), {
    name: "RetryableError",
    code: "ENOSPC",
    message: /^Cannot write log file ".*": no space left on the disk: free some/,
  });
  t.equal((await files(directory)).size, 0);
  broken = false;
  await exporter.export(testBatch(1, 2), SIGNAL);
  t.equal((await files(directory)).size, 1);
  t.strictSame(host.reports.map(({ state }) => state), ["running", "degraded", "running"]);
  await stopInTime(t, exporter);
});

t.test("a folder that is taken away while it runs is made again", async (t) => {
  const directory = join(await folder(t), "trail");
  const exporter = make(directory);
  await exporter.start(testHost());
  await exporter.export(testBatch(1, 2), SIGNAL);
  await rm(directory, { recursive: true });
  await exporter.export(testBatch(3, 4), SIGNAL).catch(() =>
    exporter.export(testBatch(3, 4), SIGNAL)
  );
  t.equal((await files(directory)).size, 1);
  await stopInTime(t, exporter);
});

t.test("a state that is damaged is passed over: the trail logs", async (t) => {
  for (const saved of [null, 1, "x", { runs: 7 }, { runs: [null, 1, { first: "x" }] }]) {
    const state = memoryState();
    await state.set("logging", saved);
    t.ok(new Logging(state, Date.now).accepts({ sequence: 1 }));
  }
});

t.test("a journal whose folder is taken away is written anew, whole", async (t) => {
  const directory = join(t.testdir(), "digests");
  const { log } = testContext();
  const times = { hash: "h", oldestEventTime: 0, newestEventTime: 0 };
  const file = { ...times, accountId: "111122223333", region: "eu-central-1" };
  const journal = await DigestJournal.open({ directory, log });
  await journal.note([{ ...file, key: "a" }], 0);
  await rm(directory, { recursive: true });
  await journal.note([{ ...file, key: "b" }], 0);
  await journal.close();
  const [chain] = await readChains(directory);
  t.strictSame(chain!.files.map(({ key }) => key), ["a", "b"]);
});

t.test("diskError keeps unknown causes, and the system's name of known ones", async (t) => {
  t.equal(diskError("write", "/a", new Error("odd")).message, 'Cannot write "/a": odd');
  t.equal(diskError("write", "/a", Object.assign(new Error(), { code: "EROFS" })).code, "EROFS");
});

t.test("the trail's name and prefix follow CloudTrail's rules", async (t) => {
  const parse = (options: object) => trail.config.safeParse({ directory: ".", ...options }).success;
  for (const name of ["main", "a.b_c-d", "A".repeat(128)]) t.ok(parse({ name }), name);
  for (const name of ["ab", "a..b", ".ab", "ab-", "1.2.3.4", "a b", "a/b", "A".repeat(129)]) {
    t.notOk(parse({ name }), name);
  }
  for (const prefix of ["", "a", "a/b.c"]) t.ok(parse({ prefix }), prefix);
  for (const prefix of ["/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "x".repeat(201)]) {
    t.notOk(parse({ prefix }), prefix);
  }
});

t.test("organization needs the agent's organization id", async (t) => {
  const exporter = make(await folder(t), { organization: true });
  await t.rejects(exporter.start(testHost()), { name: "ConfigError" });
});
