// The cloudwatch_logs exporter against servers over HTTP: streams, limits, what is not taken, the
// faults of the way, and moto's CloudWatch Logs where it is on the machine.

import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import process from "node:process";
import t, { type Test } from "tap";
import { faultTable } from "../../../test/pipeline/fault-table.ts";
import {
  type FaultyAnswer,
  type FaultyRequest,
  FaultyServer,
} from "../../sdk/conformance/faulty-server.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import { AwsClient } from "../../sdk/aws/request.ts";
import { startMoto } from "../../sdk/conformance/moto-server.ts";
import {
  conformance,
  storedRecord,
  testAgent,
  testContext,
  testHost,
  testRecord,
} from "../../sdk/conformance.ts";
import type { CloudTrailRecord, ExportBatch, JsonObject } from "../../sdk/index.ts";
import logs from "./index.ts";
import { compileStreamName, streamProblem } from "./stream-name.ts";

const never = new AbortController().signal;
const KEYS = { access_key_id: "AKIATEST", secret_access_key: "x" };
const GROUP = "/audit/hosts";
const NOW = Date.UTC(2026, 0, 20);
const HOUR_MS = 3_600_000;

interface LogEvent {
  readonly timestamp: number;
  readonly message: string;
}

interface Put {
  readonly stream: string;
  readonly events: readonly LogEvent[];
}

/** A group that checks what CloudWatch Logs checks, and keeps what it takes. */
function group(
  options: { exists?: boolean; eventBytesMax?: number; retentionMs?: number; now?: number } = {},
) {
  const { eventBytesMax = 262_144, retentionMs = 14 * 24 * HOUR_MS, now = NOW } = options;
  let exists = options.exists ?? true;
  const streams = new Set<string>();
  const puts: Put[] = [];
  const made: string[] = [];

  const put = (stream: string, events: readonly LogEvent[]): FaultyAnswer => {
    if (!exists || !streams.has(stream)) return refusal("ResourceNotFoundException");
    const sizes = events.map(({ message }) => Buffer.byteLength(message) + 26);
    if (Math.max(...sizes) > eventBytesMax) {
      return refusal("InvalidParameterException", "Log event too large: no");
    }
    const times = events.map(({ timestamp }) => timestamp);
    const isOrdered = times.every((time, i) => i === 0 || times[i - 1]! <= time);
    const isShort = times.at(-1)! - times[0]! <= 24 * HOUR_MS;
    const isSmall = sizes.reduce((sum, size) => sum + size, 0) <= 1_048_576;
    if (!isOrdered || !isShort || !isSmall || events.length > 10_000) {
      return refusal("InvalidParameterException", "No");
    }
    const firstNew = times.findIndex((time) => time > now + 2 * HOUR_MS);
    const to = firstNew < 0 ? times.length : firstNew;
    const from = times.filter((time) => time < now - retentionMs).length;
    const taken = events.slice(from, to);
    if (taken.length > 0) puts.push({ stream, events: taken });
    const rejectedLogEventsInfo = {
      ...(to < times.length ? { tooNewLogEventStartIndex: to } : {}),
      ...(from > 0 ? { tooOldLogEventEndIndex: from } : {}),
    };
    return { body: JSON.stringify(to - from === times.length ? {} : { rejectedLogEventsInfo }) };
  };

  const answer = ({ headers, body }: FaultyRequest): FaultyAnswer => {
    const target = String(headers["x-amz-target"]);
    const input = JSON.parse(Buffer.from(body).toString());
    if (target === "Logs_20140328.PutLogEvents") return put(input.logStreamName, input.logEvents);
    made.push(target.slice(14));
    if (target === "Logs_20140328.CreateLogGroup") exists = true;
    else if (!exists) return refusal("ResourceNotFoundException");
    else if (streams.has(input.logStreamName)) return refusal("ResourceAlreadyExistsException");
    else streams.add(input.logStreamName);
    return {};
  };
  const messages = () => puts.flatMap(({ events }) => events.map(({ message }) => message));
  const ids = () => messages().map((message) => JSON.parse(message).eventID as string);
  return { answer, puts, made, ids, messages, streams };
}

function refusal(__type: string, message = "No"): FaultyAnswer {
  const headers = { "content-type": "application/x-amz-json-1.1" };
  return { status: 400, headers, body: JSON.stringify({ __type, message }) };
}

async function run(
  t: Test,
  target: Pick<ReturnType<typeof group>, "answer">,
  options: object = {},
) {
  const server = await new FaultyServer(target.answer).start();
  const own = { log_group_name: GROUP, endpoint: server.url, ...KEYS, ...options };
  const exporter = logs.create(logs.config.parse(own), testContext({ clock: () => NOW }));
  await exporter.start(testHost());
  t.teardown(async () => {
    await exporter.stop(never);
    await server.stop();
  });
  return { server, exporter };
}

function batchOf(...records: readonly CloudTrailRecord[]): ExportBatch {
  const stored = records.map((record, i) => storedRecord(i + 1, record));
  return { records: stored, range: { first: 1, last: records.length }, plannedAt: 0 };
}

/** A record of a time, as long as that many bytes. */
function recordOf(number: number, time: number, bytes = 0): CloudTrailRecord {
  const eventTime = `${new Date(time).toISOString().slice(0, 19)}Z`;
  const record = { ...testRecord(number), eventTime, additionalEventData: { filler: "" } };
  const filler = "x".repeat(Math.max(0, bytes - JSON.stringify(record).length));
  return { ...record, additionalEventData: { filler } };
}

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error) => error);
}

await conformance(t, logs, {
  minimal: { log_group_name: GROUP },
  target: async (t) => {
    const target = group();
    const { server } = await run(t, target);
    const config = { log_group_name: GROUP, endpoint: server.url, ...KEYS };
    return { config, context: { clock: () => NOW }, delivered: async () => target.ids() };
  },
  broken: async (t) => {
    const { server } = await run(t, group());
    await server.stop();
    return { config: { log_group_name: GROUP, endpoint: server.url, ...KEYS } };
  },
  repeats: "CloudWatch Logs cannot tell an event that it was given before",
});

await faultTable(t, {
  factory: logs,
  config: (endpoint) => ({ log_group_name: GROUP, endpoint, ...KEYS }),
  target: () => {
    const { answer, ids } = group({ now: Date.now() });
    return { answer, arrived: ids };
  },
});

t.test("stream names are CloudTrail's, and a record steers nothing but the account", async (t) => {
  const facts = { region: "eu-central-1", host: "a:b*c" };
  const name = (template: string) => compileStreamName(template, facts)("444455556666");
  t.equal(name("{account}_CloudTrail_{region}"), "444455556666_CloudTrail_eu-central-1");
  t.equal(name("{host}/{host}"), "a-b-c/a-b-c", "what a stream's name cannot hold");
  t.equal(name("x".repeat(508) + "{account}").length, 512);
  for (const bad of ["{user}", "a:b", "a*", "{", "", "x".repeat(513)]) {
    t.ok(streamProblem(bad), bad);
  }
  t.equal(streamProblem("{account}{region}{host}-x"), undefined);
});

t.test("records of each account go to a stream of their own, which is made", async (t) => {
  const target = group();
  const { exporter } = await run(t, target);
  const other = { ...testRecord(2), recipientAccountId: "444455556666" };
  await exporter.export(batchOf(testRecord(1), other, testRecord(3)), never);
  t.same([...target.streams], [
    "111122223333_CloudTrail_eu-central-1",
    "444455556666_CloudTrail_eu-central-1",
  ]);
  t.same(target.puts.map(({ events }) => events.length), [2, 1]);
  t.equal(target.messages()[0], JSON.stringify(testRecord(1)), "character for character");
  t.equal(target.puts[0]!.events[0]!.timestamp, NOW, "under the time of delivery");
});

t.test("a group that is missing is made where that is allowed, and asked for where not", async (t) => {
  const missing = group({ exists: false });
  const { exporter } = await run(t, missing);
  t.match(await caught(exporter.export(batchOf(testRecord(1)), never)), {
    name: "RetryableError",
    code: "ResourceNotFoundException",
    message: /there is no such log group; create it, or write create_log_group: true$/,
  });
  const allowed = group({ exists: false });
  const second = await run(t, allowed, { create_log_group: true });
  await second.exporter.export(batchOf(testRecord(1)), never);
  t.same(allowed.made, ["CreateLogStream", "CreateLogGroup", "CreateLogStream"]);
  t.equal(allowed.ids().length, 1);
});

t.test("requests keep the limits of bytes, count and span, in chronological order", async (t) => {
  const target = group();
  const { exporter } = await run(t, target, { timestamp: "event" });
  const large = Array.from({ length: 9 }, (_, i) => recordOf(i, NOW - i, 200_000));
  await exporter.export(batchOf(...large), never);
  t.same(target.puts.map(({ events }) => events.length), [5, 4], "1,048,576 bytes, 26 for each");
  const exact = [262_118, 262_118, 262_118, 262_118].map((bytes, i) => recordOf(i, NOW, bytes));
  await exporter.export(batchOf(...exact), never);
  t.equal(target.puts.at(-1)!.events.length, 4, "exactly the limit is one request");
  const spread = [0, 25, 3, 24, 50].map((hours, i) => recordOf(i, NOW - hours * HOUR_MS));
  await exporter.export(batchOf(...spread), never);
  t.same(target.puts.slice(-3).map(({ events }) => events.length), [1, 3, 1], "24 hours at most");
  const many = Array.from({ length: 10_001 }, (_, i) => ({ eventID: String(i), eventTime: "x" }));
  const batch = batchOf(...many);
  const records = batch.records.map((record) => ({ ...record, time: NOW }));
  await exporter.export({ ...batch, records }, never);
  t.same(target.puts.slice(-2).map(({ events }) => events.length), [10_000, 1]);
});

t.test("events whose time is not taken are written under that of delivery", async (t) => {
  const target = group();
  const { exporter } = await run(t, target, { timestamp: "event" });
  const days = [-40, -20, -30_000, -1, 0, 5];
  await exporter.export(
    batchOf(...days.map((day, i) => recordOf(i, NOW + day * 24 * HOUR_MS))),
    never,
  );
  t.equal(new Set(target.ids()).size, days.length, "all are there");
  t.equal(target.ids().length, days.length, "and once");
});

t.test("a clock that is wrong is said, and only what was not taken is tried again", async (t) => {
  const target = group({ now: NOW - 5 * HOUR_MS });
  const { exporter } = await run(t, target);
  t.match(await caught(exporter.export(batchOf(testRecord(1)), never)), {
    name: "RetryableError",
    message: /log events of now are too new; check the clock of this machine/,
    remaining: [1],
  });
});

t.test("a record that is too large is refused with its reason, the others delivered", async (t) => {
  const target = group();
  const { exporter } = await run(t, target);
  // Too large for us; then for a service that counts 26 bytes more.
  const batch = batchOf(
    testRecord(1),
    recordOf(2, NOW, 262_145),
    recordOf(3, NOW, 262_144),
    testRecord(4),
  );
  const first = await caught(exporter.export(batch, never));
  t.match(first, { name: "PermanentError", failed: [2, 3] });
  t.equal(target.ids().length, 2);
  const left = batch.records.filter(({ sequence }) => sequence === 1 || sequence === 4);
  await exporter.export({ ...batch, records: left }, never);
  t.equal(target.ids().length, 2, "and not again with the rest of the batch");
});

t.test("moto's CloudWatch Logs: a filter finds the events", async (t) => {
  const url = await startMoto(t);
  if (url === undefined) return;
  const options = { endpoint: url, region: "eu-central-1", create_log_group: true };
  const config = logs.config.parse({ log_group_name: GROUP, ...KEYS, ...options });
  const exporter = logs.create(config, testContext());
  const client = new AwsClient("logs", {
    region: "eu-central-1",
    credentials: {
      get: () => Promise.resolve({ accessKeyId: "x", secretAccessKey: "y" }),
      forget: () => {},
    },
    version: "0",
    clock: Date.now,
  });
  t.teardown(() => Promise.all([exporter.stop(never), client.close()]));
  const call = (operation: string, input: JsonObject) =>
    callJson(client, {
      action: operation,
      version: "1.1",
      target: `Logs_20140328.${operation}`,
      origin: url,
      input,
      signal: never,
    });
  const context = { agent: testAgent, clock: Date.now, signal: never, agentRuns: false };
  const strict = { ...config, create_log_group: false };
  t.match(await logs.check!(strict, context), [{ level: "problem", path: "log_group_name" }]);
  const records = Array.from({ length: 40 }, (_, i) => testRecord(i + 1));
  const denied = { ...testRecord(41), eventName: "ExecuteCommand", errorCode: "AccessDenied" };
  await exporter.export(batchOf(...records, denied), never);
  t.match(await logs.check!(strict, context), [{ level: "ok" }]);
  const found = await call("FilterLogEvents", {
    logGroupName: GROUP,
    // moto knows terms, and takes all for a pattern over JSON.
    filterPattern: '"AccessDenied"',
  });
  t.equal((found.events as unknown[]).length, 1);
  t.match(found.events, [{
    logStreamName: "111122223333_CloudTrail_eu-central-1",
    message: JSON.stringify(denied),
  }]);
  const { error, stdout } = spawnSync("aws", [
    ...["logs", "filter-log-events", "--endpoint-url", url, "--region", "eu-central-1"],
    ...["--log-group-name", GROUP, "--query", "events[].message", "--output", "json"],
  ], { env: { ...process.env, AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "y" } });
  if (error !== undefined) return t.comment("Skipped: the AWS CLI is not on this machine");
  const messages = JSON.parse(stdout.toString()) as string[];
  t.same(messages.sort(), [...records, denied].map((record) => JSON.stringify(record)).sort());
});
