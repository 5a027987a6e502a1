// The way in, from what a receiver hands over to what is stored, and the steps on that way.

import { Buffer } from "node:buffer";
import t from "tap";
import type { CloudTrailRecord, Json } from "../../plugins/sdk/index.ts";
import { DedupeWindow } from "../../src/pipeline/dedupe.ts";
import { fromRecords, STORED_BYTES_MAX } from "../../src/pipeline/draft.ts";
import { fanOut } from "../../src/pipeline/intake.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import { runProcessors } from "../../src/pipeline/process.ts";
import { agent, event } from "./agent.ts";
import {
  exporter,
  imbalance,
  openPipeline,
  patience,
  processor,
  quick,
  record,
  records,
  texts,
  until,
} from "./way-in.ts";

/** Everything a pipeline has stored, as text. */
async function stored(pipeline: Pipeline): Promise<string[]> {
  const found: string[] = [];
  const sink = exporter(async (batch) => {
    for (const { bytes } of batch.records) found.push(Buffer.from(bytes).toString());
  });
  await pipeline.addExporter("all", sink, quick());
  pipeline.start();
  await pipeline.drained(patience());
  return found;
}

t.test("DedupeWindow knows the same record again and keeps another one of its id", async (t) => {
  const window = new DedupeWindow(10);
  const one = { id: "masked", bytes: Buffer.from("one") };
  const two = { id: "masked", bytes: Buffer.from("two") };
  t.equal(window.add(one), true);
  t.equal(window.add(two), true);
  t.equal(window.add(one), false);
  t.equal(window.add(two), false);
  window.remove(one);
  t.equal(window.add(two), false);
  t.equal(window.add(one), true);
});

t.test("DedupeWindow takes a record of the agent's own by its id alone", async (t) => {
  // After a restart the last lines of an event that was handed out already may come alone.
  const window = new DedupeWindow(10);
  const whole = { id: "a", bytes: Buffer.from("all lines"), own: true };
  const rest = { id: "a", bytes: Buffer.from("the last lines"), own: true };
  t.equal(window.add({ id: "a", bytes: whole.bytes }), true, "as refilled from the queue");
  t.equal(window.add(rest), false);
  t.equal(window.add(whole), false);
  window.remove(whole);
  t.equal(window.add(rest), true, "nothing of that id was stored");
  t.equal(window.add(whole), false);
});

t.test("DedupeWindow forgets the oldest beyond its size", async (t) => {
  const window = new DedupeWindow(2);
  const [a, b, c] = ["a", "b", "c"].map((id) => ({ id, bytes: Buffer.from(id) }));
  for (const each of [a!, b!, c!]) window.add(each);
  t.equal(window.add(c!), false);
  t.equal(window.add(a!), true);
});

t.test("fromRecords() keeps bytes as they came and puts them on one line", async (t) => {
  const odd = Buffer.from('{"eventTime":"2026-03-02T08:04:57Z","n":1.0e2, "x":"\\u0041"}');
  const broken = Buffer.from('{\n "eventTime": "2026-03-02T08:04:57Z",\n "n": 10.00\n}');
  const { drafts } = fromRecords([odd, broken], agent, false);
  t.equal(drafts[0]!.bytes, odd);
  t.equal(
    Buffer.from(drafts[1]!.bytes).toString(),
    '{"eventTime":"2026-03-02T08:04:57Z","n":10.00}',
  );
});

t.test("fromRecords() routes by the record, or by the agent where it is no guide", async (t) => {
  const hostile = record(1, {
    recipientAccountId: "../../etc",
    awsRegion: "eu\u0000/..",
    eventCategory: "../x",
    eventID: "x".repeat(500),
  });
  const none = { eventTime: "2026-03-02T08:04:57Z" };
  const { drafts } = fromRecords(texts([record(1), hostile, none]), agent, false);
  const routes = drafts.map(({ accountId, region, category, time }) =>
    [accountId, region, category, time].join(" ")
  );
  const time = Date.UTC(2026, 2, 2, 8, 4, 57);
  t.equal(routes[0], `444455556666 eu-west-1 Management ${time}`);
  t.equal(routes[1], `111122223333 eu-central-1 Management ${time}`);
  t.equal(routes[2], routes[1]);
  t.equal(drafts[0]!.id, record(1).eventID);
  for (const { id } of drafts.slice(1)) t.match(id, /^[0-9a-f-]{36}$/);
});

t.test("fromRecords() sets aside what is no record, verbatim", async (t) => {
  const bad: Json[] = [null, 1, "x", [], { eventTime: 5 }, {}];
  const bytes = bad.map((each) => Buffer.from(JSON.stringify(each)));
  const { drafts, rejected } = fromRecords(bytes, agent, false);
  t.equal(drafts.length, 0);
  t.same(rejected.map(({ raw }) => raw), bytes);
  const long = Buffer.alloc(STORED_BYTES_MAX + 1, " ");
  t.match(fromRecords([long], agent, false).rejected[0]!.reason, /too long/);
});

t.test("fromRecords() asks for the identity of what is no record, and of nothing else", async (t) => {
  const cut = Buffer.from('{"eventVersion":"1.08","eventTime":"2026-03-02T0');
  const asked: number[] = [];
  const identify = (index: number) => {
    asked.push(index);
    return `line ${index}`;
  };
  const all = [...texts([record(1)]), cut];
  const { drafts, rejected } = fromRecords(all, agent, false, { identify });
  t.same(asked, [1]);
  t.equal(drafts[0]!.record, undefined);
  t.same(rejected, [
    { raw: cut, reason: "Record is not JSON", code: "CAIRN_REJECTED_INPUT", id: "line 1" },
  ]);
});

t.test("runProcessors() keeps the bytes of what stays and writes what changed", async (t) => {
  const { drafts } = fromRecords(texts(records(1, 4)), agent, true);
  const extra = record(99);
  const reshape = processor((batch) => [
    batch[0]!,
    { ...batch[1]!, userAgent: "changed" },
    batch[3]!,
    extra,
  ]);
  const processed = await runProcessors([reshape, processor((batch) => batch)], drafts, agent);
  t.equal(processed.filtered, 1);
  t.equal(processed.added, 1);
  t.equal(processed.drafts[0], drafts[0]);
  t.match(Buffer.from(processed.drafts[1]!.bytes).toString(), '"userAgent":"changed"');
  t.equal(processed.drafts[2], drafts[3]);
  t.equal(processed.drafts[3]!.id, extra.eventID);
});

t.test("runProcessors() tells changed records apart that have no eventID, or the same", async (t) => {
  const { eventID: _, ...bare } = record(1);
  const masked = { ...record(2), eventName: "Masked" };
  const { drafts } = fromRecords(texts([bare, record(2), masked, { ...bare, x: 1 }]), agent, true);
  const change = processor((batch) => batch.map((each) => ({ ...each, userAgent: "changed" })));
  const processed = await runProcessors([change, change], drafts, agent);
  t.match(processed, { filtered: 0, added: 0, rejected: [] });
  t.equal(processed.drafts.length, 4);
  t.match(
    processed.drafts[2]!.record ?? JSON.parse(Buffer.from(processed.drafts[2]!.bytes).toString()),
    {
      eventName: "Masked",
      userAgent: "changed",
    },
  );
});

t.test("runProcessors() sets aside only what makes a processor throw", async (t) => {
  const { drafts } = fromRecords(texts(records(1, 5)), agent, true);
  const picky = processor(async (batch) => {
    if (batch.some(({ userIdentity }) => userIdentity?.userName === "user-3")) {
      throw new Error("no");
    }
    return batch;
  });
  const processed = await runProcessors([picky], drafts, agent);
  t.same(processed.drafts.map(({ id }) => id), [0, 1, 3, 4].map((i) => drafts[i]!.id));
  t.equal(processed.rejected[0]!.raw, drafts[2]!.bytes);
  t.match(processed.rejected[0]!.reason, "no");
  const odd = processor(() => undefined as unknown as CloudTrailRecord[]);
  t.equal((await runProcessors([odd], drafts, agent)).rejected.length, 5);
});

t.test("an intake call stores records with their position, and repeats are counted", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  const intake = pipeline.intake("cloudtrail/a");
  t.equal(intake.position(), undefined);
  await intake.records(texts(records(1, 3)), { position: { f: 1 } });
  await intake.records(texts(records(2, 4)), { position: { g: 2 } });
  await intake.events([], { position: { f: 3 } });
  await intake.records(texts([record(1, { eventName: "Other" })]));
  t.same(intake.position(), { f: 3, g: 2 });
  t.match(pipeline.status().counts, { received: 7, duplicate: 2, stored: 5 });
  t.equal(imbalance(pipeline.status()), undefined);
  await pipeline.stop(patience());

  pipeline = await openPipeline(folder);
  t.same(pipeline.intake("cloudtrail/a").position(), { f: 3, g: 2 });
  await pipeline.intake("cloudtrail/a").records(texts(records(1, 5)));
  t.match(pipeline.status().counts, { received: 12, duplicate: 6, stored: 6 });
  t.equal((await stored(pipeline)).length, 6);
  t.equal(imbalance(pipeline.status()), undefined);
  await pipeline.stop(patience());
});

t.test("P4: a record that comes again is known after any number of restarts", async (t) => {
  // As with a sender that waits long while the agent is started again and again: each life stores
  // something of its own, delivers all there is, and begins a segment.
  const folder = t.testdir();
  for (let life = 0; life < 4; life++) {
    const pipeline = await openPipeline(folder);
    await pipeline.addExporter("file", exporter(async () => {}), quick());
    pipeline.start();
    await pipeline.intake("channel").records(texts(records(1, 3)));
    await pipeline.intake("channel").records(texts(records(100 + life, 100 + life)));
    await pipeline.drained(patience());
    t.match(pipeline.status().counts, { stored: 4 + life, duplicate: life * 3 });
    await pipeline.stop(patience());
  }
});

t.test("records whose ids their receiver made are stored once, whatever else differs", async (t) => {
  const folder = t.testdir();
  const again = (eventTime: string) => texts([record(1, { eventTime })]);
  let pipeline = await openPipeline(folder);
  const options = { identified: true };
  await pipeline.intake("channel").records(again("2026-03-02T08:04:57Z"), options);
  await pipeline.intake("channel").records(again("2026-03-02T08:04:58Z"), options);
  await pipeline.stop(patience());
  pipeline = await openPipeline(folder);
  await pipeline.intake("channel").records(again("2026-03-02T08:04:59Z"), options);
  t.match(pipeline.status().counts, { received: 3, duplicate: 2, stored: 1 });
  t.equal((await stored(pipeline)).length, 1);
  await pipeline.stop(patience());
});

t.test("an intake call stores events as records, the same event once", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  await pipeline.intake("auditd").events([event(), event({ id: "2" }), event()]);
  await pipeline.intake("auditd/other").events([event()]);
  t.match(pipeline.status().counts, { received: 4, duplicate: 2, stored: 2 });
  t.match(JSON.parse((await stored(pipeline))[0]!), { eventName: "UserLogin" });
  await pipeline.stop(patience());
});

t.test("calls made at once are stored once and in their order", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const one = pipeline.intake("file/one");
  const two = pipeline.intake("file/two");
  const calls: Promise<void>[] = [];
  for (let i = 0; i < 40; i++) {
    const batch = records(i * 5 + 1, i * 5 + 10);
    calls.push((i % 2 ? one : two).records(texts(batch), { position: { i } }));
  }
  await Promise.all(calls);
  const found = (await stored(pipeline)).map((text) => Number(JSON.parse(text).eventID.slice(-12)));
  t.same(found, Array.from({ length: 205 }, (_, i) => i + 1));
  t.match(pipeline.status().counts, { received: 400, duplicate: 195, stored: 205 });
  t.same(one.position(), { i: 39 });
  t.equal(pipeline.status().inFlight, 0);
  await pipeline.stop(patience());
});

t.test("reject() keeps the input once and counts it, also across a restart", async (t) => {
  const folder = t.testdir();
  const raw = Buffer.from([0, 255, 10, 128]);
  for (const times of [1, 2]) {
    const pipeline = await openPipeline(folder);
    const intake = pipeline.intake("auditd");
    await intake.reject(raw, "Not an audit line", { id: "audit.log:17", position: { at: 21 } });
    await intake.reject(raw, "Not an audit line");
    const letters = [];
    for await (const letter of pipeline.deadLetters.letters()) letters.push(letter);
    t.equal(letters.length, 2);
    t.match(letters[0], { from: "auditd", reason: "Not an audit line", attempts: 1 });
    t.same(Buffer.from(letters[0]!.raw), raw);
    t.equal(letters[0]!.id, "auditd#audit.log:17");
    t.match(pipeline.status(), { deadLetters: 2, counts: { rejected: 2 * times, stored: 0 } });
    t.same(intake.position(), { at: 21 });
    t.equal(imbalance(pipeline.status()), undefined);
    await pipeline.stop(patience());
  }
});

t.test("a bad event is set aside and the rest of its batch is stored", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const events = [event({ id: "1" }), event({ id: "2", time: -1 }), event({ id: "3" })];
  await pipeline.intake("auditd").events(events, { position: { at: 3 } });
  t.match(pipeline.status(), { deadLetters: 1, counts: { received: 3, rejected: 1, stored: 2 } });
  await pipeline.stop(patience());
});

t.test("a processor's change to the record of an event is stored, once", async (t) => {
  const folder = t.testdir();
  const rename = processor((batch) => batch.map((each) => ({ ...each, eventName: "Renamed" })));
  for (const times of [1, 2]) {
    const pipeline = await openPipeline(folder, { processors: [rename] });
    await pipeline.intake("auditd").events([event({ id: "1" }), event({ id: "2" })]);
    await pipeline.intake("auditd").events([event({ id: "2" })]);
    t.match(pipeline.status().counts, { received: 3 * times, duplicate: 3 * times - 2, stored: 2 });
    t.equal(imbalance(pipeline.status()), undefined);
    await pipeline.stop(patience());
  }
});

t.test("processors filter, change and add, and the books still balance", async (t) => {
  const folder = t.testdir();
  const reshape = processor((batch) =>
    batch.flatMap((each) => {
      const n = Number(each.eventID?.slice(-12));
      if (n === 2) return [];
      return n === 3 ? [{ ...each, userAgent: "redacted" }, record(1000)] : [each];
    })
  );
  let pipeline = await openPipeline(folder, { processors: [reshape] });
  await pipeline.intake("cloudtrail").records(texts(records(1, 4)));
  t.match(pipeline.status().counts, { received: 5, filtered: 1, duplicate: 0, stored: 4 });
  await pipeline.stop(patience());

  pipeline = await openPipeline(folder, { processors: [reshape] });
  await pipeline.intake("cloudtrail").records(texts(records(1, 4)));
  t.match(pipeline.status().counts, { received: 10, filtered: 2, duplicate: 4, stored: 4 });
  t.equal(imbalance(pipeline.status()), undefined);
  await pipeline.stop(patience());
});

t.test("a call that gives up waiting for room was not taken and can be made again", async (t) => {
  const queue = { bytesMax: 256 * 1024, segmentBytesMax: 32 * 1024, overflow: "block" as const };
  const pipeline = await openPipeline(t.testdir(), { queue });
  let open = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  let delivered = 0;
  const slow = exporter(async (batch) => {
    await gate;
    delivered += batch.records.length;
  });
  await pipeline.addExporter("slow", slow, quick());
  pipeline.start();
  const intake = pipeline.intake("file");
  const give = new AbortController();
  let taken = 0;
  let refused: unknown;
  const batches = Array.from({ length: 40 }, (_, i) => records(i * 20 + 1, i * 20 + 20));
  const calls = batches.map((batch) =>
    intake.records(texts(batch), { signal: give.signal }).then(
      () => taken++,
      (error) => refused = error,
    )
  );
  await until(() => pipeline.status().queue.blocked);
  give.abort(new Error("Given up"));
  await Promise.all(calls);
  t.match(refused, { message: "Given up" });
  t.ok(taken > 0 && taken < 40);
  t.equal(pipeline.status().counts.stored, taken * 20);
  open();
  for (const batch of batches) await intake.records(texts(batch));
  await pipeline.drained(patience());
  t.equal(delivered, 800);
  t.match(pipeline.status().counts, { duplicate: taken * 20, stored: 800 });
  t.equal(imbalance(pipeline.status()), undefined);
  await pipeline.stop(patience());
});

t.test("drop_oldest counts what it drops and records it in the queue", async (t) => {
  const queue = {
    bytesMax: 256 * 1024,
    segmentBytesMax: 32 * 1024,
    overflow: "drop_oldest" as const,
  };
  const pipeline = await openPipeline(t.testdir(), { queue });
  const found: CloudTrailRecord[] = [];
  let isDead = true;
  const dead = exporter(async (batch) => {
    if (isDead) throw new Error("Dead");
    found.push(...batch.records.map((each) => each.record));
  });
  await pipeline.addExporter("dead", dead, quick());
  pipeline.start();
  for (let i = 0; i < 50; i++) {
    await pipeline.intake("file").records(texts(records(i * 20 + 1, i * 20 + 20)));
    t.equal(imbalance(pipeline.status()), undefined);
  }
  isDead = false;
  await pipeline.drained(patience());
  const status = pipeline.status();
  t.ok(status.exporters[0]!.lost > 0);
  t.equal(imbalance(status), undefined);
  const drop = found.find(({ eventName }) => eventName === "DropRecords");
  t.match(drop, {
    eventSource: "cairn.internal",
    eventType: "AwsServiceEvent",
    additionalEventData: { pipeline: "audit", exporters: ["dead"] },
  });
  await pipeline.stop(patience());
});

t.test("fanOut() stores in every pipeline and answers the last one's position", async (t) => {
  const folder = t.testdir();
  const first = await openPipeline(`${folder}/a`);
  const second = await openPipeline(`${folder}/b`);
  const intake = fanOut([first.intake("file"), second.intake("file")]);
  await intake.records(texts(records(1, 3)), { position: { at: 3 } });
  await intake.events([event()], { position: { at: 4 } });
  await intake.reject(Buffer.from("x"), "Bad", { id: "5", position: { at: 5 } });
  for (const pipeline of [first, second]) {
    t.match(pipeline.status(), { deadLetters: 1, counts: { received: 5, stored: 4 } });
  }
  t.same(intake.position(), { at: 5 });
  await first.stop(patience());
  await t.rejects(intake.records(texts(records(9, 9))), /is stopped/);
  t.equal(second.status().counts.stored, 4, "the last one does not run ahead");
  await second.stop(patience());
});
