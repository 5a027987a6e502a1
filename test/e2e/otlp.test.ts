// Receiver otlp with OpenTelemetry's own exporters as senders, each over another protocol: the agent is
// killed with SIGKILL in the middle, again and again, and each record is in the trail exactly once.

import { OTLPLogExporter as GrpcExporter } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as JsonExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const KILLS = 3;
const BATCHES = 24;
const BATCH = 20;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Records as an application makes them, each with a name of its own. */
function logRecords(names: readonly string[]): ReadableLogRecord[] {
  const memory = new InMemoryLogRecordExporter();
  const processors = [new SimpleLogRecordProcessor({ exporter: memory })];
  const logger = new LoggerProvider({ processors }).getLogger("app");
  for (const name of names) logger.emit({ eventName: "order.create", attributes: { order: name } });
  return memory.getFinishedLogRecords();
}

/** One application: sends batch after batch, each until it is taken. */
class Sender {
  readonly #name: string;
  readonly #make: () => LogRecordExporter;
  readonly names: string[] = [];
  taken = 0;

  constructor(name: string, make: () => LogRecordExporter) {
    this.#name = name;
    this.#make = make;
  }

  /** `turn` holds the sender back until its batch of that number may go. */
  async run(turn: (batch: number) => Promise<void>): Promise<void> {
    let exporter = this.#make();
    for (let batch = 0; batch < BATCHES; batch++) {
      await turn(batch);
      const names = Array.from({ length: BATCH }, (_, i) => `${this.#name} ${batch * BATCH + i}`);
      const records = logRecords(names);
      while (!await isTaken(exporter, records)) {
        await exporter.shutdown();
        exporter = this.#make();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      this.names.push(...names);
      this.taken++;
    }
    await exporter.shutdown();
  }
}

function isTaken(exporter: LogRecordExporter, records: ReadableLogRecord[]): Promise<boolean> {
  return new Promise((resolve) => exporter.export(records, ({ code }) => resolve(code === 0)));
}

t.test("official exporters lose nothing over kills of the agent, no record is twice", async (t) => {
  const folder = t.testdir();
  const trail = join(folder, "trail");
  mkdirSync(trail);
  const [http, grpc] = [await freePort(), await freePort()];
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  otlp:
    protocols:
      http: { endpoint: "127.0.0.1:${http}" }
      grpc: { endpoint: "127.0.0.1:${grpc}" }
exporters: { trail: { directory: ${trail}, batch: { max_age: 50ms } } }
service: { pipelines: { main: { receivers: [otlp], exporters: [trail] } } }
`,
  );
  const url = `http://127.0.0.1:${http}/v1/logs`;
  // Shorter than their first wait between attempts: here the senders come again by themselves.
  const timeoutMillis = 900;
  const senders = [
    new Sender("json", () => new JsonExporter({ url, timeoutMillis })),
    new Sender("protobuf", () => new ProtoExporter({ url, timeoutMillis })),
    new Sender("grpc", () => new GrpcExporter({ url: `http://127.0.0.1:${grpc}`, timeoutMillis })),
  ];
  const taken = () => senders.reduce((sum, sender) => sum + sender.taken, 0);
  let agent = startCairn(["run", "--config", config]);
  await agent.said(/Running/);
  let lives = 0;
  const share = BATCHES / (KILLS + 1);
  // In each life of the agent a share of the batches may go, so that each kill finds some under way.
  const turn = (batch: number) => until(() => batch < share * (lives + 1), `life ${batch / share}`);
  const sent = Promise.all(senders.map((sender) => sender.run(turn)));
  for (let kill = 0; kill < KILLS; kill++) {
    const half = senders.length * share * (kill + 0.5);
    await until(() => taken() >= half, `batches before kill ${kill}`);
    agent.kill("SIGKILL");
    t.equal((await agent.exit).signal, "SIGKILL", "the agent was alive when it was killed");
    agent = startCairn(["run", "--config", config]);
    await agent.said(/Running/);
    lives++;
  }
  await sent;
  const names = senders.flatMap((sender) => sender.names);
  await until(() => readTrail(trail).length >= names.length, "all that was sent in the trail");
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.exit;
  t.equal(code, 0, stderr);
  const orders = readTrail(trail).filter(({ record }) => record.eventName === "CreateOrder");
  const found = new Map<string, string[]>();
  for (const { object, record } of orders) {
    const { attributes } = record.additionalEventData as { attributes: { order: string } };
    const places = found.get(attributes.order) ?? [];
    found.set(attributes.order, [...places, `${record.eventID} in ${object}`]);
  }
  t.equal(names.length, senders.length * BATCHES * BATCH);
  t.same([...found.keys()].sort(), names.sort(), "each record is there");
  const repeated = [...found].filter(([, places]) => places.length > 1);
  t.same(repeated, [], "none is twice");
});
