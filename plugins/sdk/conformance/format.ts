// The part of conformance() for formats: any bytes, any restart, no shared state.

import type { Test } from "tap";
import { RejectedInput } from "../errors.ts";
import type { FormatFactory } from "../factory.ts";
import type { Decoded, Format } from "../format.ts";
import { testAgent } from "./context.ts";
import { randomBytes, seededRandom } from "./until.ts";

/** What conformance() needs to know about a format. */
export interface FormatConformance {
  /** The shortest valid configuration. */
  readonly minimal: Readonly<Record<string, unknown>>;
  /** The configuration for the frames; `minimal` by default. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Well-formed frames of one stream in their order, some hundred at most. */
  readonly frames: readonly Uint8Array[];
}

/** Frames stand this far apart, so that a test can put others between them. */
const STRIDE = 1_000_000;
const SOURCE = "test:1";
const NOISE_ROUNDS = 500;
const RESTARTS_MAX = 200;

/** What a run of a format gave: JSON texts, of events by their ids, the first one kept. */
type Found = Map<string, string>;

function collect(found: Found, decoded: Decoded): void {
  if ("events" in decoded) {
    for (const event of decoded.events) keep(found, event.id, JSON.stringify(event));
    return;
  }
  for (const bytes of decoded.records) {
    const text = new TextDecoder().decode(bytes);
    keep(found, text, text);
  }
}

function keep(found: Found, id: string, text: string): void {
  if (!found.has(id)) found.set(id, text);
}

function read(format: Format, frames: readonly Uint8Array[], from = 0, found: Found = new Map()) {
  for (let i = from; i < frames.length; i++) {
    collect(found, format.decode(frames[i]!, { source: SOURCE, offset: i * STRIDE }));
  }
  return found;
}

/** All of it. */
export async function checkFormat(
  t: Test,
  factory: FormatFactory,
  options: FormatConformance,
): Promise<void> {
  const config = factory.config.parse(options.config ?? options.minimal);
  const make = () => factory.create(config, { agent: testAgent, ignored: () => {} });
  await checkNoise(t, make, options.frames);
  await checkSameFrames(t, make, options.frames);
  await checkPending(t, make, options.frames);
}

async function checkNoise(
  t: Test,
  make: () => Format,
  frames: readonly Uint8Array[],
): Promise<void> {
  await t.test("decode() answers any bytes with events, records or RejectedInput", async (t) => {
    const random = seededRandom(3);
    const format = make();
    const wrong: string[] = [];
    let offset = 0;
    for (const frame of noise(random, frames)) {
      const problem = attempt(format, frame, offset);
      if (problem !== "") wrong.push(problem);
      offset += frame.length + 1;
    }
    t.same(wrong, []);
    t.doesNotThrow(() => format.flush(Infinity), "flush() never throws");
  });

  await t.test("decode() reads good frames the same with bad ones between them", async (t) => {
    const random = seededRandom(5);
    const alone = read(make(), frames);
    const format = make();
    const mixed: Found = new Map();
    for (const [i, frame] of frames.entries()) {
      collect(mixed, format.decode(frame, { source: SOURCE, offset: i * STRIDE }));
      const bad = randomBytes(random, 40).map((byte) => byte | 0x80);
      attempt(format, bad, i * STRIDE + STRIDE / 2);
    }
    collect(mixed, format.flush(Infinity));
    const missing = [...alone.keys()].filter((id) => !mixed.has(id));
    t.same(missing, []);
  });
}

/** What is wrong with the answer to one frame; empty when nothing is. */
function attempt(format: Format, frame: Uint8Array, offset: number): string {
  const shown = JSON.stringify(new TextDecoder().decode(frame.subarray(0, 60)));
  try {
    const decoded = format.decode(frame, { source: SOURCE, offset });
    const isAnswer = Array.isArray("events" in decoded ? decoded.events : decoded.records);
    return isAnswer ? "" : `${shown}: neither events nor records`;
  } catch (error) {
    if (error instanceof RejectedInput && error.message.length > 0) return "";
    return `${shown}: ${error instanceof Error ? error.stack : String(error)}`;
  }
}

function* noise(random: () => number, frames: readonly Uint8Array[]): Generator<Uint8Array> {
  const encode = (text: string) => new TextEncoder().encode(text);
  yield new Uint8Array(0);
  yield new Uint8Array(4096);
  yield encode("[".repeat(100_000));
  yield encode('{"a":'.repeat(50_000));
  yield encode('"'.repeat(1000));
  yield encode('{"__proto__":{"polluted":1},"constructor":1,"eventTime":{}}');
  yield encode("null");
  yield encode("\ufeff{}");
  for (let round = 0; round < NOISE_ROUNDS; round++) {
    yield randomBytes(random, Math.floor(random() * 300));
    const sample = frames[Math.floor(random() * frames.length)];
    if (sample !== undefined) yield damaged(random, sample);
  }
}

/** A copy with flipped bytes, a cut tail or a hole. */
function damaged(random: () => number, frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame);
  const choice = Math.floor(random() * 3);
  const at = Math.floor(random() * copy.length);
  if (choice === 0) return copy.subarray(0, at);
  if (choice === 1) return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 10)]);
  for (let flips = 0; flips < 4 && copy.length > 0; flips++) {
    copy[Math.floor(random() * copy.length)] = random() * 256;
  }
  return copy;
}

async function checkSameFrames(
  t: Test,
  make: () => Format,
  frames: readonly Uint8Array[],
): Promise<void> {
  await t.test("two instances do not share state, and the same frames give the same", async (t) => {
    const format = make();
    const alone = read(format, frames);
    collect(alone, format.flush(Infinity));
    t.ok(alone.size > 0, "the sample frames hold events");
    const [a, b] = [make(), make()];
    const [left, right]: [Found, Found] = [new Map(), new Map()];
    for (const [i, frame] of frames.entries()) {
      collect(left, a.decode(frame, { source: SOURCE, offset: i * STRIDE }));
      collect(right, b.decode(frame, { source: SOURCE, offset: i * STRIDE }));
    }
    collect(left, a.flush(Infinity));
    collect(right, b.flush(Infinity));
    t.same([...left], [...alone]);
    t.same([...right], [...alone]);
  });

  await t.test("decode() does not keep a frame's memory", async (t) => {
    const format = make();
    const alone = read(format, frames);
    collect(alone, format.flush(Infinity));
    const shared = new Uint8Array(Math.max(1, ...frames.map((frame) => frame.length)));
    const other = make();
    const found: Found = new Map();
    for (const [i, frame] of frames.entries()) {
      shared.set(frame);
      const view = shared.subarray(0, frame.length);
      collect(found, other.decode(view, { source: SOURCE, offset: i * STRIDE }));
      shared.fill(0x58);
    }
    collect(found, other.flush(Infinity));
    t.same([...found], [...alone]);
  });
}

async function checkPending(
  t: Test,
  make: () => Format,
  frames: readonly Uint8Array[],
): Promise<void> {
  await t.test("oldestPending() is a frame already seen, and none after a flush", async (t) => {
    const format = make();
    t.equal(format.oldestPending(), undefined, "nothing waits at first");
    let last = -1;
    const wrong: string[] = [];
    for (const [i, frame] of frames.entries()) {
      format.decode(frame, { source: SOURCE, offset: i * STRIDE });
      const pending = format.oldestPending();
      if (pending === undefined) continue;
      if (pending.source !== SOURCE) wrong.push(`frame ${i}: source ${pending.source}`);
      if (pending.offset % STRIDE !== 0) wrong.push(`frame ${i}: between frames`);
      if (pending.offset > i * STRIDE) wrong.push(`frame ${i}: ahead of it`);
      if (pending.offset < last) wrong.push(`frame ${i}: goes back`);
      last = pending.offset;
    }
    t.same(wrong, []);
    format.flush(Infinity);
    t.equal(format.oldestPending(), undefined, "nothing waits after flush(Infinity)");
  });

  await t.test("a new instance that resumes at oldestPending() misses nothing", async (t) => {
    const whole = make();
    const expected = read(whole, frames);
    collect(expected, whole.flush(Infinity));
    const step = Math.max(1, Math.ceil(frames.length / RESTARTS_MAX));
    const wrong: string[] = [];
    for (let cut = 1; cut < frames.length; cut += step) {
      const first = make();
      const found = read(first, frames.slice(0, cut));
      const resume = (first.oldestPending()?.offset ?? cut * STRIDE) / STRIDE;
      const second = make();
      read(second, frames, resume, found);
      collect(found, second.flush(Infinity));
      const missing = [...expected.keys()].filter((id) => !found.has(id));
      if (missing.length > 0) wrong.push(`restart after frame ${cut}: without ${missing}`);
    }
    t.same(wrong, []);
  });
}
