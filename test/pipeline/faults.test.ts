// Promises P2 and P7. Random faults from a seed: exporters that fail in every way, stops that give
// up, processors that throw, batches that repeat. After each, the books balance; at the end,
// nothing is missing.

import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import {
  type CloudTrailRecord,
  type ExportBatch,
  PermanentError,
  RetryableError,
} from "../../plugins/sdk/index.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import {
  exporter,
  imbalance,
  noPatience,
  openPipeline,
  patience,
  processor,
  quick,
  records,
  texts,
} from "./way-in.ts";

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the far end of an exporter has seen, through all runs of the agent. */
class FarEnd {
  readonly arrived = new Set<number>();
  readonly refused = new Set<number>();
  /** Records of each range as first offered in a run. */
  readonly plans = new Map<number, string>();
  readonly problems: string[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Checks that a range is what it was when it came first; `isFirst` of this run of the agent. */
  note({ range, records, plannedAt }: ExportBatch, isFirst: boolean): void {
    const plan = `${range.last}@${plannedAt}:${records.map(({ sequence }) => sequence).join()}`;
    const known = this.plans.get(range.first);
    if (known === undefined) this.plans.set(range.first, plan);
    else if (isFirst && known !== plan) this.problems.push(`${known} became ${plan}`);
  }

  async receive({ records }: ExportBatch, signal: AbortSignal): Promise<void> {
    const some = () => records.map(({ sequence }) => sequence).filter(() => this.#random() < 0.3);
    const dice = this.#random();
    if (dice < 0.2) throw new Error("Unknown");
    if (dice < 0.3) {
      const remaining = some();
      if (remaining.length > 0) {
        for (const { sequence } of records) {
          if (!remaining.includes(sequence)) this.arrived.add(sequence);
        }
      }
      throw new RetryableError("Some", { remaining });
    }
    if (dice < 0.35) {
      const failed = some();
      for (const sequence of failed) this.refused.add(sequence);
      throw new PermanentError("Never", { failed });
    }
    if (dice < 0.4) {
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("Aborted")), { once: true });
      });
    }
    if (dice < 0.6) await setImmediate();
    for (const { sequence } of records) this.arrived.add(sequence);
  }
}

async function attach(pipeline: Pipeline, name: string, end: FarEnd): Promise<void> {
  const seen = new Set<number>();
  const sink = exporter(async (batch, signal) => {
    end.note(batch, !seen.has(batch.range.first));
    seen.add(batch.range.first);
    await end.receive(batch, signal);
  });
  await pipeline.addExporter(
    name,
    sink,
    quick({
      selectors: ({ sequence }) => name === "a" || sequence % 3 > 0,
      batch: { maxRecords: 7, maxBytes: 2500, maxAgeMs: 1 },
      timeoutMs: 3,
    }),
  );
}

/** One history: ten runs of the agent on one folder; answers with all that is wrong. */
async function history(folder: string, seed: number): Promise<string[]> {
  const random = randomFrom(seed);
  const ends = { a: new FarEnd(random), b: new FarEnd(random) };
  const problems: string[] = [];
  const picky = processor((batch) => {
    if (random() < 0.05) throw new Error("Now and then");
    return batch;
  });
  let sent = 0;
  for (let run = 0; run < 10; run++) {
    const pipeline = await openPipeline(folder, { processors: [picky] });
    const check = () => {
      const wrong = imbalance(pipeline.status());
      if (wrong !== undefined) problems.push(wrong);
    };
    check();
    for (const [name, end] of Object.entries(ends)) await attach(pipeline, name, end);
    pipeline.start();
    for (let i = 0; i < 3; i++) {
      // Some of it again, as a receiver does that lost its position.
      const from = Math.max(1, sent + 1 - Math.floor(random() * 10));
      sent += Math.floor(random() * 15);
      await pipeline.intake("file").records(texts(records(from, Math.max(from, sent))));
      sent = Math.max(from, sent);
      check();
      for (let turns = random() * 8; turns > 0; turns--) await setImmediate();
    }
    if (run === 9) await pipeline.drained(patience());
    check();
    await pipeline.stop(random() < 0.5 ? noPatience() : patience());
    check();
    if (run === 9) problems.push(...await missing(pipeline, ends, sent));
  }
  return [...problems, ...ends.a.problems, ...ends.b.problems];
}

async function missing(
  pipeline: Pipeline,
  ends: Readonly<Record<string, FarEnd>>,
  sent: number,
): Promise<string[]> {
  const { counts, exporters } = pipeline.status();
  const problems: string[] = [];
  if (counts.stored + counts.rejected < sent) {
    problems.push(`${sent} sent, ${counts.stored} stored`);
  }
  for (const { id, queued, lost } of exporters) {
    if (queued + lost > 0) problems.push(`${id}: ${queued} queued, ${lost} lost`);
    for (let sequence = 1; sequence <= counts.stored; sequence++) {
      if (id === "b" && sequence % 3 === 0) continue;
      const end = ends[id]!;
      if (!end.arrived.has(sequence) && !end.refused.has(sequence)) {
        problems.push(`${id}: ${sequence} is missing`);
      }
    }
  }
  return problems;
}

t.test("P7: no fault loses a record, changes a plan or unbalances the books", async (t) => {
  const folder = t.testdir();
  const seeds = process.env.CAIRN_SOAK ? 200 : 6;
  for (let seed = 1; seed <= seeds; seed++) {
    t.same(await history(`${folder}/${seed}`, seed), [], `seed ${seed}`);
  }
});

t.test("dead letters survive a repeat, a long input and a full folder", async (t) => {
  const pipeline = await openPipeline(t.testdir(), { queue: { bytesMax: 4 * 1024 * 1024 } });
  const intake = pipeline.intake("file");
  const long = Buffer.alloc(9 * 1024 * 1024, "x");
  await intake.reject(long, "Too long to be kept whole", { id: "1" });
  const first = (await pipeline.deadLetters.letters().next()).value;
  t.equal(first.rawBytes, long.length);
  t.equal(first.raw.length, 1024 * 1024);
  const raw = Buffer.alloc(100 * 1024, "y");
  for (let i = 0; i < 100; i++) await intake.reject(raw, "Bad", { id: `at ${i}` });
  const letters: string[] = [];
  for await (const letter of pipeline.deadLetters.letters()) letters.push(letter.id);
  t.equal(letters.at(-1), "file#at 99");
  t.ok(letters.length > 10 && letters.length < 50, "the oldest went");
  t.equal(pipeline.status().deadLetters, letters.length);
  t.equal(imbalance(pipeline.status()), undefined);
  await pipeline.stop(patience());
});

t.test("a damaged frame is counted as lost and recorded in the queue", async (t) => {
  const folder = t.testdir();
  let pipeline = await openPipeline(folder);
  for (let i = 0; i < 10; i++) {
    await pipeline.intake("file").records(texts(records(i * 5 + 1, i * 5 + 5)));
  }
  await pipeline.stop(patience());
  const queue = join(folder, "queue");
  const segment = join(queue, readdirSync(queue).find((name) => name.endsWith(".seg"))!);
  const bytes = readFileSync(segment);
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
  writeFileSync(segment, bytes);

  pipeline = await openPipeline(folder);
  const found: CloudTrailRecord[] = [];
  const sink = exporter(async (batch) => {
    found.push(...batch.records.map((each) => each.record));
  });
  await pipeline.addExporter("sink", sink, quick());
  pipeline.start();
  await pipeline.intake("file").records(texts(records(51, 55)));
  await pipeline.drained(patience());
  const { exporters, counts } = pipeline.status();
  t.equal(imbalance(pipeline.status()), undefined);
  t.equal(exporters[0]!.lost, 5);
  t.match(counts, { stored: 56 });
  t.match(found.find(({ eventName }) => eventName === "QuarantineFrame"), {
    eventSource: "cairn.internal",
    additionalEventData: { pipeline: "audit", lost: 5 },
  });
  await pipeline.stop(patience());
});
