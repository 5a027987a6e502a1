// Promises P5 and P6. Delivery, seen from an exporter: what it is called with, and what becomes of
// its failures. The queue beneath is the real one.

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import { type ExportBatch, PermanentError, RetryableError } from "../../plugins/sdk/index.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import { retryDelayMs } from "../../src/pipeline/retry.ts";
import { recordingLog } from "./agent.ts";
import {
  exporter,
  imbalance,
  noPatience,
  openPipeline,
  patience,
  quick,
  records,
  texts,
  until,
} from "./way-in.ts";

/** An exporter that notes its calls and does with the nth (from 1) what it is told. */
function recording(act: (call: number, batch: ExportBatch, signal: AbortSignal) => unknown) {
  const calls: { readonly range: string; readonly sequences: number[]; readonly at: number }[] = [];
  return {
    calls,
    ...exporter(async (batch, signal) => {
      const sequences = batch.records.map(({ sequence }) => sequence);
      const range = `${batch.range.first}-${batch.range.last}`;
      calls.push({ range, sequences, at: batch.plannedAt });
      await act(calls.length, batch, signal);
    }),
  };
}

const ranges = ({ calls }: ReturnType<typeof recording>) => calls.map(({ range }) => range);

async function fill(pipeline: Pipeline, from: number, to: number): Promise<void> {
  await pipeline.intake("file").records(texts(records(from, to)));
}

/** The books of the only exporter, after checking that all balance. */
function books(t: Pick<typeof import("tap").t, "equal">, pipeline: Pipeline) {
  const status = pipeline.status();
  t.equal(imbalance(status), undefined);
  return status.exporters[0]!;
}

t.test("retryDelayMs() grows to its most and honours a wish within reason", async (t) => {
  const options = { initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0.5 };
  t.same([1, 2, 3, 4, 5, 5000].map((n) => retryDelayMs(options, n, 0)), [
    100,
    200,
    400,
    800,
    1000,
    1000,
  ]);
  t.equal(retryDelayMs(options, 1, 1), 50);
  t.equal(retryDelayMs(options, 1, 0, 30_000), 30_000);
  t.equal(retryDelayMs(options, 1, 0, 1e15), 3_600_000);
  t.equal(retryDelayMs(options, 1, 0, Number.NaN), 100);
  t.equal(retryDelayMs(options, 1, 0, -5), 100);
});

t.test("delivery makes batches by count, in order, each once", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const sink = recording(() => {});
  await fill(pipeline, 1, 25);
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.same(ranges(sink), ["1-10", "11-20", "21-25"]);
  t.match(books(t, pipeline), { delivered: 25, queued: 0, state: "running", failures: 0 });
  await fill(pipeline, 26, 27);
  await pipeline.drained(patience());
  t.equal(sink.calls.flatMap(({ sequences }) => sequences).length, 27);
  await pipeline.stop(patience());
  t.equal(pipeline.status().exporters[0]!.state, "stopped");
});

t.test("delivery makes batches by bytes", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const sink = recording(() => {});
  await fill(pipeline, 1, 4);
  const batch = { maxRecords: 1000, maxBytes: 400, maxAgeMs: 1 };
  await pipeline.addExporter("sink", sink, quick({ batch }));
  pipeline.start();
  await pipeline.drained(patience());
  t.same(ranges(sink), ["1-1", "2-2", "3-3", "4-4"]);
  await pipeline.stop(patience());
});

t.test("a batch that is not full leaves at its age", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const sink = recording(() => {});
  await pipeline.addExporter("sink", sink, quick());
  t.equal(pipeline.status().exporters[0]!.state, "starting");
  pipeline.start();
  t.equal(pipeline.status().exporters[0]!.state, "running");
  await fill(pipeline, 1, 3);
  await until(() => pipeline.status().exporters[0]!.delivered === 3);
  t.equal(sink.calls.flatMap(({ sequences }) => sequences).length, 3);
  await pipeline.stop(patience());
});

t.test("drained() does not wait for age, and gives up when told to", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const batch = { maxRecords: 1000, maxBytes: 1e6, maxAgeMs: 3_600_000 };
  const sink = recording(() => {});
  const dead = recording(() => Promise.reject(new Error("Dead")));
  await pipeline.addExporter("sink", sink, quick({ batch }));
  pipeline.start();
  await fill(pipeline, 1, 3);
  await pipeline.drained(patience());
  t.same(ranges(sink), ["1-3"]);
  await pipeline.stop(patience());

  const other = await openPipeline(t.testdir());
  await other.addExporter("dead", dead, quick());
  other.start();
  await fill(other, 1, 1);
  const give = new AbortController();
  const drained = other.drained(give.signal);
  await until(() => dead.calls.length > 2);
  give.abort(new Error("Enough"));
  await t.rejects(drained, { message: "Enough" });
  await other.stop(noPatience());
});

t.test("what selectors do not want is excluded, also in a repeated plan", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  const even = quick({ selectors: ({ sequence }) => sequence % 2 === 0 });
  const dead = recording(() => Promise.reject(new Error("Dead")));
  await fill(pipeline, 1, 12);
  await pipeline.addExporter("sink", dead, even);
  pipeline.start();
  await until(() => dead.calls.length > 1);
  await pipeline.stop(noPatience());
  t.same(dead.calls[0]!.sequences, dead.calls[1]!.sequences);

  pipeline = await openPipeline(folder);
  const sink = recording(() => {});
  await pipeline.addExporter("sink", sink, quick({ selectors: () => true }));
  pipeline.start();
  await pipeline.drained(patience());
  t.same(sink.calls[0], dead.calls[0], "the same records, range and time, whatever it wants now");
  const { delivered, excluded } = books(t, pipeline);
  t.equal(delivered + excluded, 12);
  t.ok(excluded >= 5);
  await pipeline.stop(patience());
});

t.test("an exporter that wants nothing moves on without a call", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const sink = recording(() => {});
  await pipeline.addExporter("sink", sink, quick({ selectors: () => false }));
  pipeline.start();
  await fill(pipeline, 1, 50);
  await pipeline.drained(patience());
  t.same(sink.calls, []);
  t.match(books(t, pipeline), { delivered: 0, excluded: 50, queued: 0 });
  await pipeline.stop(patience());
});

t.test("a selector that throws loses nothing", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const sink = recording(() => {});
  const selectors = () => {
    throw new Error("Cannot judge");
  };
  await pipeline.addExporter("sink", sink, quick({ selectors }));
  pipeline.start();
  await fill(pipeline, 1, 5);
  await pipeline.drained(patience());
  t.match(books(t, pipeline), { delivered: 5, excluded: 0 });
  await pipeline.stop(patience());
});

t.test("any failure is retried with the same range until it works", async (t) => {
  const faults: (() => unknown)[] = [
    () => Promise.reject(new Error("Unknown")),
    () => Promise.reject(new RetryableError("Busy", { afterMs: 2 })),
    () => Promise.reject(undefined),
    () => Promise.reject("text"),
    () => Promise.reject(new PermanentError("Names nobody", { failed: [] })),
    () => Promise.reject(new PermanentError("Names others", { failed: [900, -1] })),
    () => Promise.reject(new RetryableError("Names others", { remaining: [900] })),
    () => {
      throw new TypeError("At once");
    },
  ];
  const pipeline = await openPipeline(t.testdir());
  await fill(pipeline, 1, 5);
  const reports: string[] = [];
  const log = recordingLog();
  const sink = recording((call) => faults[call - 1]?.());
  await pipeline.addExporter(
    "sink",
    sink,
    quick({ report: (state, reason) => reports.push(`${state} ${reason ?? ""}`.trim()) }),
  );
  pipeline.start();
  await pipeline.drained(patience());
  t.equal(sink.calls.length, faults.length + 1);
  for (const call of sink.calls) t.same(call, sink.calls[0]);
  t.match(books(t, pipeline), { delivered: 5, deadLettered: 0, queued: 0 });
  t.same(reports, ["running", "degraded Unknown", "running"], "said once, not each time");
  t.same(log.lines, []);
  await pipeline.stop(patience());
});

t.test("RetryableError.remaining narrows the next attempt, not the plan", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  await fill(pipeline, 1, 5);
  const sink = recording((call) => {
    if (call === 1) throw new RetryableError("Some", { remaining: [2, 4] });
    throw new RetryableError("One", { remaining: [4] });
  });
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await until(() => sink.calls.length > 3);
  await pipeline.stop(noPatience());
  t.same(sink.calls.slice(0, 3).map(({ sequences }) => sequences), [[1, 2, 3, 4, 5], [2, 4], [4]]);
  t.same(new Set(ranges(sink)), new Set(["1-5"]));

  pipeline = await openPipeline(folder);
  const again = recording(() => {});
  await pipeline.addExporter("sink", again, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.same(again.calls, [sink.calls[0]]);
  t.match(books(t, pipeline), { delivered: 5 });
  await pipeline.stop(patience());
});

t.test("PermanentError sets aside what it names, and offers the rest again", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  await fill(pipeline, 1, 10);
  const sink = recording((call) => {
    if (call === 1) throw new PermanentError("Too odd", { failed: [3, 4], code: "ODD" });
    if (call === 2) throw new Error("Busy");
  });
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.same(sink.calls[1]!.sequences, [1, 2, 5, 6, 7, 8, 9, 10]);
  t.same(sink.calls[2], sink.calls[1]);
  t.match(books(t, pipeline), { delivered: 8, deadLettered: 2, queued: 0 });
  const letters = [];
  for await (const letter of pipeline.deadLetters.letters()) letters.push(letter);
  t.match(letters.map(({ id, code, from, sequence }) => ({ id, code, from, sequence })), [
    { id: "sink#3", code: "ODD", from: "sink", sequence: 3 },
    { id: "sink#4", code: "ODD", from: "sink", sequence: 4 },
  ]);
  t.equal(Buffer.from(letters[0]!.raw).toString(), JSON.stringify(records(3, 3)[0]));
  await pipeline.stop(patience());
});

t.test("PermanentError sets a batch aside once, also when its plan comes again", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  await fill(pipeline, 1, 4);
  const refuse = recording((call) => {
    if (call === 1) throw new PermanentError("Never", { failed: [1] });
    throw new Error("Busy");
  });
  await pipeline.addExporter("sink", refuse, quick());
  pipeline.start();
  await until(() => refuse.calls.length > 2);
  await pipeline.stop(noPatience());
  t.match(books(t, pipeline), { delivered: 0, deadLettered: 0, queued: 4 });

  pipeline = await openPipeline(folder);
  const foreign = Object.assign(new Error("Never"), { name: "PermanentError" });
  const all = recording(() => Promise.reject(foreign));
  await pipeline.addExporter("sink", all, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.match(books(t, pipeline), { delivered: 0, deadLettered: 4, queued: 0 });
  t.equal(pipeline.status().deadLetters, 4);
  await pipeline.stop(patience());
});

t.test("P6: a dead exporter delays nobody", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  const dead = recording(() => Promise.reject(new Error("Dead")));
  const sink = recording(() => {});
  await pipeline.addExporter("dead", dead, quick());
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await fill(pipeline, 1, 100);
  await until(() => {
    const [first, second] = pipeline.status().exporters;
    return second!.delivered === 100 && first!.lastError !== undefined;
  });
  t.match(books(t, pipeline), { delivered: 0, queued: 100, state: "degraded", lastError: "Dead" });
  await pipeline.stop(noPatience());
});

t.test("an exporter that hangs is aborted and its batch offered again", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  await fill(pipeline, 1, 3);
  const sink = recording((call, _, signal) =>
    call === 1
      ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      : undefined
  );
  await pipeline.addExporter("sink", sink, quick({ timeoutMs: 5 }));
  pipeline.start();
  await pipeline.drained(patience());
  t.same(ranges(sink), ["1-3", "1-3"]);
  t.match(books(t, pipeline), { delivered: 3, lastError: /timed out/ });
  await pipeline.stop(patience());
});

t.test("an exporter that does not heed its signal never has two calls at once", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  await fill(pipeline, 1, 3);
  let finish = () => {};
  let running = 0;
  let most = 0;
  const sink = recording(async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => finish = resolve);
    running--;
  });
  await pipeline.addExporter("sink", sink, quick({ timeoutMs: 2 }));
  pipeline.start();
  await until(() => pipeline.status().exporters[0]!.state === "degraded");
  for (let i = 0; i < 50; i++) await setImmediate();
  t.equal(sink.calls.length, 1);
  finish();
  await pipeline.drained(patience());
  t.match([most, sink.calls.length], [1, 1], "what it resolves late is delivered");
  t.match(books(t, pipeline), { delivered: 3, state: "running" });
  await pipeline.stop(patience());
});

t.test("stop() waits for the export under way and commits it", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  await fill(pipeline, 1, 30);
  let finish = () => {};
  const slow = recording(() => new Promise<void>((resolve) => finish = resolve));
  await pipeline.addExporter("sink", slow, quick());
  pipeline.start();
  await until(() => slow.calls.length === 1);
  const stopped = pipeline.stop(patience());
  finish();
  await stopped;
  await pipeline.stop(patience());
  t.equal(slow.calls.length, 1);
  t.match(books(t, pipeline), { delivered: 10, queued: 20 });

  pipeline = await openPipeline(folder);
  const sink = recording(() => {});
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.same(ranges(sink), ["11-20", "21-30"]);
  await pipeline.stop(patience());
});

t.test("stop() gives up at its deadline and the plan is delivered first afterwards", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder, { clock: () => 1000 });
  await fill(pipeline, 1, 5);
  const deaf = recording(() => new Promise<void>(() => {}));
  await pipeline.addExporter("sink", deaf, quick());
  pipeline.start();
  await until(() => deaf.calls.length === 1);
  await pipeline.stop(noPatience());

  pipeline = await openPipeline(folder, { clock: () => 2000 });
  await fill(pipeline, 6, 9);
  const sink = recording(() => {});
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.same(sink.calls[0], { range: "1-5", sequences: [1, 2, 3, 4, 5], at: 1000 });
  t.same(ranges(sink), ["1-5", "6-9"]);
  t.match(books(t, pipeline), { delivered: 9, queued: 0 });
  await pipeline.stop(patience());
});

t.test("stop() is safe without start, and twice", async (t) => {
  const pipeline = await openPipeline(t.testdir());
  await pipeline.addExporter("sink", recording(() => {}), quick());
  await pipeline.stop(patience());
  await pipeline.stop(noPatience());
  await t.rejects(pipeline.intake("file").records(texts(records(1, 1))), /is stopped/);
});
