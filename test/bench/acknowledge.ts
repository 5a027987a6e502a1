// How long a receiver waits until its batch is on disk, and how much disk a record takes in the
// queue: batches of 64 records through a pipeline, four receivers at a time, no exporter.

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testAgent, testContext } from "../../plugins/sdk/conformance.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { percentile } from "./machine.ts";
import { sampleRecord } from "./sample-data.ts";

const RECEIVERS = 4;
const BATCHES_EACH = 250;
const RECORDS_A_BATCH = 64;

function batch(first: number) {
  const records = Array.from({ length: RECORDS_A_BATCH }, (_, i) => sampleRecord(first + i));
  return records.map((record) => Buffer.from(JSON.stringify(record)));
}

type Prepared = ReturnType<typeof batch>;

async function send(pipeline: Pipeline, receiver: number, batches: readonly Prepared[]) {
  const intake = pipeline.intake(`bench/${receiver}`);
  const times: number[] = [];
  for (const [i, texts] of batches.entries()) {
    const begin = performance.now();
    await intake.records(texts, { position: { at: i } });
    times.push(performance.now() - begin);
  }
  return times;
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Measures on the runtime it runs on; answers lines to print. */
export async function measureAcknowledge(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  const pipeline = await Pipeline.open({
    name: "bench",
    directory: join(folder, "queue"),
    deadLettersDirectory: join(folder, "dead-letters"),
    queue: { bytesMax: 2 ** 30, freeDiskBytesMin: 0, overflow: "block" },
    agent: testAgent,
    clock: Date.now,
    log: testContext().log,
    processors: [],
  });
  // Made beforehand: only the way into the queue is timed.
  const input = Array.from(
    { length: RECEIVERS },
    (_, receiver) =>
      Array.from(
        { length: BATCHES_EACH },
        (_, i) => batch((receiver * BATCHES_EACH + i) * RECORDS_A_BATCH),
      ),
  );
  const times = (await Promise.all(
    input.map((batches, receiver) => send(pipeline, receiver, batches)),
  )).flat();
  await pipeline.stop(AbortSignal.timeout(10_000));
  const records = RECEIVERS * BATCHES_EACH * RECORDS_A_BATCH;
  const bytes = folderBytes(join(folder, "queue")) / records;
  rmSync(folder, { recursive: true });
  return [
    `acknowledge     ${RECEIVERS} receivers, ${RECORDS_A_BATCH} records a batch: ` +
    `p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`,
    `queue           ${bytes.toFixed(0)} bytes a record`,
  ];
}
