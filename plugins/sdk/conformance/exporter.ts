// The part of conformance() for exporters: the same range twice, aborts, and whose errors they are.

import type { Test } from "tap";
import type { ComponentContext, Exporter } from "../component.ts";
import { PermanentError, RetryableError } from "../errors.ts";
import type { ExportBatch, StoredRecord } from "../export-batch.ts";
import type { CloudTrailRecord } from "../cloudtrail/record.ts";
import type { ExporterFactory } from "../factory.ts";
import { memoryState, testAgent, testContext, testHost } from "./context.ts";
import { checkLifecycle, stopInTime } from "./lifecycle.ts";

/** Where an exporter delivers to in one test, and how to see what arrived. */
export interface ExporterTarget {
  /** As it stands in the YAML, without the common options. */
  readonly config: unknown;
  readonly context?: Partial<ComponentContext>;
  /** All that arrived, in a form that can be compared. */
  delivered(): Promise<unknown>;
}

/** What conformance() needs to know about an exporter. */
export interface ExporterConformance {
  /** The shortest valid configuration. */
  readonly minimal: Readonly<Record<string, unknown>>;
  /** Makes a target of its own for one test. */
  target(t: Test): Promise<ExporterTarget>;
  /** A configuration whose exports fail; left out where nothing can. */
  broken?(t: Test): Promise<Pick<ExporterTarget, "config" | "context">>;
  /** Why a range that comes twice arrives twice, for an exporter that cannot tell. */
  readonly repeats?: string;
}

/** Makes a record as CloudTrail writes it; the same number gives the same record. */
export function testRecord(number: number): CloudTrailRecord {
  const id = number.toString(16).padStart(12, "0");
  return {
    eventVersion: "1.11",
    userIdentity: { type: "IAMUser", accountId: testAgent.accountId, userName: "alice" },
    eventTime: new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString().slice(0, 19) + "Z",
    eventSource: "sshd.host.internal",
    eventName: "UserLogin",
    awsRegion: testAgent.region,
    sourceIPAddress: "192.0.2.10",
    requestParameters: null,
    responseElements: null,
    eventID: `00000000-0000-8000-8000-${id}`,
    readOnly: false,
    eventType: "AwsServiceEvent",
    managementEvent: true,
    recipientAccountId: testAgent.accountId,
    eventCategory: "Management",
  };
}

/** Makes a record as the queue hands it out. */
export function storedRecord(sequence: number, record = testRecord(sequence)): StoredRecord {
  return {
    sequence,
    id: record.eventID ?? "",
    time: Date.parse(record.eventTime ?? ""),
    accountId: record.recipientAccountId ?? testAgent.accountId,
    region: record.awsRegion ?? testAgent.region,
    category: record.eventCategory ?? "Management",
    bytes: new TextEncoder().encode(JSON.stringify(record)),
    record: freeze(record),
  };
}

/** Makes a batch of the records from `first` to `last`. */
export function testBatch(first: number, last: number): ExportBatch {
  const records = Array.from({ length: last - first + 1 }, (_, i) => storedRecord(first + i));
  return { records, range: { first, last }, plannedAt: Date.UTC(2026, 0, 2) };
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

const ABORT_LIMIT_MS = 2000;

/** All of it. */
export async function checkExporter(
  t: Test,
  factory: ExporterFactory,
  options: ExporterConformance,
): Promise<void> {
  const make = (target: Pick<ExporterTarget, "config" | "context">): Exporter =>
    factory.create(
      factory.config.parse(target.config),
      testContext({ id: factory.type, ...target.context }),
    );
  await checkLifecycle(t, async () => make(await options.target(t)));
  await checkDelivery(t, make, options);
  await checkAbort(t, make, options);
  await checkErrors(t, make, options);
}

type Make = (target: Pick<ExporterTarget, "config" | "context">) => Exporter;

async function checkDelivery(t: Test, make: Make, options: ExporterConformance): Promise<void> {
  const name = "export() of the same range twice, also after a restart, delivers it once";
  await t.test(name, { skip: options.repeats ?? false }, async (t) => {
    const target = await options.target(t);
    // State outlives the restart, as it does in the agent.
    const kept = { ...target, context: { state: memoryState(), ...target.context } };
    const first = make(kept);
    await first.start(testHost());
    await first.export(testBatch(1, 20), new AbortController().signal);
    await first.export(testBatch(21, 25), new AbortController().signal);
    const once = await target.delivered();
    await first.export(testBatch(21, 25), new AbortController().signal);
    t.same(await target.delivered(), once, "at once");
    await stopInTime(t, first);
    const second = make(kept);
    await second.start(testHost());
    await second.export(testBatch(21, 25), new AbortController().signal);
    await stopInTime(t, second);
    t.same(await target.delivered(), once, "after a restart");
  });

  await t.test("export() leaves the batch as it was", async (t) => {
    const exporter = make(await options.target(t));
    const batch = testBatch(1, 5);
    await exporter.start(testHost());
    await exporter.export(batch, new AbortController().signal);
    await stopInTime(t, exporter);
    t.same(batch.records.map((r) => r.bytes), testBatch(1, 5).records.map((r) => r.bytes));
  });
}

async function checkAbort(t: Test, make: Make, options: ExporterConformance): Promise<void> {
  await t.test("export() ends soon after its signal aborts", async (t) => {
    const exporter = make(await options.target(t));
    await exporter.start(testHost());
    const abort = new AbortController();
    const exporting = exporter.export(testBatch(1, 2000), abort.signal)
      .then(() => "ended", () => "ended");
    abort.abort(new Error("Stopped by the test"));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise((resolve) => timer = setTimeout(resolve, ABORT_LIMIT_MS, "hangs"));
    t.equal(await Promise.race([exporting, limit]), "ended");
    clearTimeout(timer);
    await stopInTime(t, exporter);
  });
}

async function checkErrors(t: Test, make: Make, options: ExporterConformance): Promise<void> {
  const skip = options.broken === undefined ? "nothing can fail" : false;
  await t.test(
    "export() fails with an error of the SDK, and stop() still works",
    { skip },
    async (t) => {
      const exporter = make(await options.broken!(t));
      // Starting may fail already: what an operator must mend.
      await exporter.start(testHost()).catch(() => {});
      try {
        await exporter.export(testBatch(1, 3), new AbortController().signal);
        t.fail("export() to a broken target resolved");
      } catch (error) {
        const ours = error instanceof RetryableError || error instanceof PermanentError;
        t.ok(ours, `is Retryable or Permanent: ${error instanceof Error ? error.stack : error}`);
        t.match(error, { message: /^[A-Z].*[^.]$/s }, "says what failed");
      }
      await stopInTime(t, exporter);
    },
  );
}
