// Exporter trail with a bucket: what is sent and stored, that each object is written once whatever
// the store answers, uploads in parts, notifications; against moto's S3 where it is on the machine.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import {
  conformance,
  memoryState,
  stopInTime,
  storedRecord,
  testAgent,
  testBatch,
  testContext,
  testHost,
  testRecord,
  until,
} from "../../sdk/conformance.ts";
import {
  AwsObjects,
  type AwsObjectsOptions,
  type WrittenObject,
} from "../../sdk/conformance/aws-objects.ts";
import { AWS_KEYS } from "../../sdk/conformance/aws-signature.ts";
import { type Fault, FaultyServer } from "../../sdk/conformance/faulty-server.ts";
import { startMoto } from "../../sdk/conformance/moto-server.ts";
import type { ComponentContext, ExportBatch } from "../../sdk/index.ts";
import { bucketStore } from "./bucket.ts";
import trail from "./index.ts";

const SIGNAL = new AbortController().signal;
const BUCKET = {
  bucket: "a-bucket",
  region: "eu-central-1",
  ...AWS_KEYS,
  // Digests have tests of their own.
  log_file_validation: false,
};

/** A store of its own behind a server that misbehaves when it is told to. */
async function store(t: Test, options: AwsObjectsOptions = {}) {
  const objects = new AwsObjects(options);
  const server = await new FaultyServer(objects.answer).start();
  t.teardown(() => server.stop());
  return { objects, server, config: { ...BUCKET, endpoint: server.url } };
}

function make(config: object, members: Partial<ComponentContext> = {}) {
  return trail.create(trail.config.parse(config), testContext({ id: "trail", ...members }));
}

/** The one object there is. */
function only({ objects }: AwsObjects) {
  const [[path, object]] = [...objects] as [[string, WrittenObject]];
  return { path, ...object };
}

/** Records that do not compress: their files have several parts of 5 MiB. */
function longBatch(megabytes: number): ExportBatch {
  const records = Array.from({ length: megabytes }, (_, i) => {
    const record = { ...testRecord(i), requestParameters: { noise: "" } };
    const noise = randomBytes(700_000).toString("base64");
    return storedRecord(i + 1, { ...record, requestParameters: { noise } });
  });
  return { records, range: { first: 1, last: megabytes }, plannedAt: Date.UTC(2026, 0, 2) };
}

const isWrite = ({ method }: { method?: string }) => method === "PUT" || method === "POST";

t.test("exporter trail keeps the conformance rules with a bucket", async (t) => {
  await conformance(t, trail, {
    minimal: { bucket: "a-bucket" },
    target: async (t) => {
      const { objects, config } = await store(t);
      return { config, delivered: async () => [...objects.objects] };
    },
    broken: async (t) => {
      const { server, config } = await store(t);
      server.script(Array.from({ length: 1000 }, () => ({ status: 403, code: "AccessDenied" })));
      return { config };
    },
  });
});

t.test("an object carries what the options say, and the hash of its text", async (t) => {
  const { objects, config } = await store(t);
  const exporter = make({
    ...config,
    prefix: "of häuser, +?&=%~()'*!@:;$/x y",
    sse: "aws:kms",
    kms_key_id: "alias/a key",
    bucket_key: true,
    acl: "bucket-owner-full-control",
    storage_class: "STANDARD_IA",
    tags: { "a b": "c=d&e" },
    expected_bucket_owner: "444455556666",
    object_lock: { mode: "GOVERNANCE", retain_for: "1d", legal_hold: true },
  }, { clock: () => Date.now() });
  await exporter.start(testHost());
  const batch = testBatch(1, 3);
  await exporter.export(batch, SIGNAL);
  const { path, bytes, headers } = only(objects);
  t.match(path, "a-bucket/of häuser, +?&=%~()'*!@:;$/x y/AWSLogs/111122223333/CloudTrail/");
  const text = gunzipSync(bytes);
  t.equal(JSON.parse(text.toString()).Records.length, 3);
  t.match(headers, {
    "content-type": "application/json",
    "content-encoding": "gzip",
    "if-none-match": "*",
    "user-agent": "cairn/0.0.0",
    "x-amz-acl": "bucket-owner-full-control",
    "x-amz-checksum-sha256": hash("sha256", bytes, "base64"),
    "x-amz-expected-bucket-owner": "444455556666",
    "x-amz-meta-cairn-text-sha256": hash("sha256", text),
    "x-amz-object-lock-legal-hold": "ON",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "alias/a key",
    "x-amz-server-side-encryption-bucket-key-enabled": "true",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-tagging": "a%20b=c%3Dd%26e",
  });
  const until = Date.parse(String(headers["x-amz-object-lock-retain-until-date"]));
  t.ok(Math.abs(until - Date.now() - 86_400_000) < 60_000);
  await stopInTime(t, exporter);
});

/** How a write can fail though nothing is wrong with it. */
const FAULTS: readonly Fault[] = [
  "answer lost",
  "answer cut",
  "reset",
  "reset in request",
  { status: 503, code: "SlowDown" },
  { status: 409, code: "ConditionalRequestConflict" },
];

for (const condition of ["honoured", "ignored", "refused"] as const) {
  t.test(`an object is written once by a store that has If-None-Match ${condition}`, async (t) => {
    const { objects, server, config } = await store(t, { condition });
    let first = 1;
    const state = memoryState();
    for (const fault of FAULTS) {
      const exporter = make(config, { state });
      await exporter.start(testHost());
      server.script([fault], isWrite);
      // The same process tries again, and the next one, which knows nothing of it.
      const batch = { ...testBatch(first, first + 8), plannedAt: Date.now() };
      const hasFailed = await exporter.export(batch, SIGNAL).then(() => false, () => true);
      if (hasFailed && first % 2 === 0) await exporter.export(batch, SIGNAL);
      await stopInTime(t, exporter);
      const next = make(config, { state });
      await next.start(testHost());
      await next.export(batch, SIGNAL);
      await stopInTime(t, next);
      first += 9;
    }
    t.equal(objects.objects.size, FAULTS.length);
    for (const [path, { writes }] of objects.objects) t.equal(writes, 1, path);
  });
}

t.test("an object that is there with other content is not written over, and said", async (t) => {
  const { objects, config } = await store(t);
  const exporter = make(config);
  await exporter.start(testHost());
  await exporter.export(testBatch(1, 2), SIGNAL);
  const { path, ...object } = only(objects);
  const headers = { "x-amz-meta-cairn-text-sha256": "other" };
  objects.objects.set(path, { ...object, headers });
  await t.rejects(exporter.export(testBatch(1, 2), SIGNAL), {
    name: "RetryableError",
    code: "ObjectDiffers",
    message: /another object is there.*not written over/,
  });
  t.equal(objects.objects.get(path)!.writes, 1);
  await stopInTime(t, exporter);
});

t.test("who may write but not look delivers once, too", async (t) => {
  const { objects, config } = await store(t, { canLook: false });
  for (let run = 0; run < 3; run++) {
    const exporter = make(config);
    await exporter.start(testHost());
    await exporter.export(testBatch(1, 5), SIGNAL);
    await stopInTime(t, exporter);
  }
  t.strictSame([...objects.objects.values()].map(({ writes }) => writes), [1]);
});

t.test("a long file is uploaded in parts, and an upload cut off leaves nothing", async (t) => {
  const { objects, server, config } = await store(t);
  const state = memoryState();
  const long = { ...config, part_size: "5MiB", compression_level: 1 };
  const exporter = make(long, { state });
  await exporter.start(testHost());
  const batch = longBatch(16);
  // The third part breaks, and so does giving up the upload: its parts lie around.
  const isThird = ({ method, url = "" }: { method?: string; url?: string }) =>
    method === "DELETE" || url.includes("partNumber=3");
  server.script(Array.from({ length: 6 }, () => ({ status: 500, code: "InternalError" })), isThird);
  await t.rejects(exporter.export(batch, SIGNAL), { code: "InternalError" });
  t.equal(objects.uploads.size, 1);
  t.equal((state.get("uploads") as unknown[]).length, 1, "it is remembered");
  server.script([]);
  await stopInTime(t, exporter);
  // As after a kill: only what is durable is left.
  const next = make(long, { state });
  await next.start(testHost());
  t.equal(objects.uploads.size, 0, "what was left over is given up when it starts");
  server.script([{ status: 503, code: "SlowDown" }], ({ url = "" }) => url.includes("partNumber"));
  await next.export(batch, SIGNAL);
  await next.export(batch, SIGNAL);
  t.equal(state.get("uploads"), undefined);
  const { bytes, writes, headers } = only(objects);
  t.equal(writes, 1);
  const text = gunzipSync(bytes);
  t.equal(headers["x-amz-meta-cairn-text-sha256"], hash("sha256", text));
  t.equal(JSON.parse(text.toString()).Records.length, 16);
  t.ok(objects.requests.filter((line) => line.startsWith("PUT")).length > 4);
  await stopInTime(t, next);
});

t.test("an upload in parts is not given up because another object is written", async (t) => {
  const { objects, config } = await store(t);
  const options = trail.config.parse({ ...config, part_size: "5MiB" });
  const s3 = bucketStore("a-bucket", "arn", options, testContext());
  await s3.open(SIGNAL);
  const about = { contentType: "text/plain", textHash: "a" };
  async function* pieces() {
    yield randomBytes(5 * 1024 * 1024);
    yield randomBytes(1);
    // The first part is under way by now: it was begun to be asked for this.
    await s3.put("short", new Uint8Array(1), about, SIGNAL);
    yield randomBytes(5 * 1024 * 1024);
  }
  await s3.put("long", pieces(), about, SIGNAL);
  t.strictSame([...objects.objects.keys()].sort(), ["a-bucket/long", "a-bucket/short"]);
  t.equal(objects.uploads.size, 0);
  await s3.close();
});

t.test("a start and a delivery without a store say what to do, and go on later", async (t) => {
  const { objects, server, config } = await store(t);
  await server.stop();
  const host = testHost();
  const exporter = make(config);
  await exporter.start(host);
  await t.rejects(exporter.export(testBatch(1, 2), SIGNAL), { name: "RetryableError" });
  t.equal(host.reports.at(-1)!.state, "degraded");
  await server.start();
  await exporter.export(testBatch(1, 2), SIGNAL);
  t.equal(objects.objects.size, 1);
  t.equal(host.reports.at(-1)!.state, "running");
  await stopInTime(t, exporter);
});

t.test("who says yes to everything is no store, and who redirects is told", async (t) => {
  const answer: { status: number; headers?: Record<string, string> } = { status: 200 };
  const portal = await new FaultyServer(({ method }) =>
    method === "HEAD" ? { status: 404 } : { ...answer, body: "<html><p>Log in</p></html>" }
  ).start();
  t.teardown(() => portal.stop());
  const options = trail.config.parse({ ...BUCKET, endpoint: portal.url, part_size: "5MiB" });
  const s3 = bucketStore("a-bucket", "arn", options, testContext());
  const put = (bytes: number) =>
    s3.put("k", randomBytes(bytes), { contentType: "text/plain", textHash: "a" }, SIGNAL);
  await t.rejects(put(1), { code: "NoETag", message: /endpoint and proxies lead to a store$/ });
  answer.status = 307;
  answer.headers = { location: "https://elsewhere.example/" };
  await t.rejects(put(1), { message: /redirects "https:..elsewhere.example." are not followed/ });
  answer.headers = { "x-amz-bucket-region": "us-west-2" };
  await t.rejects(put(1), { message: /; write region: us-west-2$/ });
  await s3.close();
});

t.test("a batch of many accounts goes on where an attempt was cut off", async (t) => {
  const { objects, server, config } = await store(t);
  const exporter = make(config);
  const batch = { ...testBatch(1, 60), plannedAt: Date.now() + 60_000 };
  const records = batch.records.map((record, i) => ({
    ...record,
    accountId: String(111100000000 + i),
  }));
  await exporter.start(testHost());
  const cuts = [20, 40].map((count) => () => objects.objects.size >= count);
  for (const isOver of cuts) {
    const timeout = new AbortController();
    const given = exporter.export({ ...batch, records }, timeout.signal).catch(() => {});
    await until(isOver, "some of the files");
    timeout.abort(new Error("Export timed out"));
    await given;
  }
  t.ok(objects.objects.size < 60);
  await exporter.export({ ...batch, records }, SIGNAL);
  t.equal(objects.objects.size, 60);
  // What was under way at a cut is looked up and may be sent again, nothing else is.
  t.ok(server.requests <= 60 + 2 * 3, `${server.requests} requests`);
  await stopInTime(t, exporter);
});

t.test("delivered files are announced at least once, and hold up nothing", async (t) => {
  const { config } = await store(t);
  const told: string[] = [];
  const topic = await new FaultyServer(({ body }) => {
    told.push(new URLSearchParams(Buffer.from(body).toString()).get("Message")!);
    return { body: "<R><PublishResult><MessageId>1</MessageId></PublishResult></R>" };
  }).start();
  t.teardown(() => topic.stop());
  const sns = { sns_topic_arn: "arn:aws:sns:eu-central-1:111122223333:t", sns_endpoint: topic.url };
  const state = memoryState();
  const exporter = make({ ...config, ...sns }, { state });
  await exporter.start(testHost());
  await exporter.export(testBatch(1, 2), SIGNAL);
  t.match(JSON.parse(told[0]!), { s3Bucket: "a-bucket", s3ObjectKey: [/^AWSLogs\/.*\.json\.gz$/] });
  topic.script(Array.from({ length: 100 }, () => ({ status: 403, code: "AuthorizationError" })));
  await exporter.export(testBatch(3, 4), SIGNAL);
  t.equal((state.get("notifications") as unknown[]).length, 1, "it waits, durably");
  await stopInTime(t, exporter);
  topic.script([]);
  const next = make({ ...config, ...sns }, { state });
  await next.start(testHost());
  await until(() => state.get("notifications") === undefined, "the late announcement");
  const keys = told.flatMap((text) => JSON.parse(text).s3ObjectKey as string[]);
  t.equal(new Set(keys).size, 2);
  await stopInTime(t, next);
});

t.test("check() tells a bucket that can be listed from one that cannot be reached", async (t) => {
  const { server, config } = await store(t, { clock: () => Date.now() - 120_000 });
  const check = (options: object) =>
    trail.check!(trail.config.parse(options), {
      agent: testAgent,
      clock: Date.now,
      signal: SIGNAL,
      agentRuns: false,
    });
  const levels = async (options: object) => (await check(options)).map(({ level }) => level);
  t.strictSame(await levels(config), ["ok", "warning"], "the clocks differ");
  server.script([{ status: 403, code: "AccessDenied" }]);
  t.match(await check(config), [{ level: "warning", fix: /s3:ListBucket/ }]);
  t.strictSame(
    (await check({ ...config, secret_access_key: "wrong" })).map(({ level }) => level)[0],
    "problem",
  );
  const signedBy = async (digests: object) =>
    (await check({ ...config, log_file_validation: digests })).at(-1);
  const path = "log_file_validation.key_file";
  t.match(await signedBy({ key_file: "/nowhere" }), { level: "problem", path });
  t.match(await signedBy({ kms_key_id: "alias/x", kms_endpoint: server.url }), {
    level: "problem",
    path: "log_file_validation.kms_key_id",
    message: /^Cannot read public key of KMS key "alias\/x"/,
  });
  const topic = { sns_topic_arn: "arn:aws:sns:eu-central-1:111122223333:t" };
  const sns = await new FaultyServer(() => ({})).start();
  t.teardown(() => sns.stop());
  const asked = async () => (await check({ ...config, ...topic, sns_endpoint: sns.url })).at(-1);
  t.match(await asked(), { level: "ok", path: "sns_topic_arn" });
  sns.script([{ status: 404, code: "NotFound" }, { status: 403, code: "AuthorizationError" }]);
  t.match(await asked(), { level: "problem", message: /topic ".*:t": NotFound/ });
  t.match(await asked(), { level: "warning", fix: /sns:GetTopicAttributes/ });
  await server.stop();
  t.match(await check(config), [{ level: "problem", path: "bucket" }]);
});

/** The keys of a bucket and the records in it, as two other clients read them. */
async function readBack(t: Test, url: string, bucket: string) {
  const { S3Client, ListObjectsV2Command, GetObjectCommand } = await import("@aws-sdk/client-s3");
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = AWS_KEYS;
  const client = new S3Client({
    endpoint: url,
    forcePathStyle: true,
    region: "eu-central-1",
    credentials: { accessKeyId, secretAccessKey },
  });
  t.teardown(() => client.destroy());
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  const found = new Map<string, readonly { eventID: string }[]>();
  for (const { Key } of Contents) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const text = gunzipSync(await Body!.transformToByteArray()).toString();
    found.set(Key!, JSON.parse(text).Records);
  }
  return found;
}

t.test("moto's S3: the AWS SDK and the AWS CLI list and read what was delivered", async (t) => {
  const url = await startMoto(t);
  if (url === undefined) return;
  const { access_key_id: id, secret_access_key: secret } = AWS_KEYS;
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_REGION: "eu-central-1",
  };
  const aws = (...args: string[]) =>
    spawnSync("aws", ["--endpoint-url", url, ...args], { env, maxBuffer: 1e8 });
  await fetch(`${url}/a-bucket`, { method: "PUT" });
  const prefix = "of häuser, +?&=%~()'*!@:;$/x y";
  const config = { ...BUCKET, endpoint: url, prefix, part_size: "5MiB", compression_level: 1 };
  const exporter = make(config);
  await exporter.start(testHost());
  await exporter.export(testBatch(1, 20), SIGNAL);
  await exporter.export(testBatch(1, 20), SIGNAL);
  await exporter.export({ ...longBatch(12), range: { first: 21, last: 32 } }, SIGNAL);
  await stopInTime(t, exporter);
  const found = await readBack(t, url, "a-bucket");
  t.strictSame([...found.values()].map(({ length }) => length).sort(), [12, 20]);
  t.ok([...found.keys()].every((key) => key.startsWith(`${prefix}/AWSLogs/111122223333/`)));
  if (spawnSync("aws", ["--version"]).status !== 0) {
    return t.comment("Skipped: the AWS CLI is not on this machine (pip install awscli)");
  }
  const list = aws("s3api", "list-objects-v2", "--bucket", "a-bucket", "--output", "json");
  const keys = (JSON.parse(list.stdout.toString()).Contents as { Key: string }[])
    .map(({ Key }) => Key);
  t.strictSame(keys.sort(), [...found.keys()].sort());
  const key = keys.find((key) => found.get(key)!.length === 20)!;
  const { stdout } = aws("s3", "cp", `s3://a-bucket/${key}`, "-");
  t.strictSame(JSON.parse(gunzipSync(stdout).toString()).Records, found.get(key));
  t.comment("Read back with the AWS CLI");
});
