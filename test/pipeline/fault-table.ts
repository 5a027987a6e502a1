// The fault table of exporters that send over HTTP: a real pipeline delivers through a server that
// misbehaves by script, a row for each way. Everything arrives, and the books balance.

import type { Test } from "tap";
import { testContext, testHost } from "../../plugins/sdk/conformance.ts";
import {
  type Answering,
  type Fault,
  FaultyServer,
} from "../../plugins/sdk/conformance/faulty-server.ts";
import type { CloudTrailRecord, ComponentContext } from "../../plugins/sdk/index.ts";
import type { ExporterFactory } from "../../plugins/sdk/index.ts";
import type { DeliverOptions } from "../../src/pipeline/deliver.ts";
import { imbalance, openPipeline, patience, quick, records, texts, until } from "./way-in.ts";

/** The good side of the faulty server, in one row. */
export interface FaultTarget {
  readonly answer: Answering;
  /** The eventIDs that arrived, as often as they did. */
  arrived(): readonly string[] | Promise<readonly string[]>;
}

/** What the table needs to know about an exporter. */
export interface FaultTableOptions {
  readonly factory: ExporterFactory;
  /** As it stands in the YAML, sending to a server at this URL. */
  config(url: string): unknown;
  /** Made anew for each row. */
  target(): FaultTarget;
  /** True where each record arrives once whatever happens; at least once otherwise. */
  readonly exactlyOnce?: boolean;
  /** True where the service can take a part of a request: the row `partial failure` is run. */
  readonly partial?: boolean;
  /** Names of rows that say something else to this service. */
  readonly except?: readonly string[];
  /** Which requests the faults meet; all by default. */
  matches?: Parameters<FaultyServer["script"]>[1];
  readonly context?: Partial<ComponentContext>;
  readonly deliver?: Partial<DeliverOptions>;
}

interface Row {
  readonly name: string;
  readonly faults: readonly Fault[];
  readonly deliver?: Partial<DeliverOptions>;
}

const RECORDS = 25;

// Where a fault stands several times, the client's own tries are used up and delivery's begin.
const ROWS: readonly Row[] = [
  { name: "500", faults: repeated({ status: 500, code: "InternalFailure" }, 4) },
  {
    name: "503 with Retry-After",
    faults: [{ status: 503, code: "SlowDown", headers: { "retry-after": "1" } }],
  },
  { name: "429", faults: [{ status: 429, code: "ThrottlingException" }] },
  { name: "403", faults: repeated({ status: 403, code: "AccessDeniedException" }, 3) },
  {
    name: "expired credentials",
    faults: repeated({ status: 400, code: "ExpiredTokenException" }, 3),
  },
  { name: "404", faults: repeated({ status: 404, code: "ResourceNotFoundException" }, 2) },
  { name: "no answer", faults: ["silence", "silence"], deliver: { timeoutMs: 300 } },
  { name: "a reset before an answer", faults: repeated("reset", 4) },
  { name: "a reset in the middle of the request", faults: ["reset in request"] },
  { name: "an answer that is lost", faults: ["answer lost"] },
  { name: "an answer that is cut", faults: ["answer cut"] },
  {
    name: "one after the other",
    faults: ["reset", { status: 503, code: "SlowDown" }, "answer lost", "reset in request"],
  },
];

function repeated(fault: Fault, times: number): Fault[] {
  return Array.from({ length: times }, () => fault);
}

/** Adds a subtest for each row, one for an outage of an hour and one for a name that is unknown. */
export async function faultTable(t: Test, options: FaultTableOptions): Promise<void> {
  const rows = ROWS.filter(({ name }) => !options.except?.includes(name));
  if (options.partial) rows.push({ name: "partial failure", faults: ["partial", "partial"] });
  for (const { name, faults, deliver } of rows) {
    await t.test(`${options.factory.type} delivers all in spite of: ${name}`, async (t) => {
      const run = await begin(t, options, deliver);
      run.server.script(faults, options.matches);
      run.pipeline.start();
      await run.finish();
      t.equal(run.server.pending, 0, "every fault was met");
    });
  }
  await t.test(`${options.factory.type} delivers all after an outage of an hour`, async (t) => {
    const run = await begin(t, options);
    await run.server.stop();
    run.pipeline.start();
    for (let failures = 1; failures <= 3; failures++) {
      await until(() => run.pipeline.status().exporters[0]!.failures >= failures);
      run.advance(20 * 60_000);
    }
    t.equal(imbalance(run.pipeline.status()), undefined, "the books balance meanwhile");
    await run.server.start();
    await run.finish();
  });
  const name = `${options.factory.type} delivers all once a name that was unknown is known`;
  await t.test(name, async (t) => {
    const folder = t.testdir();
    const run = await begin(t, options, {}, folder, "http://no-such-host.invalid");
    run.pipeline.start();
    await until(() => run.pipeline.status().exporters[0]!.failures >= 1);
    await run.pipeline.stop(patience());
    const again = await begin(t, options, {}, folder);
    again.pipeline.start();
    await again.finish();
  });
}

async function begin(
  t: Test,
  options: FaultTableOptions,
  deliver: Partial<DeliverOptions> = {},
  folder = t.testdir(),
  url?: string,
) {
  const { factory, exactlyOnce = false } = options;
  const target = options.target();
  const server = await new FaultyServer(target.answer).start();
  let offsetMs = 0;
  const clock = () => Date.now() + offsetMs;
  const config = factory.config.parse(options.config(url ?? server.url));
  const context = testContext({ id: factory.type, clock, ...options.context });
  const exporter = factory.create(config, context);
  const pipeline = await openPipeline(folder, { clock });
  t.teardown(async () => {
    await pipeline.stop(patience());
    await exporter.stop(patience());
    await server.stop();
  });
  const events = records(1, RECORDS);
  // Taken once: after a restart the queue has them.
  await pipeline.intake("file").records(texts(events));
  await exporter.start(testHost());
  await pipeline.addExporter(factory.type, exporter, quick({ ...options.deliver, ...deliver }));
  const finish = async () => {
    await pipeline.drained(patience());
    const status = pipeline.status();
    t.equal(imbalance(status), undefined, "the books balance");
    t.match(status.exporters[0], { delivered: RECORDS, deadLettered: 0, queued: 0 });
    checkArrived(t, events, await target.arrived(), exactlyOnce);
  };
  return { server, pipeline, finish, advance: (ms: number) => void (offsetMs += ms) };
}

function checkArrived(
  t: Test,
  events: readonly CloudTrailRecord[],
  arrived: readonly string[],
  exactlyOnce: boolean,
): void {
  const wanted = events.map(({ eventID }) => eventID!);
  t.same([...new Set(arrived)].sort(), wanted, "each arrived, under its own eventID");
  if (exactlyOnce) t.equal(arrived.length, wanted.length, "and once");
}
