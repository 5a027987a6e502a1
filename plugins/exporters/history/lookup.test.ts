// Lookups against a naive model of the same events: random filters, orders and pages, while events
// come in, logs are sealed and the history is opened anew.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import fc from "fast-check";
import t from "tap";
import { storedRecord, testContext } from "../../sdk/conformance.ts";
import {
  type HistoryEvent,
  type HistoryFilter,
  HistoryPositionError,
  LOOKUP_KEYS,
  type LookupKey,
} from "../../sdk/event-history.ts";
import type { CloudTrailRecord } from "../../sdk/index.ts";
import { usernameOf, valuesOf } from "./attributes.ts";
import { StoredHistory } from "./history.ts";
import { HistoryStore } from "./store.ts";

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const own = { accountId: "111122223333", region: "eu-central-1" };

interface Model {
  readonly record: CloudTrailRecord;
  readonly text: string;
  readonly time: number;
  /** Order of arrival. */
  readonly number: number;
}

/** An open history that the model is compared with. */
async function open(directory: string, logRowsMax: number) {
  const cache = new Map();
  const store = await HistoryStore.open({
    directory,
    retentionDays: 90,
    clock: () => START + 5 * DAY_MS,
    log: { info: () => {}, error: () => {} },
    gzip: testContext().runtime.gzip,
    cache,
    tell: (path, reason) => {
      throw new Error(`${path}: ${reason}`);
    },
    logRowsMax,
  });
  return { store, service: new StoredHistory({ store: () => store, cache, own }) };
}

const NAMES = ["UserLogin", "AssumeRole", "userlogin"];
const USERS = ["alice", "bob", "=cmd", "Élodie"];
const ARNS = ["arn:aws:s3:::logs", "arn:cairn:iam::111122223333:user/web-01/alice", "plain"];
const ACCOUNTS = ["111122223333", "444455556666", undefined];

const member = fc.record({
  minute: fc.integer({ min: 0, max: 5 * 1440 - 1 }),
  name: fc.constantFrom(...NAMES),
  user: fc.constantFrom(...USERS, undefined),
  readOnly: fc.constantFrom(true, false, undefined),
  key: fc.constantFrom("AKIA1", "AKIA2", undefined),
  arns: fc.array(fc.constantFrom(...ARNS), { maxLength: 2 }),
  account: fc.constantFrom(...ACCOUNTS),
  isError: fc.boolean(),
  isInsight: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

function recordOf(one: typeof member extends fc.Arbitrary<infer T> ? T : never, number: number) {
  const { user, key, account, arns, readOnly } = one;
  return {
    eventVersion: "1.11",
    eventID: `id-${number}`,
    eventTime: new Date(START + one.minute * 60_000).toISOString(),
    eventName: one.name,
    eventSource: "sshd.host.internal",
    userIdentity: {
      type: "IAMUser",
      ...(user !== undefined && { userName: user }),
      ...(key !== undefined && { accessKeyId: key }),
    },
    ...(readOnly !== undefined && { readOnly }),
    ...(one.isError && { errorCode: "AccessDenied" }),
    ...(arns.length > 0 && { resources: arns.map((ARN) => ({ ARN, type: "AWS::Any" })) }),
    ...(account !== undefined && { recipientAccountId: account }),
    eventCategory: one.isInsight ? "Insight" : "Management",
  } satisfies CloudTrailRecord;
}

const attribute = fc.oneof(
  fc.record({ key: fc.constant("EventName" as const), value: fc.constantFrom(...NAMES, "None") }),
  fc.record({ key: fc.constant("Username" as const), value: fc.constantFrom(...USERS) }),
  fc.record({ key: fc.constant("ReadOnly" as const), value: fc.constantFrom("true", "false") }),
  fc.record({ key: fc.constant("AccessKeyId" as const), value: fc.constantFrom("AKIA1", "no") }),
  fc.record({
    key: fc.constant("ResourceName" as const),
    value: fc.constantFrom(...ARNS, "alice", "logs"),
  }),
  fc.record({ key: fc.constant("ResourceType" as const), value: fc.constant("AWS::Any") }),
  fc.record({ key: fc.constant("EventId" as const), value: fc.constantFrom("id-3", "id-70") }),
);
const minute = fc.integer({ min: -1, max: 5 * 1440 }).map((at) => START + at * 60_000);
const filters = fc.record({
  attributes: fc.array(attribute, { maxLength: 2 }),
  category: fc.constantFrom("management", "management", "insight"),
  text: fc.constantFrom(undefined, undefined, "ALICE", "élodie", "accessdenied"),
  startTime: fc.option(minute, { nil: undefined }),
  endTime: fc.option(minute, { nil: undefined }),
  accountId: fc.constantFrom(undefined, undefined, "444455556666", own.accountId),
  region: fc.constantFrom(undefined, own.region),
  errorsOnly: fc.constantFrom(undefined, true, false),
}) as fc.Arbitrary<HistoryFilter>;

function isMeant({ record, text, time }: Model, filter: HistoryFilter): boolean {
  const isInsight = record.eventCategory === "Insight";
  return isInsight === (filter.category === "insight") &&
    filter.attributes.every(({ key, value }) => valuesOf(record, key).includes(value)) &&
    text.toLowerCase().includes((filter.text ?? "").toLowerCase()) &&
    time >= (filter.startTime ?? 0) && time <= (filter.endTime ?? Number.POSITIVE_INFINITY) &&
    (record.recipientAccountId ?? own.accountId) ===
      (filter.accountId ?? record.recipientAccountId ?? own.accountId) &&
    (filter.errorsOnly !== true || record.errorCode !== undefined);
}

type Order = "newest" | "oldest" | "arrival";

function inOrder(events: readonly Model[], order: Order): Model[] {
  const byTime = [...events].sort((a, b) => a.time - b.time || a.number - b.number);
  if (order === "newest") return byTime.reverse();
  return order === "oldest" ? byTime : [...events].sort((a, b) => a.number - b.number);
}

/** Every event that a lookup answers, page by page, with `between` after each. */
async function pages(
  service: StoredHistory,
  filter: HistoryFilter,
  order: Order,
  limit: number,
  between: () => Promise<void> = async () => {},
): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  let after: string | undefined;
  while (true) {
    const page = await service.lookup({ ...filter, order, limit, after });
    events.push(...page.events);
    if (page.next === undefined || (order === "arrival" && page.events.length === 0)) return events;
    after = page.next;
    await between();
  }
}

const run = fc.record({
  batches: fc.array(fc.array(member, { minLength: 1, maxLength: 25 }), {
    minLength: 1,
    maxLength: 8,
  }),
  later: fc.array(member, { minLength: 1, maxLength: 5 }),
  sealedAt: fc.integer({ min: 0, max: 8 }),
  asked: fc.array(
    fc.record({
      filter: filters,
      order: fc.constantFrom("newest", "oldest", "arrival") as fc.Arbitrary<Order>,
      limit: fc.integer({ min: 1, max: 40 }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

t.test("lookup() answers what a model of the same events does, by pages of any size", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-history-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await fc.assert(
    fc.asyncProperty(run, async ({ batches, later, sealedAt, asked }) => {
      const directory = await mkdtemp(join(folder, "run-"));
      let { store, service } = await open(directory, 60);
      const events: Model[] = [];
      const add = async (members: typeof later) => {
        const first = events.length + 1;
        const records = members.map((one, i) => recordOf(one, first + i));
        const stored = records.map((record, i) => ({
          ...storedRecord(first + i, record),
          accountId: record.recipientAccountId ?? own.accountId,
        }));
        const range = { first, last: first + records.length - 1 };
        await store.append({ records: stored, range, plannedAt: START });
        for (const [i, record] of records.entries()) {
          const time = Date.parse(record.eventTime);
          events.push({ record, text: JSON.stringify(record), time, number: first + i });
        }
      };
      for (const [i, members] of batches.entries()) {
        await add(members);
        if (i === sealedAt) await store.seal();
        if (i === sealedAt + 1) {
          await store.close();
          ({ store, service } = await open(directory, 60));
        }
      }
      for (const { filter, order, limit } of asked) {
        const expected = inOrder(events.filter((event) => isMeant(event, filter)), order);
        const found = await pages(service, filter, order, limit);
        const what = JSON.stringify({ filter, order, limit });
        t.strictSame(found.map(({ text }) => text), expected.map(({ text }) => text), what);
        await compareCounts(service, filter, expected);
      }
      await compareWhileComing(service, events, () => add(later));
      await store.close();
      if (!t.passing()) throw new Error("differs");
    }),
    { numRuns: process.env.CAIRN_SOAK === undefined ? 12 : 300, includeErrorInReport: true },
  );

  async function compareCounts(
    service: StoredHistory,
    filter: HistoryFilter,
    expected: readonly Model[],
  ) {
    const [from, to] = [START, START + 5 * DAY_MS];
    const days = await service.histogram({ ...filter, from, to, buckets: 5 });
    const byDay = [0, 0, 0, 0, 0];
    for (const { time } of expected) byDay[Math.floor((time - from) / DAY_MS)]!++;
    t.same(days, byDay);
    const key: LookupKey = "Username";
    const counted = await service.counts({ ...filter, attribute: key, limit: 10 });
    const users = new Map<string, number>();
    for (const value of expected.flatMap(({ record }) => valuesOf(record, key))) {
      users.set(value, (users.get(value) ?? 0) + 1);
    }
    t.same(new Map(counted.map(({ value, count }) => [value, count])), users);
  }

  /** What was there before the first page comes once and in order, whatever comes in between. */
  async function compareWhileComing(
    service: StoredHistory,
    events: readonly Model[],
    add: () => Promise<void>,
  ) {
    const filter: HistoryFilter = { attributes: [], category: "management" };
    for (const order of ["newest", "oldest"] as const) {
      const before = inOrder(events.filter((event) => isMeant(event, filter)), order);
      const texts = new Set(before.map(({ text }) => text));
      let left = 3;
      const found = await pages(service, filter, order, 7, async () => {
        if (left-- > 0) await add();
      });
      const old = found.map(({ text }) => text).filter((text) => texts.has(text));
      t.strictSame(old, before.map(({ text }) => text), `${order}, while events come in`);
    }
  }
});

t.test("lookup() of order arrival goes on with what came since, also into a new log", async (t) => {
  const { store, service } = await open(t.testdir(), 10);
  const filter: HistoryFilter = { attributes: [], category: "management" };
  const page = (after?: string, limit = 100) =>
    service.lookup({ ...filter, order: "arrival", limit, after });
  const one = fc.sample(member, { numRuns: 30, seed: 1 }).map((m) => ({ ...m, isInsight: false }));
  let count = 0;
  const add = async (records: number) => {
    const first = count + 1;
    const stored = Array.from(
      { length: records },
      (_, i) => storedRecord(first + i, recordOf(one[first + i]!, first + i)),
    );
    count += records;
    await store.append({ records: stored, range: { first, last: count }, plannedAt: START });
  };
  const begin = await page(undefined, 0);
  t.same(begin.events, []);
  await add(6);
  const first = await page(begin.next);
  t.same(first.events.map(({ id }) => id), ["id-1", "id-2", "id-3", "id-4", "id-5", "id-6"]);
  t.same((await page(first.next)).events, []);
  await add(6);
  await store.seal();
  t.same((await page(first.next)).events.length, 6);
  const end = await page(undefined, 0);
  await add(2);
  t.same((await page(end.next)).events.map(({ id }) => id), ["id-13", "id-14"]);
  await store.close();
});

t.test("lookup() refuses a position that is none of its order", async (t) => {
  const { store, service } = await open(t.testdir(), 10);
  const filter: HistoryFilter = { attributes: [], category: "management" };
  for (const after of ["", "x", "o1.1.1", "n1.1", "n-1.1.1", "n1.1.1 ", "n".repeat(10_000)]) {
    await t.rejects(service.lookup({ ...filter, limit: 1, after }), HistoryPositionError, after);
  }
  t.same(await service.lookup({ ...filter, limit: 1, after: "n1.1.1" }), { events: [] });
  await store.close();
});

t.test("valuesOf() takes whatever a record holds", (t) => {
  const odd = [
    {},
    { userIdentity: null, resources: "x", eventName: 5, insightDetails: [] },
    { userIdentity: { userName: {}, principalId: 7, type: "AssumedRole", accessKeyId: [] } },
    { resources: [null, 1, "a", { ARN: 1 }, { type: {} }], readOnly: "true" },
  ] as unknown as CloudTrailRecord[];
  for (const record of odd) {
    for (const key of LOOKUP_KEYS) {
      t.same(valuesOf(record, key), [], `${key} of ${JSON.stringify(record)}`);
    }
  }
  t.end();
});

t.test("usernameOf() names who acted as CloudTrail's own event history does", (t) => {
  const arn = "arn:aws:sts::111122223333:assumed-role/Admin/alice";
  t.equal(usernameOf({ type: "IAMUser", userName: "alice" }), "alice");
  t.equal(usernameOf({ type: "Root", arn: "arn:aws:iam::111122223333:root" }), "root");
  t.equal(
    usernameOf({ type: "AssumedRole", principalId: "AROAEXAMPLE:bob@host", arn }),
    "bob@host",
  );
  t.equal(usernameOf({ type: "AssumedRole", arn }), "alice");
  t.equal(usernameOf({ type: "AWSService", invokedBy: "cron" }), undefined);
  t.equal(usernameOf(undefined), undefined);
  t.end();
});
