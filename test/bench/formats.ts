// What each format costs: real samples, repeated until they have made a hundred thousand actions,
// beside what JSON.parse takes for the same frames where they are JSON. One thread, this runtime.
// The samples come again and again, so that whatever a format remembers is as warm as it gets.

import process from "node:process";
import type { FormatFactory } from "../../plugins/sdk/index.ts";
import { Reader } from "../formats/reading.ts";
import { formatOf, type SamplePool, samplePools, type SampleRow } from "../formats/samples.ts";

const ACTIONS_MIN = 100_000;
const WARM_ACTIONS = 20_000;
// A format that makes few actions of many lines, or none, is measured for this long.
const SECONDS_MAX = 10;

interface Cost {
  readonly frames: number;
  readonly actions: number;
  readonly cpuSeconds: number;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The frames as if all of it had happened again, some seconds later. */
function laterFrames({ format }: SampleRow, frames: readonly Buffer[], seconds: number) {
  // Only an audit event's name is its time: the same one again would come too late.
  if (format !== "audit") return frames;
  return frames.map((frame) => {
    const text = frame.toString("latin1");
    const later = text.replace(/audit\((\d+)/, (_, time) => `audit(${Number(time) + seconds}`);
    return Buffer.from(later, "latin1");
  });
}

/** Reads the files over and over; what waits is handed out at the end of each. */
function measure(
  factory: FormatFactory,
  row: SampleRow,
  files: SamplePool["files"],
  actionsMin: number,
): Cost {
  const reader = new Reader(factory, row);
  const { reading } = reader;
  let seconds = 0;
  for (let pass = 0; reading.actions < actionsMin && seconds < SECONDS_MAX; pass++) {
    const fresh = files.map((frames, n) => laterFrames(row, frames, pass * files.length + n));
    const begin = cpuSeconds();
    for (const frames of fresh) {
      for (const frame of frames) reader.read(frame);
      reader.end();
    }
    reader.forget();
    seconds += cpuSeconds() - begin;
  }
  return { frames: reading.frames, actions: reading.actions, cpuSeconds: seconds };
}

/** Microseconds of JSON.parse for a frame on average; undefined where most frames are no JSON. */
function jsonMicroseconds(frames: readonly Buffer[]): number | undefined {
  const texts = frames.filter(isJson);
  if (texts.length < frames.length / 2) return undefined;
  const times = Math.ceil(WARM_ACTIONS / texts.length);
  let begin = 0;
  for (let round = 0; round < 2; round++) {
    begin = cpuSeconds();
    for (let n = 0; n < times; n++) for (const text of texts) JSON.parse(text.toString());
  }
  return ((cpuSeconds() - begin) * 1e6) / (times * texts.length);
}

function isJson(frame: Buffer): boolean {
  try {
    JSON.parse(frame.toString());
    return true;
  } catch {
    return false;
  }
}

function print({ name, files }: SamplePool, cost: Cost): string {
  const micros = cost.cpuSeconds * 1e6;
  const frames = files.flat();
  const bytes = frames.reduce((sum, { length }) => sum + length, 0);
  const json = jsonMicroseconds(frames);
  return [
    name.padEnd(24),
    `${Math.round(cost.actions / cost.cpuSeconds).toLocaleString("en")} events/s`.padStart(20),
    `${(micros / cost.actions).toFixed(1)} µs CPU/event`.padStart(20),
    `${(micros / cost.frames).toFixed(1)} µs CPU/frame`.padStart(20),
    `${Math.round(bytes / frames.length)} bytes/frame`.padStart(20),
    json === undefined ? "" : `JSON.parse ${json.toFixed(1)} µs/frame`.padStart(26),
  ].join("");
}

/** Measures every built-in format that has samples, one after another; gives lines to print. */
export async function* measureFormats(): AsyncGenerator<string> {
  for (const pool of samplePools()) {
    const factory = await formatOf(pool.row);
    if (factory === undefined) continue;
    measure(factory, pool.row, pool.files, WARM_ACTIONS);
    yield print(pool, measure(factory, pool.row, pool.files, ACTIONS_MIN));
  }
}
