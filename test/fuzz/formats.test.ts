// Every format over real samples that were flipped, cut, spliced, repeated and reordered: nothing
// is thrown but RejectedInput, each frame ends as something, and memory keeps within bounds.
// The short version is the same each time; CAIRN_SOAK=1 runs a hundred times as many, others each
// time. CAIRN_FUZZ_SEED=n, as it was printed, replays a run.

import { Buffer } from "node:buffer";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import t from "tap";
import type { FormatFactory } from "../../plugins/sdk/index.ts";
import { isAccountedAlone, readAll, Reader } from "../formats/reading.ts";
import { formatOf, samplePools, type SampleRow, samplesMissing } from "../formats/samples.ts";

const SOAK = Boolean(process.env.CAIRN_SOAK);
const SEED = Number(process.env.CAIRN_FUZZ_SEED ?? (SOAK ? Date.now() % 2 ** 31 : 1));
const RUNS = SOAK ? 4000 : 40;
// A frame that is repeated grows up to here: what one line or message is allowed.
const FRAME_BYTES_MAX = 256 * 1024;
// Beyond this a sample says nothing more, and each change of it takes as much longer.
const SAMPLE_BYTES_MAX = 16 * 1024;
// How much is read without an end, and how much of it may still be held.
const FLOOD_BYTES = (SOAK ? 256 : 1) * 2 ** 20;
const HELD_BYTES_MAX = (SOAK ? 96 : 16) * 2 ** 20;

t.setTimeout(SOAK ? 3_600_000 : 280_000);

const ODD = [
  "\0",
  "\n",
  "\x1d",
  '"',
  "\\",
  "}",
  "]",
  "'",
  "=",
  " ",
  "\ud7ff\xed\xa0\x80",
  '"__proto__":{"a":1},',
  "-",
  "1e999",
  "99999999999999999999",
  "null",
  "%00",
  "NaN",
  ",,,,",
].map((text) => Buffer.from(text, "latin1"));

interface Change {
  readonly frame: number;
  readonly kind: "flip" | "cut" | "splice" | "repeat" | "odd" | "copy" | "swap" | "drop";
  readonly at: number;
  readonly length: number;
  readonly other: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  frame: fc.nat(63),
  kind: fc.constantFrom("flip", "cut", "splice", "repeat", "odd", "copy", "swap", "drop"),
  at: fc.nat(4000),
  length: fc.nat(400),
  other: fc.nat(100_000),
});

const plan = fc.record({
  start: fc.nat(100_000),
  length: fc.integer({ min: 1, max: 16 }),
  changes: fc.array(change, { maxLength: 12 }),
});

/** Bytes of a frame changed in one way; `other` is a frame, or a number, to do it with. */
function changed(frame: Buffer, { kind, at, length, other }: Change, pool: readonly Buffer[]) {
  const from = frame.length === 0 ? 0 : at % frame.length;
  const to = Math.min(frame.length, from + length);
  const [head, middle, tail] = [
    frame.subarray(0, from),
    frame.subarray(from, to),
    frame.subarray(to),
  ];
  if (kind === "cut") return Buffer.concat([head, tail]);
  if (kind === "odd") return Buffer.concat([head, ODD[other % ODD.length]!, frame.subarray(from)]);
  if (kind === "splice") return Buffer.concat([head, pool[other % pool.length]!.subarray(at)]);
  if (kind === "repeat") {
    const room = Math.floor((FRAME_BYTES_MAX - frame.length) / Math.max(1, middle.length));
    const times = Math.max(0, Math.min(other % 5000, room));
    return Buffer.concat([head, ...Array<Buffer>(times).fill(middle), tail]);
  }
  const flipped = Buffer.from(frame);
  if (flipped.length > 0) flipped[from] = flipped[from]! ^ (1 << (other % 8));
  return flipped;
}

/** Some frames of the pool that follow each other, after the plan's changes. */
function mutated(pool: readonly Buffer[], { start, length, changes }: Plan): Buffer[] {
  const first = start % pool.length;
  const frames = pool.slice(first, first + length);
  for (const one of changes) {
    if (frames.length === 0) break;
    const at = one.frame % frames.length;
    const other = one.other % frames.length;
    const frame = frames[at]!;
    if (one.kind === "drop") frames.splice(at, 1);
    else if (one.kind === "copy") frames.splice(other, 0, frame);
    else if (one.kind === "swap") [frames[at], frames[other]] = [frames[other]!, frame];
    else frames[at] = changed(frame, one, pool);
  }
  return frames;
}

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

function check(factory: FormatFactory, row: SampleRow, frames: readonly Buffer[]): void {
  const { events, silent } = readAll(factory, row, frames);
  if (silent.length > 0) throw new Error(`Disappeared: ${JSON.stringify(String(silent[0]))}`);
  const bytes = frames.reduce((sum, { length }) => sum + length, 0);
  const text = JSON.stringify(events);
  // Names and defaults are added, and some values are said twice; nothing is multiplied.
  if (text.length > 8 * bytes + 8192 * events.length + 64) {
    throw new Error(`${bytes} bytes became ${text.length}`);
  }
  for (const { id, time } of events) {
    if (id === "" || !Number.isFinite(time)) throw new Error(`Event "${id}" at ${time}`);
  }
  for (const frame of frames) {
    if (!isAccountedAlone(factory, row, frame)) {
      throw new Error(`Alone, disappears: ${JSON.stringify(String(frame))}`);
    }
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heldBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Reads changed frames on and on; answers how much more is held after them than before. */
function flood(factory: FormatFactory, row: SampleRow, pool: readonly Buffer[]): number {
  const plans = fc.sample(plan, { seed: SEED, numRuns: 500 });
  const before = heldBytes();
  const reader = new Reader(factory, row);
  for (let bytes = 0, n = 0; bytes < FLOOD_BYTES; n++) {
    for (const frame of mutated(pool, plans[n % plans.length]!)) {
      reader.read(frame);
      bytes += frame.length;
    }
    bytes++;
    reader.forget();
  }
  const held = heldBytes() - before;
  reader.end();
  return held;
}

const pools = samplePools().map(({ name, row, files }) => ({
  name,
  row,
  pool: files.flat().filter(({ length }) => length <= SAMPLE_BYTES_MAX),
})).filter(({ pool }) => pool.length > 0);

t.comment(`CAIRN_FUZZ_SEED=${SEED}`);
t.ok(samplesMissing || pools.length > 0, `${pools.length} kinds of samples`);

for (const { name, row, pool } of pools) {
  t.test(`P8: format ${name}: changed samples end as events, ignored or rejected`, async (t) => {
    const factory = await formatOf(row);
    if (factory === undefined) throw new Error(`No format ${row.format}`);
    fc.assert(fc.property(plan, (plan) => check(factory, row, mutated(pool, plan))), {
      seed: SEED,
      numRuns: RUNS,
    });
    const held = flood(factory, row, pool);
    t.ok(held < HELD_BYTES_MAX, `holds ${held} bytes after ${FLOOD_BYTES} bytes`);
  });
}
