// What the event history costs and how fast it answers: a million events over thirty days through the
// exporter, then pages by each attribute, first with nothing read before and then again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { testContext, testHost } from "../../plugins/sdk/conformance.ts";
import {
  type EventHistory,
  eventHistoryService,
  type HistoryQuery,
} from "../../plugins/sdk/event-history.ts";
import type { CloudTrailRecord, ExportBatch } from "../../plugins/sdk/index.ts";
import { loadBuiltIn } from "../../plugins/index.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { percentile } from "./machine.ts";
import { sampleRecord } from "./sample-data.ts";

const BATCH_RECORDS = 1000;
const DAYS = 30;
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 3, 1);
const ROUNDS = 20;

function batch(first: number, spacingMs: number): ExportBatch {
  const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
    const number = first + i;
    const time = NOW - DAYS * DAY_MS + number * spacingMs;
    const eventTime = `${new Date(time).toISOString().slice(0, 19)}Z`;
    const made = { ...sampleRecord(number), eventTime };
    const bytes = Buffer.from(JSON.stringify(made));
    return {
      sequence: number + 1,
      id: made.eventID!,
      time: Date.parse(eventTime),
      accountId: made.recipientAccountId!,
      region: made.awsRegion!,
      category: "Management",
      bytes,
      // As the queue hands it out: parsed when it is asked for.
      get record(): CloudTrailRecord {
        return JSON.parse(bytes.toString()) as CloudTrailRecord;
      },
    };
  });
  const range = { first: first + 1, last: first + BATCH_RECORDS };
  return { records: records.map(parsedOnce), range, plannedAt: NOW };
}

function parsedOnce(record: ExportBatch["records"][number]): ExportBatch["records"][number] {
  let parsed: CloudTrailRecord | undefined;
  const lazy = { get: () => parsed ??= record.record };
  return Object.defineProperty({ ...withoutRecord(record) }, "record", lazy) as typeof record;
}

function withoutRecord(record: ExportBatch["records"][number]): object {
  const { sequence, id, time, accountId, region, category, bytes } = record;
  return { sequence, id, time, accountId, region, category, bytes };
}

async function time(history: EventHistory, query: Partial<HistoryQuery>): Promise<number> {
  const begin = performance.now();
  await history.lookup({ attributes: [], category: "management", limit: 50, ...query });
  return performance.now() - begin;
}

/** By what is asked, a query for a round. */
function questions(events: number): Record<string, (round: number) => Partial<HistoryQuery>> {
  const record = (round: number) => sampleRecord(Math.floor((events * (round + 0.5)) / ROUNDS));
  const by = (key: HistoryQuery["attributes"][number]["key"], value: string) => ({
    attributes: [{ key, value }],
  });
  const user = (round: number) => record(round).userIdentity!.principalId!.split(":")[1]!;
  return {
    "no filter": () => ({}),
    EventId: (round) => by("EventId", record(round).eventID!),
    EventName: (round) => by("EventName", record(round).eventName!),
    EventSource: (round) => by("EventSource", record(round).eventSource!),
    Username: (round) => by("Username", user(round)),
    AccessKeyId: (round) => by("AccessKeyId", String(record(round).userIdentity!.accessKeyId)),
    ReadOnly: (round) => by("ReadOnly", String(round % 2 === 0)),
    ResourceName: (round) => by("ResourceName", record(round).resources![0]!.ARN!),
    ResourceType: () => by("ResourceType", "AWS::IAM::Role"),
    "a value that is not there": (round) => by("Username", `nobody-${round}`),
    "two attributes, oldest": (round) => ({
      attributes: [
        { key: "Username", value: user(round) },
        { key: "EventName", value: record(round).eventName! },
      ],
      order: "oldest",
    }),
    "one day, from its middle": (round) => ({ endTime: NOW - (round + 0.5) * DAY_MS }),
  };
}

/** Measures on the runtime it runs on; prints as it goes. */
export async function measureHistory(events: number): Promise<void> {
  const directory = join(mkdtempSync(join(tmpdir(), "cairn-bench-")), "history");
  const factory = await loadBuiltIn("exporter", "history");
  if (factory?.kind !== "exporter") throw new Error("There is no exporter history");
  const runtime = await detectRuntime();
  const open = async () => {
    const context = testContext({ directory, clock: () => NOW, runtime });
    const exporter = factory.create(factory.config.parse({}), context);
    const host = testHost();
    await exporter.start(host);
    return { exporter, history: host.find(eventHistoryService)[0]! };
  };
  const never = new AbortController().signal;
  const { exporter, history } = await open();
  const spacingMs = (DAYS * DAY_MS) / events;
  let cpu = 0;
  let wall = 0;
  for (let first = 0; first < events; first += BATCH_RECORDS) {
    const made = batch(first, spacingMs);
    const [before, begin] = [process.cpuUsage(), performance.now()];
    await exporter.export(made, never);
    const { user, system } = process.cpuUsage(before);
    cpu += user + system;
    wall += performance.now() - begin;
  }
  const { bytes } = history.extent();
  console.log(
    `history         ${runtime.name}  ${(cpu / events).toFixed(1)} µs CPU/record  ` +
      `${Math.round((events / wall) * 1000).toLocaleString("en")} records/s  ` +
      `${Math.round(bytes / events)} bytes/event on disk`,
  );
  await exporter.stop(never);
  for (const [name, question] of Object.entries(questions(events))) {
    const times: number[] = [];
    const opened = await open();
    for (let round = 0; round < ROUNDS; round++) {
      times.push(await time(opened.history, question(round)));
    }
    await opened.exporter.stop(never);
    const [first, ...later] = times;
    console.log(
      `  ${name.padEnd(28)} first ${first!.toFixed(1).padStart(6)} ms, then p50 ` +
        `${percentile(later, 0.5).toFixed(1).padStart(5)} ms, p99 ` +
        `${percentile(later, 0.99).toFixed(1).padStart(5)} ms`,
    );
  }
  const last = await open();
  const begin = performance.now();
  const filter = { attributes: [], category: "management" } as const;
  await last.history.histogram({ ...filter, from: NOW - DAYS * DAY_MS, to: NOW, buckets: 90 });
  const all = performance.now() - begin;
  console.log(`  histogram of all ${all.toFixed(0)} ms, RSS ${rss()} MiB`);
  await last.exporter.stop(never);
  rmSync(join(directory, ".."), { recursive: true, force: true });
}

function rss(): string {
  return (process.memoryUsage().rss / 2 ** 20).toFixed(0);
}
