// What reaches extension api that is no good call: unsigned, wrongly signed, expired and replayed
// requests, wrong JSON, large and slow ones, other names of the host. Each is refused in AWS's form,
// and others are served meanwhile.

import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { type AgentHealth, agentStatusService } from "../../sdk/agent-status.ts";
import { type ChannelService, channelService } from "../../sdk/channel-service.ts";
import {
  stopInTime,
  testCertificates,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import { RetryableError } from "../../sdk/errors.ts";
import type { AuditEvent, JsonObject } from "../../sdk/index.ts";
import { selfAuditService } from "../../sdk/self-audit.ts";
import { type TrailService, trailService } from "../../sdk/trail-service.ts";
import api from "./index.ts";

const REGION = "eu-central-1";
const CHANNEL =
  `arn:cairn:cloudtrail:${REGION}:111122223333:channel/5a7d6a1e-0000-4000-8000-000000000001`;
const KEY = { id: "AKIDALICE", secret: "alice-secret" };
const APP = { id: "AKIDAPP", secret: "app-secret" };
const CREDENTIALS = [
  { access_key_id: KEY.id, secret_access_key: KEY.secret, user: "alice" },
  {
    access_key_id: APP.id,
    secret_access_key: APP.secret,
    user: "app",
    actions: ["cloudtrail-data:Put*", "cloudtrail:listchannel?"],
  },
];

interface Started {
  readonly address: string;
  readonly now: { ms: number };
  readonly health: { state: AgentHealth["state"] };
  readonly ignored: Readonly<Record<string, number>>;
  readonly lines: readonly { readonly message: string }[];
  readonly stop: () => Promise<void>;
  /** What the channel does with a call. */
  put: { answer: ChannelService["put"] };
  /** What was recorded, and what recording waits for. */
  readonly audit: { readonly events: AuditEvent[]; wait: Promise<void> };
  switched: number;
}

async function start(t: Test, options: JsonObject = {}): Promise<Started> {
  const now = { ms: Date.now() };
  const health: Started["health"] = { state: "running" };
  const context = testContext({ id: "api", clock: () => now.ms });
  const config = api.config.parse({
    endpoint: "127.0.0.1:0",
    credentials: CREDENTIALS,
    ...options,
  });
  const extension = api.create(config, context);
  const host = testHost();
  const put: Started["put"] = {
    answer: async ({ auditEvents }) => ({
      successful: auditEvents.map(({ id }) => ({ id, eventID: "e" })),
      failed: [],
    }),
  };
  const describe = () => ({
    id: "channel",
    name: "apps",
    arn: CHANNEL,
    source: "",
    destinations: [],
  });
  host.provide(channelService, {
    describe,
    status: () => ({}),
    put: (...call) => put.answer(...call),
  });
  const audit: Started["audit"] = { events: [], wait: Promise.resolve() };
  host.provide(selfAuditService, {
    record: async (event) => {
      audit.events.push(event);
      await audit.wait;
    },
  });
  const started = { now, health, ignored: context.ignoredCounts, lines: context.lines, put, audit };
  let switched = 0;
  host.provide(trailService, {
    describe: () => ({ name: "main" }),
    startLogging: async () => void switched++,
  } as unknown as TrailService);
  await extension.start({
    ...host,
    find: ((kind: unknown) =>
      kind === agentStatusService
        ? [{ status: () => ({ state: health.state, components: [], pipelines: [] }) }]
        : host.find(kind as never)) as typeof host.find,
  });
  t.teardown(() => extension.stop(AbortSignal.timeout(2000)));
  const address = /\S+$/.exec(host.reports[0]?.reason ?? "")![0];
  return {
    ...started,
    address,
    stop: () => stopInTime(t, extension),
    get switched() {
      return switched;
    },
  };
}

interface Call {
  readonly operation?: string;
  readonly path?: string;
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: typeof KEY;
  readonly at?: number;
  readonly service?: string;
}

const PUT_PATH = `/PutAuditEvents?channelArn=${encodeURIComponent(CHANNEL)}`;
const ONE_EVENT = '{"auditEvents":[{"id":"1","eventData":"{}"}]}';

/** Headers of a call, signed by hand. */
function signed(address: string, call: Call): Record<string, string> {
  const { operation = "ListChannels", path = "/", body = "{}", key = KEY } = call;
  const { service = "cloudtrail", method = "POST", at = Date.now() } = call;
  const date = new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
  const headers: Record<string, string> = {
    host: address,
    "x-amz-date": date,
    "x-amz-target": `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.${operation}`,
  };
  const names = Object.keys(headers).sort();
  const sha = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");
  const [name, query = ""] = path.split("?");
  const canonical = [
    method,
    name,
    query,
    ...names.map((header) => `${header}:${headers[header]}`),
    "",
    names.join(";"),
    sha(body),
  ].join("\n");
  const scope = `${date.slice(0, 8)}/${REGION}/${service}/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha(canonical)}`;
  let hmac: Buffer | string = `AWS4${key.secret}`;
  for (const part of [...scope.split("/"), text]) {
    hmac = createHmac("sha256", hmac).update(part).digest();
  }
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${Buffer.from(hmac).toString("hex")}`;
  return { ...headers, authorization };
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly body: JsonObject;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Makes a call; `headers` stand instead of those that are signed. */
function send(address: string, call: Call = {}, headers = signed(address, call)): Promise<Answer> {
  const { path = "/", method = "POST", body = "{}" } = call;
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const asking = httpRequest(
      { host, port, path, method, agent: false, headers: { ...headers, ...call.headers } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk) => text += chunk);
        answer.on("end", () => {
          const value = JSON.parse(text);
          const { statusCode: status = 0, headers } = answer;
          resolve({ status, code: value.__type ?? "", body: value, headers });
        });
      },
    );
    asking.on("error", reject);
    asking.end(body);
  });
}

t.test("a request that is not signed by a key, or not rightly, is refused and counted", async (t) => {
  const { address, ignored, now } = await start(t);
  const good = signed(address, {});
  const cases: readonly (readonly [string, Promise<Answer>])[] = [
    ["MissingAuthenticationTokenException", send(address, {}, { host: address })],
    ["UnrecognizedClientException", send(address, { key: { id: "AKIDNONE", secret: "x" } })],
    ["InvalidSignatureException", send(address, { key: { ...KEY, secret: "x" } })],
    ["InvalidSignatureException", send(address, { body: '{"MaxResults":1}' }, good)],
    ["InvalidSignatureException", send(address, { service: "s3" })],
    ["InvalidSignatureException", send(address, { at: now.ms - 301_000 })],
    ["InvalidSignatureException", send(address, { at: now.ms + 301_000 })],
    [
      "UnrecognizedClientException",
      send(address, { headers: { "x-amz-security-token": "session" } }),
    ],
    [
      "IncompleteSignatureException",
      send(address, {}, { host: address, authorization: "Basic x" }),
    ],
  ];
  for (const [code, asked] of cases) {
    const { status, code: found, body, headers } = await asked;
    t.equal(found, code);
    t.equal(status, 400);
    t.equal(headers["x-amzn-errortype"], body.__type);
    t.match(headers["x-amzn-requestid"], /^[0-9a-f-]{36}$/);
    t.notMatch(JSON.stringify(body), /secret/);
  }
  t.same(ignored, { "refused: signature or credentials": cases.length });
  t.equal((await send(address)).status, 200, "others are served");
});

t.test("a key may do what its actions allow, and nothing else", async (t) => {
  const { address } = await start(t);
  t.equal((await send(address, { key: APP })).status, 200, "names regardless of case");
  const put = { path: PUT_PATH, body: ONE_EVENT, key: APP, service: "cloudtrail-data" };
  t.equal((await send(address, put)).status, 200);
  const refused = await send(address, { operation: "LookupEvents", key: APP });
  t.equal(refused.code, "AccessDeniedException");
  t.match(refused.body.message, /user\/app is not authorized to perform: cloudtrail:LookupEvents/);
});

t.test("a call that changes something is taken once for its signature", async (t) => {
  const started = await start(t);
  const { address } = started;
  const call = { operation: "StartLogging", body: '{"Name":"main"}' };
  const headers = signed(address, call);
  t.equal((await send(address, call, headers)).status, 200);
  t.equal((await send(address, call, headers)).code, "InvalidSignatureException");
  t.equal(started.switched, 1);
  const early = { ...call, at: started.now.ms - 2000 };
  const before = await send(address, early);
  t.equal(before.code, "InvalidSignatureException", "may have been used before a restart");
  t.equal(started.switched, 1);
  const read = signed(address, {});
  t.equal((await send(address, {}, read)).status, 200);
  t.equal((await send(address, {}, read)).status, 200, "reading again does no harm");
});

t.test("what is no call of CloudTrail's is answered as AWS answers it", async (t) => {
  const { address } = await start(t);
  const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const put = { path: PUT_PATH, service: "cloudtrail-data" };
  const cases: readonly (readonly [number, string, Call])[] = [
    [400, "UnknownOperationException", { operation: "DoNothing" }],
    [400, "UnknownOperationException", { operation: "constructor" }],
    [400, "UnknownOperationException", { operation: "List Channels" }],
    [404, "UnknownOperationException", { path: "/other" }],
    [405, "UnknownOperationException", { method: "PUT" }],
    [405, "UnknownOperationException", { method: "OPTIONS", body: "" }],
    [415, "UnsupportedMediaTypeException", { headers: { "content-encoding": "gzip" } }],
    [400, "SerializationException", { body: "{" }],
    [400, "SerializationException", { body: "[]" }],
    [400, "SerializationException", { body: '{"MaxResults":"1"}' }],
    [400, "SerializationException", { body: "\xff\xfe" }],
    [400, "ValidationException", { body: '{"MaxResults":1001}' }],
    [400, "ValidationException", { operation: "GetTrail" }],
    [400, "SerializationException", { operation: "LookupEvents", body: '{"StartTime":1e999}' }],
    [400, "SerializationException", { operation: "ListPublicKeys", body: '{"EndTime":-1e13}' }],
    [200, "", { body: deep }],
    [413, "RequestEntityTooLargeException", { body: Buffer.alloc(10 * 1024 * 1024, 32) }],
    [400, "ValidationException", { ...put, body: "{}" }],
    [400, "ValidationException", { ...put, body: ONE_EVENT.replace('"1"', '"a b"') }],
    [400, "ValidationException", { ...put, body: '{"auditEvents":[]}' }],
    [400, "SerializationException", { ...put, body: '{"auditEvents":{}}' }],
    [400, "SerializationException", { ...put, body: '{"auditEvents":[null]}' }],
    [400, "SerializationException", { ...put, body: Buffer.from(ONE_EVENT + "\xff", "latin1") }],
    [400, "InvalidChannelARN", { ...put, path: "/PutAuditEvents", body: ONE_EVENT }],
    [400, "ChannelNotFound", { ...put, path: "/PutAuditEvents?channelArn=none", body: ONE_EVENT }],
  ];
  for (const [status, code, call] of cases) {
    const answer = await send(address, call);
    t.same([answer.status, answer.code], [status, code], JSON.stringify(call).slice(0, 80));
  }
  const { body } = await send(address, { operation: "GetTrail" });
  t.equal(
    body.message,
    "1 validation error detected: Value null at 'name' failed to satisfy constraint: " +
      "Member must not be null",
  );
});

t.test("members that an operation does not know are in no token and in no record", async (t) => {
  const { address, audit } = await start(t, {
    service_channels: [{ name: "aws-service-channel/siem/main", exporter: "otlp" }],
  });
  const junk = `"junk":${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const first = await send(address, { body: `{"MaxResults":1,${junk}}` });
  t.equal(first.status, 200);
  const body = JSON.stringify({ MaxResults: 1, NextToken: first.body.NextToken, junk: 1 });
  t.match((await send(address, { body })).body, { Channels: [{}] }, "the next page");
  const order = { operation: "StartLogging", body: `{"Name":"main",${junk}}` };
  t.equal((await send(address, order)).status, 200);
  t.same(audit.events.map(({ request }) => request), [{ name: "main" }]);
});

t.test("as many wrong items as a body holds are told as few", async (t) => {
  const { address } = await start(t);
  const body = `{"auditEvents":[${"{},".repeat(1_000_000)}{}]}`;
  const { code, body: { message } } = await send(address, {
    path: PUT_PATH,
    service: "cloudtrail-data",
    body,
  });
  t.equal(code, "ValidationException");
  t.ok(String(message).length < 4000);
});

t.test("bodies of strangers are not waited for", async (t) => {
  const { address } = await start(t);
  const [host, port] = address.split(":");
  const headers = signed(address, { key: { id: "AKIDNONE", secret: "x" } });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const socket = connect({ host: host!, port: Number(port) });
  t.teardown(() => socket.destroy());
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => answer += text).on("error", () => {});
  socket.write(`POST / HTTP/1.1\r\n${lines}content-length: 4000000\r\n\r\nhere it comes`);
  await until(() => answer.includes("UnrecognizedClientException"), "the answer", 5000);
  t.match(answer, /^HTTP\/1.1 400/);
});

t.test("where no queue has room, calls end in time and others are answered", async (t) => {
  const { address, put, audit } = await start(t);
  let free = () => {};
  const room = new Promise<void>((resolve) => free = resolve);
  put.answer = async () => {
    await room;
    return { successful: [], failed: [] };
  };
  audit.wait = room;
  const event = (n: number) => ({
    path: PUT_PATH,
    service: "cloudtrail-data",
    body: ONE_EVENT.replace('"1"', `"${n}"`),
  });
  const puts = Array.from({ length: 60 }, (_, n) => send(address, event(n)));
  const starts = Array.from({ length: 16 }, (_, n) => {
    const call = { operation: "StartLogging", body: `{"Name":"main","n":${n}}` };
    return send(address, call);
  });
  for (const { status } of await Promise.all(starts)) t.equal(status, 503, "not recorded");
  const next = { operation: "StartLogging", body: '{"Name":"main","n":16}' };
  t.equal((await send(address, next)).status, 503, "at once, as many wait already");
  t.equal((await send(address)).status, 200, "what makes no record");
  free();
  const codes = (await Promise.all(puts)).map(({ code }) => code);
  t.equal(codes.filter((code) => code === "ThrottlingException").length, 12);
  t.equal((await send(address, { ...next, body: '{"Name":"main","n":17}' })).status, 200);
});

t.test("a thousand slow connections keep nobody from being served, and are ended", async (t) => {
  const { address } = await start(t, { max_connections: 1100, header_timeout: "2s" });
  const [host, port] = address.split(":");
  const slow: Socket[] = [];
  let ended = 0;
  t.teardown(() => slow.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 1000; i++) {
    const socket = connect({ host: host!, port: Number(port) });
    socket.on("error", () => {});
    socket.on("close", () => ended++);
    socket.on("connect", () => socket.write("POST / HTTP/1.1\r\nHost: x\r\n"));
    slow.push(socket);
  }
  await until(() => slow.every(({ readyState }) => readyState !== "opening"), "1,000 connections");
  t.equal((await send(address)).status, 200);
  await until(() => ended === 1000, "the end of all slow ones", 20_000);
  t.equal((await send(address)).status, 200);
});

t.test("without credentials, other names of the host and pages are refused", async (t) => {
  const { address, ignored } = await start(t, { credentials: [] });
  const port = address.split(":")[1];
  const asked = async (headers: Record<string, string>) =>
    (await send(address, {}, {
      "x-amz-target": "CloudTrail_20131101.ListChannels",
      host: address,
      ...headers,
    })).code;
  for (const host of [address, `localhost:${port}`, `[::1]:${port}`, "127.0.0.2", "LOCALHOST"]) {
    t.equal(await asked({ host }), "", host);
  }
  for (const host of ["rebound.example", `evil.example:${port}`, "127.0.0.1.example", "10.0.0.1"]) {
    t.equal(await asked({ host }), "AccessDeniedException", host);
  }
  t.equal(await asked({ origin: "http://127.0.0.1" }), "AccessDeniedException", "a page's call");
  t.equal(await asked({ "sec-fetch-site": "cross-site" }), "AccessDeniedException");
  t.equal(ignored["refused: signature or credentials"], 6);
});

t.test("without credentials, only a loopback address or a unix socket is listened on", async (t) => {
  const accepts = (endpoint: string, credentials: readonly object[] = []) =>
    api.config.safeParse({ endpoint, credentials }).success;
  for (const at of ["127.0.0.1:0", "[::1]:0", "localhost:0", "127.8.9.1:1", "unix:///run/x"]) {
    t.equal(accepts(at), true, at);
  }
  for (const at of ["0.0.0.0:4580", "10.0.0.1:4580", "[::]:4580", "host.example:4580"]) {
    t.equal(accepts(at), false, at);
    t.equal(accepts(at, CREDENTIALS), true, at);
  }
  t.equal(accepts("127.0.0.1:0", [CREDENTIALS[0]!, CREDENTIALS[0]!]), false, "a key twice");
  t.equal(accepts("127.0.0.1:0", [{ ...CREDENTIALS[0], actions: ["s3:*"] }]), false);
});

t.test("what cannot be done now is 503, and what is a mistake 500, told once", async (t) => {
  const { address, put, health, lines } = await start(t);
  const call = { path: PUT_PATH, body: ONE_EVENT, service: "cloudtrail-data" };
  const answers = async (error: Error) => {
    put.answer = () => Promise.reject(error);
    const { status, code, headers } = await send(address, call);
    return [status, code, headers["retry-after"]];
  };
  t.same(await answers(new RetryableError("Full")), [503, "ServiceUnavailable", "1"]);
  t.same(await answers(new Error("secret details")), [500, "InternalFailure", undefined]);
  await answers(new Error("secret details"));
  t.equal(lines.filter(({ message }) => message.includes("secret details")).length, 1);
  for (const state of ["starting", "stopping"] as const) {
    health.state = state;
    t.equal((await send(address)).status, 503, "nothing is said not to exist");
  }
});

t.test("over TLS a caller shows a certificate where the operator wants one", async (t) => {
  const { ca, server, client } = testCertificates(t.testdir());
  const { address } = await start(t, {
    tls: { cert_file: server.cert, key_file: server.key, client_ca_file: ca },
  });
  const shown = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
  const [host, port] = address.split(":");
  const ask = (certificate: object) =>
    new Promise<number>((resolve, reject) => {
      const agent = new HttpsAgent({ keepAlive: false });
      const options = { host, port, agent, method: "POST", path: "/", ...certificate };
      const asking = httpsRequest(
        { ...options, ca: readFileSync(ca), headers: signed(address, {}), servername: "localhost" },
        (answer) => {
          answer.resume().on("end", () => resolve(answer.statusCode ?? 0));
        },
      );
      asking.on("error", reject);
      asking.end("{}");
    });
  t.equal(await ask(shown), 200);
  await t.rejects(ask({}), "without a certificate");
});

t.test("stop() answers what is under way", async (t) => {
  const started = await start(t);
  let release: (() => void) | undefined;
  started.put.answer = async () => {
    await new Promise<void>((resolve) => release = resolve);
    return { successful: [], failed: [] };
  };
  const asked = send(started.address, {
    path: PUT_PATH,
    body: ONE_EVENT,
    service: "cloudtrail-data",
  });
  await until(() => release !== undefined, "the call");
  const stopped = started.stop();
  release!();
  t.equal((await asked).status, 200);
  await stopped;
});
