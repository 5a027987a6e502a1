// What log records mean: the semantic conventions, as CloudTrail would say it; records that carry a
// CloudTrail record; and what OpenTelemetry's own examples come to.

import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import type { AuditEvent } from "../event.ts";
import type { Json, JsonObject } from "../json.ts";
import { decodeJson } from "./decode-json.ts";
import { decodeProtobuf } from "./decode-protobuf.ts";
import { type Interpreted, Interpreter } from "./interpret.ts";
import type { ResourceLogs } from "./log-record.ts";

const OPTIONS = {
  request: new Uint8Array(0),
  idOf: (index: number) => `id:${index}`,
  receivedAt: 1_700_000_000_000,
  onlyEvents: false,
};

function value(found: Json): JsonObject {
  if (typeof found === "string") return { stringValue: found };
  if (typeof found === "boolean") return { boolValue: found };
  if (typeof found === "number") return { intValue: found };
  if (Array.isArray(found)) return { arrayValue: { values: found.map(value) } };
  return { kvlistValue: { values: attributes(found as JsonObject) } };
}

function attributes(found: JsonObject): readonly JsonObject[] {
  return Object.entries(found).map(([key, one]) => ({ key, value: value(one!) }));
}

interface Parts {
  readonly attributes?: JsonObject;
  readonly resource?: JsonObject;
  readonly body?: Json;
  readonly record?: JsonObject;
}

function interpret(parts: Parts, options: Partial<typeof OPTIONS> = {}): Interpreted {
  const request = {
    resourceLogs: [{
      resource: { attributes: attributes(parts.resource ?? {}) },
      scopeLogs: [{
        logRecords: [{
          timeUnixNano: "1700000000123456789",
          attributes: attributes(parts.attributes ?? {}),
          ...(parts.body !== undefined && { body: value(parts.body) }),
          ...parts.record,
        }],
      }],
    }],
  };
  const logs = decodeJson(Buffer.from(JSON.stringify(request)), 1e6);
  const [found] = new Interpreter().interpret(logs ?? [], { ...OPTIONS, ...options });
  return found!;
}

function event(parts: Parts): AuditEvent {
  const found = interpret(parts);
  if (!("event" in found)) throw new Error(`No event: ${JSON.stringify(found)}`);
  return found.event;
}

t.test("a record becomes an event that holds all that was sent", async (t) => {
  const found = event({
    resource: { "service.name": "Shop", "host.name": "web-02", "k8s.pod.name": "shop-1" },
    attributes: {
      "user.name": "alice",
      "user.id": "7",
      "session.id": "s1",
      "client.address": "192.0.2.7",
      "client.port": 4711,
      "user_agent.original": "curl/8",
      "tls.protocol.version": "1.3",
      "tls.cipher": "TLS_AES_128_GCM_SHA256",
      "order": 9,
    },
    body: { what: "login" },
    record: {
      eventName: "user.login",
      severityNumber: 9,
      severityText: "INFO",
      traceId: "5B8EFFF798038103D269B633813FC60C",
      spanId: "EEE19B7EC3C1B174",
      observedTimeUnixNano: "1700000001000000000",
    },
  });
  t.strictSame(found, {
    id: "id:0",
    time: 1_700_000_000_123,
    service: "shop",
    action: "UserLogin",
    actor: { type: "user", name: "alice", id: "7", session: { id: "s1" } },
    outcome: { success: true },
    host: "web-02",
    origin: {
      address: "192.0.2.7",
      port: 4711,
      userAgent: "curl/8",
      tls: { version: "TLSv1.3", cipherSuite: "TLS_AES_128_GCM_SHA256" },
    },
    additional: {
      eventName: "user.login",
      body: { what: "login" },
      severityNumber: 9,
      severityText: "INFO",
      traceId: "5b8efff798038103d269b633813fc60c",
      spanId: "eee19b7ec3c1b174",
      timeUnixNano: "1700000000123456789",
      observedTimeUnixNano: "1700000001000000000",
      attributes: {
        "user.name": "alice",
        "user.id": "7",
        "session.id": "s1",
        "client.address": "192.0.2.7",
        "client.port": 4711,
        "user_agent.original": "curl/8",
        "tls.protocol.version": "1.3",
        "tls.cipher": "TLS_AES_128_GCM_SHA256",
        "order": 9,
      },
      resource: { "service.name": "Shop", "host.name": "web-02", "k8s.pod.name": "shop-1" },
    },
    readOnly: false,
    category: "Management",
  });
});

t.test("calls and queries are named by what was called, and are data events", async (t) => {
  const http = event({
    attributes: {
      "http.request.method": "GET",
      "url.path": "/orders",
      "url.query": "access_token=abc",
      "http.response.status_code": 403,
      "network.peer.address": "192.0.2.9",
    },
  });
  t.match(http, {
    action: "HttpGet",
    category: "Data",
    readOnly: true,
    outcome: { success: false, code: "AccessDenied" },
    origin: { address: "192.0.2.9" },
    request: { "http.request.method": "GET", "url.path": "/orders" },
    response: { "http.response.status_code": 403 },
  });
  t.notMatch(JSON.stringify(http), "abc", "a token in a URL is not copied");
  const rpc = event({
    attributes: { "rpc.method": "shop.Orders/DeleteOrder", "rpc.grpc.status_code": 7 },
  });
  t.match(rpc, { action: "DeleteOrder", outcome: { success: false, code: "AccessDenied" } });
  const database = event({
    attributes: {
      "db.system.name": "postgresql",
      "db.operation.name": "SELECT",
      "db.namespace": "shop",
      "db.collection.name": "orders",
      "network.peer.address": "192.0.2.9",
    },
  });
  t.match(database, {
    action: "Select",
    readOnly: true,
    category: "Data",
    resources: [{ type: "Database::Collection", name: "shop/orders" }],
  });
  t.equal(
    database.origin,
    undefined,
    "a database's address is where it went, not where it came from",
  );
});

t.test("an outcome is what the record says, else its status, error or severity", async (t) => {
  const outcome = (attributes: JsonObject, record: JsonObject = {}, body?: Json) =>
    event({ attributes, record, ...(body !== undefined && { body }) }).outcome;
  t.same(outcome({ "event.outcome": "failure" }), { success: false, code: "Failure" });
  t.same(outcome({ "event.outcome": "success" }, { severityNumber: 17 }), { success: true });
  t.same(outcome({ "http.response.status_code": 200 }, { severityNumber: 17 }), { success: true });
  t.same(outcome({ "rpc.response.status_code": "UNAUTHENTICATED" }), {
    success: false,
    code: "AuthenticationFailed",
  });
  t.same(outcome({ "rpc.grpc.status_code": 0 }), { success: true });
  t.same(
    outcome({ "exception.type": "java.net.ConnectException", "exception.message": "refused" }),
    { success: false, code: "ConnectException", message: "refused" },
  );
  t.same(outcome({ "error.type": "ECONNRESET" }), { success: false, code: "ECONNRESET" });
  t.same(outcome({ "error.type": "404" }), { success: false, code: "NotFound" });
  t.same(outcome({}, { severityNumber: 17 }, "disk full"), {
    success: false,
    code: "Error",
    message: "disk full",
  });
  t.same(outcome({}, { severityNumber: 24 }), { success: false, code: "FatalError" });
  t.same(outcome({}, { severityNumber: 16 }), { success: true });
});

t.test("names come from the event, the conventions' attributes, or the kind of message", async (t) => {
  t.equal(event({ record: { eventName: "browser.page_view" } }).action, "BrowserPageView");
  t.equal(event({ attributes: { "event.name": "CreateUser" } }).action, "CreateUser");
  t.equal(event({ attributes: { "event.action": "user.created" } }).action, "CreateUser");
  t.equal(event({ attributes: { "exception.type": "X" } }).action, "RaiseException");
  t.equal(event({ body: "hello" }).action, "LogMessage");
  t.equal(
    event({ record: { eventName: "ü !" } }).action,
    "LogMessage",
    "nothing CloudTrail can hold",
  );
  t.equal(event({ record: { eventName: "x".repeat(999) } }).action.length, 256);
  t.equal(event({}).service, "unknown");
  t.same(event({}).actor, { type: "user" }, "nobody is invented");
  t.same(event({ attributes: { "enduser.id": "bob" } }).actor, { type: "user", name: "bob" });
});

t.test("what Kubernetes objects, files and clouds a record is about become resources", async (t) => {
  const found = event({
    resource: { "k8s.object.kind": "Pod", "k8s.object.name": "web-1", "k8s.node.name": "n1" },
    attributes: { "k8s.event.reason": "Killing", "k8s.namespace.name": "shop" },
  });
  t.match(found, {
    action: "Killing",
    host: "n1",
    resources: [{ type: "Kubernetes::Pod", name: "shop/web-1" }],
    category: "Management",
  });
  const arn = "arn:aws:s3:::bucket";
  t.same(event({ attributes: { "file.path": "/x", "cloud.resource_id": arn } }).resources, [
    { type: "Host::File", name: "/x" },
    { type: "Cloud::Resource", name: arn, arn },
  ]);
});

t.test("secrets are not copied, wherever they stand", async (t) => {
  const found = event({
    attributes: {
      "http.request.header.authorization": ["Bearer abc"],
      "user.password": "abc",
      "gen_ai.usage.input_tokens": 7,
      "url.full": "https://user:abc@host/x",
    },
    body: { credentials: { api_key: "abc", name: "alice" } },
  });
  t.notMatch(JSON.stringify(found), "abc");
  t.match(found.additional, {
    body: { credentials: { name: "alice" } },
    attributes: { "gen_ai.usage.input_tokens": 7 },
  });
});

t.test("an id is the record's uid, else that of its place", async (t) => {
  t.equal(event({ attributes: { "log.record.uid": "01ARZ3" } }).id, "uid:01ARZ3");
  t.equal(event({}).id, "id:0");
});

t.test("a record without a time has that of its arrival, or is rejected where none is known", async (t) => {
  const untimed = { record: { timeUnixNano: null } };
  t.equal(event(untimed).time, 1_700_000_000_000);
  t.equal(event({ record: { timeUnixNano: "0", observedTimeUnixNano: "5000000" } }).time, 5);
  const options = { receivedAt: undefined } as unknown as Partial<typeof OPTIONS>;
  t.match(interpret(untimed, options), { reason: /Has no time/, index: 0 });
});

t.test("with onlyEvents, records without an event name are left out, and counted", async (t) => {
  const only = { onlyEvents: true };
  t.match(interpret({ body: "hello" }, only), { ignored: /no event/ });
  t.match(interpret({ record: { eventName: "x" } }, only), { event: { action: "X" } });
  t.match(interpret({ attributes: { "event.name": "x" } }, only), { event: { action: "X" } });
});

const CLOUDTRAIL =
  '{ "eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"GetObject",' +
  '"eventTime":"2026-01-02T03:04:05Z","n":1.50,"big":12345678901234567890}';

function textOf(found: Interpreted): string {
  return Buffer.from("text" in found ? found.text : "").toString();
}

t.test("a CloudTrail record in the body passes with its bytes", async (t) => {
  const found = interpret({ body: CLOUDTRAIL }, { onlyEvents: true });
  t.equal(textOf(found), CLOUDTRAIL);
  const structure = {
    kvlistValue: {
      values: [
        ...attributes({ eventVersion: "1.08", eventSource: "s3", eventName: "GetObject" }),
        { key: "requestParameters", value: value({ password: "kept", list: [true] }) },
        { key: "big", value: { intValue: "9007199254740993" } },
      ],
    },
  };
  const made = interpret({ record: { body: structure } });
  t.equal(
    textOf(made),
    '{"eventVersion":"1.08","eventSource":"s3","eventName":"GetObject",' +
      '"requestParameters":{"password":"kept","list":[true]},"big":9007199254740993}',
  );
});

t.test("a message that speaks of CloudTrail is a message, unless it is marked as a record", async (t) => {
  const talk = '{"x": ["eventVersion","eventSource","eventName"]}';
  t.equal(event({ body: talk }).action, "LogMessage");
  t.equal(event({ body: `${CLOUDTRAIL}}` }).action, "LogMessage");
  const mark = { "event.dataset": "aws.cloudtrail" };
  t.match(interpret({ body: `${CLOUDTRAIL}}`, attributes: mark }), { reason: /not JSON/ });
  t.match(interpret({ attributes: mark }), { reason: /marked as CloudTrail/ });
  const odd = '{"eventVersion":"1.08"}';
  t.equal(textOf(interpret({ body: odd, attributes: mark })), odd);
});

/** A sample's bytes; skips the test where there is none, except in CI. */
function sample(t: Test, name: string): Buffer | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  const path = join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), "otlp", name);
  if (existsSync(path)) return readFileSync(path);
  if (process.env.CI) t.fail(`${name} is missing`);
  else t.pass(`${name} is not on this machine`, { skip: true });
  return undefined;
}

function eventsOf(logs: readonly ResourceLogs[]): readonly AuditEvent[] {
  return [...new Interpreter().interpret(logs, OPTIONS)].map((found) => {
    if (!("event" in found)) throw new Error(`No event: ${JSON.stringify(found)}`);
    return found.event;
  });
}

t.test("OpenTelemetry's own examples are read whole, in both encodings", async (t) => {
  const text = sample(t, "opentelemetry-proto/logs.json");
  const binary = sample(t, "data-prepper/test-otel-log.protobuf");
  const events = sample(t, "opentelemetry-proto/events.json");
  if (text === undefined || binary === undefined || events === undefined) return;
  const [fromText] = eventsOf(decodeJson(text, 1e6) ?? []);
  t.match(fromText, {
    time: Date.UTC(2018, 11, 13, 14, 51, 0, 300),
    service: "my.service",
    action: "LogMessage",
    additional: {
      body: "Example log record",
      severityText: "Information",
      traceId: "5b8efff798038103d269b633813fc60c",
      attributes: { "int.attribute": 10, "map.attribute": { "some.map.key": "some value" } },
      scope: { name: "my.library", version: "1.0.0" },
    },
  });
  const [fromBinary] = eventsOf(decodeProtobuf(binary));
  t.strictSame(
    { ...fromBinary?.additional, timeUnixNano: 0, severityNumber: 0 },
    { ...fromText?.additional, timeUnixNano: 0, severityNumber: 0 },
    "the same record in Protocol Buffers, of another time and severity, says the same",
  );
  t.match(fromBinary, { time: 1_737_922_040_000, outcome: { success: true } });
  const [named] = eventsOf(decodeJson(events, 1e6) ?? []);
  t.match(named, { action: "BrowserPageView", additional: { body: { type: 0 } } });
});

t.test("traces and metrics are no logs", async (t) => {
  for (const name of ["trace", "metrics"]) {
    const bytes = sample(t, `opentelemetry-proto/${name}.json`);
    if (bytes !== undefined) t.equal(decodeJson(bytes, 1e6), undefined, name);
  }
});
