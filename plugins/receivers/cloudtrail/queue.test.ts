// Receiver cloudtrail from a queue, and digests verified on the way in, over real HTTP: the doubles
// of the SDK, and moto's server where it is on the machine.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { createSign, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { AwsClient, type AwsConnection, encode } from "../../sdk/aws/request.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import {
  type Digest,
  digestHash,
  digestSignedText,
  parseDigest,
  readDigestKey,
} from "../../sdk/cloudtrail/digest.ts";
import {
  compare,
  type RecordingIntake,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
  testRecord,
  until,
} from "../../sdk/conformance.ts";
import { AWS_KEYS, AwsServer } from "../../sdk/conformance/aws-server.ts";
import { startMoto } from "../../sdk/conformance/moto-server.ts";
import { DoneFiles } from "./done-files.ts";
import receiver from "./index.ts";
import { parseNotification } from "./notification.ts";
import { keysOfCloudTrail } from "../../sdk/cloudtrail/public-keys.ts";
import { RecentFiles } from "./recent-files.ts";

const never = new AbortController().signal;
const idOf = (number: number) => testRecord(number).eventID!;

async function serve(t: Test): Promise<AwsServer> {
  const server = await new AwsServer().start();
  t.teardown(() => server.stop());
  return server;
}

function logFile(...numbers: number[]): Uint8Array {
  return gzipSync(JSON.stringify({ Records: numbers.map((number) => testRecord(number)) }));
}

function make(t: Test, intake: RecordingIntake, options: Record<string, unknown>, once = false) {
  const context = testContext({ id: "cloudtrail", once });
  const config = receiver.config.parse({ ...AWS_KEYS, ...options });
  const made = receiver.create(config, context, intake);
  t.teardown(() => made.stop(AbortSignal.abort(new Error("Stopped: the test is over"))));
  return { ...context, made };
}

async function readOnce(t: Test, intake: RecordingIntake, options: Record<string, unknown>) {
  const context = make(t, intake, options, true);
  const host = testHost();
  await context.made.start(host);
  await context.made.drain!();
  await stopInTime(t, context.made);
  return { ...context, reports: host.reports };
}

const s3Event = (bucket: string, key: string) => ({
  Records: [{
    eventSource: "aws:s3",
    eventName: "ObjectCreated:Put",
    awsRegion: "eu-west-1",
    s3: { bucket: { name: bucket }, object: { key: encode(key).replaceAll("%20", "+") } },
  }],
});
const throughSns = (message: string | object) => ({
  Type: "Notification",
  Message: typeof message === "string" ? message : JSON.stringify(message),
});

t.test("parseNotification() reads each way in which objects are announced", async (t) => {
  const key = "a b+c/grüße%2F.json.gz";
  const objects = [{ bucket: "b", key, region: "eu-west-1" }];
  const event = s3Event("b", key);
  t.match(parseNotification(JSON.stringify(event)), { objects, ignored: [] });
  t.match(parseNotification(JSON.stringify(throughSns(event))), { objects });
  const eventBridge = {
    "detail-type": "Object Created",
    region: "eu-west-1",
    detail: { bucket: { name: "b" }, object: { key } },
  };
  t.match(parseNotification(JSON.stringify(eventBridge)), { objects });
  const own = JSON.stringify({ s3Bucket: "b", s3ObjectKey: [key, "k2"] });
  t.strictSame(parseNotification(own).objects.map((object) => object.key), [key, "k2"]);
  const ignored = (body: string) => parseNotification(body).ignored;
  t.strictSame(ignored("CloudTrail validation message."), ["validation message of CloudTrail"]);
  const test = '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}';
  t.strictSame(ignored(JSON.stringify(throughSns(test))), ["test event of S3"]);
  const removed = JSON.stringify(event).replace("ObjectCreated:Put", "ObjectRemoved:Delete");
  t.strictSame(ignored(removed), ["no new object"]);
  const twice = JSON.stringify(throughSns(throughSns(event)));
  const bad = ["", "x", "[]", "{}", '{"Records":[1]}', '{"s3Bucket":"b"}', twice];
  for (const body of bad) t.throws(() => parseNotification(body), { name: "RejectedInput" }, body);
});

t.test("messages are deleted when all they announce is durable, and never before", async (t) => {
  const server = await serve(t);
  for (let i = 0; i < 30; i++) server.put("b", `k ${i}.json.gz`, logFile(2 * i, 2 * i + 1));
  for (let i = 0; i < 30; i += 2) {
    const keys = [`k ${i}.json.gz`, `k ${i + 1}.json.gz`];
    server.queues.send("q", throughSns({ s3Bucket: "b", s3ObjectKey: keys }));
  }
  server.queues.send("q", s3Event("b", "k 3.json.gz"));
  const options = {
    endpoint: server.url,
    sqs_queue_url: server.queueUrl("q"),
    visibility_timeout: "300ms",
  };
  let intake = recordingIntake();
  intake.block();
  const first = make(t, intake, options);
  await first.made.start(testHost());
  await until(() => intake.outstanding > 0, "a call");
  const kept = () => server.count(({ target }) => target?.endsWith("VisibilityBatch") === true);
  await until(() => kept() > 3, "messages kept hidden while the intake waits");
  t.equal(server.queues.size("q"), 16, "nothing is deleted");
  const next = intake.crash();
  await first.made.stop(AbortSignal.timeout(100));
  server.queues.show("q");
  intake = next;
  const { ignoredCounts, lines } = await readOnce(t, intake, options);
  t.equal(compare(intake.ids, Array.from({ length: 60 }, (_, i) => idOf(i))), "");
  t.equal(server.queues.size("q"), 0);
  t.strictSame(lines.filter(({ level }) => level === "error"), []);
  server.queues.send("q", s3Event("b", "k 3.json.gz"));
  const again = await readOnce(t, intake, options);
  t.strictSame([intake.ids.length, again.ignoredCounts["announced again"]], [60, 1]);
  t.ok((ignoredCounts["announced again"] ?? 0) <= 1);
});

t.test("what cannot be read is set aside, what is no log file counted, others go on", async (t) => {
  const server = await serve(t);
  const sns = "CloudTrail validation message.";
  const test = { Service: "Amazon S3", Event: "s3:TestEvent" };
  const digest = "AWSLogs/1/CloudTrail-Digest/eu/1_CloudTrail-Digest_eu_x.json.gz";
  server.put("b", "good.json.gz", logFile(1));
  server.put("b", "forbidden.json.gz", logFile(2));
  const keys = ["gone.json.gz", "good.json.gz", digest, "notes.txt"];
  for (const body of [sns, throughSns(sns), test, "junk", { s3Bucket: "b", s3ObjectKey: keys }]) {
    server.queues.send("q", body);
  }
  server.queues.send("q", s3Event("b", "forbidden.json.gz"));
  server.fault = ({ key }) =>
    key === "forbidden.json.gz" ? { status: 403, code: "AccessDenied" } : undefined;
  const options = { endpoint: server.url, sqs_queue_url: server.queueUrl("q") };
  const intake = recordingIntake();
  const { ignoredCounts, reports } = await readOnce(t, intake, options);
  t.strictSame(intake.ids, [idOf(1)]);
  t.match(intake.rejects.map(({ reason }) => reason).sort(), [
    /^Cannot read "s3:\/\/b\/forbidden.json.gz": .*AccessDenied/,
    /^Cannot read "s3:\/\/b\/gone.json.gz": it is not there any more/,
    /^Message is not JSON/,
  ]);
  t.strictSame(ignoredCounts, {
    "validation message of CloudTrail": 2,
    "test event of S3": 1,
    "digest": 1,
    "no log file": 1,
  });
  t.equal(server.queues.size("q"), 1, "what may yet be read stays in the queue");
  t.ok(reports.some(({ reason }) => /1 messages announce what cannot/.test(reason ?? "")));
  server.fault = () => undefined;
  server.queues.show("q");
  await readOnce(t, intake, options);
  t.strictSame([intake.ids, server.queues.size("q")], [[idOf(1), idOf(2)], 0]);
});

t.test("RecentFiles and DoneFiles remember what they must, also after a restart", async (t) => {
  let position: Record<string, unknown> = {};
  const move = (changes: object) => {
    position = Object.fromEntries(
      Object.entries({ ...position, ...changes }).filter(([, value]) => value !== null),
    );
  };
  let files = new RecentFiles({}, 100);
  for (let i = 0; i < 1000; i++) {
    move(files.take(`f${i}`, 3));
    move(files.finish(`f${i}`));
    if (i % 70 === 0) files = new RecentFiles(position as never, 100);
    for (let back = 0; back < 100 && back <= i; back++) {
      if (!files.has(`f${i - back}`)) throw new Error(`f${i - back} is forgotten at ${i}`);
    }
  }
  t.notOk(files.has("f0"));
  t.notOk(Object.keys(position).some((key) => key.includes("part.")));
  t.ok(JSON.stringify(position).length < 200 * 30, "no more than two sets");

  const done = new DoneFiles({}, { rememberedMax: 10 });
  for (let i = 0; i < 20; i++) done.finish(`f${i}`);
  done.beginRound();
  for (let i = 15; i < 25; i++) if (!done.has(`f${i}`)) done.finish(`f${i}`);
  done.endRound();
  t.strictSame([done.has("f14"), done.has("f15"), done.has("f24"), done.size], [
    false,
    true,
    true,
    10,
  ]);
});

interface Trail {
  readonly folder: string;
  readonly publicKeyFile: string;
  /** Puts a digest of these log files; answers its key. */
  digest(logKeys: readonly string[], hour: number): string;
}

/** A trail with digests in bucket `b`, each signed and chained as CloudTrail does it. */
function trail(t: Test, server: AwsServer, texts: ReadonlyMap<string, Buffer>): Trail {
  const folder = mkdtempSync(join(tmpdir(), "cairn-digest-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const der = publicKey.export({ format: "der", type: "pkcs1" });
  const publicKeyFile = join(folder, "key");
  // As ListPublicKeys gives it.
  writeFileSync(publicKeyFile, der.toString("base64"));
  const fingerprint = readDigestKey(der).fingerprint;
  t.equal(
    readDigestKey(Buffer.from(publicKey.export({ format: "pem", type: "spki" })))
      .fingerprint,
    fingerprint,
  );
  let previous: { key: string; hash: string; signature: string } | undefined;
  const digest = (logKeys: readonly string[], hour: number): string => {
    const at = `2026-03-05T${String(hour).padStart(2, "0")}`;
    const key = "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/03/05/" +
      `111122223333_CloudTrail-Digest_eu-central-1_main_eu-central-1_${hour}.json.gz`;
    const content = {
      awsAccountId: "111122223333",
      digestStartTime: `${at}:00:00Z`,
      digestEndTime: `${at}:59:59Z`,
      digestS3Bucket: "b",
      digestS3Object: key,
      digestPublicKeyFingerprint: fingerprint,
      digestSignatureAlgorithm: "SHA256withRSA",
      newestEventTime: null,
      oldestEventTime: null,
      previousDigestS3Bucket: previous === undefined ? null : "b",
      previousDigestS3Object: previous?.key ?? null,
      previousDigestHashValue: previous?.hash ?? null,
      previousDigestHashAlgorithm: previous === undefined ? null : "SHA-256",
      previousDigestSignature: previous?.signature ?? null,
      logFiles: logKeys.map((s3Object) => ({
        s3Bucket: "b",
        s3Object,
        hashValue: digestHash(texts.get(s3Object)!),
        hashAlgorithm: "SHA-256",
      })),
    };
    const text = Buffer.from(JSON.stringify(content));
    const hash = digestHash(text);
    const signed = digestSignedText(content, hash);
    const signature = createSign("sha256").update(signed).sign(privateKey, "hex");
    const metadata = { signature, "signature-algorithm": "SHA256withRSA" };
    server.put("b", key, gzipSync(text), { metadata });
    previous = { key, hash, signature };
    return key;
  };
  return { folder, publicKeyFile, digest };
}

t.test("digests that hold are silent; what differs, is missing or forged is told", async (t) => {
  const server = await serve(t);
  const texts = new Map<string, Buffer>();
  const put = (number: number) => {
    const key = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/05/" +
      `111122223333_CloudTrail_eu-central-1_20260305T0${number}00Z_000000000000000${number}.json.gz`;
    texts.set(key, Buffer.from(JSON.stringify({ Records: [testRecord(number)] })));
    server.put("b", key, gzipSync(texts.get(key)!));
    return key;
  };
  const [a, b, c, d] = [1, 2, 3, 4].map(put) as [string, string, string, string];
  const { digest, publicKeyFile, folder } = trail(t, server, texts);
  const first = digest([a], 1);
  digest([b, c], 2);
  const options = {
    endpoint: server.url,
    bucket: "b",
    verify_digests: true,
    public_key_files: [publicKeyFile],
  };
  const intake = recordingIntake();
  const clean = await readOnce(t, intake, options);
  t.equal(compare(intake.ids, [1, 2, 3, 4].map(idOf)), "");
  t.strictSame(intake.rejects, []);
  t.equal(clean.reports.at(-1)?.state, "running");

  // Changed after delivery, deleted, a digest that follows one that was replaced, and a forged one.
  server.put("b", d, gzipSync(JSON.stringify({ Records: [testRecord(5)] })));
  server.delete("b", c);
  server.put("b", first, gzipSync("{}"));
  const tampered = recordingIntake();
  digest([d], 3);
  const forged = digest([], 4);
  server.put("b", forged, gzipSync("{}"));
  const unsigned = digest([], 5);
  const { reports, lines } = await readOnce(t, tampered, options);
  t.equal(compare(tampered.ids, [1, 2, 5].map(idOf)), "", "delivered all the same");
  const reasons = tampered.rejects.map(({ reason }) => reason.replace(/AWSLogs\S*\//g, ""));
  t.match(reasons, [
    /_1.json.gz": it is broken: Digest is not valid/,
    /_1.json.gz": it differs from what was delivered, says digest ".*_2.json.gz"$/,
    /T0300Z.*": it is missing, says digest/,
    /T0400Z.*": it differs from what was delivered, says digest/,
    /_4.json.gz": it is broken/,
    /_4.json.gz": it differs from what was delivered, says digest ".*_5.json.gz"$/,
  ]);
  t.equal(lines.filter(({ level }) => level === "error").length, 6);
  t.match(reports.at(-1), {
    state: "degraded",
    reason: "6 discrepancies with digests: see the dead letters",
  });
  await readOnce(t, tampered, options);
  t.equal(tampered.rejects.length, 6, "not again");

  const other = join(folder, "other");
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(other, publicKey.export({ format: "pem", type: "spki" }));
  const unknown = recordingIntake();
  await readOnce(t, unknown, { ...options, public_key_files: [other] });
  t.ok(
    unknown.rejects.some(({ reason }) =>
      /_5.json.gz": it is signed with an unknown key/.test(reason)
    ),
  );
  t.ok(unsigned);
  writeFileSync(other, "no key");
  const { made } = make(t, recordingIntake(), { ...options, public_key_files: [other] });
  await t.rejects(made.start(testHost()), {
    name: "ConfigError",
    message: /^public_key_files\[0\]: Cannot read/,
  });
});

t.test("keysOfCloudTrail() asks the region of a digest, once for a key", async (t) => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const der = publicKey.export({ format: "der", type: "pkcs1" });
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
      asked.push([request.headers["x-amz-target"], JSON.parse(Buffer.concat(chunks).toString())]);
      response.end(JSON.stringify({ PublicKeyList: [{ Value: der.toString("base64") }] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const regions: string[] = [];
  const findKey = keysOfCloudTrail({
    region: "us-east-1",
    credentials: {
      get: () => Promise.resolve({ accessKeyId: "x", secretAccessKey: "y" }),
      forget: () => {},
    },
    version: "0",
    clock: Date.now,
  }, (region) => {
    regions.push(region);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  const { fingerprint } = readDigestKey(der);
  const sample = {
    digestPublicKeyFingerprint: fingerprint,
    digestStartTime: "2026-03-05T10:00:00Z",
    digestEndTime: "2026-03-05T11:00:00Z",
  } as Digest;
  for (let i = 0; i < 2; i++) {
    t.equal((await findKey(sample, "eu-west-1", never))?.fingerprint, fingerprint);
  }
  const other = { ...sample, digestPublicKeyFingerprint: "other" };
  t.equal(await findKey(other, "eu-west-1", never), undefined);
  const target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";
  const times = { StartTime: 1772701200, EndTime: 1772715600 };
  t.strictSame([asked, regions], [[[target, times], [target, times]], ["eu-west-1", "eu-west-1"]]);
});

/** The third-party log files; undefined where they are not on the machine. */
function samples(t: Test): string | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "deno.json"))) root = dirname(root);
  const folder = join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), "cloudtrail");
  if (existsSync(folder)) return folder;
  if (process.env.CI) t.fail(`No samples at ${folder}`);
  t.comment(`Skipped: no samples at ${folder}`);
  return undefined;
}

t.test("samples in a bucket give the records they give in a folder", async (t) => {
  const folder = samples(t);
  if (folder === undefined) return;
  const server = await serve(t);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const isFile = /\.jsonl?(\.gz)?$/.test(name);
    if (isFile) server.put("b", `samples/${name}`, readFileSync(join(folder, name)));
  }
  const digests = readFileSync(join(folder, "awsdocs/digest-files.jsonl"), "utf8").trim();
  for (const line of digests.split("\n")) {
    t.match(parseDigest(Buffer.from(line)), { digestSignatureAlgorithm: "SHA256withRSA" });
  }
  const fromFolder = recordingIntake();
  await readOnce(t, fromFolder, {
    path: folder,
    access_key_id: undefined,
    secret_access_key: undefined,
  });
  const fromBucket = recordingIntake();
  await readOnce(t, fromBucket, { bucket: "b", endpoint: server.url });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  t.ok(fromBucket.takenBytes.length > 4600, `${fromBucket.takenBytes.length} records`);
  t.strictSame(fromBucket.takenBytes.map(text).sort(), fromFolder.takenBytes.map(text).sort());
  t.equal(fromBucket.rejects.length, fromFolder.rejects.length);
});

t.test("moto's S3, SNS and SQS: announced objects, each record once", async (t) => {
  const url = await startMoto(t);
  if (url === undefined) return;
  const connection: AwsConnection = {
    region: "us-east-1",
    credentials: {
      get: () => Promise.resolve({ accessKeyId: "x", secretAccessKey: "y" }),
      forget: () => {},
    },
    version: "0",
    clock: Date.now,
  };
  const clients = ["s3", "sqs", "sns"].map((service) => new AwsClient(service, connection));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const [s3, sqs, sns] = clients as [AwsClient, AwsClient, AwsClient];
  const put = async (path: string, body: Uint8Array | string, query = {}) => {
    const answer = await s3.send({
      action: `Cannot put ${path}`,
      method: "PUT",
      origin: url,
      path,
      query,
      body,
      signal: never,
    });
    await answer.body.dump();
  };
  const call = (target: string, input: Record<string, string>) =>
    callJson(sqs, { action: target, version: "1.0", target, origin: url, input, signal: never });
  const publish = async (form: Record<string, string>): Promise<string> => {
    const answer = await sns.send({
      action: `Cannot ${form.Action}`,
      method: "POST",
      origin: url,
      path: "/",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
      signal: never,
    });
    return await answer.body.text();
  };
  await put("/logs", "");
  const { QueueUrl } = await call("AmazonSQS.CreateQueue", { QueueName: "q" });
  const Queue = "arn:aws:sqs:us-east-1:123456789012:q";
  const topic = /<TopicArn>(.*)<\/TopicArn>/
    .exec(await publish({ Action: "CreateTopic", Name: "t" }))![1]!;
  await publish({ Action: "Subscribe", TopicArn: topic, Protocol: "sqs", Endpoint: Queue });
  const configuration = `<NotificationConfiguration><QueueConfiguration><Queue>${Queue}</Queue>` +
    "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>";
  await put("/logs", configuration, { notification: "" });
  const keys = ["a b+c.json.gz", "grüße/日本 (1).json.gz", "x/%2F&=?.json.gz"];
  for (const [i, key] of keys.entries()) {
    await put(`/logs/${key.split("/").map(encode).join("/")}`, logFile(i));
  }
  const Message = JSON.stringify({ s3Bucket: "logs", s3ObjectKey: [keys[0]!] });
  await publish({ Action: "Publish", TopicArn: topic, Message });
  const intake = recordingIntake();
  const options = { endpoint: url, region: "us-east-1", sqs_queue_url: String(QueueUrl) };
  await readOnce(t, intake, options);
  t.equal(compare(intake.ids, keys.map((_, i) => idOf(i))), "", "each once");
  const { Messages } = await call("AmazonSQS.ReceiveMessage", { QueueUrl: String(QueueUrl) });
  t.equal(Messages, undefined, "the queue is empty");
  const listed = recordingIntake();
  await readOnce(t, listed, { endpoint: url, bucket: "logs" });
  t.equal(compare(listed.ids, keys.map((_, i) => idOf(i))), "", "and listed");
  // The STS of AWS's own libraries is told by their own variable.
  process.env.AWS_ENDPOINT_URL_STS = url;
  t.teardown(() => delete process.env.AWS_ENDPOINT_URL_STS);
  const role = { role_arn: "arn:aws:iam::123456789012:role/reader", external_id: "cairn" };
  const assumed = recordingIntake();
  await readOnce(t, assumed, { endpoint: url, region: "us-east-1", bucket: "logs", ...role });
  t.equal(assumed.ids.length, keys.length, "and read with a role");
});
