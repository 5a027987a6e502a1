// Receiver otlp with real clients: official exporters, requests by hand, and senders that come again.

import { Buffer } from "node:buffer";
import grpc from "@grpc/grpc-js";
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
import { readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { Agent, request } from "undici";
import {
  conformance,
  type RecordingIntake,
  recordingIntake,
  stopInTime,
  testCertificates,
  type TestContext,
  testContext,
  type TestHost,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import type { Json, JsonObject, Receiver } from "../../sdk/index.ts";
import otlp from "./index.ts";

const EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";

interface Started {
  readonly receiver: Receiver;
  readonly intake: RecordingIntake;
  readonly context: TestContext;
  readonly host: TestHost;
  /** Where each protocol is listened to, without a scheme. */
  readonly http: string;
  readonly grpc: string;
}

async function start(t: Test, options: JsonObject = {}): Promise<Started> {
  const anywhere = { endpoint: "127.0.0.1:0" };
  const protocols = { http: anywhere, grpc: anywhere };
  const intake = recordingIntake();
  const context = testContext({ id: "otlp" });
  const host = testHost();
  const receiver = otlp.create(otlp.config.parse({ protocols, ...options }), context, intake);
  t.teardown(() => receiver.stop(AbortSignal.timeout(2000)));
  await receiver.start(host);
  const said = host.reports.at(-1)?.reason ?? "";
  const at = (name: string) => new RegExp(`(\\S+) \\(${name}\\)`).exec(said)?.[1] ?? "";
  return { receiver, intake, context, host, http: at("http"), grpc: at("grpc") };
}

/** A request of records in JSON. */
function inJson(...logRecords: readonly JsonObject[]): string {
  return JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
}

const timed = (members: JsonObject = {}) => ({ timeUnixNano: "1700000000000000000", ...members });
const named = (uid: string) =>
  timed({ attributes: [{ key: "log.record.uid", value: { stringValue: uid } }] });

function field(number: number, bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes);
  const { length } = content;
  const size = length < 128
    ? [length]
    : [length & 0x7f | 0x80, length >> 7 & 0x7f | 0x80, length >> 14];
  return Buffer.concat([Buffer.from([number << 3 | 2, ...size]), content]);
}

/** The same in Protocol Buffers, of records with a uid and a body. */
function inProtobuf(...uids: readonly string[]): Buffer {
  const records = uids.map((uid) => {
    const attribute = Buffer.concat([field(1, "log.record.uid"), field(2, field(1, uid))]);
    const time = Buffer.from([9, 0, 0, 0, 0, 0, 0, 1, 0]);
    return field(2, Buffer.concat([time, field(5, field(1, "hello")), field(6, attribute)]));
  });
  return field(1, field(2, Buffer.concat(records)));
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const dispatcher = new Agent({ connections: 8, headersTimeout: 60_000 });
t.teardown(() => dispatcher.destroy());

async function post(
  at: string,
  body: string | Uint8Array,
  headers: Record<string, string> = { "content-type": JSON_TYPE },
  path = "/v1/logs",
): Promise<Answer> {
  const answer = await request(`http://${at}${path}`, {
    method: "POST",
    body,
    headers,
    dispatcher,
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  return { status: answer.statusCode, headers: answer.headers, body: bytes };
}

const jsonOf = (answer: Answer): Json => JSON.parse(answer.body.toString());

interface Reply {
  readonly code: number;
  readonly details: string;
  readonly status: Buffer | undefined;
  readonly body: Buffer | undefined;
}

/** Makes calls on one connection. */
function caller(t: Test, at: string, options: grpc.ChannelOptions = {}) {
  const client = new grpc.Client(at, grpc.credentials.createInsecure(), options);
  t.teardown(() => client.close());
  const same = (bytes: Buffer) => bytes;
  return (bytes: Buffer, path = EXPORT): Promise<Reply> =>
    new Promise((resolve) => {
      client.makeUnaryRequest(path, same, same, bytes, (error, body) => {
        const status = error?.metadata.get("grpc-status-details-bin")[0];
        resolve({
          code: error?.code ?? 0,
          details: error?.details ?? "",
          status: status instanceof Buffer ? status : undefined,
          body,
        });
      });
    });
}

/** A port that nobody listens to, now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Sends until it is taken; gives up when there is nobody. */
async function untilTaken(send: () => Promise<boolean>): Promise<void> {
  for (let refused = 0; refused < 50;) {
    if (await send().catch(() => void refused++) === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Nobody takes what is sent");
}

const BATCH = 200;

/** A source for conformance(): numbered records in batches, four senders at once. */
function source(send: (uids: readonly string[]) => Promise<boolean>, config: unknown) {
  let number = 0;
  return {
    config,
    write: async (count: number) => {
      const uids = Array.from({ length: count }, () => String(number++));
      const batches: string[][] = [];
      for (let at = 0; at < count; at += BATCH) batches.push(uids.slice(at, at + BATCH));
      const senders = Array.from({ length: 4 }, async () => {
        for (let next = batches.shift(); next !== undefined; next = batches.shift()) {
          const batch = next;
          await untilTaken(() => send(batch));
        }
      });
      await Promise.all(senders);
      return uids.map((uid) => `uid:${uid}`);
    },
  };
}

const noPosition = "a sender keeps what was not answered, and sends it again";

t.test("over HTTP", async (t) => {
  await conformance(t, otlp, {
    minimal: {},
    noPosition,
    source: async () => {
      const at = `127.0.0.1:${await freePort()}`;
      const send = async (uids: readonly string[]) =>
        (await post(at, inJson(...uids.map(named)))).status === 200;
      return {
        ...source(send, { protocols: { http: { endpoint: at } } }),
        writeBad: async (noise) => {
          const bytes = Buffer.concat([Buffer.from([0x0a, 0xff]), noise]);
          const { status } = await post(at, bytes, { "content-type": PROTOBUF });
          if (status !== 400) throw new Error(`Noise was answered with ${status}`);
        },
      };
    },
  });
});

t.test("over gRPC", async (t) => {
  await conformance(t, otlp, {
    minimal: {},
    noPosition,
    backlog: 4000,
    source: async (t) => {
      const at = `127.0.0.1:${await freePort()}`;
      const fast = { "grpc.initial_reconnect_backoff_ms": 20, "grpc.max_reconnect_backoff_ms": 20 };
      let call: ReturnType<typeof caller> | undefined;
      const send = async (bytes: Buffer) => {
        const { code } = await (call ??= caller(t, at, fast))(bytes);
        if (code === 14) throw new Error("Unavailable");
        return code;
      };
      return {
        ...source(async (uids) => await send(inProtobuf(...uids)) === 0, {
          protocols: { grpc: { endpoint: at } },
        }),
        writeBad: async (noise) => {
          const code = await send(Buffer.concat([Buffer.from([0x0a, 0xff]), noise]));
          if (code !== 3) throw new Error(`Noise was answered with ${code}`);
        },
      };
    },
  });
});

/** Records as an application makes them. */
function logRecords(count: number): ReadableLogRecord[] {
  const memory = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({
    processors: [new SimpleLogRecordProcessor({ exporter: memory })],
  });
  const logger = provider.getLogger("app", "1.0");
  for (let i = 0; i < count; i++) {
    logger.emit({
      eventName: "user.login",
      severityNumber: 9,
      body: { number: i, list: [1.5, true, null] },
      attributes: { "user.name": `user ${i}`, "client.address": "192.0.2.1" },
    });
  }
  return memory.getFinishedLogRecords();
}

/** The code an exporter ends with: 0 for success. */
async function exported(exporter: LogRecordExporter, records: ReadableLogRecord[]) {
  const result = await new Promise<{ code: number; error?: Error }>((resolve) =>
    exporter.export(records, resolve)
  );
  await exporter.shutdown();
  return result;
}

t.test("the official exporters' records arrive, over each protocol, plain and gzip", async (t) => {
  const { http, grpc: at, intake } = await start(t);
  const records = logRecords(300);
  const gzip = "gzip" as ProtoCompression;
  const exporters: [string, LogRecordExporter][] = [
    ["http/json", new JsonExporter({ url: `http://${http}/v1/logs` })],
    ["http/json gzip", new JsonExporter({ url: `http://${http}/v1/logs`, compression: gzip })],
    ["http/protobuf", new ProtoExporter({ url: `http://${http}/v1/logs` })],
    ["http/protobuf gzip", new ProtoExporter({ url: `http://${http}/v1/logs`, compression: gzip })],
    ["grpc", new GrpcExporter({ url: `http://${at}` })],
    ["grpc gzip", new GrpcExporter({ url: `http://${at}`, compression: gzip })],
  ];
  for (const [name, exporter] of exporters) {
    const before = intake.takenEvents.length;
    t.match(await exported(exporter, records), { code: 0 }, name);
    const events = intake.takenEvents.slice(before);
    t.equal(events.length, 300, name);
    t.match(events[299], {
      action: "UserLogin",
      actor: { name: "user 299" },
      origin: { address: "192.0.2.1" },
      additional: { body: { number: 299, list: [1.5, true, null] }, scope: { name: "app" } },
    });
  }
  t.equal(new Set(intake.ids).size, 600, "what is sent again, in the same bytes, is known again");
});

type ProtoCompression = NonNullable<
  NonNullable<ConstructorParameters<typeof ProtoExporter>[0]>["compression"]
>;

t.test("an exporter that is told to come again does, and each record is there once", async (t) => {
  const { http, intake, host } = await start(t);
  intake.failNext(1);
  const exporter = new ProtoExporter({ url: `http://${http}/v1/logs` });
  t.match(await exported(exporter, logRecords(50)), { code: 0 });
  t.equal(intake.takenEvents.length, 50);
  t.match(host.reports.slice(-2), [
    { state: "degraded", reason: /^Cannot take logs.*made to fail/ },
    { state: "running", reason: /^Listening on/ },
  ]);
});

/** The ids of each call to the intake, taken or not. */
function watchIds(intake: RecordingIntake): string[][] {
  const calls: string[][] = [];
  const events = intake.events.bind(intake);
  intake.events = (given, options) => {
    calls.push(given.map(({ id }) => id));
    return events(given, options);
  };
  return calls;
}

t.test("a request has the same ids whenever it comes again, and its records differ", async (t) => {
  const { http, intake } = await start(t);
  const body = inJson(timed(), timed());
  const calls = watchIds(intake);
  intake.failNext(2);
  for (const status of [503, 503, 200, 200]) t.equal((await post(http, body)).status, status);
  t.same(calls, [calls[0], calls[0], calls[0], calls[0]]);
  t.equal(new Set(calls[0]).size, 2);
});

t.test("the same bytes in two requests at once are two, also when one of them comes again", async (t) => {
  const { http, intake } = await start(t);
  const body = inJson(timed());
  const calls = watchIds(intake);
  intake.block();
  const both = [post(http, body), post(http, body)];
  await until(() => intake.outstanding === 2, "both requests at the intake");
  intake.failNext(1);
  intake.unblock();
  const statuses = (await Promise.all(both)).map(({ status }) => status);
  t.same(statuses.sort(), [200, 503]);
  t.equal((await post(http, body)).status, 200);
  t.not(calls[0]?.[0], calls[1]?.[0]);
  t.same(calls[2], calls[0], "the first was not taken, and is expected");
});

t.test("a sender that has gone before the answer brings the same ids again", async (t) => {
  const { http, intake } = await start(t);
  const body = inJson(timed());
  let signal: AbortSignal | undefined;
  const events = intake.events.bind(intake);
  intake.events = (given, options) => {
    signal ??= options?.signal;
    return events(given, options);
  };
  intake.block({ deaf: true });
  const abort = new AbortController();
  const url = `http://${http}/v1/logs`;
  const headers = { "content-type": JSON_TYPE };
  const options = { method: "POST", body, headers, signal: abort.signal, dispatcher } as const;
  const lost = request(url, options).catch(() => {});
  await until(() => intake.outstanding === 1, "the first request at the intake");
  abort.abort();
  await lost;
  await until(() => signal?.aborted === true, "the receiver to notice");
  const again = post(http, body);
  intake.unblock();
  t.equal((await again).status, 200);
  await until(() => intake.ids.length === 2, "both requests at the intake");
  t.equal(intake.ids[0], intake.ids[1]);
});

t.test("records without a time are never taken for one another", async (t) => {
  const { http, intake } = await start(t);
  const body = inJson({ body: { stringValue: "backup done" } });
  for (let i = 0; i < 2; i++) t.equal((await post(http, body)).status, 200);
  t.match(intake.ids[0], /^[0-9a-f]{32}@\d+:0$/);
  t.not(intake.ids[0], intake.ids[1]);
});

const CLOUDTRAIL =
  '{"eventVersion":"1.08", "eventSource":"s3.amazonaws.com","eventName":"GetObject",' +
  '"eventID":"x","n":1.50}';

t.test("one request's events, CloudTrail records and bad records each go their way", async (t) => {
  const { http, grpc: at, intake } = await start(t);
  let deep: JsonObject = { stringValue: "x" };
  for (let i = 0; i < 40; i++) deep = { arrayValue: { values: [deep] } };
  const body = inJson(
    named("1"),
    timed({ body: deep }),
    timed({ body: { stringValue: CLOUDTRAIL } }),
  );
  const answer = await post(http, body);
  t.equal(answer.status, 200);
  t.same(jsonOf(answer), {
    partialSuccess: {
      rejectedLogRecords: "1",
      errorMessage: "Log record 1: Nests deeper than 32 levels",
    },
  });
  t.same(intake.ids, ["uid:1", "x"]);
  t.equal(Buffer.from(intake.takenBytes[0]!).toString(), CLOUDTRAIL);
  t.match(intake.rejects, [{ id: /:1$/, reason: /deeper than 32/ }]);
  t.match(JSON.parse(Buffer.from(intake.rejects[0]!.raw).toString()), { body: deep });
  let value = field(1, "x");
  for (let i = 0; i < 40; i++) value = field(5, field(1, value));
  const reply = await caller(t, at)(field(1, field(2, field(2, field(5, value)))));
  t.equal(reply.code, 0);
  const said = Buffer.concat([
    Buffer.from([8, 1]),
    field(2, "Log record 0: Nests deeper than 32 levels"),
  ]);
  t.same(reply.body, field(1, said), "partial success in Protocol Buffers");
});

t.test("only_events leaves out other records, counted and answered as taken", async (t) => {
  const { http, intake, context } = await start(t, { only_events: true });
  const answer = await post(http, inJson(timed(), timed({ eventName: "a" }), timed()));
  t.same([answer.status, jsonOf(answer)], [200, {}]);
  t.equal(intake.takenEvents.length, 1);
  t.same(context.ignoredCounts, { "no event: log record without event name": 2 });
});

t.test("what is no request for logs is refused in its own encoding", async (t) => {
  const { http } = await start(t, { max_body_bytes: "64KiB" });
  const json = { "content-type": `${JSON_TYPE}; charset=utf-8` };
  const zeros = gzipSync(Buffer.alloc(50_000_000));
  const cases: [string, number, number, Promise<Answer>][] = [
    ["no JSON", 400, 3, post(http, "{", json)],
    ["traces", 400, 3, post(http, '{"resourceSpans":[]}', json)],
    ["no such path", 404, 5, post(http, "{}", json, "/v1/traces")],
    ["an unknown type", 415, 3, post(http, "x", { "content-type": "text/plain" })],
    ["no type", 415, 3, post(http, "x", {})],
    ["an unknown encoding", 415, 3, post(http, "{}", { ...json, "content-encoding": "br" })],
    ["no gzip", 400, 3, post(http, "{}", { ...json, "content-encoding": "gzip" })],
    ["too long", 413, 8, post(http, Buffer.alloc(70_000), json)],
    ["a bomb", 413, 8, post(http, zeros, { ...json, "content-encoding": "gzip" })],
  ];
  for (const [name, status, code, asked] of cases) {
    const answer = await asked;
    t.match(answer, { status, headers: { "content-type": JSON_TYPE } }, name);
    t.match(jsonOf(answer), { code, message: /^[A-Z].*[^.]$/ }, name);
  }
  const got = await request(`http://${http}/v1/logs`, { dispatcher });
  t.match(got, { statusCode: 405, headers: { allow: "POST" } });
  await got.body.dump();
  const binary = await post(http, Buffer.from([0xff]), { "content-type": PROTOBUF });
  t.match(binary, { status: 400, headers: { "content-type": PROTOBUF } });
  t.same(binary.body, Buffer.concat([Buffer.from([8, 3]), field(2, "Ends inside a field")]));
  const large = await post(http, Buffer.alloc(70_000), { "content-type": PROTOBUF });
  t.same(large.body.subarray(0, 2), Buffer.from([8, 8]), "the server's own refusals as well");
  const empty = await post(http, "", { "content-type": PROTOBUF });
  t.match(empty, { status: 200, body: { length: 0 } }, "no bytes are an empty request");
});

t.test("refused requests and those not taken say over HTTP and gRPC whether to come again", async (t) => {
  const { http, grpc: at, intake } = await start(t);
  intake.failNext(2);
  const later = await post(http, inJson(timed()));
  t.match(later, { status: 503, headers: { "retry-after": "1" } });
  t.match(jsonOf(later), { code: 14 });
  const call = caller(t, at);
  const again = await call(inProtobuf("1"));
  t.equal(again.code, 14);
  const retryInfo = "type.googleapis.com/google.rpc.RetryInfo";
  t.ok(again.status?.includes(field(1, retryInfo)), "with a RetryInfo");
  t.ok(again.status?.includes(Buffer.from([0x0a, 4, 8, 1, 16, 0])), "of one second");
  t.match(await call(inProtobuf("1")), { code: 0, body: { length: 0 } });
  t.match(await call(Buffer.from([0xff])), { code: 3, details: "Ends inside a field" });
  t.match(await call(Buffer.alloc(0), EXPORT.replaceAll("logs", "trace")), { code: 12 });
  t.equal(intake.rejects.length, 1, "what cannot be read is set aside");
});

t.test("gRPC messages that are too large are refused, and connections that are too many", async (t) => {
  const { grpc: at, intake, context } = await start(t, {
    max_body_bytes: "64KiB",
    max_connections: 2,
  });
  const call = caller(t, at);
  t.match(await call(Buffer.alloc(70_000)), { code: 8 });
  const packed = caller(t, at, { "grpc.default_compression_algorithm": 2 });
  t.match(await packed(Buffer.alloc(5_000_000)), { code: 8, details: /decompresses/ });
  const third = connect(Number(at.split(":")[1]), "127.0.0.1");
  await new Promise((resolve) => third.on("error", () => {}).on("close", resolve));
  t.match(context.lines, [{ level: "warn", message: "Refused a connection: all 2 are in use" }]);
  t.match(await call(inProtobuf("1")), { code: 0 }, "the others are served");
  t.same(intake.ids, ["uid:1"]);
});

t.test("a gRPC connection that says nothing is closed", async (t) => {
  const { grpc: at } = await start(t, { idle_timeout: "100ms" });
  const silent = connect(Number(at.split(":")[1]), "127.0.0.1");
  await new Promise((resolve) => silent.resume().on("error", () => {}).on("close", resolve));
  t.pass("closed by the receiver");
});

t.test("a gRPC message that does not end in time ends its call", async (t) => {
  const { grpc: at } = await start(t, { body_timeout: "100ms" });
  const session = connectHttp2(`http://${at}`);
  t.teardown(() => session.destroy());
  const headers = { ":method": "POST", ":path": EXPORT, "content-type": "application/grpc" };
  const stream = session.request({ ...headers, te: "trailers" });
  stream.write(Buffer.from([0, 0, 0, 1, 0, 1]));
  const answered = await new Promise<Record<string, unknown>>((resolve) => {
    stream.on("trailers", resolve).on("response", (headers) => {
      if (headers["grpc-status"] !== undefined) resolve(headers);
    });
    stream.on("error", () => {}).resume();
  });
  t.equal(Number(answered["grpc-status"]), 4);
});

t.test("stop() answers what waits, so that it comes again, and leaves nothing open", async (t) => {
  const { receiver, http, grpc: at, intake } = await start(t);
  intake.block();
  const waiting = [post(http, inJson(timed())), caller(t, at)(inProtobuf("1"))] as const;
  await until(() => intake.outstanding === 2, "both requests at the intake");
  await stopInTime(t, receiver);
  t.match(await waiting[0], { status: 503, headers: { "retry-after": "1" } });
  t.match(await waiting[1], { code: 14 });
  t.equal(intake.ids.length, 0);
});

t.test("with TLS, only clients that the authority knows are served, over both protocols", async (t) => {
  const { ca, server, client } = testCertificates(t.testdir());
  const tls = { cert_file: server.cert, key_file: server.key, client_ca_file: ca };
  const anywhere = { endpoint: "127.0.0.1:0", tls };
  const { http, grpc: at, intake } = await start(t, {
    protocols: { http: anywhere, grpc: anywhere },
  });
  const [root, key, cert] = [ca, client.key, client.cert].map((path) => readFileSync(path));
  const port = (address: string) => `localhost:${address.split(":")[1]}`;
  const records = logRecords(5);
  const known = grpc.credentials.createSsl(root!, key!, cert!);
  const over = (credentials: grpc.ChannelCredentials) =>
    new GrpcExporter({ url: `https://${port(at)}`, credentials, timeoutMillis: 2000 });
  t.match(await exported(over(known), records), { code: 0 });
  t.match(await exported(over(grpc.credentials.createSsl(root!)), records), { code: 1 });
  t.equal(intake.ids.length, 5);
  const status = (options: { key?: Buffer; cert?: Buffer }) =>
    new Promise((resolve) => {
      const url = `https://${port(http)}/v1/logs`;
      const headers = { "content-type": JSON_TYPE };
      const sent = httpsRequest(url, {
        method: "POST",
        ca: root,
        headers,
        agent: false,
        ...options,
      });
      sent.on("response", (answer) => resolve(answer.resume().statusCode)).on(
        "error",
        () => resolve(0),
      );
      sent.end(inJson(named("1")));
    });
  t.equal(await status({ key: key!, cert: cert! }), 200);
  t.equal(await status({}), 0);
  t.equal(intake.ids.length, 6);
});

t.test("start() names what it cannot use, and leaves nothing open", async (t) => {
  const { http } = await start(t);
  const free = `127.0.0.1:${await freePort()}`;
  const protocols = { http: { endpoint: free }, grpc: { endpoint: http } };
  const other = otlp.create(otlp.config.parse({ protocols }), testContext(), recordingIntake());
  await t.rejects(other.start(testHost()), {
    name: "ConfigError",
    message: new RegExp(`Cannot listen on "${http}": address already in use`),
  });
  await t.rejects(post(free, "{}"), { code: "ECONNREFUSED" });
  t.equal(
    otlp.config.safeParse({ protocols: {} }).error?.issues[0]?.message,
    "Expected http, grpc or both",
  );
});
