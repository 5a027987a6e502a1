// What the tests of the way in share: records as they arrive, and a pipeline on a temporary folder.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { CloudTrailRecord, Exporter, Processor } from "../../plugins/sdk/index.ts";
import type { DeliverOptions } from "../../src/pipeline/deliver.ts";
import {
  Pipeline,
  type PipelineOptions,
  type PipelineStatus,
} from "../../src/pipeline/pipeline.ts";
import { agent, recordingLog } from "./agent.ts";

/** A record as AWS delivers it; number `n` decides its id and content. */
export function record(n: number, parts: Partial<CloudTrailRecord> = {}): CloudTrailRecord {
  return {
    eventVersion: "1.08",
    userIdentity: { type: "IAMUser", userName: `user-${n}` },
    eventTime: "2026-03-02T08:04:57Z",
    eventSource: "ec2.amazonaws.com",
    eventName: "StopInstances",
    awsRegion: "eu-west-1",
    sourceIPAddress: "198.51.100.24",
    eventID: `0d9b0f5e-0000-4000-8000-${String(n).padStart(12, "0")}`,
    recipientAccountId: "444455556666",
    eventCategory: "Management",
    ...parts,
  };
}

/** Records `from` to `to`, both included. */
export function records(from: number, to: number): CloudTrailRecord[] {
  return Array.from({ length: to - from + 1 }, (_, i) => record(from + i));
}

/** Their JSON text. */
export function texts(records: readonly CloudTrailRecord[]): Uint8Array[] {
  return records.map((record) => Buffer.from(JSON.stringify(record)));
}

/** Opens a pipeline in a folder; small segments, so that few records fill several. */
export function openPipeline(
  folder: string,
  options: {
    readonly processors?: readonly Processor[];
    readonly queue?: Partial<PipelineOptions["queue"]>;
    readonly log?: PipelineOptions["log"];
    readonly clock?: () => number;
    readonly dedupeEntriesMax?: number;
  } = {},
): Promise<Pipeline> {
  return Pipeline.open({
    name: "audit",
    directory: join(folder, "queue"),
    deadLettersDirectory: join(folder, "dead-letters"),
    queue: {
      bytesMax: 64 * 1024 * 1024,
      segmentBytesMax: 1024 * 1024,
      freeDiskBytesMin: 0,
      overflow: "block",
      ...options.queue,
    },
    agent,
    clock: options.clock ?? Date.now,
    log: options.log ?? recordingLog(),
    processors: options.processors ?? [],
    dedupeEntriesMax: options.dedupeEntriesMax ?? 1000,
  });
}

/** Delivery without waiting: small batches, short retries. */
export function quick(parts: Partial<DeliverOptions> = {}): DeliverOptions {
  return {
    selectors: () => true,
    batch: { maxRecords: 10, maxBytes: 1024 * 1024, maxAgeMs: 5 },
    retry: { initialMs: 1, maxMs: 5, multiplier: 2, jitter: 0 },
    timeoutMs: 60_000,
    ...parts,
  };
}

/** A deadline that leaves time to finish. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

/** A deadline that has passed. */
export function noPatience(): AbortSignal {
  return AbortSignal.abort(new Error("Deadline"));
}

/** A component that has nothing to start, with one thing it does. */
export function processor(process: Processor["process"]): Processor {
  return { start: async () => {}, stop: async () => {}, process };
}

/** An exporter that does one thing. */
export function exporter(run: Exporter["export"]): Exporter {
  return { start: async () => {}, stop: async () => {}, export: run };
}

/** Says which of the books does not balance; undefined when all do. */
export function imbalance({ counts, exporters }: PipelineStatus): string | undefined {
  const { received, filtered, duplicate, rejected, stored } = counts;
  if (received !== filtered + duplicate + rejected + stored) return JSON.stringify(counts);
  for (const each of exporters) {
    const { delivered, deadLettered, excluded, lost, queued } = each;
    if (stored !== delivered + deadLettered + excluded + lost + queued) {
      return JSON.stringify({ stored, ...each });
    }
  }
  return undefined;
}

/** Polls until a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 20_000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("The condition did not come to hold");
}
