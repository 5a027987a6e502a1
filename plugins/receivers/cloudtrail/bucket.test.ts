// Receiver cloudtrail from a bucket and from a queue, over real HTTP: each record once, whatever the
// store does, and no more asked of it than is needed.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import {
  compare,
  conformance,
  type RecordingIntake,
  recordingIntake,
  seededRandom,
  stopInTime,
  testContext,
  testHost,
  testRecord,
  until,
} from "../../sdk/conformance.ts";
import { AWS_KEYS, AwsServer, type AwsServerOptions } from "../../sdk/conformance/aws-server.ts";
import receiver from "./index.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-03-05T12:00:00Z");

async function serve(t: Test, options: AwsServerOptions = {}): Promise<AwsServer> {
  const server = await new AwsServer(options).start();
  t.teardown(() => server.stop());
  return server;
}

const idOf = (number: number) => testRecord(number).eventID!;

/** A log file with the records of these numbers. */
function logFile(...numbers: number[]): Uint8Array {
  return gzipSync(JSON.stringify({ Records: numbers.map((number) => testRecord(number)) }));
}

function keyAt(ms: number, unique: string | number, account = "111122223333"): string {
  const iso = new Date(ms).toISOString();
  const day = iso.slice(0, 10).replaceAll("-", "/");
  const minute = iso.slice(0, 16).replaceAll(/[-:]/g, "");
  const region = "eu-central-1";
  const name = String(unique).padStart(16, "0");
  return `AWSLogs/${account}/CloudTrail/${region}/${day}/` +
    `${account}_CloudTrail_${region}_${minute}Z_${name}.json.gz`;
}

function make(
  t: Test,
  server: AwsServer,
  intake: RecordingIntake,
  options: Record<string, unknown>,
  once = false,
) {
  const context = testContext({ id: "cloudtrail", once, clock: () => NOW });
  const from = options.sqs_queue_url === undefined ? { bucket: "b", poll_interval: "20ms" } : {};
  const config = receiver.config.parse({ endpoint: server.url, ...AWS_KEYS, ...from, ...options });
  const made = receiver.create(config, context, intake);
  // A failed test must not leave it running.
  t.teardown(() => made.stop(AbortSignal.abort(new Error("Stopped: the test is over"))));
  return { ...context, made };
}

/** Reads everything there is, as `--once` does. */
async function readOnce(t: Test, server: AwsServer, intake: RecordingIntake, options = {}) {
  const context = make(t, server, intake, options, true);
  const host = testHost();
  await context.made.start(host);
  try {
    await context.made.drain!();
  } finally {
    await stopInTime(t, context.made);
  }
  return { ...context, reports: host.reports };
}

const isBranch = ({ query }: { query: URLSearchParams }) => query.has("start-after");

t.test("receiver cloudtrail keeps the conformance rules with a bucket", async (t) => {
  let number = 0;
  let buckets = 0;
  const server = await serve(t);
  await conformance(t, receiver, {
    minimal: { bucket: "logs", ...AWS_KEYS },
    source: async () => {
      const bucket = `b${buckets++}`;
      server.put(bucket, "AWSLogs/", "");
      const next = () => keyAt(Date.now(), number++);
      const put = (bytes: Uint8Array) => server.put(bucket, next(), bytes);
      return {
        config: { bucket, endpoint: server.url, poll_interval: "20ms", ...AWS_KEYS },
        write: async (count) => {
          const records = Array.from({ length: count }, () => testRecord(number++));
          put(gzipSync(JSON.stringify({ Records: records })));
          return records.map((record) => record.eventID!);
        },
        writeBad: async (noise) => put(Buffer.concat([Buffer.from("x\0"), noise])),
      };
    },
  });
});

t.test("settled days are taken in order and never listed again, the last ones each round", async (t) => {
  const server = await serve(t, { pageMax: 3 });
  for (let day = 0; day < 10; day++) {
    server.put("b", keyAt(NOW - day * DAY_MS, 1), logFile(day));
  }
  server.put("b", "AWSLogs/111122223333/CloudTrail/", "");
  server.put("b", "AWSLogs/111122223333/CloudTrail-Lake/Query/x/result_sign.json", "{}");
  server.put("b", "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/x.json.gz", "{}");
  const intake = recordingIntake();
  await readOnce(t, server, intake);
  t.strictSame(intake.ids, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(idOf), "oldest first");
  const size = JSON.stringify(intake.position()).length;
  t.ok(size < 300, `${size} bytes of position`);

  server.requests.length = 0;
  // Late, and before what is there already: under the day it is delivered on.
  server.put("b", keyAt(NOW - 3_600_000, 2), logFile(20));
  server.put("b", keyAt(NOW - DAY_MS - 3_600_000, 3), logFile(21));
  await readOnce(t, server, intake);
  t.strictSame(intake.ids.slice(10), [21, 20].map(idOf));
  const listed = server.requests.filter(isBranch);
  t.equal(listed[0]?.query.get("start-after"), keyAt(NOW - 2 * DAY_MS, 1));
  t.equal(server.count(({ key }) => key !== ""), 2, "no object is read again");
});

t.test("folders that are no trail's, and accounts that come later, are looked into", async (t) => {
  const server = await serve(t, { pageMax: 2 });
  const names = ["z last", "a+b", "grüße/日本", "2025/01/02/x", "%2F", "deep/er/and/deeper"];
  names.forEach((name, i) => server.put("b", `x/${name}.json.gz`, logFile(i)));
  server.put("b", "other/y.json.gz", logFile(99));
  server.put("b", "x/notes.txt", "x");
  server.put("b", "x/empty.json", "");
  const intake = recordingIntake();
  await readOnce(t, server, intake, { prefix: "x/" });
  t.equal(compare(intake.ids, names.map((_, i) => idOf(i))), "");
  server.put("b", "x/0.json.gz", logFile(50));
  server.put("b", `x/${keyAt(NOW - 20 * DAY_MS, 1, "444455556666")}`, logFile(51));
  const { reports } = await readOnce(t, server, intake, { prefix: "x/" });
  t.equal(compare(intake.ids.slice(names.length), [idOf(50), idOf(51)]), "");
  t.equal(reports.at(-1)?.state, "running");
  const prefix = `x/${keyAt(NOW, 1, "444455556666").slice(0, -60)}`;
  const { reports: none } = await readOnce(t, server, recordingIntake(), { prefix });
  t.match(none.at(-1), { state: "waiting", reason: /^Nothing is at "s3:/ });
});

t.test("start_at leaves alone what was written before", async (t) => {
  const server = await serve(t);
  const put = (days: number) =>
    server.put("b", keyAt(NOW - days * DAY_MS, 1), logFile(days), {
      modifiedAt: NOW - days * DAY_MS,
    });
  [400, 3, 2, 0].forEach(put);
  const since = recordingIntake();
  await readOnce(t, server, since, { start_at: "2026-03-03" });
  t.strictSame(since.ids, [2, 0].map(idOf));
  t.equal(
    server.requests.find(isBranch)?.query.get("start-after"),
    "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/03",
  );
  const end = recordingIntake();
  const { made } = make(t, server, end, { start_at: "end" });
  await made.start(testHost());
  await until(() => end.position() !== undefined, "the position");
  server.put("b", keyAt(NOW, 7), logFile(7), { modifiedAt: NOW + 1 });
  await until(() => end.ids.length > 1, "a new file");
  await stopInTime(t, made);
  t.strictSame(end.ids, [idOf(0), idOf(7)], "and what came at that very moment");
});

t.test("resets, cuts, 500, 503 and slow stores: each record once", async (t) => {
  const server = await serve(t);
  const count = 40;
  for (let i = 0; i < count; i++) {
    const records = Array.from(
      { length: 50 },
      (_, n) => ({ ...testRecord(i * 50 + n), n: n * 7919 }),
    );
    const bytes = gzipSync(JSON.stringify({ Records: records }));
    server.put("b", keyAt(NOW - (i % 8) * DAY_MS, i), bytes);
  }
  const random = seededRandom(5);
  const faults = [
    { cutAt: 700 },
    { status: 503, code: "SlowDown", headers: { "retry-after": "0" } },
    { reset: true } as const,
    { status: 500, code: "InternalError" },
  ];
  server.fault = () => faults[Math.floor(random() * 12)];
  const intake = recordingIntake();
  const { made } = make(t, server, intake, {});
  await made.start(testHost());
  await until(() => intake.ids.length >= count * 50, "all records", 60_000);
  await stopInTime(t, made);
  t.equal(compare(intake.ids, Array.from({ length: count * 50 }, (_, i) => idOf(i))), "");
  t.strictSame(intake.rejects, []);
});

t.test("missing credentials are reported and read again, and nothing is set aside", async (t) => {
  const server = await serve(t);
  server.put("b", keyAt(NOW, 1), logFile(1));
  let isExpired = true;
  server.fault = () => isExpired ? { status: 403, code: "ExpiredToken" } : undefined;
  const intake = recordingIntake();
  const { made } = make(t, server, intake, {});
  const host = testHost();
  await made.start(host);
  await until(
    () => host.reports.some(({ reason }) => /ExpiredToken.*renew/.test(reason ?? "")),
    "it",
  );
  isExpired = false;
  await until(() => intake.ids.length === 1, "the record");
  await until(() => host.reports.at(-1)?.state === "running", "the all-clear");
  await stopInTime(t, made);
  t.strictSame(intake.rejects, []);
  isExpired = true;
  await t.rejects(readOnce(t, server, recordingIntake()), { code: "ExpiredToken" });
});

t.test("a forbidden object is set aside once and taken when it can be read", async (t) => {
  const server = await serve(t);
  const forbidden = keyAt(NOW - 5 * DAY_MS, 1);
  const alsoForbidden = keyAt(NOW, 1);
  [forbidden, keyAt(NOW - 4 * DAY_MS, 2), alsoForbidden, keyAt(NOW, 2)]
    .forEach((key, i) => server.put("b", key, logFile(i)));
  server.put("b", keyAt(NOW - 3 * DAY_MS, 1), Buffer.from("no gzip\0"));
  server.fault = ({ key }) =>
    key === forbidden || key === alsoForbidden ? { status: 403, code: "AccessDenied" } : undefined;
  const intake = recordingIntake();
  const { reports } = await readOnce(t, server, intake);
  t.strictSame(intake.ids, [idOf(1), idOf(3)]);
  t.match(intake.rejects.map(({ reason }) => reason).sort(), [
    /^Cannot read "s3:\/\/b\/.*AccessDenied/,
    /^Cannot read "s3:\/\/b\/.*AccessDenied/,
    /^Text is not JSON: at byte 0 of "s3:/,
  ]);
  t.match(reports.find(({ state }) => state === "degraded"), { reason: /grant it to these/ });
  await readOnce(t, server, intake);
  t.equal(intake.rejects.length, 3, "not again");
  server.fault = () => undefined;
  await readOnce(t, server, intake);
  t.strictSame(intake.ids.slice(2), [idOf(0), idOf(2)]);
  await readOnce(t, server, intake);
  t.equal(intake.ids.length, 4, "nothing again");
});

t.test("exactly one of path, bucket and sqs_queue_url is asked for", async (t) => {
  const problems = (options: Record<string, unknown>) =>
    receiver.config.safeParse(options).error?.issues.map(({ path, message }) =>
      `${path.join(".")}: ${message}`
    ) ?? [];
  t.match(problems({}), [/path: Expected exactly one of path, bucket, sqs_queue_url; .*none/]);
  t.match(problems({ path: "x", bucket: "b" }), [/bucket: Expected exactly one.*path and bucket/]);
  t.match(problems({ path: "x", prefix: "p", region: "r", verify_digests: true }).sort(), [
    /prefix: Stands only beside bucket/,
    /region: Stands only beside bucket or sqs_queue_url/,
    /verify_digests: Stands only/,
  ]);
  t.match(problems({ bucket: "b", access_key_id: "x" }), [
    /access_key_id: Needs secret_access_key/,
  ]);
  t.match(problems({ bucket: "b", external_id: "x" }), [/external_id: Needs role_arn/]);
  t.match(problems({ bucket: "b", start_at: "now" }), [/start_at: /]);
  t.match(problems({ bucket: "b", endpoint: "host:1" }), [/endpoint: /]);
  t.match(problems({ bucket: "b", poll_interval: "0s" }), [/poll_interval: Expected at least/]);
  t.strictSame(problems({ bucket: "b", start_at: "2026-01-01T00:00:00Z" }), []);
});
