// A trail in a bucket behind a real pipeline: the fault table, and what stopping and starting its
// logging leaves out, through restarts, with the books in balance.

import t from "tap";
import { gunzipSync } from "node:zlib";
import trail from "../../plugins/exporters/trail/index.ts";
import { memoryState, testContext, testHost } from "../../plugins/sdk/conformance.ts";
import { AwsObjects } from "../../plugins/sdk/conformance/aws-objects.ts";
import { AWS_KEYS } from "../../plugins/sdk/conformance/aws-signature.ts";
import { FaultyServer } from "../../plugins/sdk/conformance/faulty-server.ts";
import { agentStatusService, type Host, type ServiceKind } from "../../plugins/sdk/index.ts";
import { type TrailService, trailService } from "../../plugins/sdk/trail-service.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import { faultTable } from "./fault-table.ts";
import { imbalance, openPipeline, patience, quick, records, texts } from "./way-in.ts";

const options = (endpoint: string) => ({
  bucket: "a-bucket",
  region: "eu-central-1",
  endpoint,
  ...AWS_KEYS,
  log_file_validation: false,
});

/** The eventIDs in all objects, each as often as it was written. */
function eventIds({ objects }: AwsObjects): readonly string[] {
  return [...objects.values()].flatMap(({ bytes, writes }) => {
    const { Records } = JSON.parse(gunzipSync(bytes).toString()) as {
      Records: { eventID: string }[];
    };
    return Array.from({ length: writes }, () => Records.map(({ eventID }) => eventID)).flat();
  });
}

for (const condition of ["honoured", "ignored"] as const) {
  t.test(`a store that has If-None-Match ${condition}`, async (t) => {
    await faultTable(t, {
      factory: trail,
      config: options,
      target: () => {
        const objects = new AwsObjects({ condition });
        // What is answered may be another hour's: signatures are checked elsewhere.
        return { answer: objects.serve, arrived: () => eventIds(objects) };
      },
      exactlyOnce: true,
    });
  });
}

/** One run of an agent with one pipeline and one trail. */
async function run(
  folder: string,
  url: string,
  state: ReturnType<typeof memoryState>,
): Promise<{ pipeline: Pipeline; service: TrailService; stop: () => Promise<void> }> {
  const pipeline = await openPipeline(folder);
  const exporter = trail.create(
    trail.config.parse(options(url)),
    testContext({ id: "trail", state }),
  );
  const host = testHost();
  const asked: Host = {
    ...host,
    find: <S>(kind: ServiceKind<S>) =>
      (kind as unknown) === agentStatusService
        ? [{
          status: () => ({ state: "running", components: [], pipelines: [pipeline.status()] }),
        } as S]
        : host.find(kind),
  };
  await exporter.start(asked);
  await pipeline.addExporter("trail", exporter, quick());
  pipeline.start();
  const [service] = host.find(trailService);
  const stop = async () => {
    await pipeline.stop(patience());
    await exporter.stop(patience());
  };
  return { pipeline, service: service!, stop };
}

t.test("stopLogging() leaves out what comes from then on, also after a restart", async (t) => {
  const folder = t.testdir();
  const state = memoryState();
  const objects = new AwsObjects();
  const server = await new FaultyServer(objects.answer).start();
  t.teardown(() => server.stop());
  let events = 0;
  const take = async ({ pipeline }: { pipeline: Pipeline }, count: number) => {
    await pipeline.intake("file").records(texts(records(events + 1, events + count)));
    events += count;
  };

  const first = await run(folder, server.url, state);
  t.match(first.service.status(), { isLogging: true, stoppedLoggingAt: undefined });
  t.match(first.service.describe(), {
    name: "main",
    arn: "arn:cairn:cloudtrail:eu-central-1:111122223333:trail/main",
    bucket: "a-bucket",
    logFileValidation: false,
  });
  // What waits because the bucket is away came while it was logging.
  await server.stop();
  await take(first, 25);
  await first.service.stopLogging();
  await first.service.stopLogging();
  await take(first, 30);
  t.match(first.service.status(), { isLogging: false, stoppedLoggingAt: Number });
  await first.stop();
  await server.start();

  const second = await run(folder, server.url, state);
  t.equal(second.service.status().isLogging, false);
  await take(second, 5);
  await second.pipeline.drained(patience());
  await second.service.startLogging();
  await take(second, 10);
  await second.pipeline.drained(patience());
  const status = second.pipeline.status();
  t.equal(imbalance(status), undefined);
  t.match(status.exporters[0], { delivered: 35, excluded: 35, queued: 0 });
  t.match(second.service.status(), {
    isLogging: true,
    startedLoggingAt: Number,
    delivery: { time: Number, attemptTime: Number, error: undefined },
  });
  await second.stop();

  const third = await run(folder, server.url, state);
  await take(third, 1);
  await third.pipeline.drained(patience());
  await third.stop();
  const wanted = [...records(1, 25), ...records(61, 71)].map(({ eventID }) => eventID!);
  t.strictSame([...eventIds(objects)].sort(), wanted);
});

t.test("a switch that cannot be kept on disk is not thrown", async (t) => {
  const folder = t.testdir();
  const kept = memoryState();
  let isFull = true;
  const state = {
    ...kept,
    set: (key: string, value: never) =>
      isFull ? Promise.reject(new Error("no space left")) : kept.set(key, value),
  };
  const { service, stop } = await run(folder, "http://127.0.0.1:9", state);
  await t.rejects(service.stopLogging(), /no space left/);
  t.equal(service.status().isLogging, true);
  isFull = false;
  await service.stopLogging();
  t.equal(service.status().isLogging, false);
  await stop();
});
