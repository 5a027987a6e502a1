// Exporter audit_channel against a server that checks signatures, checksums and the schema of
// events as CloudTrail does, and fails them one by one.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import process from "node:process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { readSignature, verifySignature } from "../../sdk/aws/verify.ts";
import { conformance, storedRecord, testBatch, testContext } from "../../sdk/conformance.ts";
import { AWS_KEYS } from "../../sdk/conformance/aws-server.ts";
import { type FaultyRequest, FaultyServer } from "../../sdk/conformance/faulty-server.ts";
import {
  type CloudTrailRecord,
  type Json,
  type JsonObject,
  PermanentError,
  RetryableError,
  type StoredRecord,
} from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { channelEvent, Unfit } from "./channel-event.ts";
import channel from "./index.ts";

const never = new AbortController().signal;
const ARN =
  "arn:aws:cloudtrail:us-east-1:444455556666:channel/11111111-2222-4333-8444-555555555555";
const EXTERNAL_ID = "us+er=,.@:/-1";

interface Failure {
  readonly errorCode: string;
  readonly errorMessage: string;
}

/** CloudTrail's side of one channel. */
class Channel {
  /** Event data by their UIDs, as often as they came. */
  readonly events: JsonObject[] = [];
  readonly calls: number[] = [];
  /** Fails an event that is otherwise good. */
  fail: (data: JsonObject) => Failure | undefined = () => undefined;
  server = new FaultyServer((request) => this.#put(request));

  #put(request: FaultyRequest): { status?: number; body: string } {
    const [path = "", search = ""] = request.path.split("?");
    const query = new URLSearchParams(search);
    const { method, headers, body } = request;
    const signed = { method, path, query, headers, body };
    const signature = readSignature(signed);
    verifySignature(signed, signature, AWS_KEYS.secret_access_key, {
      services: ["cloudtrail-data"],
      now: Date.now(),
    });
    const refuse = (code: string, status = 400) => ({ status, body: JSON.stringify({ code }) });
    if (method !== "POST" || path !== "/PutAuditEvents") return refuse("UnknownOperation", 404);
    if (query.get("channelArn") !== ARN) return refuse("ChannelNotFound");
    if (query.get("externalId") !== EXTERNAL_ID) return refuse("ChannelInsufficientPermission");
    if (body.length > 1_000_000) return refuse("RequestEntityTooLargeException", 413);
    const { auditEvents } = JSON.parse(Buffer.from(body).toString()) as {
      auditEvents: { id: string; eventData: string; eventDataChecksum: string }[];
    };
    const ids = new Set(auditEvents.map(({ id }) => id));
    if (ids.size !== auditEvents.length) return refuse("DuplicatedAuditEventId");
    if (ids.size < 1 || ids.size > 100) return refuse("ValidationException");
    this.calls.push(ids.size);
    const successful: object[] = [];
    const failed: object[] = [];
    for (const { id, eventData, eventDataChecksum } of auditEvents) {
      const sum = createHash("sha256").update(eventData).digest("base64");
      const data = JSON.parse(eventData) as JsonObject;
      const failure = sum !== eventDataChecksum
        ? { errorCode: "InvalidChecksum", errorMessage: "" }
        : !/^[-_A-Za-z0-9]{1,128}$/.test(id) || Buffer.byteLength(eventData) > 262_144
        ? { errorCode: "InvalidData", errorMessage: "" }
        : problem(data) ?? this.fail(data);
      if (failure !== undefined) failed.push({ id, ...failure });
      else {
        this.events.push(data);
        successful.push({ id, eventID: `aws-${id}` });
      }
    }
    return { body: JSON.stringify({ successful, failed }) };
  }
}

/** What CloudTrail's schema has against event data. */
function problem(data: JsonObject): Failure | undefined {
  const who = isObject(data.userIdentity) ? data.userIdentity : {};
  const fields: [string, Json | undefined, number, boolean][] = [
    ["version", data.version, 256, true],
    ["userIdentity.type", who.type, 128, true],
    ["userIdentity.principalId", who.principalId, 1024, true],
    ["userAgent", data.userAgent, 1024, false],
    ["eventSource", data.eventSource, 1024, true],
    ["eventName", data.eventName, 1024, true],
    ["UID", data.UID, 1024, true],
    ["errorCode", data.errorCode, 256, false],
    ["errorMessage", data.errorMessage, 256, false],
  ];
  const fail = (errorCode: string, errorMessage: string) => ({ errorCode, errorMessage });
  for (const [name, value, max, required] of fields) {
    if (value === undefined && !required) continue;
    if (typeof value !== "string" || value === "") return fail("FieldNotFound", name);
    if (Buffer.byteLength(value) > max) return fail("FieldTooLong", name);
  }
  const known = [
    "version userIdentity userAgent eventSource eventName eventTime UID requestParameters",
    "responseElements errorCode errorMessage sourceIPAddress recipientAccountId",
    "additionalEventData",
  ].join(" ").split(" ");
  for (const name of Object.keys(data)) if (!known.includes(name)) return fail("InvalidData", name);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(String(data.eventTime))) {
    return fail("InvalidData", "eventTime");
  }
  if (data.recipientAccountId !== "444455556666") return fail("InvalidRecipient", "");
  const address = data.sourceIPAddress;
  if (address !== undefined && isIP(String(address)) === 0) return fail("InvalidData", "address");
  const objects = {
    requestParameters: 100_000,
    responseElements: 100_000,
    additionalEventData: 28_000,
  };
  for (const [name, max] of Object.entries(objects)) {
    const value = data[name];
    if (value === undefined) continue;
    if (!isObject(value)) return fail("InvalidData", name);
    if (Buffer.byteLength(JSON.stringify(value)) > max) return fail("FieldTooLong", name);
  }
  return undefined;
}

/** Records under ids of their own, and what arrived of each: calls have no order. */
function numbered(records: readonly CloudTrailRecord[]): StoredRecord[] {
  return records.map((record, i) => storedRecord(i + 1, { ...record, eventID: `id-${i + 1}` }));
}

function inOrder(lake: Channel, count: number): readonly (JsonObject | undefined)[] {
  return Array.from(
    { length: count },
    (_, i) => lake.events.find(({ UID }) => UID === `id-${i + 1}`),
  );
}

const options = { channel_arn: ARN, external_id: EXTERNAL_ID, ...AWS_KEYS };

async function open(t: Test) {
  const lake = new Channel();
  await lake.server.start();
  t.teardown(() => lake.server.stop());
  const context = testContext({ id: "audit_channel" });
  const config = channel.config.parse({ ...options, endpoint: lake.server.url });
  const exporter = channel.create(config, context);
  t.teardown(() => exporter.stop(never));
  const put = async (first: number, records: readonly StoredRecord[]) => {
    const range = { first, last: first + records.length - 1 };
    return await exporter.export({ records, range, plannedAt: 0 }, never)
      .then(() => undefined, (error: unknown) => error);
  };
  return { lake, exporter, context, put };
}

function event(record: StoredRecord): JsonObject {
  const written = channelEvent(record, "444455556666", () => {});
  if (written instanceof Unfit) throw new Error(written.reason);
  return JSON.parse((JSON.parse(written.text) as { eventData: string }).eventData) as JsonObject;
}

await conformance(t, channel, {
  minimal: { channel_arn: ARN },
  repeats: "PutAuditEvents does not tell repeats; their UID is the same",
  async target(t) {
    const { lake } = await open(t);
    const delivered = () => Promise.resolve(lake.events.map(({ UID }) => UID));
    return { config: { ...options, endpoint: lake.server.url }, delivered };
  },
  broken: () => Promise.resolve({ config: { ...options, endpoint: "http://127.0.0.1:9" } }),
});

t.test("a record becomes an event of the schema, and nothing of it is left behind", async (t) => {
  const { lake, put } = await open(t);
  const record: CloudTrailRecord = {
    ...storedRecord(1).record,
    eventTime: "2026-01-01T00:00:01.5Z",
    sourceIPAddress: "lambda.amazonaws.com",
    errorMessage: "ü".repeat(200),
    requestParameters: { a: { b: [1, "x"] } },
    additionalEventData: { host: "web-01" },
    resources: [{ ARN: "arn:aws:s3:::b" }],
    vendorField: { deep: null },
  };
  t.equal(
    await put(1, [{ ...storedRecord(1, record), time: Date.parse(record.eventTime!) }]),
    undefined,
  );
  t.same(lake.events, [{
    version: "1.11",
    userIdentity: {
      type: "IAMUser",
      principalId: "alice",
      details: { type: "IAMUser", accountId: "111122223333", userName: "alice" },
    },
    eventSource: "sshd.host.internal",
    eventName: "UserLogin",
    eventTime: "2026-01-01T00:00:01Z",
    UID: record.eventID,
    recipientAccountId: "444455556666",
    errorMessage: "ü".repeat(128),
    requestParameters: { a: { b: [1, "x"] } },
    additionalEventData: {
      host: "web-01",
      cloudTrailRecord: {
        awsRegion: "eu-central-1",
        readOnly: false,
        eventType: "AwsServiceEvent",
        managementEvent: true,
        eventCategory: "Management",
        resources: [{ ARN: "arn:aws:s3:::b" }],
        vendorField: { deep: null },
        recipientAccountId: "111122223333",
        eventTime: "2026-01-01T00:00:01.5Z",
        errorMessage: "ü".repeat(200),
        sourceIPAddress: "lambda.amazonaws.com",
      },
    },
  }]);
});

t.test("odd records are events too, or are set aside with the field that is missing", async (t) => {
  const { lake, put } = await open(t);
  const base = storedRecord(1).record;
  const { eventName: _, ...nameless } = base;
  const insight = {
    ...nameless,
    eventSource: undefined,
    eventCategory: "Insight",
    insightDetails: { eventName: "RunInstances", eventSource: "ec2.amazonaws.com" },
  };
  const activity = {
    version: "9",
    UID: "u",
    userIdentity: { type: "X", principalId: "p" },
    eventSource: "s",
    eventName: "n",
    eventTime: "2026-01-01T00:00:00Z",
    recipientAccountId: "1",
    code: "no error",
  };
  const odd = [
    { ...base, userIdentity: null, additionalEventData: [1], requestParameters: "text" },
    { ...base, additionalEventData: { cloudTrailRecord: "theirs" } },
    insight,
    nameless,
    base,
  ] as unknown as CloudTrailRecord[];
  const records = numbered(odd);
  records[4] = { ...records[4]!, time: Number.NaN };
  const error = await put(1, records);
  t.ok(error instanceof PermanentError);
  t.match(error, {
    failed: [4, 5],
    code: "FieldNotFound",
    message: /Record has no eventName, which/,
  });
  t.equal(lake.events.length, 3);
  const [first, second, third] = inOrder(lake, 3);
  t.match(first, {
    userIdentity: { type: "Unknown", principalId: "unknown" },
    additionalEventData: {
      cloudTrailRecord: { additionalEventData: [1], requestParameters: "text" },
    },
  });
  t.match(second?.additionalEventData, {
    cloudTrailRecord: { additionalEventData: { cloudTrailRecord: "theirs" } },
  });
  t.match(third, { eventName: "RunInstances", eventSource: "ec2.amazonaws.com" });
  const passed = event(storedRecord(1, { eventCategory: "ActivityAuditLog", eventData: activity }));
  t.same(passed, { ...activity, recipientAccountId: "444455556666" });
});

t.test("fields past a limit are cut or left out, and that is told and named", async (t) => {
  const { lake, put, context } = await open(t);
  const base = storedRecord(1).record;
  const large = (bytes: number) => ({ text: "x".repeat(bytes) });
  const cases: CloudTrailRecord[] = [
    { ...base, requestParameters: large(99_900), responseElements: large(99_900) },
    { ...base, requestParameters: large(100_000), responseElements: large(5) },
    { ...base, additionalEventData: { ...large(27_000), small: 1 } },
    { ...base, additionalEventData: { small: 1 }, serviceEventDetails: large(200_000) },
    {
      ...base,
      userAgent: "€".repeat(20_000),
      eventSource: "s".repeat(3000),
      userIdentity: { type: "t".repeat(200), principalId: "p".repeat(3000) },
    },
    {
      ...base,
      userIdentity: { type: "IAMUser", principalId: "p", arn: "a".repeat(70_000) },
      requestParameters: large(99_900),
      responseElements: large(99_900),
    },
    {
      ...base,
      additionalEventData: Object.fromEntries(
        Array.from({ length: 4000 }, (_, i) => [`name${i}`, "v"]),
      ),
    },
  ];
  t.equal(await put(1, numbered(cases)), undefined);
  const [whole, noRequest, noText, noDetails, cut, noIdentity, many] = inOrder(lake, 7);
  t.match(whole, { requestParameters: cases[0]!.requestParameters });
  t.notOk(Object.hasOwn(whole!.additionalEventData as object, "omitted"));
  t.match(noRequest, {
    requestParameters: undefined,
    responseElements: { text: "xxxxx" },
    additionalEventData: { omitted: ["requestParameters"] },
  });
  t.match(noText?.additionalEventData, { small: 1, omitted: ["additionalEventData.text"] });
  t.match(noDetails?.additionalEventData, {
    small: 1,
    omitted: ["additionalEventData.cloudTrailRecord.serviceEventDetails"],
    cloudTrailRecord: { readOnly: false },
  });
  t.equal(cut?.userAgent, "€".repeat(341));
  t.equal((noIdentity?.userIdentity as JsonObject).details, undefined);
  t.ok((many?.additionalEventData as JsonObject).omitted);
  const told = context.lines.filter(({ message }) => /no room for/.test(message)).length;
  t.ok(told >= 5 && told <= 120, `${told} lines`);
  const huge = {
    ...base,
    requestParameters: large(99_000),
    responseElements: large(99_000),
    eventCategory: "ActivityAuditLog",
    eventData: { x: "x".repeat(300_000) },
  };
  t.match(await put(10, [storedRecord(10, huge)]), { code: "FieldTooLong", failed: [10] });
});

t.test("calls hold a hundred events and a megabyte, and an id once", async (t) => {
  const { lake, put } = await open(t);
  t.equal(await put(1, testBatch(1, 250).records), undefined);
  t.same(lake.calls.sort((a, b) => a - b), [50, 100, 100]);
  lake.calls.length = 0;
  const base = storedRecord(1).record;
  const large = Array.from(
    { length: 12 },
    (_, i) =>
      storedRecord(i + 1, {
        ...base,
        eventID: `id-${i}`,
        requestParameters: { x: '"'.repeat(90_000 / 2) },
      }),
  );
  t.equal(await put(1, large), undefined);
  t.equal(lake.calls.reduce((sum, n) => sum + n), 12);
  t.ok(lake.calls.length > 1);
  lake.calls.length = 0;
  const twice = [storedRecord(1), { ...storedRecord(2), id: storedRecord(1).id }];
  t.equal(await put(1, twice), undefined);
  t.same(lake.calls, [1, 1]);
  const strange = { ...storedRecord(1), id: "no id / at all" };
  t.equal(await put(1, [strange]), undefined, "an id of another shape becomes a hash");
});

t.test("events that fail are tried again alone, or set aside by their code", async (t) => {
  const { lake, put, exporter } = await open(t);
  const records = testBatch(1, 6).records;
  const uid = (n: number) => records[n - 1]!.id;
  const codes: Record<string, string> = {
    [uid(2)]: "Throttling",
    [uid(3)]: "InvalidEventSource",
    [uid(5)]: "AccountNotSubscribed",
  };
  lake.fail = ({ UID }) => {
    const errorCode = codes[String(UID)];
    return errorCode === undefined ? undefined : { errorCode, errorMessage: "As told" };
  };
  t.match(await put(1, records), {
    name: "PermanentError",
    failed: [3],
    code: "InvalidEventSource",
    message: /^Cannot put events into channel ".*": InvalidEventSource: As told$/,
  });
  const left = records.filter(({ sequence }) => sequence !== 3);
  const range = { first: 1, last: 6 };
  const again = (records: readonly StoredRecord[]) =>
    exporter.export({ records, range, plannedAt: 0 }, never)
      .then(() => undefined, (error: unknown) => error);
  const error = await again(left);
  t.ok(error instanceof RetryableError);
  t.match(error, { code: "Throttling", remaining: [2, 5] });
  delete codes[uid(2)];
  delete codes[uid(5)];
  t.equal(await again(left.filter(({ sequence }) => sequence === 2 || sequence === 5)), undefined);
  const arrived = lake.events.map(({ UID }) => UID).sort();
  t.same(arrived, left.map(({ id }) => id), "each once");
  t.same(lake.calls, [6, 2, 2]);
});

t.test("a refused call is halved, what an operator can mend is told", async (t) => {
  const { lake, put } = await open(t);
  lake.server.script([{ status: 413, code: "RequestEntityTooLarge" }]);
  t.equal(await put(1, testBatch(1, 4).records), undefined);
  t.same(lake.calls, [2, 2]);
  lake.server.script([{ status: 413, code: "RequestEntityTooLarge" }]);
  t.match(await put(5, testBatch(5, 5).records), { name: "PermanentError", failed: [5] });
  lake.server.script([{ status: 400, code: "ChannelNotFound" }]);
  const error = await put(6, testBatch(6, 6).records);
  t.ok(error instanceof RetryableError);
  t.match(error, { code: "ChannelNotFound", message: /^Cannot put events into channel/ });
});

t.test("an answer that does not name an event is no answer to it", async (t) => {
  const server = await new FaultyServer(() => ({ body: '{"successful":[{"id":7},3]}' })).start();
  t.teardown(() => server.stop());
  const config = channel.config.parse({ ...options, endpoint: server.url });
  const exporter = channel.create(config, testContext({ id: "audit_channel" }));
  t.teardown(() => exporter.stop(never));
  await t.rejects(exporter.export(testBatch(1, 2), never), {
    name: "RetryableError",
    message: /does not name every event/,
    remaining: [1, 2],
  });
});

t.test("check() looks at the channel, and says when it may not", async (t) => {
  const answers = [
    { body: "{}" },
    { status: 400, body: JSON.stringify({ __type: "ChannelNotFoundException" }) },
    { status: 400, body: JSON.stringify({ __type: "AccessDeniedException" }) },
  ];
  const asked: unknown[] = [];
  const server = await new FaultyServer(({ body, headers }) => {
    asked.push([JSON.parse(Buffer.from(body).toString()), headers["x-amz-target"]]);
    return answers[asked.length - 1]!;
  }).start();
  t.teardown(() => server.stop());
  const config = channel.config.parse({ ...options, endpoint: server.url });
  const { agent, clock } = testContext();
  const check = async () =>
    (await channel.check!(config, { agent, clock, signal: never, agentRuns: false }))[0]?.level;
  t.same([await check(), await check(), await check()], ["ok", "problem", "warning"]);
  t.match(asked[0], [{ Channel: ARN }, /CloudTrail_20131101\.GetChannel$/]);
});

t.test("a proxy of the environment is asked, as are keys that belong together", async (t) => {
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
  const exporter = channel.create(channel.config.parse(options), testContext());
  t.teardown(() => exporter.stop(never));
  await t.rejects(exporter.export(testBatch(1, 1), never), { name: "RetryableError" });
  t.equal(seen[0], "cloudtrail-data.us-east-1.amazonaws.com:443");
  const half = { channel_arn: ARN, role_external_id: "abc" };
  t.match(channel.config.safeParse(half).error?.issues, [{ path: ["role_external_id"] }]);
});
