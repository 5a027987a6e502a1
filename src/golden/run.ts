// Runs one case: its input through the format, the pipeline's door and its processors, as the agent
// would, at the case's own moment. The outcome is judged by evaluate.ts.

import type { CloudTrailRecord, Processor, Runtime } from "../../plugins/sdk/index.ts";
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

// A processor that never answers must not keep the other cases.
const CASE_MS_MAX = 60_000;

/** Runs a case. Never rejects: what fails is in the outcome. */
export async function runCase(one: PreparedCase, runtime: Runtime): Promise<Outcome> {
  const ignored = new Map<string, number>();
  const clock = () => one.nowMs;
  const count = (reason: string, more = 1) =>
    void ignored.set(reason, (ignored.get(reason) ?? 0) + more);
  let processors: readonly Processor[] = [];
  let rehearsal: Rehearsal | undefined;
  let failure: string | undefined;
  const patience = AbortSignal.timeout(CASE_MS_MAX);
  try {
    const { agent } = one;
    const options = { agent, clock, runtime, ignored: count };
    processors = await startProcessors(one.config, one.processors, options);
    rehearsal = new Rehearsal({ receiver: one.receiver, processors, agent, clock });
    for (const stream of one.input) {
      const format = one.format({ agent, ignored: count });
      await orAborted(read(stream, { one, format, rehearsal, signal: patience }), patience);
    }
  } catch (error) {
    failure = patience.aborted
      ? `No end after ${CASE_MS_MAX / 1000} s`
      : error instanceof Error
      ? error.message
      : String(error);
  } finally {
    await stopProcessors(processors);
  }
  return {
    records: rehearsal?.records() ?? [],
    rejected: rehearsal?.rejected() ?? [],
    ignored,
    counts: rehearsal?.counts() ?? NO_COUNTS,
    ...(failure === undefined ? {} : { failure }),
  };
}

const NO_COUNTS: Counts = { received: 0, filtered: 0, duplicate: 0, rejected: 0, stored: 0 };

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
    let offset = 0;
    for (const body of content.bodies) {
      for (const frame of one.frames(body)) {
        batch.line(frame.bytes, offset + frame.offset);
        if (batch.isFull) await send();
      }
      offset += body.length;
    }
  }
  batch.take(format.flush(Infinity));
  await send();
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
