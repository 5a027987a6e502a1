// `cairn verify` in places that somebody else wrote, or wrote to: digests that mean harm, files that
// cannot be read, and several trails in one account and region.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { testAgent } from "../../sdk/conformance.ts";
import { type Digest, digestHash, digestSignedText } from "../../sdk/cloudtrail/digest.ts";
import { formatDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import { formatLogFileKey, uniquePart } from "../../sdk/cloudtrail/log-file.ts";
import type { VerifyOptions, VerifyProblem, VerifyReport } from "../../sdk/index.ts";
import { verifyTrail } from "./verify.ts";

const { accountId, region } = testAgent;
const NOON = Date.UTC(2040, 0, 1, 12);
const MINUTE = 60_000;
const PAIR = generateKeyPairSync("rsa", { modulusLength: 2048 });
const TEXT = Buffer.from('{"Records":[]}');

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** A trail's folder that a test writes as it likes. */
class Place {
  readonly folder: string;
  readonly #keyFile: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.folder = join(root, "trail");
    this.#keyFile = join(root, "key.pem");
  }

  async open(): Promise<this> {
    await mkdir(this.folder);
    await writeFile(this.#keyFile, PAIR.publicKey.export({ type: "spki", format: "pem" }));
    return this;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.folder, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }

  /** The key of a log file that was delivered then. */
  fileKey(deliveredAt: number): string {
    const unique = uniquePart([deliveredAt]);
    const of = { prefix: "", accountId, region, folder: "CloudTrail" as const };
    return formatLogFileKey({ ...of, deliveredAt, unique });
  }

  /** Writes the first digest of a trail, signed; `text` replaces what it says. */
  async digest(
    files: readonly string[],
    more: { trail?: string; endTime?: number; change?: object; text?: string } = {},
  ): Promise<string> {
    const { trail = "main", endTime = NOON } = more;
    const of = { prefix: "", accountId, region, trail, homeRegion: region, endTime };
    const key = formatDigestKey(of);
    const digest: Digest = {
      awsAccountId: accountId,
      digestStartTime: iso(endTime - 60 * MINUTE),
      digestEndTime: iso(endTime),
      digestS3Bucket: "trail",
      digestS3Object: key,
      digestPublicKeyFingerprint: digestHash(new Uint8Array(0)),
      digestSignatureAlgorithm: "SHA256withRSA",
      previousDigestS3Bucket: null,
      previousDigestS3Object: null,
      previousDigestHashValue: null,
      previousDigestHashAlgorithm: null,
      previousDigestSignature: null,
      logFiles: files.map((s3Object) => ({
        s3Bucket: "trail",
        s3Object,
        hashValue: digestHash(TEXT),
        hashAlgorithm: "SHA-256",
      })),
      ...more.change,
    };
    const text = Buffer.from(more.text ?? JSON.stringify(digest));
    const signed = Buffer.from(digestSignedText(digest, digestHash(text)));
    const signature = sign("sha256", signed, PAIR.privateKey).toString("hex");
    await this.put(key, gzipSync(text));
    await this.put(`${key}.metadata.json`, Buffer.from(JSON.stringify({ signature })));
    return key;
  }

  async verify(
    now = NOON,
    more: Partial<VerifyOptions> = {},
  ): Promise<{ report: VerifyReport | undefined; told: string[] }> {
    const told: string[] = [];
    const onProblem = ({ kind, path, problem }: VerifyProblem) => {
      const isAboutKey = problem.startsWith("is signed with a key that is not known");
      if (!isAboutKey) told.push(`${kind} ${path.slice(this.#root.length + 7)} ${problem}`);
    };
    const report = await verifyTrail(this.folder, {
      publicKeyFiles: [this.#keyFile],
      clock: () => now,
      version: "0",
      signal: new AbortController().signal,
      onProblem,
      ...more,
    });
    return { report, told };
  }
}

async function place(t: Test): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), "cairn-verify-"));
  t.teardown(() => rm(root, { recursive: true }));
  return await new Place(root).open();
}

t.test("a digest leads nowhere outside its folder", async (t) => {
  const p = await place(t);
  await writeFile(join(dirname(p.folder), "secret"), gzipSync(TEXT));
  const keys = ["../secret", "a/../../secret", "./../secret", "a\0b", "a//b", "x".repeat(5000)];
  const before = { previousDigestS3Bucket: "trail", previousDigestS3Object: "../secret" };
  await p.digest(keys, { change: before });
  const { report, told } = await p.verify();
  t.equal(report!.counts["log files"]!.invalid, keys.length, told.join("\n"));
  t.ok(told.every((text) => text.startsWith("missing")), told.join("\n"));
});

t.test("a digest that is made to fill memory, or says no time, is broken and no more", async (t) => {
  const p = await place(t);
  await p.digest([], { text: `{"logFiles":[${"{},".repeat(4_000_000)}{}]}` });
  t.match((await p.verify()).told, [/broken: Digest has too many objects for its length$/]);
  await p.digest([], { text: `{"logFiles":[${"1,".repeat(2_000_000)}1]}` });
  t.match((await p.verify()).told, [/broken: Digest is not valid: logFiles.0$/]);
  await p.digest([], { text: " ".repeat(65 * 1024 * 1024) });
  t.match((await p.verify()).told, [/is longer than any that was delivered$/]);
  for (
    const text of ["[", "null", '"x"', '{"logFiles":{}}', '{"logFiles":[null]}', "[".repeat(900)]
  ) {
    await p.digest([], { text });
    t.match((await p.verify()).told, [/is broken: Digest is not (JSON|valid)/], text);
  }
  const key = await p.digest([], { change: { digestEndTime: "soon", digestStartTime: "then" } });
  const previousDigestS3Object = key;
  const change = { previousDigestS3Bucket: "trail", previousDigestS3Object };
  await p.digest([], { endTime: NOON + 60 * MINUTE, change });
  t.match((await p.verify()).told, [/another hash/, /the one before ends at an unknown time/]);
});

t.test("what cannot be read is an error, not a file that is missing", async (t) => {
  const p = await place(t);
  const key = p.fileKey(NOON - MINUTE);
  await p.digest([key]);
  await mkdir(dirname(join(p.folder, key)), { recursive: true });
  // Reading its first byte is an error of input and output.
  await symlink("/proc/self/mem", join(p.folder, key));
  await t.rejects(p.verify(), { name: "RetryableError", message: /^Cannot read ".*": the disk/ });
});

t.test("a data_dir that is named but not there, or whose keys are damaged, is told", async (t) => {
  const p = await place(t);
  await p.digest([]);
  const dataDir = join(dirname(p.folder), "data");
  const reason = /^Cannot read what the agent remembers in ".*data.components/;
  await t.rejects(p.verify(NOON, { dataDir }), { name: "RetryableError", message: reason });
  t.ok((await p.verify(NOON, { ownDataDir: dataDir })).report, "this host's own need not be there");
  const folder = join(dataDir, "components", "exporter.trail", "digests");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "keys.json"), "{");
  await t.rejects(p.verify(NOON, { dataDir }), { name: "RetryableError", message: reason });
});

t.test("a file of a second trail waits for that trail's digest, an hour at most", async (t) => {
  const p = await place(t);
  await p.digest([], { trail: "first", endTime: NOON });
  await p.digest([], { trail: "second", endTime: NOON + 30 * MINUTE });
  await p.put(p.fileKey(NOON + 10 * MINUTE), gzipSync(TEXT));
  t.strictSame((await p.verify(NOON + 40 * MINUTE)).told, [], "the first one's next is not due");
  t.match((await p.verify(NOON + 70 * MINUTE)).told, [/^unlisted .*is listed by no digest$/]);
});
