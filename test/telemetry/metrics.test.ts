// Metrics of a running agent: the books as Prometheus and an OTLP receiver see them, and what plugins
// record.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import type { Intake } from "../../plugins/sdk/index.ts";
import { Secret } from "../../plugins/sdk/secret.ts";
import { createAgent } from "../../src/agent/agent.ts";
import type { MetricsConfig, ResolvedConfig } from "../../src/config/resolved.ts";
import { loadConfig } from "../../src/mod.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { INSTRUMENTS } from "../../src/telemetry/instruments.ts";
import { type Behaviour, event, recordingLogs, testConfig } from "../agent/plugins.ts";
import { otlpReceiver, valuesOf } from "./otlp-metrics.ts";

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly {
    readonly value: string;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
}

// It has no types of its own.
const parsePrometheus = createRequire(import.meta.url)("parse-prometheus-text-format") as (
  text: string,
) => readonly Family[];

const runtime = await detectRuntime();
const TO = { protocol: "http/protobuf", headers: {}, tls: {}, timeout: 10_000 } as const;
const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A running agent with metrics, its intake in the test's hands. */
async function setUp(
  t: Test,
  metrics: MetricsConfig,
  behaviours: Readonly<Record<string, Behaviour>> = {},
  over: (config: ResolvedConfig) => Partial<ResolvedConfig> = () => ({}),
) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-metrics-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const todo: ((intake: Intake) => Promise<void>)[] = [];
  const base = testConfig(dataDir, { entries: [], exported: [] }, {
    receiver: {
      drain: async (intake) => {
        for (const work of todo.splice(0)) await work(intake);
      },
      ...behaviours.receiver,
    },
    ...(behaviours.exporter && { exporter: behaviours.exporter }),
  });
  const { logs, lines } = recordingLogs();
  const options = { version: "1.2.3", logs, runtime };
  const agent = createAgent({ ...base, ...over(base), metrics }, options);
  t.teardown(() => agent.stop(AbortSignal.timeout(3000)));
  await agent.start();
  return {
    agent,
    lines,
    take: async (work: (intake: Intake) => Promise<void>) => {
      todo.push(work);
      await agent.drained();
    },
    get: (path: string, init?: RequestInit) => {
      const served = lines().find(({ message }) => message === "Metrics are served");
      const { endpoint } = (served as unknown as { attributes: { endpoint: string } }).attributes;
      const headers = { connection: "close" };
      return fetch(`http://${endpoint}${path}`, { headers, ...init });
    },
  };
}

type Running = Awaited<ReturnType<typeof setUp>>;

/** What Prometheus reads: each series as `name{key=value,…}`. */
async function scrape({ get }: Running): Promise<ReadonlyMap<string, number>> {
  const families = parsePrometheus(await (await get("/metrics")).text());
  return new Map(families.flatMap(({ name, metrics }) =>
    metrics.map(({ value, labels = {} }) => {
      const shown = Object.entries(labels).map(([key, text]) => `${key}=${text}`).sort();
      return [`${name}{${shown.join(",")}}`, Number(value)] as const;
    })
  ));
}

const half = ({ exporters }: ResolvedConfig): Partial<ResolvedConfig> => ({
  exporters: new Map([
    ["sink", { ...exporters.get("sink")!, selectors: ({ sequence }) => sequence % 2 === 0 }],
  ]),
});

t.test("P7: metrics show the books as they are, and they balance", async (t) => {
  const running = await setUp(t, { endpoint: LOOPBACK }, {}, half);
  await running.take(async (intake) => {
    await intake.events([event("1"), event("2"), event("3"), event("2")]);
    await intake.reject(new Uint8Array([0]), "Is noise", { id: "noise" });
  });
  const values = await scrape(running);
  const [books] = running.agent.status().pipelines;
  const { received, filtered, duplicate, rejected, stored } = books!.counts;
  const [sink] = books!.exporters;
  const of = (name: string, more = "") => values.get(`cairn_${name}{${more}pipeline=audit}`);
  t.same(
    [
      "received_events",
      "filtered_records",
      "duplicate_records",
      "rejected_events",
      "stored_records",
    ]
      .map((name) => of(`pipeline_${name}_total`)),
    [received, filtered, duplicate, rejected, stored],
  );
  t.same({ received, duplicate, rejected }, { received: 5, duplicate: 1, rejected: 1 });
  t.equal(received, filtered + duplicate + rejected + stored);
  const side = ["sent", "send_failed", "excluded", "lost"].map((name) =>
    of(`exporter_${name}_records_total`, "exporter=sink,") ?? Number.NaN
  );
  t.same(side, [sink!.delivered, sink!.deadLettered, sink!.excluded, sink!.lost]);
  const queued = of("exporter_queue_size", "exporter=sink,")!;
  t.equal(stored, side.reduce((sum, value) => sum + value, queued));
  t.equal(of("pipeline_dead_letters"), 1);
  t.equal(values.get("cairn_receiver_accepted_events_total{receiver=source}"), 4);
  t.equal(values.get("cairn_receiver_rejected_events_total{receiver=source}"), 1);
  const state = (name: string) =>
    values.get(`cairn_component_state{component=sink,kind=exporter,state=${name}}`);
  t.same([state("running"), state("failed")], [1, 0]);
});

t.test("counters of metrics never fall from one reading to the next", async (t) => {
  const running = await setUp(t, { endpoint: LOOPBACK });
  let before = new Map<string, number>() as ReadonlyMap<string, number>;
  for (let round = 1; round <= 3; round++) {
    await running.take((intake) => intake.events([event(`${round}`), event("again")]));
    const now = await scrape(running);
    const fallen = [...before].filter(([series, value]) =>
      /_total\{/.test(series) && !((now.get(series) ?? -1) >= value)
    );
    t.same(fallen, []);
    t.equal(now.get("cairn_pipeline_received_events_total{pipeline=audit}"), round * 2);
    before = now;
  }
});

t.test("every instrument of the table is served once, with its help and its type", async (t) => {
  const running = await setUp(t, { endpoint: LOOPBACK }, {
    receiver: { start: (_, context) => context.ignored("Is chatter", 7) },
  });
  const answer = await running.get("/metrics");
  t.match(answer.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const families = parsePrometheus(await answer.text());
  for (const { name, kind, description } of INSTRUMENTS) {
    const shown = kind === "counter" ? `${name}_total` : name;
    const [family, ...more] = families.filter((each) => each.name === shown);
    t.match(family, { help: description, type: kind.toUpperCase() }, shown);
    t.same(more, []);
    t.notSame(family?.metrics, [], `${shown} has values`);
  }
  const info = families.find(({ name }) => name === "target_info")?.metrics[0]?.labels;
  t.match(info, { service_name: "cairn", service_version: "1.2.3", host_name: "box" });
  t.equal((await running.get("/")).status, 404);
  t.equal((await running.get("/metrics", { method: "POST" })).status, 405);
  const head = await running.get("/metrics", { method: "HEAD" });
  t.same([head.status, await head.text()], [200, ""]);
});

t.test("what plugins record is served with the component that recorded it", async (t) => {
  const record: Behaviour = {
    start: (_, { meter }) => {
      const counter = meter.createCounter("requests", { description: "Requests" });
      counter.add(2, { method: "GET" });
      counter.add(1, { method: 'a "quoted"\nword' });
      meter.createHistogram("took_ms").record(3);
    },
  };
  const running = await setUp(t, { endpoint: LOOPBACK }, { receiver: record, exporter: record });
  const text = await (await running.get("/metrics")).text();
  t.equal(text.match(/^# TYPE requests_total counter$/gm)?.length, 1, "one family for both");
  const families = parsePrometheus(text);
  const requests = families.find(({ name }) => name === "requests_total")!.metrics;
  t.same(
    requests.filter(({ labels }) => labels?.method === "GET"),
    ["exporter/sink", "receiver/source"].map((component) => ({
      value: "2",
      labels: { method: "GET", component },
    })),
  );
  t.equal(requests.length, 4);
  t.equal(families.find(({ name }) => name === "took_ms")?.type, "HISTOGRAM");
});

t.test("a callback of a plugin that throws costs its own value, and is told once", async (t) => {
  const running = await setUp(t, { endpoint: LOOPBACK }, {
    receiver: {
      start: (_, { meter }) =>
        meter.createObservableGauge("broken").addCallback(() => {
          throw new Error("no value today");
        }),
    },
  });
  for (let round = 0; round < 2; round++) {
    t.equal((await scrape(running)).get("cairn_queue_blocked{pipeline=audit}"), 0);
  }
  const told = running.lines().filter(({ message }) => /no value today/.test(message));
  t.equal(told.length, 1);
});

t.test("metrics are pushed to an OTLP receiver, the last ones when the agent stops", async (t) => {
  const receiver = await otlpReceiver();
  t.teardown(receiver.close);
  const { agent, take, lines } = await setUp(t, {
    otlp: {
      endpoint: `${receiver.endpoint}/`,
      ...TO,
      interval: 100,
      headers: { authorization: new Secret("Bearer marked-secret") },
    },
  });
  await take((intake) => intake.events([event("1"), event("2")]));
  const stored = "cairn_pipeline_stored_records{pipeline=audit}";
  const last = () => receiver.received.at(-1)!;
  await until(
    () => receiver.received.length > 1 && valuesOf(last().request).get(stored) === 2,
    "the books arrive",
  );
  t.equal(last().path, "/v1/metrics");
  t.match(last().headers, {
    "content-type": "application/x-protobuf",
    authorization: "Bearer marked-secret",
  });
  const [{ resource, scopeMetrics }] = last().request.resourceMetrics as [
    typeof receiver.received[number]["request"]["resourceMetrics"][number],
  ];
  t.match(resource.attributes, [{ key: "service.name", value: { stringValue: "cairn" } }]);
  const sent = scopeMetrics.flatMap(({ metrics }) => metrics);
  t.match(sent.find(({ name }) => name === "cairn_exporter_sent_records"), {
    unit: "{record}",
    sum: { isMonotonic: true, aggregationTemporality: 2 },
  });
  await take((intake) => intake.events([event("3")]));
  await agent.stop(AbortSignal.timeout(3000));
  t.equal(valuesOf(last().request).get(stored), 3, "what came before the stop");
  t.notMatch(JSON.stringify(lines()), "marked-secret");
});

t.test("a push that fails is told once, harms nothing, and ends when it works", async (t) => {
  const receiver = await otlpReceiver();
  t.teardown(receiver.close);
  receiver.answer.status = 503;
  const { endpoint } = receiver;
  const { lines, take } = await setUp(t, { otlp: { ...TO, endpoint, interval: 20 } });
  await until(() => receiver.received.length >= 3, "several pushes");
  await take((intake) => intake.events([event("1")]));
  receiver.answer.status = 200;
  await until(
    () => lines().some(({ message }) => message === "Metrics are sent again"),
    "the push works again",
  );
  const told = lines().filter(({ message }) => message.startsWith("Cannot send metrics"));
  t.match(told, [{ level: "warn", message: /v1\/metrics": answered 503/ }]);
  t.equal(told.length, 1);
});

t.test("an agent stops in time though the OTLP receiver is dead or silent", async (t) => {
  const dead = await otlpReceiver();
  await dead.close();
  let asked = 0;
  const silent = createServer(() => asked++);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.teardown(() => silent.closeAllConnections());
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  for (const endpoint of [dead.endpoint, `http://127.0.0.1:${port}`]) {
    const { agent, lines } = await setUp(t, { otlp: { ...TO, endpoint, interval: 100 } });
    if (endpoint !== dead.endpoint) await until(() => asked > 0, "a push is under way");
    const deadline = AbortSignal.timeout(5000);
    await agent.stop(deadline);
    t.notOk(deadline.aborted, endpoint);
    t.ok(lines().some(({ message }) => message.startsWith("Cannot send metrics")));
  }
});

t.test("an endpoint that is taken is told when the agent starts", async (t) => {
  const receiver = await otlpReceiver();
  t.teardown(receiver.close);
  const port = Number(new URL(receiver.endpoint).port);
  await t.rejects(setUp(t, { endpoint: { host: "127.0.0.1", port } }), {
    code: "CAIRN_CONFIG",
    message:
      /^service\.telemetry\.metrics\.endpoint: Cannot listen on "127\.0\.0\.1:\d+": address already in use/,
  });
});

t.test("metrics are off unless configured, and their options are checked", async (t) => {
  const load = (metrics: string) =>
    loadConfig([{
      name: "test.yaml",
      text: `receivers: { auditd: {} }
exporters: { debug: {} }
service:
  telemetry: { metrics: ${metrics} }
  pipelines: { p: { receivers: [auditd], exporters: [debug] } }
`,
    }]);
  t.equal((await load("{}")).metrics, undefined);
  t.same((await load("{ endpoint: 127.0.0.1:8888 }")).metrics, {
    endpoint: { host: "127.0.0.1", port: 8888 },
  });
  const { otlp } = (await load(
    `{ otlp: { endpoint: "http://[::1]:4318", headers: { x-key: abc } } }`,
  )).metrics!;
  t.match(otlp, { endpoint: "http://[::1]:4318", interval: 60_000 });
  t.notMatch(JSON.stringify(otlp), "abc");
  for (
    const [bad, message] of [
      ["{ endpoint: 8888 }", /metrics\.endpoint: Expected/],
      ["{ otlp: {} }", /metrics\.otlp\.endpoint: Missing/],
      ["{ otlp: { endpoint: ftp://x } }", /metrics\.otlp\.endpoint: Expected a URL/],
      ["{ otlp: { endpoint: http://u:p@x } }", /Credentials belong into headers/],
      ['{ otlp: { endpoint: "http://x/?token=t" } }', /Credentials belong into headers/],
      ["{ otlp: { endpoint: http://x, interval: 1ms } }", /interval: Expected at least 100ms/],
      ["{ otpl: {} }", /did you mean "otlp"/],
    ] as const
  ) await t.rejects(load(bad), { message }, bad);
});
