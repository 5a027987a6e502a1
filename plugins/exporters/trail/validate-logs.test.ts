// What the trail delivers, judged by the AWS CLI, unmodified, and by cairn verify: a day of digests in
// moto's S3, with restarts, whole and then changed in every way.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import { startMoto } from "../../sdk/conformance/moto-server.ts";
import { memoryState, testAgent, testBatch, testContext, testHost } from "../../sdk/conformance.ts";
import { readWithin } from "../../sdk/aws/request.ts";
import { S3 } from "../../sdk/aws/s3.ts";
import { parseDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import type { VerifyProblem } from "../../sdk/index.ts";
import { type TrailService, trailService } from "../../sdk/trail-service.ts";
import trail from "./index.ts";

const HOUR = 3_600_000;
// Later than moto says the objects were written: digests are of a time to come.
const BEGIN = Date.UTC(2040, 0, 1);
const BUCKET = "a-bucket";
const SIGNAL = new AbortController().signal;
const ARN = `arn:cairn:cloudtrail:${testAgent.region}:${testAgent.accountId}:trail/main`;
const KEYS = { AWS_ACCESS_KEY_ID: "AKIATEST", AWS_SECRET_ACCESS_KEY: "secret" };

// moto wants to know who asks, and believes it.
const AUTHORIZATION = {
  authorization: "AWS4-HMAC-SHA256 Credential=AKIATEST/20400101/eu-central-1/s3/aws4_request, " +
    "SignedHeaders=host, Signature=0",
};

/** A bucket in moto, a trail's agent of a day, and who answers for it as CloudTrail. */
class Day {
  readonly s3: string;
  readonly data: string;
  now = BEGIN;
  service: TrailService | undefined;
  readonly #store: S3;
  readonly #state = memoryState();
  #sequence = 1;

  constructor(s3: string, data: string) {
    this.s3 = s3;
    this.data = data;
    const keys = { accessKeyId: KEYS.AWS_ACCESS_KEY_ID, secretAccessKey: "secret" };
    const credentials = { get: () => Promise.resolve(keys), forget: () => {} };
    const { region, version } = testAgent;
    const connection = { region, version, credentials, clock: Date.now };
    this.#store = new S3({ endpoint: s3, connection });
  }

  /** Runs the agent for some hours; each delivery takes one of them. */
  async run(t: Test, hours: number, deliveries: number, more: object = {}): Promise<void> {
    const config = trail.config.parse({
      bucket: BUCKET,
      prefix: "logs",
      endpoint: this.s3,
      access_key_id: KEYS.AWS_ACCESS_KEY_ID,
      secret_access_key: KEYS.AWS_SECRET_ACCESS_KEY,
      ...more,
    });
    const exporter = trail.create(
      config,
      testContext({
        id: "trail",
        clock: () => this.now,
        state: this.#state,
        directory: join(this.data, "components", "exporter.trail"),
      }),
    );
    const host = testHost();
    await exporter.start(host);
    [this.service] = host.find(trailService);
    for (let i = 0; i < deliveries; i++) {
      const batch = testBatch(this.#sequence, this.#sequence + 4);
      this.#sequence += 5;
      await exporter.export({ ...batch, plannedAt: this.now }, SIGNAL);
      this.now += HOUR;
    }
    this.now += (hours - deliveries) * HOUR;
    // As long as it takes: a busy machine must not cut off the last digests.
    await exporter.stop(SIGNAL);
    const { reports } = host;
    t.strictSame(reports.filter(({ state }) => state === "degraded"), []);
  }

  /** The bytes as they are stored, which fetch would decompress. */
  async get(key: string): Promise<{ bytes: Uint8Array; metadata: Record<string, string> }> {
    const { body, metadata } = await this.#store.get(BUCKET, key, SIGNAL);
    const headers = Object.entries(metadata).map(([name, text]) => [`x-amz-meta-${name}`, text]);
    return { bytes: await readWithin(body, 2 ** 20), metadata: Object.fromEntries(headers) };
  }

  async put(key: string, bytes: Uint8Array, metadata: Record<string, string> = {}): Promise<void> {
    await (await this.#ask("PUT", key, new Uint8Array(bytes), metadata)).text();
  }

  /** Lets go of connections. */
  async close(): Promise<void> {
    await this.#store.close();
  }

  async delete(key: string): Promise<void> {
    await (await this.#ask("DELETE", key)).text();
  }

  async keys(): Promise<{ digests: string[]; logs: string[] }> {
    const text = await (await this.#ask("GET", "?list-type=2")).text();
    const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key!).sort();
    const digests = keys.filter((key) => parseDigestKey(key) !== undefined);
    return { digests, logs: keys.filter((key) => key.includes("/CloudTrail/")) };
  }

  async #ask(
    method: string,
    key: string,
    body?: Uint8Array<ArrayBuffer>,
    metadata = {},
  ): Promise<Response> {
    const headers = { ...AUTHORIZATION, ...metadata };
    const more = body === undefined ? {} : { body };
    return await fetch(`${this.s3}/${BUCKET}/${key}`, { method, headers, ...more });
  }

  /** Makes a key that signs, in moto's KMS. */
  async kmsKey(): Promise<string> {
    const headers = {
      authorization: AUTHORIZATION.authorization.replace("/s3/", "/kms/"),
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "TrentService.CreateKey",
    };
    const body = JSON.stringify({ KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY" });
    const answer = await fetch(this.s3, { method: "POST", headers, body });
    const { KeyMetadata } = await answer.json() as { KeyMetadata: { KeyId: string } };
    return KeyMetadata.KeyId;
  }

  /** Answers DescribeTrails and ListPublicKeys for the trail. */
  async cloudTrail(t: Test): Promise<string> {
    const server = createServer(async (request, response) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const input = JSON.parse(Buffer.concat(chunks).toString() || "{}");
      const isKeys = String(request.headers["x-amz-target"]).endsWith("ListPublicKeys");
      const keys = await this.service!.publicKeys(input.StartTime * 1000, input.EndTime * 1000);
      const { bucket, prefix } = this.service!.describe();
      const answer = isKeys
        ? {
          PublicKeyList: keys.map(({ value, fingerprint }) => ({
            Value: Buffer.from(value).toString("base64"),
            Fingerprint: fingerprint,
          })),
        }
        : { trailList: [{ TrailARN: ARN, S3BucketName: bucket, S3KeyPrefix: prefix }] };
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `aws cloudtrail validate-logs` over the whole day: its exit status and what it says. */
  async validateLogs(endpoint: string): Promise<{ status: number | null; text: string }> {
    const child = spawn("aws", [
      ...["cloudtrail", "validate-logs", "--verbose", "--trail-arn", ARN],
      ...["--region", testAgent.region, "--endpoint-url", endpoint],
      ...["--start-time", new Date(BEGIN - 2 * HOUR).toISOString()],
      ...["--end-time", new Date(this.now + HOUR).toISOString()],
    ], {
      env: {
        ...KEYS,
        PATH: process.env.PATH,
        HOME: this.data,
        PYENV_ROOT: process.env.PYENV_ROOT,
        PYENV_VERSION: process.env.PYENV_VERSION,
        AWS_ENDPOINT_URL_S3: this.s3,
        AWS_EC2_METADATA_DISABLED: "true",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => text += chunk);
    child.stderr.on("data", (chunk) => text += chunk);
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { status, text };
  }

  /** cairn verify: each problem as `kind name: problem`, the name without what is before it. */
  async verify(more: object = {}): Promise<{ problems: string[]; digests: number; logs: number }> {
    const problems: VerifyProblem[] = [];
    process.env.AWS_ACCESS_KEY_ID ??= KEYS.AWS_ACCESS_KEY_ID;
    process.env.AWS_SECRET_ACCESS_KEY ??= KEYS.AWS_SECRET_ACCESS_KEY;
    const report = await trail.verify!(`s3://${BUCKET}/logs`, {
      dataDir: this.data,
      publicKeyFiles: [],
      region: testAgent.region,
      endpoint: this.s3,
      clock: () => this.now,
      version: "0.0.0",
      signal: SIGNAL,
      onProblem: (problem) => void problems.push(problem),
      ...more,
    });
    const { "digest files": digests, "log files": logs } = report!.counts;
    return {
      problems: problems.map(({ kind, path, problem }) => `${kind} ${nameOf(path)}: ${problem}`),
      digests: digests!.checked,
      logs: logs!.checked,
    };
  }
}

function nameOf(path: string): string {
  return path.split("/").at(-1)!;
}

/** A day as it was delivered; undefined, with a comment, where moto or the CLI is not there. */
async function newDay(t: Test): Promise<{ day: Day; endpoint: string } | undefined> {
  if (spawnSync("aws", ["--version"], { stdio: "ignore" }).status !== 0) {
    t.comment("Skipped: the AWS CLI is not on this machine (pip install awscli)");
    return undefined;
  }
  const s3 = await startMoto(t);
  if (s3 === undefined) return undefined;
  const data = await mkdtemp(join(tmpdir(), "cairn-day-"));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const body = "<CreateBucketConfiguration><LocationConstraint>eu-central-1" +
    "</LocationConstraint></CreateBucketConfiguration>";
  await (await fetch(`${s3}/${BUCKET}`, { method: "PUT", body })).text();
  const day = new Day(s3, data);
  t.teardown(() => day.close());
  return { day, endpoint: await day.cloudTrail(t) };
}

t.test("P10: aws cloudtrail validate-logs and cairn verify judge a day of digests", async (t) => {
  const made = await newDay(t);
  if (made === undefined) return;
  const { day, endpoint } = made;
  await day.run(t, 3.5, 2);
  // Down for some hours, and back.
  day.now += 4.25 * HOUR;
  await day.run(t, 6.5, 3);
  // For a while a key in KMS signs.
  const kms = { kms_key_id: await day.kmsKey(), kms_endpoint: day.s3 };
  await day.run(t, 1.5, 1, { log_file_validation: kms });
  day.now += 0.75 * HOUR;
  await day.run(t, 8, 4);
  const { digests, logs } = await day.keys();
  t.ok(digests.length >= 24, `${digests.length} digests`);
  t.equal(logs.length, 10);

  await t.test("both pass what was delivered", async (t) => {
    t.equal(
      (await day.service!.publicKeys(BEGIN, day.now)).length,
      2,
      "the agent's key, and KMS's",
    );
    const { status, text } = await day.validateLogs(endpoint);
    t.equal(status, 0, text);
    t.match(text, `${digests.length}/${digests.length} digest files valid`);
    t.match(text, "10/10 log files valid");
    const report = await day.verify();
    t.strictSame(report, { problems: [], digests: digests.length, logs: 10 });
  });

  await t.test("both tell what was changed, deleted or moved; cairn verify also what the CLI cannot", async (t) => {
    const [changed, gone, moved] = [logs[1]!, logs[3]!, logs[8]!];
    const [goneDigest, unsigned, movedDigest] = [digests[5]!, digests[7]!, digests[15]!];
    const newest = digests.at(-1)!;
    const forged = logs[2]!.replace(/_[^_]{16}\.json/, "_PONMLKJIHGFEDCBA.json");
    const all = [changed, gone, moved, goneDigest, unsigned, movedDigest, newest];
    const kept = new Map(
      await Promise.all(
        all.map(async (key) => [key, await day.get(key)] as const),
      ),
    );
    const text = gunzipSync(kept.get(changed)!.bytes).toString();
    await day.put(changed, gzipSync(text.replace("alice", "mallo")));
    await day.put(unsigned, kept.get(unsigned)!.bytes);
    await day.put(forged, gzipSync('{"Records":[]}'));
    for (const key of [gone, moved, goneDigest, movedDigest, newest]) await day.delete(key);
    const logElsewhere = moved.replace(/_[^_]{16}\.json/, "_ABCDEFGHIJKLMNOP.json");
    const digestElsewhere = movedDigest.replace(/\d{4}Z\.json/, "0000Z.json");
    for (const [to, from] of [[logElsewhere, moved], [digestElsewhere, movedDigest]] as const) {
      await day.put(to, kept.get(from)!.bytes, kept.get(from)!.metadata);
    }
    const { status, text: said } = await day.validateLogs(endpoint);
    t.equal(status, 1);
    const lines = said.split("\n").filter((line) => line.includes("INVALID:"));
    const cli = lines.map((line) => nameOf(line).split("\tINVALID: ") as [string, string]);
    t.strictSame(
      new Map(cli),
      new Map([
        [changed, "hash value doesn't match"],
        [gone, "not found"],
        [moved, "not found"],
        [goneDigest, "not found"],
        [unsigned, "signature verification failed"],
        [movedDigest, "not found"],
        [digestElsewhere, "has been moved from its original location"],
      ].map(([key, problem]) => [nameOf(key!), problem!] as const)),
    );
    const { problems } = await day.verify();
    const told = problems.map((problem) => problem.split(/[:;,] /).slice(0, 2).join(": ")).sort();
    t.strictSame(
      told,
      [
        `changed ${nameOf(changed)}: has another hash than it was delivered with`,
        `changed ${nameOf(unsigned)}: has no signature`,
        `missing ${nameOf(gone)}: is not found`,
        `missing ${nameOf(goneDigest)}: is not found`,
        `missing ${nameOf(moved)}: is not found`,
        `missing ${nameOf(movedDigest)}: is not found`,
        `missing ${nameOf(newest)}: is not found`,
        `unlisted ${nameOf(forged)}: is listed by no digest`,
        `moved ${nameOf(digestElsewhere)}: has been moved from its original location`,
        `moved ${nameOf(logElsewhere)}: has been moved from its original location`,
      ].sort(),
    );
    for (const key of [logElsewhere, digestElsewhere, forged]) await day.delete(key);
    for (const [key, { bytes, metadata }] of kept) await day.put(key, bytes, metadata);
  });

  await t.test("without the agent's data_dir, keys come from who answers ListPublicKeys", async (t) => {
    const { problems } = await day.verify({ dataDir: undefined, publicKeysFrom: endpoint });
    t.strictSame(problems, []);
  });
});
