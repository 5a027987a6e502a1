// A property: whatever is done to a queue, in any order, it answers as a plain list would.

import fc from "fast-check";
import t from "tap";
import type { CursorState } from "../../src/queue/cursor.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { calmDisk, entries, openSmall, recent } from "./small-queue.ts";

type Step =
  | { readonly do: "append"; readonly counts: readonly number[] }
  | { readonly do: "read"; readonly who: number; readonly records: number; readonly bytes: number }
  | { readonly do: "plan"; readonly who: number; readonly length: number }
  | { readonly do: "commit"; readonly who: number; readonly length: number }
  | { readonly do: "reopen" };

const who = fc.nat({ max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    counts: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    do: fc.constant("read" as const),
    who,
    records: fc.integer({ min: 1, max: 20 }),
    bytes: fc.integer({ min: 1, max: 600 }),
  }),
  fc.record({ do: fc.constant("plan" as const), who, length: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant("commit" as const), who, length: fc.nat({ max: 9 }) }),
  fc.constant({ do: "reopen" as const }),
);

interface Model {
  readonly ids: string[];
  readonly cursors: CursorState[];
}

const NAMES = ["a", "b"];

async function take(queue: Queue, model: Model, step: Exclude<Step, { do: "reopen" }>) {
  if (step.do === "append") {
    await Promise.all(step.counts.map((count) => {
      const first = model.ids.length + 1;
      const batch = entries(first, first + count - 1);
      model.ids.push(...batch.map((each) => each.id));
      const position = { next: first + count };
      return queue.append({ entries: batch, receiver: "r", position, counts: { received: count } });
    }));
    return;
  }
  const cursor = await queue.cursor(NAMES[step.who]!);
  const state = model.cursors[step.who]!;
  if (step.do === "read") {
    const read = await cursor.read(state.position, step);
    const expected = model.ids.slice(state.position - 1, read.next - 1);
    same(read.records.map((record) => record.id), expected, "read");
    const more = read.next <= model.ids.length;
    if (more && read.records.length === 0) throw new Error("read nothing where there is something");
    return;
  }
  const length = Math.min(step.length, model.ids.length + 1 - state.position);
  const { plan: _plan, ...books } = state;
  const next = step.do === "commit"
    ? { ...books, position: state.position + length, delivered: state.delivered + length }
    : { ...books, plan: { first: state.position, last: state.position + length - 1, at: 1 } };
  if (length === 0) return;
  await cursor.save(next);
  model.cursors[step.who] = next;
}

async function compare(queue: Queue, model: Model): Promise<void> {
  same(queue.nextSequence(), model.ids.length + 1, "nextSequence");
  same(queue.counts().received, model.ids.length, "received");
  const position = model.ids.length === 0 ? undefined : model.ids.length + 1;
  if (position !== undefined) same(queue.position("r"), { next: position }, "position");
  for (const [i, name] of NAMES.entries()) {
    same((await queue.cursor(name)).state(), model.cursors[i], `cursor ${name}`);
  }
  const { oldestSequence } = queue.stats();
  const needed = Math.min(...model.cursors.map((cursor) => cursor.position));
  if (oldestSequence > needed) throw new Error(`${needed} has gone, oldest is ${oldestSequence}`);
  const newest = (await recent(queue, 8)).map(({ id }) => id);
  same(newest, model.ids.slice(oldestSequence - 1).slice(-8), "the newest");
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

t.test("a queue answers as a list of records with two cursors would", async (t) => {
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 40 }),
    fc.constantFrom(250, 700, 100_000),
    async (steps, segmentBytesMax) => {
      const { files } = calmDisk();
      let queue = await openSmall(files, { segmentBytesMax });
      const first = { position: 1, delivered: 0, deadLettered: 0, excluded: 0, lost: 0 };
      const model: Model = { ids: [], cursors: [first, first] };
      for (const name of NAMES) await queue.cursor(name);
      for (const each of steps) {
        if (each.do === "reopen") {
          await queue.close();
          queue = await openSmall(files, { segmentBytesMax });
        } else await take(queue, model, each);
        await compare(queue, model);
      }
      await queue.close();
    },
  );
  await fc.assert(property, { numRuns: 300 });
  t.pass("300 runs");
});
