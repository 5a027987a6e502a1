// Exporter otlp against real HTTP and gRPC servers: what arrives, what is refused, and who is told.

import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { createServer, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import grpc from "@grpc/grpc-js";
import { ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import t, { type Test } from "tap";
import {
  conformance,
  storedRecord,
  testBatch,
  testCertificates,
  testContext,
  testHost,
  testRecord,
} from "../../sdk/conformance.ts";
import { type FaultyRequest, FaultyServer } from "../../sdk/conformance/faulty-server.ts";
import { ConfigError, type ExportBatch, PermanentError, RetryableError } from "../../sdk/index.ts";
import { CODE, exportResponse, statusBody } from "../../sdk/otlp/answer.ts";
import { carriedRecord } from "../../sdk/otlp/carried-record.ts";
import { decodeJson } from "../../sdk/otlp/decode-json.ts";
import { decodeProtobuf } from "../../sdk/otlp/decode-protobuf.ts";
import type { LogRecord } from "../../sdk/otlp/log-record.ts";
import { gunzipSync } from "node:zlib";
import otlp from "./index.ts";
import { readable } from "./json.ts";
import { envelopeOf, logFields } from "./log-record.ts";
import { ProtobufWriter } from "./protobuf.ts";

const never = new AbortController().signal;
const METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

function decode(bytes: Uint8Array, type = "protobuf"): readonly LogRecord[] {
  const logs = /json/.test(type) ? decodeJson(bytes, 1e9)! : decodeProtobuf(bytes);
  return logs.flatMap(({ scopes }) => scopes.flatMap(({ records }) => records));
}

/** The records' texts. */
function textsOf(logs: readonly LogRecord[]): string[] {
  return logs.map((log) => Buffer.from(carriedRecord(log)!).toString());
}

function texts({ records }: ExportBatch): string[] {
  return records.map(({ bytes }) => Buffer.from(bytes).toString());
}

function make(t: Test, options: Record<string, unknown>, context = testContext({ id: "otlp" })) {
  const exporter = otlp.create(otlp.config.parse(options), context);
  t.teardown(() => exporter.stop(never));
  return exporter;
}

/** A server that takes all there is. */
async function serve(t: Test) {
  const requests: FaultyRequest[] = [];
  const server = await new FaultyServer((request) => {
    requests.push(request);
    return {};
  }).start();
  t.teardown(() => server.stop());
  return { server, requests };
}

async function errorOf(exporting: Promise<void>): Promise<unknown> {
  return await exporting.then(() => undefined, (error: unknown) => error);
}

await conformance(t, otlp, {
  minimal: { endpoint: "http://127.0.0.1:4318" },
  repeats: "a receiver of OTLP tells by log.record.uid, if at all",
  async target(t) {
    const { server, requests } = await serve(t);
    const delivered = () => Promise.resolve(requests.map(({ body }) => textsOf(decode(body))));
    return { config: { endpoint: server.url }, delivered };
  },
  broken: () => Promise.resolve({ config: { endpoint: "http://127.0.0.1:9" } }),
});

t.test("a record is the body as it is, and its attributes say what receivers search by", async (t) => {
  const failed = {
    ...testRecord(2),
    errorCode: "AccessDenied",
    errorMessage: "Nö",
    userAgent: "curl/8",
    requestID: "r-1",
    sourceIPAddress: "192.0.2.1",
  };
  const insight = {
    ...testRecord(3),
    eventCategory: "Insight",
    userIdentity: { principalId: "P" },
  };
  const odd = { userIdentity: "none", eventName: 7 } as unknown as typeof failed;
  const records = [
    storedRecord(1),
    storedRecord(2, failed),
    storedRecord(3, insight),
    { ...storedRecord(4, odd), id: "derived", time: Number.NaN },
  ];
  for (const protocol of ["http/protobuf", "http/json"]) {
    const { server, requests } = await serve(t);
    const exporter = make(t, { endpoint: `${server.url}/base/`, protocol });
    await exporter.export({ ...testBatch(1, 4), records }, never);
    const [request] = requests;
    t.equal(request?.path, "/base/v1/logs");
    t.match(request?.headers["user-agent"], /^cairn\//);
    const type = request?.headers["content-type"] ?? "";
    t.equal(type, protocol === "http/json" ? "application/json" : "application/x-protobuf");
    const logs = decode(request!.body, type);
    t.same(textsOf(logs), records.map(({ bytes }) => Buffer.from(bytes).toString()), protocol);
    const [one, two, three, four] = logs;
    t.equal(one?.time, BigInt(records[0]!.time) * 1_000_000n);
    t.equal(one?.observed, BigInt(Date.UTC(2026, 0, 2)) * 1_000_000n);
    t.equal(one?.eventName, "UserLogin");
    t.match([one, two, three].map((log) => log?.severityText), ["INFO", "ERROR", "WARN"]);
    const attributes = (log?: LogRecord) =>
      Object.fromEntries(log!.attributes.map(({ key, value }) => [key, value]));
    t.same(attributes(two), {
      "log.record.uid": records[1]!.id,
      "event.dataset": "aws.cloudtrail",
      "event.outcome": "failure",
      "cloud.account.id": "111122223333",
      "cloud.region": "eu-central-1",
      "event.provider": "sshd.host.internal",
      "user.name": "alice",
      "client.address": "192.0.2.1",
      "user_agent.original": "curl/8",
      "aws.request_id": "r-1",
      "error.type": "AccessDenied",
      "error.message": "Nö",
    });
    t.match(attributes(three), { "user.id": "P", "event.outcome": "success" });
    t.match(attributes(four), { "log.record.uid": "derived" });
    t.equal(four?.time, 0n);
  }
});

t.test("requests are what the SDK's own encoder writes, byte for byte", (t) => {
  const texts = [0, 1, 100, 127, 128, 4095, 4096].flatMap((size) =>
    ["x", "ü", "€", "😀"].map((sign) => sign.repeat(size))
  );
  texts.push("x".repeat(2_100_000));
  for (const host of ["web-01", "h".repeat(5000), "hôte"]) {
    const envelope = envelopeOf({ ...testContext().agent, host });
    const writer = new ProtobufWriter(envelope);
    const logs = texts.map((text, i) => {
      const record = { ...testRecord(i), userAgent: text, eventName: text.slice(0, 300) };
      return logFields(storedRecord(1, record), 1_767_312_000_123);
    });
    for (const some of [logs, logs.slice(0, 1)]) {
      const theirs = ProtobufLogsSerializer.serializeRequest(readable(some, envelope))!;
      t.equal(Buffer.compare(writer.request(some), theirs), 0, `${theirs.length} bytes`);
    }
  }
  t.end();
});

t.test("a range that comes again has the same bytes, compressed too", async (t) => {
  const { server, requests } = await serve(t);
  const exporter = make(t, { endpoint: server.url, compression: "gzip" });
  server.script(["answer lost"]);
  const lost = await errorOf(exporter.export(testBatch(1, 50), never));
  t.ok(lost instanceof RetryableError);
  await exporter.export(testBatch(1, 50), never);
  t.equal(requests.length, 2);
  t.same(requests[0]?.body, requests[1]?.body);
  t.equal(requests[0]?.headers["content-encoding"], "gzip");
  t.same(textsOf(decode(gunzipSync(requests[0]!.body))), texts(testBatch(1, 50)));
});

t.test("what an operator can mend is tried again, with the receiver's wish and words", async (t) => {
  const { server } = await serve(t);
  const exporter = make(t, { endpoint: server.url });
  const rows = [
    [429, { "retry-after": "7" }, /429/, 7000],
    [503, {}, /503/, undefined],
    [500, {}, /As the script says|No.*HTTP 500/, undefined],
    [401, {}, /check headers and tls/, undefined],
    [404, {}, /check endpoint and protocol/, undefined],
    [302, { location: "/elsewhere" }, /HTTP 302/, undefined],
  ] as const;
  for (const [status, headers, message, afterMs] of rows) {
    server.script([{ status, code: "X", headers }]);
    const error = await errorOf(exporter.export(testBatch(1, 3), never));
    t.ok(error instanceof RetryableError, String(status));
    t.match(error, { message, code: `Http${status}`, afterMs });
  }
});

t.test("a refused request is halved until only what is at fault is set aside", async (t) => {
  const arrived: string[] = [];
  const bad = new Set(texts(testBatch(5, 5)).concat(texts(testBatch(11, 11))));
  const server = await new FaultyServer(({ body }) => {
    const found = textsOf(decode(body));
    const type = { "content-type": "application/x-protobuf" };
    if (found.some((text) => bad.has(text))) {
      const status = statusBody("protobuf", CODE.invalidArgument, "Bad\nrecord");
      return { status: 400, headers: type, body: status };
    }
    if (found.length > 8) return { status: 413 };
    arrived.push(...found);
    return {};
  }).start();
  t.teardown(() => server.stop());
  const exporter = make(t, { endpoint: server.url });
  const batch = testBatch(1, 16);
  const error = await errorOf(exporter.export(batch, never));
  t.ok(error instanceof PermanentError);
  t.match(error, { failed: [5, 11], code: "Http400", message: /: Bad record \(HTTP 400\)$/ });
  const rest = batch.records.filter(({ sequence }) => sequence !== 5 && sequence !== 11);
  const before = server.requests;
  await exporter.export({ ...batch, records: rest }, never);
  t.equal(server.requests, before, "what arrived is not sent again");
  t.same(arrived.sort(), texts({ ...batch, records: rest }).sort());
});

t.test("rejected records are told and set aside, a warning is told once", async (t) => {
  for (const encoding of ["protobuf", "json"] as const) {
    let rejected = 2;
    const server = await new FaultyServer(() => ({
      body: rejected === 0 && encoding === "json"
        ? JSON.stringify({ partialSuccess: { errorMessage: "Use v2" } })
        : exportResponse(encoding, { rejected, reason: "Too\u0007 old" }),
    })).start();
    t.teardown(() => server.stop());
    const context = testContext({ id: "otlp" });
    const exporter = make(t, { endpoint: server.url, protocol: `http/${encoding}` }, context);
    const error = await errorOf(exporter.export(testBatch(1, 3), never));
    t.ok(error instanceof PermanentError);
    t.match(error, {
      failed: [1, 2, 3],
      message: /2 of 3 rejected: Too old; which they are is not/,
    });
    rejected = 0;
    await exporter.export(testBatch(4, 6), never);
    await exporter.export(testBatch(7, 9), never);
    const said = context.lines.filter(({ message }) => /says: Use v2/.test(message));
    t.equal(said.length, encoding === "json" ? 1 : 0);
  }
});

t.test("headers are sent, and not shown", async (t) => {
  const { server, requests } = await serve(t);
  const headers = { "X-Token": "s3cr3t", Authorization: "Bearer t0p" };
  const context = testContext({ id: "otlp" });
  const exporter = make(t, { endpoint: server.url, headers }, context);
  await exporter.export(testBatch(1, 1), never);
  t.match(requests[0]?.headers, { "x-token": "s3cr3t", authorization: "Bearer t0p" });
  const invalid = make(t, { endpoint: server.url, headers: { "X-Token": "s3c\nr3t" } }, context);
  const error = await errorOf(invalid.export(testBatch(1, 1), never));
  t.ok(error instanceof RetryableError);
  t.notMatch(`${(error as Error).message}`, /s3c/);
});

t.test("a proxy of the environment is asked", async (t) => {
  const seen: string[] = [];
  const proxy = createServer((_, response) => response.end());
  proxy.on("connect", (request, socket) => {
    seen.push(String(request.url));
    socket.end("HTTP/1.1 502 No\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.teardown(() => proxy.closeAllConnections());
  t.teardown(() => proxy.close());
  const before = process.env.https_proxy;
  process.env.https_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  t.teardown(() => {
    if (before === undefined) delete process.env.https_proxy;
    else process.env.https_proxy = before;
  });
  const exporter = make(t, { endpoint: "https://collector.invalid" });
  const error = await errorOf(exporter.export(testBatch(1, 1), never));
  t.ok(error instanceof RetryableError);
  t.same(seen, ["collector.invalid:443"]);
});

t.test("TLS with certificates of both sides, over HTTP and gRPC", async (t) => {
  const files = testCertificates(t.testdir());
  const tls = { ca_file: files.ca, cert_file: files.client.cert, key_file: files.client.key };
  const [ca, cert, key] = [files.ca, files.server.cert, files.server.key].map((path) =>
    readFileSync(path)
  );
  const bodies: Buffer[] = [];
  const server = createTlsServer(
    { ca, cert, key, requestCert: true, rejectUnauthorized: true },
    async (request, response) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      bodies.push(Buffer.concat(chunks));
      response.end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const exporter = make(t, { endpoint, tls });
  await exporter.start(testHost());
  await exporter.export(testBatch(1, 3), never);
  t.same(textsOf(decode(bodies[0]!)), texts(testBatch(1, 3)));
  const stranger = make(t, { endpoint });
  t.match(await errorOf(stranger.export(testBatch(1, 1), never)), { name: "RetryableError" });

  const pair = [{ private_key: key!, cert_chain: cert! }];
  const credentials = grpc.ServerCredentials.createSsl(ca!, pair, true);
  const { port, calls } = await serveGrpc(t, credentials, () => Buffer.alloc(0));
  const at = `https://localhost:${port}`;
  const other = make(t, { endpoint: at, protocol: "grpc", tls });
  await other.start(testHost());
  await other.export(testBatch(1, 3), never);
  t.same(textsOf(decode(calls[0]!.request)), texts(testBatch(1, 3)));
  const refused = make(t, { endpoint: at, protocol: "grpc" });
  t.match(await errorOf(refused.export(testBatch(1, 1), never)), {
    name: "RetryableError",
    code: "Grpc14",
  });
});

t.test("certificates that cannot be read or used are told at the start, by option and path", async (t) => {
  const folder = t.testdir();
  const bad = `${folder}/bad.pem`;
  writeFileSync(bad, "no certificate");
  for (const protocol of ["http/protobuf", "grpc"]) {
    const tls = { ca_file: bad, cert_file: `${folder}/none.pem`, key_file: bad };
    const exporter = make(t, { endpoint: "https://127.0.0.1:1", protocol, tls });
    const error = await exporter.start(testHost()).catch((error: unknown) => error);
    t.ok(error instanceof ConfigError);
    const paths = (error as ConfigError).problems.map(({ path }) => path);
    t.same(paths, ["tls.ca_file", "tls.cert_file", "tls.key_file"]);
  }
  const half = { endpoint: "https://127.0.0.1:1", tls: { cert_file: bad } };
  t.equal(otlp.config.safeParse(half).success, false);
});

t.test("check() looks at the receiver's address and the files", async (t) => {
  const { server } = await serve(t);
  const folder = t.testdir();
  const files = testCertificates(folder);
  const { agent, clock } = testContext();
  const check = async (options: Record<string, unknown>) => {
    const context = { agent, clock, signal: never, agentRuns: false };
    const findings = await otlp.check!(otlp.config.parse(options), context);
    return findings.map(({ level, path }) => `${path}: ${level}`);
  };
  const tls = { ca_file: files.ca, cert_file: files.client.cert, key_file: `${folder}/none` };
  const [address, ...rest] = await check({ endpoint: server.url, tls });
  t.equal(address, "endpoint: ok");
  t.ok(rest.includes("tls.key_file: warning") || rest.includes("tls.key_file: problem"));
  t.same(await check({ endpoint: "http://127.0.0.1:9" }), ["endpoint: warning"]);
});

/** Answers with bytes, an error, or not at all. */
type GrpcAnswering = (call: number) => Buffer | Partial<grpc.ServiceError> | undefined;

async function serveGrpc(
  t: Test,
  credentials: grpc.ServerCredentials,
  answering: GrpcAnswering,
) {
  const calls: { request: Buffer; headers: OutgoingHttpHeaders }[] = [];
  const server = new grpc.Server();
  const same = (bytes: Buffer) => bytes;
  const definition = {
    path: METHOD,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService({ Export: definition }, {
    Export: (
      call: grpc.ServerUnaryCall<Buffer, Buffer>,
      callback: grpc.sendUnaryData<Buffer>,
    ) => {
      calls.push({ request: call.request, headers: call.metadata.toHttp2Headers() });
      const answer = answering(calls.length);
      if (Buffer.isBuffer(answer)) callback(null, answer);
      else if (answer !== undefined) callback(answer);
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      credentials,
      (error, port) => error === null ? resolve(port) : reject(error),
    )
  );
  t.teardown(() => server.forceShutdown());
  return { port, calls };
}

t.test("over gRPC: headers, partial success, wishes, refusals and a stop", async (t) => {
  const details = (bytes: Buffer) => {
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", bytes);
    return metadata;
  };
  const wish = statusBody("protobuf", CODE.unavailable, "Come again", 2500);
  const answers: Record<number, Buffer | Partial<grpc.ServiceError>> = {
    1: Buffer.alloc(0),
    2: exportResponse("protobuf", { rejected: 3, reason: "None wanted" }),
    3: { code: 14, details: "Later", metadata: details(wish) },
    4: { code: 16, details: "Who are you" },
    5: { code: 3, details: "Malformed" },
    6: { code: 8, details: "Larger than 4194304" },
    7: { code: 8, details: "Busy", metadata: details(wish) },
    8: { code: 13, details: "Broken" },
  };
  const insecure = grpc.ServerCredentials.createInsecure();
  const { port, calls } = await serveGrpc(t, insecure, (call) => answers[call]);
  const endpoint = `http://127.0.0.1:${port}`;
  const options = { endpoint, protocol: "grpc", compression: "gzip", headers: { "X-Token": "k" } };
  const exporter = make(t, options);
  await exporter.export(testBatch(1, 3), never);
  t.same(textsOf(decode(calls[0]!.request)), texts(testBatch(1, 3)));
  t.equal(String(calls[0]?.headers["x-token"]), "k");
  t.match(String(calls[0]?.headers["user-agent"]), /^cairn\//);
  const fails = async () => await errorOf(exporter.export(testBatch(4, 6), never));
  t.match(await fails(), { name: "PermanentError", message: /3 of 3 rejected: None wanted$/ });
  t.match(await fails(), {
    name: "RetryableError",
    afterMs: 2500,
    message: /Come again \(gRPC 14/,
  });
  t.match(await fails(), { name: "RetryableError", message: /check headers and tls/ });
  const one = async () => await errorOf(exporter.export(testBatch(9, 9), never));
  t.match(await one(), { name: "PermanentError", failed: [9], message: /Malformed \(gRPC 3\)$/ });
  t.match(await one(), { name: "PermanentError", message: /Larger than/ });
  t.match(await one(), { name: "RetryableError", code: "Grpc8", afterMs: 2500 });
  t.match(await one(), { name: "RetryableError", code: "Grpc13" });
  const stop = new AbortController();
  const waiting = errorOf(exporter.export(testBatch(10, 12), stop.signal));
  const reason = new Error("Stopped by the test");
  stop.abort(reason);
  t.equal(await waiting, reason);
  const nobody = make(t, { endpoint: "http://127.0.0.1:1", protocol: "grpc" });
  t.match(await errorOf(nobody.export(testBatch(1, 1), never)), { name: "RetryableError" });
});
