// Dead letters replayed and purged: to whom a record goes, that each goes in once whatever happens,
// and that the books (promise P7) balance all the way.

import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  type Decoded,
  type Exporter,
  type Format,
  PermanentError,
  type Processor,
  RejectedInput,
} from "../../plugins/sdk/index.ts";
import { Pipeline, type PipelineOptions } from "../../src/pipeline/pipeline.ts";
import type { ReplayOrder } from "../../src/pipeline/replay.ts";
import { type Files, realFiles } from "../../src/queue/files.ts";
import { agent, event, recordingLog } from "./agent.ts";
import { quick, record, records, texts } from "./way-in.ts";

/** An exporter that refuses the names it is told to; keeps what it took, by eventID. */
function choosy(): Exporter & { readonly took: string[]; refuses: (id: string) => boolean } {
  const took: string[] = [];
  return {
    took,
    refuses: () => false,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    async export({ records }) {
      const failed = records.filter(({ id }) => this.refuses(id)).map(({ sequence }) => sequence);
      if (failed.length > 0) throw new PermanentError("Not this one", { failed });
      took.push(...records.map(({ id }) => id));
    },
  };
}

/** Reads `UserName`, refuses `!`, says nothing of a blank. */
const format = (): Format => ({
  decode(frame, at): Decoded {
    const name = Buffer.from(frame).toString();
    if (name.startsWith("!")) throw new RejectedInput("Still no name");
    if (name === "") return { events: [] };
    return { events: [event({ id: `${at.source}:${at.offset}`, actor: { type: "user", name } })] };
  },
  flush: () => ({ events: [] }),
  oldestPending: () => undefined,
});

const order = (numbers: readonly number[], parts: Partial<ReplayOrder> = {}): ReplayOrder => {
  return { numbers, format, named: false, ...parts };
};

async function open(
  t: Test,
  options: Partial<PipelineOptions> & { readonly folder?: string } = {},
): Promise<{ pipeline: Pipeline; folder: string; a: ReturnType<typeof choosy>; b: typeof a }> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "cairn-replay-"));
  if (options.folder === undefined) t.teardown(() => rmSync(folder, { recursive: true }));
  const pipeline = await Pipeline.open({
    name: "audit",
    directory: join(folder, "queue"),
    deadLettersDirectory: join(folder, "dead-letters"),
    queue: { bytesMax: 64 * 1024 * 1024, freeDiskBytesMin: 0, overflow: "block" },
    agent,
    clock: Date.now,
    log: recordingLog(),
    processors: [],
    ...options,
  });
  const [a, b] = [choosy(), choosy()];
  await pipeline.addExporter("debug/a", a, quick());
  await pipeline.addExporter("debug/b", b, quick());
  return { pipeline, folder, a, b };
}

function balanced(t: Test, pipeline: Pipeline): void {
  const { counts, exporters, letters } = pipeline.status();
  const { received, filtered, duplicate, rejected, stored } = counts;
  t.equal(received, filtered + duplicate + rejected + stored, "the way in balances");
  for (const { id, delivered, deadLettered, excluded, lost, queued } of exporters) {
    t.equal(stored, delivered + deadLettered + excluded + lost + queued, `${id} balances`);
  }
  const dead = exporters.reduce((sum, { deadLettered }) => sum + deadLettered, 0);
  const { kept, replayed, purged, dropped } = letters;
  t.equal(rejected + dead, kept + replayed + purged + dropped, "the dead letters balance");
}

const stop = (pipeline: Pipeline) => pipeline.stop(new AbortController().signal);

async function numbers(pipeline: Pipeline): Promise<number[]> {
  const found: number[] = [];
  for await (const { number } of pipeline.deadLetters.letters()) found.push(number);
  return found;
}

t.test("what an exporter refused is delivered again, to that exporter only", async (t) => {
  const { pipeline, a, b } = await open(t);
  const bad = record(2).eventID;
  a.refuses = (id) => id === bad;
  pipeline.start();
  await pipeline.intake("cloudtrail").records(texts(records(1, 3)));
  await pipeline.drained();
  t.match(pipeline.status(), { deadLetters: 1, counts: { stored: 3 } });
  balanced(t, pipeline);

  a.refuses = () => false;
  const outcome = await pipeline.replay(order([1, 1, 7]));
  t.same(outcome, { replayed: [1], gone: [7], refused: [] });
  await pipeline.drained();
  t.same([...a.took].sort(), records(1, 3).map(({ eventID }) => eventID));
  t.same(b.took, records(1, 3).map(({ eventID }) => eventID));
  t.match(pipeline.status(), {
    deadLetters: 0,
    letters: { kept: 0, replayed: 1, purged: 0, dropped: 0 },
    counts: { received: 4, stored: 4 },
    exporters: [{ delivered: 3, deadLettered: 1, excluded: 0 }, { delivered: 3, excluded: 1 }],
  });
  balanced(t, pipeline);
  t.same(await pipeline.replay(order([1])), { replayed: [], gone: [1], refused: [] });
  await stop(pipeline);
});

t.test("what is refused again is a new dead letter; one of no exporter stays", async (t) => {
  const { pipeline, a, folder } = await open(t);
  a.refuses = () => true;
  pipeline.start();
  await pipeline.intake("cloudtrail").records(texts(records(1, 2)));
  await pipeline.drained();
  t.match(await pipeline.replay(order([1, 2])), { replayed: [1, 2] });
  await pipeline.drained();
  t.same(await numbers(pipeline), [3, 4]);
  balanced(t, pipeline);
  await stop(pipeline);
  const other = await open(t, { folder, exporters: ["debug/b"] });
  t.match(await other.pipeline.replay(order([3])), {
    replayed: [],
    refused: [{ number: 3, reason: 'There is no exporter "debug/a" in this pipeline' }],
  });
  t.same(await numbers(other.pipeline), [3, 4]);
  await stop(other.pipeline);
});

t.test("what a receiver could not read goes through a format and the processors", async (t) => {
  const upper: Processor = {
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    process: (batch) => batch.map((each) => ({ ...each, eventName: "Renamed" })),
  };
  const { pipeline, a } = await open(t, { processors: [upper] });
  pipeline.start();
  const intake = pipeline.intake("file/names");
  for (const text of ["zoe", "!", "", "\xff\xfe"]) {
    await intake.reject(Buffer.from(text, "latin1"), "No name", { id: `f:${text}` });
  }
  t.match(await pipeline.replay(order([1, 2, 3])), {
    replayed: [1],
    refused: [
      { number: 2, reason: "Still no name" },
      { number: 3, reason: "The format leaves it out" },
    ],
  });
  await pipeline.drained();
  t.equal(a.took.length, 1);
  t.same(await numbers(pipeline), [2, 3, 4]);
  t.match(pipeline.status().counts, { received: 5, rejected: 4, stored: 1 });
  balanced(t, pipeline);
  const none = () => {
    throw new Error("There is no such format");
  };
  t.match(await pipeline.replay(order([4], { format: none })), {
    refused: [{ number: 4, reason: "There is no such format" }],
  });
  await stop(pipeline);
});

t.test("a replay that is cut off between record and letter stores nothing twice", async (t) => {
  let left = Number.POSITIVE_INFINITY;
  const files: Files = {
    ...realFiles,
    open: (path, mode) => {
      const isRemoval = path.includes("removed.") && mode !== "read";
      if (isRemoval && left-- <= 0) return Promise.reject(new Error("killed here"));
      return realFiles.open(path, mode);
    },
  };
  const { pipeline, folder, a } = await open(t, { files });
  a.refuses = () => true;
  pipeline.start();
  const intake = pipeline.intake("file/names");
  await intake.records(texts(records(1, 2)));
  await pipeline.drained();
  await intake.reject(Buffer.from("zoe"), "No name", { id: "f:0" });
  a.refuses = () => false;
  left = 0;
  for (const number of [1, 2, 3]) {
    await t.rejects(pipeline.replay(order([number])), { message: "killed here" });
  }
  t.match(pipeline.status(), { deadLetters: 3, counts: { stored: 5 } });
  await stop(pipeline);

  const again = await open(t, { folder });
  again.pipeline.start();
  t.same(await again.pipeline.replay(order([1, 2, 3])), {
    replayed: [1, 2, 3],
    gone: [],
    refused: [],
  });
  await again.pipeline.drained();
  t.match(again.pipeline.status(), { deadLetters: 0, counts: { stored: 5 } });
  t.equal(new Set([...a.took, ...again.a.took]).size, 3);
  t.equal([...a.took, ...again.a.took].length, 3);
  balanced(t, again.pipeline);
  await stop(again.pipeline);
});

t.test("purge takes what it is told to, in any order, and says how many there were", async (t) => {
  const { pipeline, folder } = await open(t);
  const intake = pipeline.intake("file/names");
  for (let i = 1; i <= 10; i++) await intake.reject(Buffer.from(`n${i}`), "No", { id: `f:${i}` });
  t.equal(await pipeline.purge([[4, 4], [6, 7]]), 3);
  t.equal(await pipeline.purge([[6, 6], [99, 120]]), 0);
  t.same(await numbers(pipeline), [1, 2, 3, 5, 8, 9, 10]);
  t.equal(await pipeline.purge([[1, 3]]), 3);
  t.same(await numbers(pipeline), [5, 8, 9, 10]);
  balanced(t, pipeline);
  await stop(pipeline);
  const again = await open(t, { folder });
  t.same(await numbers(again.pipeline), [5, 8, 9, 10]);
  t.match(again.pipeline.status().letters, { kept: 4, purged: 6, replayed: 0, dropped: 0 });
  // The same input once more: it is not there any more, so it is kept again.
  await again.pipeline.intake("file/names").reject(Buffer.from("n4"), "No", { id: "f:4" });
  t.same(await numbers(again.pipeline), [5, 8, 9, 10, 11]);
  t.equal(await again.pipeline.purge([[1, 1000]]), 5);
  t.same(await numbers(again.pipeline), []);
  balanced(t, again.pipeline);
  await stop(again.pipeline);
});

t.test("letters keep their bytes, however many are read after them", async (t) => {
  const { pipeline, a } = await open(t);
  const intake = pipeline.intake("file/names");
  const padding = "y".repeat(20_000);
  const inputs = texts(records(1, 200)).map((text) =>
    Buffer.from(
      Buffer.from(text).toString().replace("{", `{"additionalEventData":{"p":"${padding}"},`),
    )
  );
  for (const [i, input] of inputs.entries()) await intake.reject(input, "No", { id: `f:${i}` });
  const letters = [];
  for await (const letter of pipeline.deadLetters.letters()) letters.push(letter);
  t.ok(letters.every(({ raw }, i) => inputs[i]!.equals(raw)));
  const plain = (): Format => ({ ...format(), decode: (frame) => ({ records: [frame] }) });
  const all = letters.map(({ number }) => number);
  t.equal((await pipeline.replay(order(all, { format: plain }))).replayed.length, 200);
  pipeline.start();
  await pipeline.drained();
  t.same(a.took, records(1, 200).map(({ eventID }) => eventID));
  balanced(t, pipeline);
  await stop(pipeline);
});

t.test("orders at once are taken one after the other: nothing goes in twice", async (t) => {
  const { pipeline } = await open(t);
  const intake = pipeline.intake("file/names");
  for (let i = 1; i <= 4; i++) await intake.reject(Buffer.from(`n${i}`), "No", { id: `f:${i}` });
  const [first, second, purged] = await Promise.all([
    pipeline.replay(order([1, 2, 3])),
    pipeline.replay(order([2, 3])),
    pipeline.purge([[3, 4]]),
  ]);
  t.same(first.replayed, [1, 2, 3]);
  t.same(second.gone, [2, 3]);
  t.equal(purged, 1);
  t.match(pipeline.status(), { deadLetters: 0, counts: { stored: 3 } });
  balanced(t, pipeline);
  await stop(pipeline);
});
