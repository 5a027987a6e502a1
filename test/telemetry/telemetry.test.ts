// The agent's own log, spans and metrics over OTLP: received by a server that decodes them with
// protobufjs, and by the agent's own receiver otlp; and what a dead receiver costs.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { testCertificates } from "../../plugins/sdk/conformance/certificates.ts";
import { RetryableError } from "../../plugins/sdk/index.ts";
import { exportResponse, type PartialSuccess } from "../../plugins/sdk/otlp/answer.ts";
import { OtlpRefusal, type OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import { Secret } from "../../plugins/sdk/secret.ts";
import { createAgent, detectRuntime, loadConfig } from "../../src/mod.ts";
import { Delivery } from "../../src/telemetry/delivery.ts";
import { createLogs } from "../../src/telemetry/logs.ts";
import { Telemetry, type TelemetryConfig } from "../../src/telemetry/telemetry.ts";
import { event, recordingLogs, testConfig } from "../agent/plugins.ts";
import {
  attributesOf,
  itemsOf,
  type LogRecord,
  otlpGrpcServer,
  otlpHttpServer,
  type OtlpServer,
  type Span,
} from "./otlp-server.ts";

const runtime = await detectRuntime();

function target(endpoint: string, more: Partial<OtlpTarget> = {}): OtlpTarget {
  return { endpoint, protocol: "http/protobuf", headers: {}, tls: {}, timeout: 5000, ...more };
}

/** Telemetry by itself, with the lines that its log wrote. */
async function setUp(t: Test, config: TelemetryConfig) {
  const { logs, lines } = recordingLogs();
  const status = () => ({ startedAt: 0, components: [], pipelines: [] });
  const about = { version: "1.2.3", host: "box", clock: Date.now };
  const telemetry = new Telemetry({ config, logs, status, ...about });
  t.teardown(() => telemetry.stop(AbortSignal.timeout(1000)));
  await telemetry.start();
  return { telemetry, logs, lines };
}

const PROTOCOLS: readonly (readonly [OtlpTarget["protocol"], () => Promise<OtlpServer>])[] = [
  ["http/protobuf", otlpHttpServer],
  ["http/json", otlpHttpServer],
  ["grpc", otlpGrpcServer],
];

for (const [protocol, listen] of PROTOCOLS) {
  t.test(`the log, spans and metrics reach an OTLP receiver over ${protocol}`, async (t) => {
    const server = await listen();
    t.teardown(server.close);
    const otlp = target(server.endpoint, {
      protocol,
      headers: { "X-Key": new Secret("marked-secret") },
    });
    const { telemetry, logs, lines } = await setUp(t, {
      logs: { otlp },
      traces: { otlp, sampleRatio: 1 },
      metrics: { otlp: { ...otlp, interval: 60_000 } },
    });
    logs.of("trail").warn("Disk is slow", { ms: 1200, disk: "sda", ok: false });
    telemetry.tracer("exporter/trail")!.startSpan("upload", { attributes: { size: 7 } }).end();
    await telemetry.stop(AbortSignal.timeout(5000));
    const of = (signal: string) => server.requests.filter((each) => each.signal === signal);
    const [logRequest] = of("Logs");
    t.equal(logRequest?.headers["x-key"], "marked-secret");
    const [resourceLogs] = logRequest!.content.resourceLogs!;
    t.match(attributesOf(resourceLogs!.resource), {
      "service.name": "cairn",
      "service.version": "1.2.3",
      "host.name": "box",
    });
    const [scope] = resourceLogs!.scopeLogs;
    t.equal(scope!.scope.name, "trail");
    t.match(scope!.logRecords[0], {
      severityNumber: 13,
      severityText: "WARN",
      body: { stringValue: "Disk is slow" },
    });
    t.match(attributesOf(scope!.logRecords[0]!), { ms: 1200, disk: "sda" });
    const [span] = itemsOf(of("Traces")) as Span[];
    t.match(span, { name: "upload" });
    t.match(attributesOf(span!), { size: 7 });
    const metrics = of("Metrics")[0]!.content.resourceMetrics![0]!.scopeMetrics[0]!.metrics;
    t.ok(metrics.some(({ name }) => name === "cairn_process_cpu_seconds"));
    t.notMatch(JSON.stringify(lines()), "marked-secret");
  });
}

t.test("a log server that is down is told once, loses what is beyond the bound, and says so", async (t) => {
  const taken = await otlpHttpServer();
  const { port } = new URL(taken.endpoint);
  await taken.close();
  const { telemetry, logs, lines } = await setUp(t, { logs: { otlp: target(taken.endpoint) } });
  const log = logs.of("noisy");
  const began = performance.now();
  for (let i = 0; i < 5000; i++) log.info(`Line ${i}`);
  t.ok(performance.now() - began < 2000, "logging does not wait");
  const told = () => lines().filter(({ component }) => component === "logs");
  await until(() => told().length > 0, "the failure is told");
  const server = await otlpHttpServer({ port: Number(port) });
  t.teardown(server.close);
  await until(
    () => told().some(({ message }) => message === "Log lines are sent again"),
    "the server takes them",
  );
  await telemetry.stop(AbortSignal.timeout(5000));
  t.match(told().map(({ message }) => message), [
    /^Cannot send log lines to "http:.*\/v1\/logs": /,
    "Some log lines were never sent",
    "Log lines are sent again",
  ]);
  const [, lost] = told() as unknown as { attributes: { lost: number } }[];
  const bodies = itemsOf(server.requests) as LogRecord[];
  t.equal(bodies.length + lost!.attributes.lost, 5000, "each is sent or counted");
  t.ok(bodies.length >= 2048, `${bodies.length} waited`);
  t.notMatch(JSON.stringify(bodies), "Cannot send", "what is said of the log is not sent there");
});

t.test("a log server that refuses for good loses its lines and harms nothing", async (t) => {
  const server = await otlpHttpServer();
  t.teardown(server.close);
  server.answer.status = 401;
  const { telemetry, logs, lines } = await setUp(t, { logs: { otlp: target(server.endpoint) } });
  logs.of("x").info("One");
  await until(() => lines().some(({ message }) => /answered 401/.test(message)), "told");
  server.answer.status = 200;
  logs.of("x").info("Two");
  await telemetry.stop(AbortSignal.timeout(5000));
  t.same(itemsOf(server.requests).map((item) => (item as LogRecord).body), [
    { stringValue: "Two" },
  ]);
});

for (const [protocol, listen] of PROTOCOLS) {
  t.test(`what a receiver rejects of each signal over ${protocol} is told, once`, async (t) => {
    const server = await listen();
    t.teardown(server.close);
    const errorMessage = `Too\nold: ${"x".repeat(2000)}`;
    server.answer.body = protocol === "http/json"
      ? Buffer.from(JSON.stringify({
        partialSuccess: {
          rejectedLogRecords: "1",
          rejectedDataPoints: "1",
          rejectedSpans: "1",
          errorMessage,
        },
      }))
      : exportResponse("protobuf", { rejected: 1, reason: errorMessage });
    const otlp = target(server.endpoint, { protocol });
    const { telemetry, logs, lines } = await setUp(t, {
      logs: { otlp },
      traces: { otlp, sampleRatio: 1 },
      metrics: { otlp: { ...otlp, interval: 20 } },
    });
    logs.of("x").info("One");
    telemetry.tracer("x")!.startSpan("one").end();
    const pushes = () => server.requests.filter(({ signal }) => signal === "Metrics").length;
    await until(() => pushes() >= 5, "several pushes");
    await telemetry.stop(AbortSignal.timeout(5000));
    const told = lines().filter(({ message }) => message.startsWith("Receiver rejects"));
    t.same(told.map(({ component }) => component).sort(), ["logs", "metrics", "traces"]);
    t.match(told.map(({ message }) => message).sort(), [
      /^Receiver rejects some log lines: Too old: x+$/,
      /^Receiver rejects some metrics: Too old: x+$/,
      /^Receiver rejects some spans: Too old: x+$/,
    ]);
    t.ok(told.every(({ message }) => message.length < 600), "bounded");
  });
}

t.test("Delivery tells a rejection again after a hundred requests without any, a warning before", async (t) => {
  const answers: (PartialSuccess | Error)[] = [];
  const whole = { rejected: 0, reason: "" };
  const action = 'Cannot send spans to "there"';
  const { logs, lines } = recordingLogs();
  const delivery = new Delivery(
    {
      action,
      send: () => {
        const answer = answers.shift() ?? whole;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      close: () => Promise.resolve(),
    },
    "spans",
    logs.of("traces"),
  );
  const send = () => delivery.send(new Uint8Array(1), AbortSignal.timeout(5000));
  const [warned, rejected] = [{ rejected: 0, reason: "Use v2" }, { rejected: 3, reason: "" }];
  answers.push(warned, warned, rejected, warned, rejected, whole, rejected);
  for (let i = 0; i < 107; i++) t.equal(await send(), undefined);
  answers.push(rejected, new OtlpRefusal(`${action}: Malformed`, "Http400"), new Error("Odd"));
  await send();
  t.same(await send(), { isPassing: false, afterMs: 0 });
  t.same(await send(), { isPassing: false, afterMs: 0 });
  delivery.lose(2);
  await send();
  t.match(lines().map(({ message }) => message), [
    "Receiver of spans says: Use v2",
    "Receiver rejects some spans: no reason is given",
    "Receiver rejects some spans: no reason is given",
    `${action}: Malformed`,
    "Some spans were never sent",
    "Spans are sent again",
  ]);
});

t.test("telemetry stops in time though its receiver is silent", async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const otlp = target(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const { telemetry, logs } = await setUp(t, {
    logs: { otlp },
    traces: { otlp, sampleRatio: 1 },
  });
  logs.of("x").info("One");
  telemetry.tracer("x")!.startSpan("one").end();
  const deadline = AbortSignal.timeout(8000);
  await telemetry.stop(deadline);
  t.notOk(deadline.aborted);
});

t.test("lines from before the receiver was opened are sent too, and no more than are kept", async (t) => {
  const server = await otlpHttpServer();
  t.teardown(server.close);
  const logs = createLogs({ level: "info", stream: { write() {} }, readable: false });
  for (let i = 0; i < 300; i++) logs.of("early").info(`Line ${i} ${"x".repeat(5000)}`);
  t.equal(logs.recent().length, 256);
  t.ok(logs.recent().every((line) => line.length < 5000), "long lines are cut");
  const sent: string[] = [];
  const end = logs.forward(({ body }) => void sent.push(body.slice(0, 8)));
  logs.of("late").info("Line 300");
  end();
  logs.of("late").info("Line 301");
  t.same([sent[0], sent.at(-1), sent.length], ["Line 44 ", "Line 300", 257]);
});

t.test("OTLP over TLS trusts ca_file alone, and a file that is missing is told by its option", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-otlp-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { ca, server: { cert, key } } = testCertificates(folder);
  const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  const server = await otlpHttpServer({ tls });
  t.teardown(server.close);
  const trusting = await setUp(t, {
    logs: { otlp: target(server.endpoint, { tls: { ca_file: ca } }) },
  });
  trusting.logs.of("x").info("Trusted");
  await trusting.telemetry.stop(AbortSignal.timeout(5000));
  t.equal(itemsOf(server.requests).length, 1);
  const doubting = await setUp(t, { logs: { otlp: target(server.endpoint) } });
  doubting.logs.of("x").info("Not trusted");
  await doubting.telemetry.stop(AbortSignal.timeout(5000));
  t.equal(itemsOf(server.requests).length, 1, "nothing more came");
  for (const signal of ["logs", "traces"] as const) {
    const otlp = target(server.endpoint, { tls: { ca_file: "/no/such.pem" } });
    const config = signal === "logs"
      ? { logs: { otlp } }
      : { logs: {}, traces: { otlp, sampleRatio: 1 } };
    await t.rejects(setUp(t, config), {
      code: "CAIRN_CONFIG",
      message: new RegExp(`^service\\.telemetry\\.${signal}\\.otlp\\.tls\\.ca_file: Cannot read`),
    });
  }
});

t.test("each attempt to export has a span, with its records and how it ended", async (t) => {
  const server = await otlpHttpServer();
  t.teardown(server.close);
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-spans-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  let attempts = 0;
  const base = testConfig(dataDir, { entries: [], exported: [] }, {
    receiver: {
      drain: (intake) => intake.events([event("1"), event("2")]),
    },
  });
  const sink = base.exporters.get("sink")!;
  const factory: typeof sink.factory = {
    ...sink.factory,
    create: (_, { tracer }) => ({
      start: async () => {},
      stop: async () => {},
      async export() {
        tracer.startSpan("within").end();
        if (++attempts === 1) throw new RetryableError("Not now");
      },
    }),
  };
  const { logs } = recordingLogs();
  const traces = { otlp: target(server.endpoint), sampleRatio: 1 };
  const config = { ...base, exporters: new Map([["sink", { ...sink, factory }]]), traces };
  const agent = createAgent({ ...config, selfAudit: false }, { version: "1.2.3", logs, runtime });
  t.teardown(() => agent.stop(AbortSignal.timeout(3000)));
  await agent.start();
  await agent.drained();
  await agent.stop(AbortSignal.timeout(5000));
  const spans = itemsOf(server.requests) as Span[];
  const exports = spans.filter(({ name }) => name === "exporter/sink/records");
  t.match(exports.map(attributesOf), [
    { exporter: "sink", pipeline: "audit", "cairn.attempt": 1, failed_to_send_records: 2 },
    { exporter: "sink", pipeline: "audit", "cairn.attempt": 2, sent_records: 2 },
  ]);
  t.match(exports[0]?.status, { code: 2, message: "Not now" });
  t.equal(spans.filter(({ name }) => name === "within").length, 2, "a plugin's own");
});

t.test("no span is begun where nobody asked, or none is to be kept", async (t) => {
  const none = await setUp(t, { logs: {} });
  t.equal(none.telemetry.tracer("x"), undefined);
  none.telemetry.someTracer("x").startSpan("nothing").end();
  t.match(await none.telemetry.metricsText(), /^cairn_process_memory_rss_bytes \d+$/m);
  const server = await otlpHttpServer();
  t.teardown(server.close);
  const traces = { otlp: target(server.endpoint), sampleRatio: 0 };
  const { telemetry } = await setUp(t, { logs: {}, traces });
  telemetry.tracer("x")!.startSpan("dropped").end();
  await telemetry.stop(AbortSignal.timeout(5000));
  t.same(server.requests, []);
});

for (const protocol of ["http/protobuf", "http/json", "grpc"] as const) {
  t.test(`the agent's own receiver otlp takes the log of an agent over ${protocol}`, async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), "cairn-own-"));
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
    const { logs: quiet, lines } = recordingLogs();
    const text = `agent: { data_dir: ${dataDir} }
receivers: { otlp: { protocols: { ${
      protocol === "grpc" ? "grpc" : "http"
    }: { endpoint: "127.0.0.1:0" } } } }
exporters: { file: { path: ${dataDir}/out.jsonl, batch: { max_age: 10ms } } }
service: { self_audit: false, pipelines: { p: { receivers: [otlp], exporters: [file] } } }
`;
    const config = await loadConfig([{ name: "own.yaml", text }]);
    const agent = createAgent(config, { version: "1", logs: quiet, runtime });
    t.teardown(() => agent.stop(AbortSignal.timeout(3000)));
    await agent.start();
    const served = lines().map((line) => JSON.stringify(line))
      .map((line) => /127\.0\.0\.1:(\d+)/.exec(line)?.[1]).find((port) => port !== undefined);
    t.ok(served, JSON.stringify(lines()));
    const otlp = target(`http://127.0.0.1:${served}`, { protocol });
    const { telemetry, logs } = await setUp(t, { logs: { otlp } });
    logs.of("agent").error("Records dropped", { count: 3 });
    await telemetry.stop(AbortSignal.timeout(5000));
    await agent.stop(AbortSignal.timeout(5000));
    t.match(agent.status().pipelines[0]?.counts, { stored: 1, rejected: 0 });
    t.match(readFileSync(join(dataDir, "out.jsonl"), "utf8"), /Records dropped/);
  });
}
