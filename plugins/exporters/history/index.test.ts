// The history on a real disk: each batch once whatever happens, sealing, retention, damage, and what
// `cairn verify` says of it.

import { mkdir, open, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import {
  conformance,
  storedRecord,
  testBatch,
  testContext,
  testHost,
  testRecord,
} from "../../sdk/conformance.ts";
import { eventHistoryService, type HistoryQuery } from "../../sdk/event-history.ts";
import type { CloudTrailRecord, ExportBatch } from "../../sdk/index.ts";
import type { VerifyProblem } from "../../sdk/verify.ts";
import history from "./index.ts";
import { openHistory } from "./offline.ts";
import { HistoryStore } from "./store.ts";
import { StoredHistory } from "./history.ts";

const never = new AbortController().signal;
const DAY_MS = 86_400_000;
// The records of the tests are of 1 January 2026, from midnight on.
const START = Date.UTC(2026, 0, 1);
const NOW = START + 2 * DAY_MS;
const own = { accountId: "111122223333", region: "eu-central-1" };
const all: HistoryQuery = { attributes: [], category: "management", limit: 10_000 };

/** An opened history, and all that was told of damage. */
async function opened(
  directory: string,
  options: { now?: number; retentionDays?: number; logRowsMax?: number } = {},
) {
  const told: string[] = [];
  const cache = new Map();
  const { gzip } = testContext().runtime;
  const clock = { now: options.now ?? NOW };
  const store = await HistoryStore.open({
    directory,
    retentionDays: 90,
    ...options,
    clock: () => clock.now,
    log: { info: () => {}, error: () => {} },
    gzip,
    cache,
    tell: (path, reason) => told.push(`${path}: ${reason}`),
  });
  const service = new StoredHistory({ store: () => store, cache, own });
  const ids = async (query: Partial<HistoryQuery> = {}) =>
    (await service.lookup({ ...all, ...query })).events.map(({ id }) => id);
  return { store, service, told, clock, ids };
}

function idsOf(...batches: readonly ExportBatch[]): string[] {
  return batches.flatMap(({ records }) => records.map(({ id }) => id)).reverse();
}

/** A batch of these records. */
function batchOf(first: number, records: readonly CloudTrailRecord[]): ExportBatch {
  return {
    records: records.map((record, i) => storedRecord(first + i, record)),
    range: { first, last: first + records.length - 1 },
    plannedAt: NOW,
  };
}

/** As testRecord(), some days later. */
function recordOn(day: number, number: number, members: object = {}): CloudTrailRecord {
  const eventTime = new Date(START + day * DAY_MS + number * 1000).toISOString();
  return { ...testRecord(number), eventTime, ...members };
}

async function verified(directory: string) {
  const problems: VerifyProblem[] = [];
  const report = await history.verify!(directory, {
    publicKeyFiles: [],
    clock: () => NOW,
    version: "0.0.0",
    signal: never,
    onProblem: (problem) => problems.push(problem),
  });
  return { report, problems };
}

await conformance(t, history, {
  minimal: {},
  async target(t) {
    const directory = join(t.testdir(), "history");
    const read = async () => {
      const told = (message: string) => t.fail(message);
      const service = await openHistory({ directory, own, clock: () => NOW, tell: told });
      return (await service.lookup(all)).events;
    };
    return { config: {}, context: { directory, clock: () => NOW }, delivered: read };
  },
  async broken(t) {
    const directory = join(t.testdir({ file: "" }), "file", "history");
    return { config: {}, context: { directory, clock: () => NOW } };
  },
});

t.test("export() keeps management and Insight events apart, and says no to all others", async (t) => {
  const directory = join(t.testdir(), "history");
  const context = testContext({ directory, clock: () => NOW });
  const exporter = history.create(history.config.parse({}), context);
  const host = testHost();
  await exporter.start(host);
  t.teardown(() => exporter.stop(never));
  const insightDetails = { eventName: "UserLogin", eventSource: "sshd.host.internal" };
  const { eventName: _, eventSource: __, ...bare } = testRecord(2);
  const insight = { ...bare, eventCategory: "Insight", insightDetails };
  await exporter.export(batchOf(1, [testRecord(1), insight]), never);
  const [service] = host.find(eventHistoryService);
  t.same((await service!.lookup(all)).events.map(({ id }) => id), [testRecord(1).eventID]);
  const insights = { ...all, category: "insight" } as const;
  const attributes = [{ key: "EventName", value: "UserLogin" }] as const;
  const { events } = await service!.lookup({ ...insights, attributes });
  t.same(events.map(({ id, source }) => [id, source]), [
    [testRecord(2).eventID, "sshd.host.internal"],
  ]);
  const { eventSource: ___, userIdentity: ____, ...outer } = testRecord(3);
  const eventData = {
    eventName: "PlaceOrder",
    eventSource: "shop.example",
    userIdentity: { type: "user", principalId: "carol" },
    errorCode: "OutOfStock",
  };
  const { eventName: _____, ...put } = { ...outer, eventCategory: "ActivityAuditLog", eventData };
  await exporter.export(batchOf(3, [put]), never);
  const bought = [{ key: "Username", value: "carol" }, {
    key: "EventSource",
    value: "shop.example",
  }];
  const page = await service!.lookup(
    { ...all, attributes: bought, errorsOnly: true } as HistoryQuery,
  );
  t.match(page.events, [{ id: testRecord(3).eventID, name: "PlaceOrder", username: "carol" }]);
  t.ok(exporter.accepts!(storedRecord(3, put)));
  const accepts = (record: CloudTrailRecord) => exporter.accepts!(storedRecord(1, record));
  t.ok(accepts(testRecord(1)) && accepts(insight));
  t.notOk(accepts({ ...testRecord(1), eventCategory: "Data" }));
  t.notOk(accepts(recordOn(-100, 1)), "older than what is kept");
});

t.test("append() of a batch that is kept already does nothing, also after it was sealed", async (t) => {
  const directory = t.testdir();
  const { store, ids } = await opened(directory);
  await store.append(testBatch(1, 20));
  await store.append(testBatch(1, 20));
  t.same(await ids(), idsOf(testBatch(1, 20)), "at once");
  await store.seal();
  await store.append(testBatch(1, 20));
  t.same(await ids(), idsOf(testBatch(1, 20)), "after sealing");
  await store.close();
  const again = await opened(directory);
  await again.store.append(testBatch(1, 20));
  t.same(await again.ids(), idsOf(testBatch(1, 20)), "after a restart");
  await again.store.append(testBatch(21, 22));
  t.same(await again.ids(), idsOf(testBatch(1, 20), testBatch(21, 22)));
  await again.store.close();
});

t.test("a log is sealed by day when it is full, and each event stays where a page left it", async (t) => {
  const directory = t.testdir();
  const { store, service, ids } = await opened(directory, { logRowsMax: 100 });
  const records = Array.from({ length: 90 }, (_, i) => recordOn(i % 3, i));
  await store.append(batchOf(1, records));
  const before = await ids();
  const first = await service.lookup({ ...all, limit: 40 });
  await store.append(batchOf(91, [recordOn(0, 5000), recordOn(1, 5001)]));
  await store.append(batchOf(93, Array.from({ length: 20 }, (_, i) => recordOn(2, 6000 + i))));
  t.same((await readdir(directory)).filter((name) => name.startsWith("2026")), [
    "2026-01-01",
    "2026-01-02",
    "2026-01-03",
  ]);
  const rest = await service.lookup({ ...all, limit: 100, after: first.next });
  const paged = [...first.events, ...rest.events].map(({ id }) => id);
  t.same(paged.filter((id) => before.includes(id)), before);
  await store.close();
  const again = await opened(directory);
  t.equal((await again.ids()).length, 112);
  t.same((await again.service.extent()).events, 112);
  await again.store.close();
});

t.test("open() after a kill at any step of sealing finds each event once", async (t) => {
  // What a kill leaves: files of before and after put together.
  const [before, after] = [join(t.testdir(), "before"), join(t.testdir(), "after")];
  for (const directory of [before, after]) {
    const { store } = await opened(directory);
    await store.append(testBatch(1, 50));
    if (directory === after) await store.seal();
    await store.close();
  }
  const log = await readFile(join(before, "log-00000001"));
  const segment = await readFile(join(after, "2026-01-01", "00000001.seg"));
  const seals = await readFile(join(after, "seals.jsonl"));
  const next = await readFile(join(after, "log-00000002"));
  const steps: Record<string, Record<string, Uint8Array>> = {
    "half a segment": { "2026-01-01/00000001.seg.tmp": segment.subarray(0, 999) },
    "a segment": { "2026-01-01/00000001.seg": segment },
    "half a seal": { "2026-01-01/00000001.seg": segment, "seals.jsonl": seals.subarray(0, 99) },
    "a seal": { "2026-01-01/00000001.seg": segment, "seals.jsonl": seals },
    "the next log": {
      "2026-01-01/00000001.seg": segment,
      "seals.jsonl": seals,
      "log-00000002": next,
    },
  };
  for (const [step, files] of Object.entries(steps)) {
    const directory = join(t.testdir(), step);
    await mkdir(join(directory, "2026-01-01"), { recursive: true });
    await writeFile(join(directory, "log-00000001"), log);
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(directory, name), bytes);
    }
    const { store, ids, told } = await opened(directory);
    await store.append(testBatch(1, 50));
    t.same(await ids(), idsOf(testBatch(1, 50)), step);
    await store.append(testBatch(51, 52));
    await store.seal();
    t.same(await ids(), idsOf(testBatch(1, 52)), `${step}, and on`);
    t.same((await verified(directory)).problems, [], `${step} is verified`);
    t.same(told, []);
    await store.close();
  }
});

t.test("open() cuts a torn end of the log and steps over damage in its middle", async (t) => {
  const directory = t.testdir();
  const { store } = await opened(directory);
  const path = join(directory, "log-00000001");
  for (let first = 1; first <= 41; first += 10) await store.append(testBatch(first, first + 9));
  await store.close();
  const bytes = await readFile(path);
  await truncate(path, bytes.length - 5);
  const torn = await opened(directory);
  t.same(await torn.ids(), idsOf(testBatch(1, 40)), "what was not written to its end is not there");
  t.same(torn.told, [], "which is no damage");
  await torn.store.append(testBatch(41, 50));
  t.same(await torn.ids(), idsOf(testBatch(1, 50)), "and comes again");
  await torn.store.close();
  const frame = bytes.indexOf("CHF1", bytes.indexOf("CHF1", 1) + 1);
  bytes[frame + 200]! ^= 0xff;
  await writeFile(path, bytes);
  const damaged = await opened(directory);
  t.same(await damaged.ids(), idsOf(testBatch(1, 10), testBatch(21, 50)));
  t.match(damaged.told, [/log-00000001: \d+ bytes from \d+ on are no whole frame/]);
  const names = [{ key: "EventId", value: testRecord(45).eventID! }] as const;
  t.same(await damaged.ids({ attributes: names }), [testRecord(45).eventID]);
  await damaged.store.seal();
  t.same(await damaged.ids(), idsOf(testBatch(1, 10), testBatch(21, 50)), "and once it is sealed");
  t.ok((await readdir(directory)).includes("log-00000001.broken"), "the damage is kept to look at");
  await damaged.store.close();
});

t.test("a damaged block or segment hides its own events alone, and is told", async (t) => {
  const directory = t.testdir();
  const { store } = await opened(directory);
  const pad = "x".repeat(1000);
  const padded = (first: number) =>
    batchOf(first, Array.from({ length: 300 }, (_, i) => recordOn(0, first + i, { pad })));
  await store.append(padded(1));
  await store.seal();
  await store.append(padded(301));
  await store.seal();
  await store.close();
  const segment = join(directory, "2026-01-01", "00000001.seg");
  const bytes = await readFile(segment);
  bytes[500]! ^= 0xff;
  await writeFile(segment, bytes);
  const damaged = await opened(directory);
  const found = await damaged.ids();
  t.ok(found.length > 400 && found.length < 600, `${found.length} of 600 are left`);
  t.match(damaged.told[0], /00000001\.seg: block 0: /);
  await damaged.store.close();
  await truncate(segment, 1000);
  const cut = await opened(directory);
  t.equal((await cut.ids()).length, 300);
  t.match(cut.told, [/00000001\.seg: its footer: there is none/]);
  t.same((await verified(directory)).problems.map(({ kind, path }) => [kind, path]), [
    ["changed", segment],
  ]);
  await rm(segment);
  t.same((await verified(directory)).problems.map(({ kind }) => kind), ["missing"]);
  await cut.store.close();
});

t.test("verify tells a changed, a removed and an added line of the chain", async (t) => {
  const directory = t.testdir();
  const { store } = await opened(directory);
  for (const first of [1, 11, 21]) {
    await store.append(testBatch(first, first + 9));
    await store.seal();
  }
  await store.close();
  const path = join(directory, "seals.jsonl");
  const text = await readFile(path, "utf8");
  const lines = text.split("\n").slice(0, -1);
  const { report } = await verified(directory);
  t.same(report?.counts, {
    seals: { checked: 3, invalid: 0 },
    "history segments": { checked: 3, invalid: 0 },
  });
  const kinds = async (changed: readonly string[]) => {
    await writeFile(path, changed.map((line) => `${line}\n`).join(""));
    return (await verified(directory)).problems.map(({ kind }) => kind);
  };
  t.same(await kinds([lines[0]!, lines[1]!.replace('"events":10', '"events":9'), lines[2]!]), [
    "changed",
  ]);
  t.same(await kinds([lines[0]!, lines[2]!]), ["out of order", "unlisted"]);
  t.same(await kinds([lines[0]!, "{}", lines[2]!]), ["changed", "out of order", "unlisted"]);
  t.equal(await history.verify!(t.testdir({ other: {} }), {} as never), undefined);
});

t.test("tend() seals once a day, and drops whole days that are too old", async (t) => {
  const directory = t.testdir();
  const { store, ids, clock } = await opened(directory, {
    now: START + 7_200_000,
    retentionDays: 2,
  });
  const folders = async () =>
    (await readdir(directory)).filter((name) => name.startsWith("2026")).sort();
  await store.append(batchOf(1, [recordOn(0, 1)]));
  clock.now = START + DAY_MS + 1_800_000;
  await store.tend();
  t.same(await folders(), [], "the day is over for half an hour only");
  clock.now += 3_600_000;
  await store.append(batchOf(2, [recordOn(0, 2), recordOn(1, 3)]));
  await store.tend();
  t.same(await folders(), ["2026-01-01", "2026-01-02"], "an hour later what there is, is sealed");
  await store.append(batchOf(4, [recordOn(0, 4)]));
  await store.tend();
  t.equal((await ids()).length, 4, "what is late waits for the next time");
  clock.now += 2 * DAY_MS;
  t.same(await ids(), [testRecord(3).eventID], "what is too old is not found any more");
  await store.tend();
  t.same(await folders(), ["2026-01-02"]);
  t.same((await verified(directory)).problems, []);
  await store.close();
});

t.test("export() tells when its folder was taken away, and begins a new history", async (t) => {
  const directory = join(t.testdir(), "history");
  const context = testContext({ directory, clock: () => NOW });
  const exporter = history.create(history.config.parse({}), context);
  const host = testHost();
  await exporter.start(host);
  t.teardown(() => exporter.stop(never));
  await exporter.export(testBatch(1, 3), never);
  await rm(directory, { recursive: true });
  await t.rejects(exporter.export(testBatch(4, 5), never), { name: "RetryableError" });
  t.match(context.lines.at(-1), { level: "error", message: /History is lost: .*moved or deleted/ });
  await exporter.export(testBatch(4, 5), never);
  const [service] = host.find(eventHistoryService);
  t.same((await service!.lookup(all)).events.map(({ id }) => id), idsOf(testBatch(4, 5)));
});

t.test("append() that fails leaves nothing behind, and the same batch goes in later", async (t) => {
  const directory = t.testdir();
  const { store, ids } = await opened(directory);
  await store.append(testBatch(1, 5));
  const bad = { ...testBatch(6, 9), records: [storedRecord(6), null as never] };
  await t.rejects(store.append(bad));
  t.same(await ids(), idsOf(testBatch(1, 5)));
  await store.append(testBatch(6, 9));
  t.same(await ids(), idsOf(testBatch(1, 9)));
  await store.close();
});

/** File calls that fail as those of a full or broken disk do; call what it answers to mend them. */
async function breakFiles(folder: string, broken: Record<string, string>): Promise<() => void> {
  const file = await open(join(folder, "probe"), "w");
  const calls = Object.getPrototypeOf(file) as Record<string, (...args: never[]) => unknown>;
  const whole = Object.keys(broken).map((name) => [name, calls[name]!] as const);
  await file.close();
  for (const [name, call] of whole) {
    calls[name] = async function (this: unknown, ...args: never[]) {
      // A full disk takes some of what is written.
      if (name === "write") await call.call(this, args[0]!, args[1]!, 7 as never, args[3]!);
      throw Object.assign(new Error(broken[name]), { code: broken[name] });
    };
  }
  return () => {
    for (const [name, call] of whole) calls[name] = call;
  };
}

for (
  const [what, broken, message] of [
    ["a full disk", { write: "ENOSPC" }, /no space left on the disk: free some/],
    [
      "a full disk that cuts nothing",
      { write: "ENOSPC", truncate: "EIO" },
      /no space left|reports an error/,
    ],
    ["a disk that does not sync", { datasync: "EIO" }, /the disk reports an error/],
    ["a read-only file system", { write: "EROFS", truncate: "EROFS" }, /mount it for writing/],
  ] as const
) {
  t.test(`export() to ${what} keeps what there is, and the batch goes in once it is mended`, async (t) => {
    const folder = t.testdir();
    const context = testContext({ directory: join(folder, "history"), clock: () => NOW });
    const exporter = history.create(history.config.parse({}), context);
    const host = testHost();
    await exporter.start(host);
    const [service] = host.find(eventHistoryService);
    const ids = async () => (await service!.lookup(all)).events.map(({ id }) => id);
    await exporter.export(testBatch(1, 3), never);
    const mend = await breakFiles(folder, broken);
    try {
      for (let attempt = 0; attempt < 2; attempt++) {
        await t.rejects(exporter.export(testBatch(4, 6), never), {
          name: "RetryableError",
          message,
        });
        t.same(await ids(), idsOf(testBatch(1, 3)));
      }
    } finally {
      mend();
    }
    await exporter.export(testBatch(4, 6), never);
    await exporter.export(testBatch(4, 6), never);
    t.same(await ids(), idsOf(testBatch(1, 6)));
    await exporter.stop(never);
    const again = await opened(join(folder, "history"));
    t.same(await again.ids(), idsOf(testBatch(1, 6)), "also when it is opened anew");
    await again.store.close();
  });
}

t.test("tend() keeps the last three damaged logs, and none that is too old", async (t) => {
  const names = [1, 2, 3, 4, 5].map((log) => `log-0000000${log}.broken`);
  const directory = t.testdir(Object.fromEntries(names.map((name) => [name, "x"])));
  await utimes(join(directory, names[3]!), new Date(0), new Date(0));
  const { store } = await opened(directory);
  await store.tend();
  const left = (await readdir(directory)).filter((name) => name.endsWith(".broken"));
  t.same(left.sort(), [names[2], names[4]]);
  await store.close();
});

t.test("seal() that fails keeps everything where it was, and is done again", async (t) => {
  const directory = t.testdir();
  const { store, ids } = await opened(directory, { logRowsMax: 10 });
  await store.append(testBatch(1, 8));
  const inTheWay = join(directory, "2026-01-01");
  await writeFile(inTheWay, "");
  await t.rejects(store.append(testBatch(9, 12)), { code: "ENOTDIR" });
  t.same(await ids(), idsOf(testBatch(1, 8)));
  await rm(inTheWay);
  await store.append(testBatch(9, 12));
  t.same(await ids(), idsOf(testBatch(1, 12)));
  t.same((await verified(directory)).problems, []);
  await store.close();
});

t.test("a batch larger than a log, and records of any size, go in whole", async (t) => {
  const directory = t.testdir();
  const { store, ids, service } = await opened(directory, { logRowsMax: 10 });
  await store.append(testBatch(1, 40));
  const large = recordOn(0, 100, { requestParameters: { text: "y".repeat(400_000) } });
  await store.append(batchOf(41, [large, recordOn(0, 101)]));
  t.same(await ids(), idsOf(testBatch(1, 40), batchOf(41, [large, recordOn(0, 101)])));
  await store.seal();
  const { events } = await service.lookup({ ...all, text: "yyyy" });
  t.same(events.map(({ text }) => text), [JSON.stringify(large)]);
  await store.close();
});
