// The eventbridge exporter against servers over HTTP: what is sent, what becomes of each entry, the
// faults of the way, and rules of moto's EventBridge where it is on the machine.

import { Buffer } from "node:buffer";
import { createECDH, createHash, createHmac, createPublicKey, verify } from "node:crypto";
import t, { type Test } from "tap";
import { faultTable } from "../../../test/pipeline/fault-table.ts";
import {
  type FaultyAnswer,
  type FaultyRequest,
  FaultyServer,
} from "../../sdk/conformance/faulty-server.ts";
import { memberValues } from "../../sdk/cloudtrail/member-values.ts";
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
import eventbridge from "./index.ts";

const never = new AbortController().signal;
const KEYS = { access_key_id: "AKIATEST", secret_access_key: "x" };

interface Entry {
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
  readonly Time: number;
  readonly Resources?: readonly string[];
  readonly EventBusName: string;
}

/** What an entry is refused with; undefined: it is taken. */
type Refuse = (entry: Entry, call: number) => string | undefined;

/** A bus that checks what EventBridge checks, and keeps what it takes. */
function bus(refuse: Refuse = () => undefined, bytesMax = 262_144) {
  const entries: Entry[] = [];
  const calls: (Pick<FaultyRequest, "headers" | "body"> & { readonly entries: number })[] = [];
  const answer = ({ body, headers }: FaultyRequest, partial: boolean): FaultyAnswer => {
    const { Entries } = JSON.parse(Buffer.from(body).toString()) as { Entries: Entry[] };
    calls.push({ headers, body, entries: Entries.length });
    const bytes = Entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    if (Entries.length > 10 || bytes > bytesMax) {
      const message = "Total size of the entries in the request is over the limit.";
      const text = JSON.stringify({ __type: "ValidationException", message });
      return { status: 400, body: text };
    }
    const results = Entries.map((entry, i) => {
      const code = partial && i % 2 === 1 ? "ThrottlingException" : refuse(entry, calls.length);
      if (code !== undefined) return { ErrorCode: code, ErrorMessage: "No" };
      entries.push(entry);
      return { EventId: `e${entries.length}` };
    });
    const FailedEntryCount = results.filter(({ ErrorCode }) => ErrorCode !== undefined).length;
    return { body: JSON.stringify({ FailedEntryCount, Entries: results }) };
  };
  const ids = () => entries.map(({ Detail }) => JSON.parse(Detail).eventID as string);
  return { answer, entries, calls, ids };
}

/** As the user guide has it. */
function sizeOf({ Source, DetailType, Detail, Resources = [] }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 14);
}

async function run(t: Test, target: Pick<ReturnType<typeof bus>, "answer">, options: object = {}) {
  const server = await new FaultyServer(target.answer).start();
  const config = eventbridge.config.parse({ endpoint: server.url, ...KEYS, ...options });
  const exporter = eventbridge.create(config, testContext({ id: "eventbridge" }));
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

await conformance(t, eventbridge, {
  minimal: {},
  target: async (t) => {
    const target = bus();
    const { server } = await run(t, target);
    return { config: { endpoint: server.url, ...KEYS }, delivered: async () => target.ids() };
  },
  broken: async (t) => {
    const { server } = await run(t, bus());
    await server.stop();
    return { config: { endpoint: server.url, ...KEYS } };
  },
  repeats: "EventBridge cannot tell an event that it was given before",
});

await faultTable(t, {
  factory: eventbridge,
  config: (endpoint) => ({ endpoint, ...KEYS }),
  target: () => {
    const { answer, ids } = bus();
    return { answer, arrived: ids };
  },
  partial: true,
});

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error) => error);
}

/** A record with as many bytes of JSON. */
function recordOf(number: number, bytes: number): CloudTrailRecord {
  const record = { ...testRecord(number), additionalEventData: { filler: "" } };
  const filler = "x".repeat(bytes - JSON.stringify(record).length);
  return { ...record, additionalEventData: { filler } };
}

t.test("an entry is the record character for character, with its kind, time and ARNs", async (t) => {
  const target = bus();
  const { exporter } = await run(t, target, { source: "host.example", event_bus_name: "audit" });
  const arn = "arn:aws:s3:::logs";
  const odd = { ...testRecord(1), eventName: 'Ü"\n\u2028🔑', resources: [{ ARN: arn }, {}] };
  await exporter.export(batchOf(odd), never);
  t.same(target.entries, [{
    Source: "host.example",
    DetailType: "AWS Service Event via CloudTrail",
    EventBusName: "audit",
    Time: Date.UTC(2026, 0, 1) / 1000 + 1,
    Detail: JSON.stringify(odd),
    Resources: [arn],
  }]);
  const { headers } = target.calls[0]!;
  t.match(headers.authorization, /\/eu-central-1\/events\/aws4_request/);
  t.match(headers["user-agent"], /^cairn\//);
});

t.test("the detail type says what kind of event it is, in CloudTrail's words", async (t) => {
  const target = bus();
  const { exporter } = await run(t, target);
  const kinds = {
    AwsApiCall: "AWS API Call via CloudTrail",
    AwsServiceEvent: "AWS Service Event via CloudTrail",
    AwsConsoleAction: "AWS Console Action via CloudTrail",
    AwsConsoleSignIn: "AWS Console Sign In via CloudTrail",
    AwsCloudTrailInsight: "AWS Insight via CloudTrail",
    AwsVpceEvent: "AWS Network Activity Event via CloudTrail",
    ActivityLog: "AWS API Call via CloudTrail",
  };
  const records = Object.keys(kinds).map((eventType, i) => ({ ...testRecord(i), eventType }));
  const { eventType: _, ...none } = { ...testRecord(9), eventCategory: "Insight" };
  await exporter.export(batchOf(...records, none), never);
  const types = target.entries.map(({ DetailType }) => DetailType).sort();
  t.same(types, [...Object.values(kinds), "AWS Insight via CloudTrail"].sort());
});

t.test("memberValues() finds what JSON.parse finds, at the top alone", async (t) => {
  const texts = [
    '{"a":{"eventType":"x"},"eventType":"AwsApiCall","resources":[{"ARN":"a\\"]}"}]}',
    ' { "eventType" : "a\\\\" , "resources" : [ ] , "b":"}" } ',
    '{"eventType":1,"eventType":{"a":[1,{"resources":2}]},"resources":null}',
    '{"event\\u0054ype":"\\"","x":["eventType",{"eventType":1}],"y":"\\\\"}',
    '{"x":"eventType","y":"\\",\\"eventType\\":\\"z"}',
    "{}",
  ];
  for (const text of texts) {
    const { eventType, resources } = JSON.parse(text);
    const found = Object.fromEntries(memberValues(text, new Set(["eventType", "resources"])));
    t.same(JSON.stringify(found.eventType), JSON.stringify(eventType), text);
    t.same(JSON.stringify(found.resources), JSON.stringify(resources), text);
  }
});

t.test("sources that begin with aws. and buses that cannot be are refused before start", async (t) => {
  const problem = (options: object) => eventbridge.config.safeParse(options).error?.issues[0]?.path;
  for (const source of ["aws.ec2", "AWS.x", ""]) t.same(problem({ source }), ["source"], source);
  t.equal(problem({ source: "aws-like.example" }), undefined);
  for (const event_bus_name of ["", "a b", "arn:aws:events:eu-west-1:1:event-bus/x"]) {
    t.same(problem({ event_bus_name }), ["event_bus_name"], event_bus_name);
  }
  t.equal(
    problem({ event_bus_name: "arn:aws:events:eu-west-1:111122223333:event-bus/x" }),
    undefined,
  );
  t.same(problem({ max_request_size: "2MiB" }), ["max_request_size"]);
  t.same(problem({ endpoint_id: "x" }), ["endpoint_id"]);
});

t.test("requests have ten entries and as many bytes as the bus takes, exactly counted", async (t) => {
  const target = bus();
  const { exporter } = await run(t, target);
  const head = 14 + "cairn".length + "AWS Service Event via CloudTrail".length;
  const half = 131_072 - head;
  await exporter.export(batchOf(recordOf(1, half), recordOf(2, half)), never);
  t.same(target.calls.map(({ entries }) => entries), [2], "exactly the limit is one request");
  await exporter.export(
    batchOf(recordOf(1, half), recordOf(2, half + 1), recordOf(3, 5000)),
    never,
  );
  t.same(target.calls.slice(1).map(({ entries }) => entries), [1, 2], "one byte more are two");
  await exporter.export(batchOf(...Array.from({ length: 23 }, (_, i) => testRecord(i))), never);
  t.same(target.calls.slice(3).map(({ entries }) => entries).sort(), [10, 10, 3]);
});

t.test("a record that is too large is refused with its reason, ARNs are no such reason", async (t) => {
  const target = bus();
  const { exporter } = await run(t, target);
  const head = 14 + "cairn".length + "AWS Service Event via CloudTrail".length;
  const resources = [{ ARN: "arn:aws:s3:::logs" }];
  const most = 262_144 - head;
  const withArn = {
    ...recordOf(2, most - `,"resources":${JSON.stringify(resources)}`.length),
    resources,
  };
  const batch = batchOf(recordOf(1, most + 1), withArn, testRecord(3));
  t.match(await caught(exporter.export(batch, never)), {
    name: "PermanentError",
    failed: [1],
    message: /^Record is larger than an event may be: 262144 bytes/,
  });
  t.same(target.ids().sort(), [withArn.eventID, testRecord(3).eventID]);
  t.notOk(target.entries.some(({ Resources }) => Resources), "they stand in the detail");
  await exporter.export({ ...batch, records: batch.records.slice(1) }, never);
  t.equal(target.entries.length, 2, "what was taken does not come again with the rest");
});

t.test("a bus that takes less than was thought is given half, and half of that", async (t) => {
  const target = bus(undefined, 40_000);
  const { exporter } = await run(t, target);
  const records = Array.from({ length: 9 }, (_, i) => recordOf(i, 10_000));
  await exporter.export(batchOf(...records), never);
  t.equal(target.entries.length, 9);
  const error = await caught(exporter.export(batchOf(recordOf(1, 50_000), testRecord(2)), never));
  t.match(error, { name: "PermanentError", failed: [1] });
});

t.test("only the entries that failed are sent again, those that never will be are named", async (t) => {
  let isBusy = true;
  const target = bus(({ Detail }) => {
    const number = parseInt(JSON.parse(Detail).eventID.slice(-12), 16);
    return number === 4
      ? "MalformedDetail"
      : number === 3 && isBusy
      ? "InternalFailure"
      : undefined;
  });
  const { exporter } = await run(t, target);
  const batch = batchOf(...[1, 2, 3, 4, 5].map(testRecord));
  const first = await caught(exporter.export(batch, never));
  t.match(first, { name: "PermanentError", code: "MalformedDetail", failed: [4] });
  const left = batch.records.filter(({ sequence }) => sequence !== 4);
  const second = await caught(exporter.export({ ...batch, records: left }, never));
  t.match(second, { name: "RetryableError", code: "InternalFailure", remaining: [3] });
  isBusy = false;
  await exporter.export({ ...batch, records: left }, never);
  t.same(target.calls.map(({ entries }) => entries), [5, 1, 1]);
  t.equal(new Set(target.ids()).size, target.entries.length, "none came twice");
});

t.test("what the operator can mend is tried again", async (t) => {
  const target = bus(() => "NotAuthorizedForSourceException");
  const { exporter } = await run(t, target);
  t.match(await caught(exporter.export(batchOf(testRecord(1)), never)), {
    name: "RetryableError",
    message:
      'Cannot put events on bus "default": NotAuthorizedForSourceException: No (1 records left)',
  });
});

t.test("event_pattern chooses as a rule of the bus would", async (t) => {
  const { exporter } = await run(t, bus(), {
    event_pattern: {
      source: ["cairn"],
      "detail-type": [{ prefix: "AWS Service Event" }],
      detail: { eventName: ["UserLogin"], errorCode: [{ exists: true }] },
    },
  });
  const denied = { ...testRecord(2), errorCode: "AccessDenied" };
  t.equal(exporter.accepts!(storedRecord(1, testRecord(1))), false);
  t.equal(exporter.accepts!(storedRecord(2, denied)), true);
  t.equal(exporter.accepts!(storedRecord(3, { ...denied, eventType: "AwsApiCall" })), false);
});

/** Reckons SigV4A anew, by AWS's description of it, and verifies a signature of POST /. */
function holdsV4a(headers: FaultyRequest["headers"], body: Uint8Array): boolean {
  const [, scope = "", names = "", signature = ""] =
    /Credential=AKIATEST\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)/
      .exec(String(headers.authorization)) ?? [];
  const algorithm = "AWS4-ECDSA-P256-SHA256";
  const fixed = Buffer.concat([
    Buffer.from([0, 0, 0, 1]),
    Buffer.from(`${algorithm}\0${KEYS.access_key_id}`),
    Buffer.from([1, 0, 0, 1, 0]),
  ]);
  const derived = createHmac("sha256", `AWS4A${KEYS.secret_access_key}`).update(fixed).digest(
    "hex",
  );
  const pair = createECDH("prime256v1");
  pair.setPrivateKey((BigInt(`0x${derived}`) + 1n).toString(16).padStart(64, "0"), "hex");
  const point = pair.getPublicKey();
  const key = createPublicKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      x: point.subarray(1, 33).toString("base64url"),
      y: point.subarray(33).toString("base64url"),
    },
  });
  const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  const lines = names.split(";").map((name) => `${name}:${headers[name]}`);
  const canonical = ["POST", "/", "", ...lines, "", names, sha256(body)].join("\n");
  const text = [algorithm, headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  return verify("sha256", Buffer.from(text), key, Buffer.from(signature, "hex"));
}

t.test("a global endpoint is told by its id, and signed for every region", async (t) => {
  const target = bus();
  const { exporter } = await run(t, target, { endpoint_id: "abcde.veo" });
  await exporter.export(batchOf(testRecord(1)), never);
  const { headers } = target.calls[0]!;
  t.match(headers.authorization, /^AWS4-ECDSA-P256-SHA256 Credential=AKIATEST\/\d{8}\/events\//);
  t.equal(headers["x-amz-region-set"], "*");
  t.equal(holdsV4a(headers, target.calls[0]!.body), true, "and the signature holds");
});

/** Calls services of moto's server. */
function caller(t: Test, origin: string) {
  const credentials = {
    get: () => Promise.resolve({ accessKeyId: "x", secretAccessKey: "y" }),
    forget: () => {},
  };
  const connection = { region: "eu-central-1", credentials, version: "0", clock: Date.now };
  return async (service: string, target: string, input: JsonObject) => {
    const client = new AwsClient(service, connection);
    t.teardown(() => client.close());
    const version = service === "sqs" ? "1.0" : "1.1";
    return await callJson(client, {
      action: target,
      version,
      target,
      origin,
      input,
      signal: never,
    });
  };
}

t.test("moto's EventBridge: rules with CloudTrail patterns match", async (t) => {
  const url = await startMoto(t);
  if (url === undefined) return;
  const call = caller(t, url);
  const rule = async (name: string, pattern: object, target: string) => {
    const Rule = { Name: name, EventBusName: "audit", EventPattern: JSON.stringify(pattern) };
    await call("events", "AWSEvents.PutRule", Rule);
    const Targets = [{ Id: "1", Arn: target }];
    await call("events", "AWSEvents.PutTargets", { Rule: name, EventBusName: "audit", Targets });
  };
  const options = { endpoint: url, region: "eu-central-1", event_bus_name: "audit", ...KEYS };
  const config = eventbridge.config.parse(options);
  const exporter = eventbridge.create(config, testContext());
  t.teardown(() => exporter.stop(never));
  const context = { agent: testAgent, clock: Date.now, signal: never, agentRuns: false };
  t.match(await eventbridge.check!(config, context), [{ level: "problem", message: /audit/ }]);
  t.match(await caught(exporter.export(batchOf(testRecord(1)), never)), {
    name: "RetryableError",
    code: "ResourceNotFoundException",
  });
  await call("events", "AWSEvents.CreateEventBus", { Name: "audit" });
  t.match(await eventbridge.check!(config, context), [{ level: "ok" }]);
  const { QueueUrl } = await call("sqs", "AmazonSQS.CreateQueue", { QueueName: "denied" });
  await call("logs", "Logs_20140328.CreateLogGroup", { logGroupName: "/events/all" });
  const kind = { "detail-type": ["AWS API Call via CloudTrail"] };
  const denied = { ...kind, detail: { eventSource: ["ec2.amazonaws.com"], errorCode: ["Denied"] } };
  await rule("denied", denied, "arn:aws:sqs:eu-central-1:123456789012:denied");
  const all = { source: ["cairn"], detail: { eventName: [{ prefix: "User" }] } };
  await rule("all", all, "arn:aws:logs:eu-central-1:123456789012:log-group:/events/all");
  const call1 = { ...testRecord(1), eventType: "AwsApiCall", eventSource: "ec2.amazonaws.com" };
  const call2 = { ...call1, eventID: testRecord(2).eventID!, errorCode: "Denied" };
  // Few: moto takes a quarter of a second for each.
  await exporter.export(batchOf(call1, call2, testRecord(3)), never);
  const { Messages } = await call("sqs", "AmazonSQS.ReceiveMessage", {
    QueueUrl: String(QueueUrl),
    MaxNumberOfMessages: 10,
  });
  const bodies = (Messages as { readonly Body: string }[]).map(({ Body }) => JSON.parse(Body));
  t.equal(bodies.length, 1);
  t.match(bodies[0], { source: "cairn", "detail-type": "AWS API Call via CloudTrail" });
  t.same(bodies[0].detail, call2);
  const { events } = await call("logs", "Logs_20140328.FilterLogEvents", {
    logGroupName: "/events/all",
  });
  t.equal((events as unknown[]).length, 3);
});
