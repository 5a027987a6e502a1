// Runs one case: its input through the format, the pipeline's door and its processors, as the agent
// would, at the case's own moment. The outcome is judged by evaluate.ts.

import type { CloudTrailRecord, Frame, Processor, Runtime } from "../../plugins/sdk/index.ts";
import { FollowBatch, makeDurable } from "../../plugins/sdk/follow-batch.ts";
import { LineSplitter } from "../../plugins/sdk/lines.ts";
import { Rehearsal, type SetAside } from "../pipeline/rehearsal.ts";
import type { InputStream } from "./input.ts";
import type { PreparedCase } from "./prepare.ts";
import { startProcessors, stopProcessors } from "./processors.ts";

type Counts = ReturnType<Rehearsal["counts"]>;

/** What came of a case's input. */
export interface Outcome {
  /** What would be in the queue. */
  readonly records: readonly CloudTrailRecord[];
  /** What would be among the dead letters. */
  readonly rejected: readonly SetAside[];
  /** How much was left out on purpose, by reason. */
  readonly ignored: ReadonlyMap<string, number>;
  readonly counts: Counts;
  /** Why the input could not be read to its end. */
  readonly failure?: string;
}

// A processor that never answers must not keep the other cases, nor one that never stops.
const CASE_MS_MAX = 60_000;
const STOP_MS_MAX = 500;

/** Runs a case, within a time. Never rejects: what fails is in the outcome. */
export async function runCase(
  one: PreparedCase,
  runtime: Runtime,
  msMax = CASE_MS_MAX,
): Promise<Outcome> {
  const ignored = new Map<string, number>();
  const { agent } = one;
  const clock = () => one.nowMs;
  const count = (reason: string, more = 1) =>
    void ignored.set(reason, (ignored.get(reason) ?? 0) + more);
  const processors: Processor[] = [];
  const rehearsal = new Rehearsal({ receiver: one.receiver, processors, agent, clock });
  const end = new AbortController();
  const work = async () => {
    const options = { agent, clock, runtime, ignored: count };
    await startProcessors(one.config, one.processors, options, processors);
    for (const stream of one.input) {
      const format = one.format({ agent, ignored: count });
      await read(stream, { one, format, rehearsal, signal: end.signal });
    }
  };
  let failure: string | undefined;
  try {
    await within(work(), msMax);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  } finally {
    end.abort(new Error("The case has ended"));
    await within(stopProcessors(processors), STOP_MS_MAX).catch(() => undefined);
  }
  return {
    records: rehearsal.records(),
    rejected: rehearsal.rejected(),
    ignored,
    counts: rehearsal.counts(),
    ...(failure === undefined ? {} : { failure }),
  };
}

interface Reading {
  readonly one: PreparedCase;
  readonly format: ReturnType<PreparedCase["format"]>;
  readonly rehearsal: Rehearsal;
  readonly signal: AbortSignal;
}

/** Reads a stream to its end, batch after batch, as receivers do. */
async function read({ source, content }: InputStream, reading: Reading): Promise<void> {
  const { one, format, rehearsal, signal } = reading;
  let batch = new FollowBatch(format, source, one.nowMs);
  const send = async () => {
    await makeDurable(batch, rehearsal.intake, signal);
    batch = new FollowBatch(format, source, one.nowMs);
  };
  if ("lines" in content) {
    const { lines } = content;
    const splitter = new LineSplitter(one.lineBytesMax);
    for (let at = 0; at < lines.length;) {
      at = splitter.split(lines, at, 0, batch);
      if (!batch.isFull) {
        splitter.finish(lines.subarray(at), at, batch);
        break;
      }
      await send();
    }
  } else {
    for (const { bytes, offset } of framesOf(content.bodies, one)) {
      batch.line(bytes, offset);
      if (batch.isFull) await send();
    }
  }
  batch.take(format.flush(Infinity));
  await send();
}

function* framesOf(bodies: readonly Uint8Array[], one: PreparedCase): Generator<Frame> {
  let start = 0;
  for (const body of bodies) {
    for (const { bytes, offset } of one.frames(body)) yield { bytes, offset: start + offset };
    start += body.length;
  }
}

/** Rejects when the work takes longer; it is left behind then. */
async function within(work: Promise<void>, msMax: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No end after ${msMax / 1000} s`)), msMax);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
