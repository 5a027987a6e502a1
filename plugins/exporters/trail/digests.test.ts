// Digests of a trail: what they say, that their chain has no gap and verifies after any crash, and
// the keys that sign them.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import { testAgent, testContext, testRuntime } from "../../sdk/conformance.ts";
import {
  type Digest,
  digestHash,
  digestSignedText,
  parseDigest,
} from "../../sdk/cloudtrail/digest.ts";
import { formatDigestKey, parseDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import { formatLogFileKey, uniquePart } from "../../sdk/cloudtrail/log-file.ts";
import type { VerifyProblem } from "../../sdk/index.ts";
import { DigestChain, type DigestChainOptions } from "./digest-chain.ts";
import { DigestJournal, readChains } from "./digest-journal.ts";
import { dueEnd, lastEnd } from "./digest-text.ts";
import { FolderStore } from "./folder-store.ts";
import { KeyRing } from "./key-ring.ts";
import type { TrailStore } from "./store.ts";
import { verifyTrail } from "./verify.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
// Later than any file of a test is written: what is older than a digest it should list.
const NOON = Date.UTC(2040, 0, 1, 12);
const SIGNAL = new AbortController().signal;
const { accountId, region } = testAgent;

/** One pair for all tests that are not about keys: making one takes a quarter of a second. */
const PAIR = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = PAIR.privateKey.export({ type: "pkcs8", format: "pem" });

/** A trail whose clock a test sets, and whose steps it can fail. */
class Bench {
  now = NOON;
  readonly folder: string;
  readonly data: string;
  readonly problems: (string | undefined)[] = [];
  readonly store: FolderStore;
  /** Called before and after each step that leaves something on the disk. */
  step: (moment: string) => void = () => {};
  #files = 0;

  constructor(root: string) {
    this.folder = join(root, "trail");
    this.data = join(root, "data");
    this.store = new FolderStore(this.folder, "main");
  }

  get directory(): string {
    return join(this.data, "components", "exporter.trail", "digests");
  }

  chain(options: Partial<DigestChainOptions> = {}): DigestChain {
    return new DigestChain({
      place: { bucket: "trail", prefix: "", trail: "main", homeRegion: region },
      agent: testAgent,
      intervalMs: HOUR,
      directory: this.directory,
      keys: { rotationMs: 365 * DAY, keyFile: join(this.data, "key.pem") },
      gzip: testRuntime.gzip,
      clock: () => this.now,
      log: testContext().log,
      onProblem: (problem) => void this.problems.push(problem),
      store: { put: (...args) => this.#put(...args) },
      append: (file, bytes) => this.#append(file, bytes),
      ...options,
    });
  }

  /** Stores a log file, as the trail does, and gives what it hands over. */
  async deliver(more: { accountId?: string; region?: string; at?: number } = {}) {
    const of = { accountId, region, ...more };
    const text = Buffer.from(`{"Records":[{"eventID":"${this.#files++}"}]}`);
    const unique = uniquePart([this.#files]);
    const place = { prefix: "", folder: "CloudTrail" as const, unique, ...of };
    const key = formatLogFileKey({ ...place, deliveredAt: more.at ?? this.now });
    const about = { contentType: "application/json", contentEncoding: "gzip", plannedAt: 0 };
    await this.store.put(key, gzipSync(text), about, SIGNAL);
    const times = { oldestEventTime: this.now - 60_000, newestEventTime: this.now };
    return { key, hash: digestHash(text), ...times, accountId: of.accountId, region: of.region };
  }

  async verify(more: object = {}): Promise<VerifyProblem[]> {
    const problems: VerifyProblem[] = [];
    const report = await verifyTrail(this.folder, {
      dataDir: this.data,
      publicKeyFiles: [],
      clock: () => this.now,
      version: "0.0.0",
      signal: SIGNAL,
      onProblem: (problem) => void problems.push(problem),
      ...more,
    });
    if (report === undefined) throw new Error("There is no trail");
    return problems;
  }

  /** Every digest by its key, the oldest first. */
  async digests(): Promise<Map<string, Digest>> {
    const names = await readdir(this.folder, { recursive: true });
    const keys = names.filter((name) => parseDigestKey(name) !== undefined).sort();
    const read = async (key: string) =>
      [key, parseDigest(gunzipSync(await readFile(join(this.folder, key))))] as const;
    return new Map(await Promise.all(keys.map(read)));
  }

  async #put(...args: Parameters<TrailStore["put"]>): Promise<void> {
    this.step("before put");
    await this.store.put(...args);
    this.step("after put");
  }

  async #append(file: FileHandle, bytes: Uint8Array): Promise<void> {
    this.step("before append");
    await file.appendFile(bytes.subarray(0, bytes.length / 2));
    this.step("in append");
    await file.appendFile(bytes.subarray(bytes.length / 2));
    this.step("after append");
  }
}

async function bench(t: Test): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "cairn-digests-"));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const made = new Bench(root);
  await made.chain({ keys: { rotationMs: DAY } }).publicKeys();
  await writeFile(join(made.data, "key.pem"), PEM);
  return made;
}

/** Writes what is due, and fails the test where that does not work. */
async function tick(bench: Bench, chain: DigestChain): Promise<void> {
  const isDone = await chain.writeDue(SIGNAL);
  if (!isDone) throw new Error(bench.problems.at(-1));
}

t.test("a digest lists what was delivered in its hour, and names the one before", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  b.now += 10 * 60_000;
  const file = await b.deliver();
  await chain.delivered([file]);
  await chain.delivered([file]);
  b.now = NOON + 2 * HOUR;
  await chain.delivered([await b.deliver()]);
  await tick(b, chain);
  await chain.stop(SIGNAL);
  const digests = [...(await b.digests()).values()];
  const spans = digests.map((d) => `${d.digestStartTime.slice(11)} ${d.digestEndTime.slice(11)}`);
  t.strictSame(spans, [
    "11:00:00Z 12:00:00Z",
    "12:00:00Z 13:00:00Z",
    "13:00:00Z 14:00:00Z",
    "14:00:00Z 14:00:01Z",
  ]);
  t.strictSame(digests.map(({ logFiles }) => logFiles.length), [0, 1, 0, 1], "empty ones, too");
  const [starting, first, second] = digests as [Digest, Digest, Digest];
  t.equal(starting.previousDigestSignature, null);
  t.strictSame(first.logFiles, [{
    s3Bucket: "trail",
    s3Object: file.key,
    hashValue: file.hash,
    hashAlgorithm: "SHA-256",
    newestEventTime: "2040-01-01T12:10:00Z",
    oldestEventTime: "2040-01-01T12:09:00Z",
  }]);
  t.equal(first.newestEventTime, "2040-01-01T12:10:00Z");
  t.equal(second.newestEventTime, null);
  t.equal(
    first.digestS3Object,
    `AWSLogs/${accountId}/CloudTrail-Digest/${region}/2040/01/01/` +
      `${accountId}_CloudTrail-Digest_${region}_main_${region}_20400101T130000Z.json.gz`,
  );
  t.equal(second.previousDigestS3Object, first.digestS3Object);
  t.strictSame(Object.keys(first), [
    "awsAccountId",
    "digestStartTime",
    "digestEndTime",
    "digestS3Bucket",
    "digestS3Object",
    "digestPublicKeyFingerprint",
    "digestSignatureAlgorithm",
    "newestEventTime",
    "oldestEventTime",
    "previousDigestS3Bucket",
    "previousDigestS3Object",
    "previousDigestHashValue",
    "previousDigestHashAlgorithm",
    "previousDigestSignature",
    "logFiles",
  ], "in the documented order");
  t.strictSame(await b.verify(), []);
});

t.test("accounts and regions have chains of their own, from their first file on", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  b.now += 20 * 60_000;
  await chain.delivered([
    await b.deliver({ accountId: "444455556666" }),
    await b.deliver({ region: "us-east-1" }),
  ]);
  b.now = NOON + 2 * HOUR;
  await tick(b, chain);
  await chain.stop(SIGNAL);
  const ends = [...(await b.digests()).keys()].map((key) => parseDigestKey(key)!)
    .map((key) => `${key.accountId} ${key.region} ${new Date(key.endTime).toISOString()}`);
  t.strictSame(ends.map((end) => end.slice(0, -5)), [
    "111122223333 eu-central-1 2040-01-01T12:00:00",
    "111122223333 eu-central-1 2040-01-01T13:00:00",
    "111122223333 eu-central-1 2040-01-01T14:00:00",
    "111122223333 us-east-1 2040-01-01T12:20:00",
    "111122223333 us-east-1 2040-01-01T13:20:00",
    "111122223333 us-east-1 2040-01-01T14:00:00",
    "444455556666 eu-central-1 2040-01-01T12:20:00",
    "444455556666 eu-central-1 2040-01-01T13:20:00",
    "444455556666 eu-central-1 2040-01-01T14:00:00",
  ]);
  t.strictSame(await b.verify(), []);
});

t.test("hours that were missed are made up for, and no time is left out", async (t) => {
  const b = await bench(t);
  const first = b.chain();
  await tick(b, first);
  await first.delivered([await b.deliver()]);
  b.now += 30 * 60_000;
  await first.stop(SIGNAL);
  b.now += 5 * HOUR;
  const second = b.chain();
  await tick(b, second);
  b.now += 400 * HOUR;
  await tick(b, second);
  await second.stop(SIGNAL);
  const digests = [...(await b.digests()).values()];
  t.equal(digests.length, 2 + 5 + 168, "a week's; the first of them takes what is over");
  t.strictSame(await b.verify(), []);
  digests.reduce((a, b) => (t.equal(b.digestStartTime, a.digestEndTime), b));
});

t.test("a crash between any two steps leaves a chain that verifies and lists each once", async (t) => {
  const moments = process.env.CAIRN_SOAK === undefined ? [3, 5, 8, 12, 17, 23, 31, 112] : undefined;
  let kills = 0;
  for (let at = 1;; at = moments === undefined ? at + 1 : moments.shift() ?? Infinity) {
    const b = await bench(t);
    let steps = 0;
    let killed = "";
    b.step = (moment) => {
      if (killed !== "") throw new Error("Nothing is written after a kill");
      if (++steps === at) {
        killed = moment;
        throw new Error(`Killed ${moment}`);
      }
    };
    let chain = b.chain();
    const delivered: string[] = [];
    for (let i = 0; i < 6; i++) {
      b.now += 25 * 60_000;
      const files = [await b.deliver(), await b.deliver({ region: "us-east-1" })];
      const work = async () => {
        await chain.delivered(files);
        if (!await chain.writeDue(SIGNAL)) throw new Error(b.problems.at(-1));
        if (i === 3) await chain.stop(SIGNAL);
      };
      // After a kill another process does it again: the queue brings what was not acknowledged.
      await work().catch(() => {});
      if (killed !== "" && steps >= at) {
        kills++;
        b.step = () => {};
        steps = -1;
        await chain.stop(AbortSignal.abort(new Error("Killed")));
        chain = b.chain();
        await work();
      }
      delivered.push(...files.map(({ key }) => key));
    }
    await chain.stop(SIGNAL);
    if (steps >= at) {
      // It was the last stop that was killed.
      kills++;
      b.step = () => {};
      chain = b.chain();
      await tick(b, chain);
      await chain.stop(SIGNAL);
    }
    const listed = [...(await b.digests()).values()].flatMap(({ logFiles }) => logFiles);
    t.strictSame(
      listed.map(({ s3Object }) => s3Object).sort(),
      delivered.sort(),
      `killed ${killed}, step ${at}`,
    );
    t.strictSame(await b.verify(), []);
    await rm(b.folder, { recursive: true });
    if (killed === "") break;
  }
  t.ok(kills >= 9, `${kills} kills`);
});

t.test("a step that fails is done again, and counts once", async (t) => {
  for (const at of ["before append", "in append", "after append", "before put", "after put"]) {
    const b = await bench(t);
    const chain = b.chain();
    await tick(b, chain);
    let steps = 0;
    // Every third time, so that each kind of line meets it.
    b.step = (moment) => {
      if (moment === at && steps++ % 3 === 0) throw new Error(`Failed ${moment}`);
    };
    const delivered: string[] = [];
    const again = async (work: () => Promise<unknown>) => {
      for (let tries = 0; tries < 3; tries++) {
        const isDone = await work().then((done) => done !== false, () => false);
        if (isDone) return;
      }
      throw new Error("Fails for ever");
    };
    for (let i = 0; i < 4; i++) {
      b.now += 25 * 60_000;
      const file = await b.deliver();
      delivered.push(file.key);
      await again(() => chain.delivered([file]));
      await again(() => chain.writeDue(SIGNAL));
    }
    b.step = () => {};
    await chain.stop(SIGNAL);
    const context = testContext();
    const journal = await DigestJournal.open({ directory: b.directory, log: context.log });
    t.strictSame([journal.chains()[0]!.files, context.lines], [[], []], "no damage is told");
    await journal.close();
    const listed = [...(await b.digests()).values()].flatMap(({ logFiles }) => logFiles);
    t.strictSame(listed.map(({ s3Object }) => s3Object).sort(), delivered.sort(), at);
    t.strictSame(await b.verify(), []);
  }
});

t.test("a digest of another agent is not written over, nor is its signature", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  await chain.stop(AbortSignal.abort(new Error("Killed")));
  const before = await b.digests();
  const other = b.chain({
    directory: join(b.data, "other"),
    place: { bucket: "elsewhere", prefix: "", trail: "main", homeRegion: region },
  });
  t.notOk(await other.writeDue(SIGNAL));
  t.match(
    b.problems.at(-1),
    /another object is there, .* a trail name of its own\) and move it away$/,
  );
  await other.stop(AbortSignal.abort(new Error("Killed")));
  t.strictSame(await b.digests(), before);
  t.strictSame(await b.verify(), []);
});

t.test("a store that is down delays digests, not deliveries, and is reported", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  b.step = (moment) => {
    if (moment === "before put") throw new Error("The bucket is gone");
  };
  for (let hour = 0; hour < 3; hour++) {
    await chain.delivered([await b.deliver()]);
    b.now += HOUR;
    t.notOk(await chain.writeDue(SIGNAL));
  }
  t.equal(b.problems.at(-1), "Cannot write digest: The bucket is gone");
  t.match(chain.status(), { error: "Cannot write digest: The bucket is gone", time: NOON });
  b.step = () => {};
  await tick(b, chain);
  t.equal(b.problems.at(-1), undefined);
  t.strictSame(chain.status(), { time: b.now, attemptTime: b.now });
  await chain.stop(SIGNAL);
  t.strictSame(await b.verify(), []);
  t.equal((await b.digests()).size, 4);
});

t.test("start() writes digests by itself, and stop() the last ones", async (t) => {
  const b = await bench(t);
  const chain = b.chain({ keys: { rotationMs: DAY } });
  chain.start();
  chain.start();
  await chain.delivered([await b.deliver()]);
  while ((await b.digests().catch(() => new Map())).size === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await chain.stop(SIGNAL);
  await chain.stop(SIGNAL);
  t.equal((await b.digests()).size, 2);
  t.strictSame(await b.verify(), []);
});

t.test("a clock that stands before the last digest is reported, and leaves the chain whole", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  b.now -= 3 * HOUR;
  await chain.delivered([await b.deliver()]);
  t.ok(await chain.writeDue(SIGNAL));
  t.match(b.problems.at(-1), /^Cannot write digests: the last one ended at 2040-01-01T12:00:00/);
  await chain.stop(SIGNAL);
  t.strictSame([...(await b.digests()).values()].map(({ logFiles }) => logFiles.length), [0, 1]);
  t.strictSame(await b.verify(), []);
});

t.test("the journal forgets a torn line, sets damage aside, and goes on", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  const files = [await b.deliver(), await b.deliver(), await b.deliver()];
  for (const file of files) await chain.delivered([file]);
  await chain.stop(AbortSignal.abort(new Error("Killed")));
  const path = join(b.directory, "journal");
  await appendFile(path, '0badc0de ["file","1111');
  const context = testContext();
  const options = { directory: b.directory, log: context.log };
  const torn = await DigestJournal.open(options);
  t.equal(torn.chains()[0]!.files.length, 3);
  t.strictSame(context.lines, []);
  await torn.close();
  const text = await readFile(path, "latin1");
  await writeFile(path, text.replace(files[1]!.key.slice(-20), "x".repeat(20)), "latin1");
  const broken = await DigestJournal.open(options);
  t.equal(broken.chains()[0]!.files.length, 2);
  t.match(context.lines, [{
    level: "error",
    message: /Lines of the digests' journal are damaged/,
  }]);
  t.ok((await stat(`${path}.broken`)).isFile());
  await broken.close();
});

t.test("the journal is bounded, and small again once digests are written", async (t) => {
  const b = await bench(t);
  const { log } = testContext();
  const options = { directory: b.directory, log, filesMax: 3000, compactBytes: 100_000 };
  const journal = await DigestJournal.open(options);
  const times = { oldestEventTime: 0, newestEventTime: 0, accountId, region };
  const many = (from: number, length: number) =>
    Array.from({ length }, (_, i) => ({ key: `k${from + i}`, hash: "0".repeat(64), ...times }));
  await journal.note(many(0, 3000), NOON);
  await t.rejects(journal.note(many(3000, 1), NOON), {
    name: "RetryableError",
    message: "Cannot note delivered files: 3000 wait for digests, which cannot be written",
  });
  const [chain] = journal.chains();
  const head = { bucket: "b", key: "k", hash: "h", signature: "s", end: NOON + 1000 };
  const path = join(b.directory, "journal");
  const { size } = await stat(path);
  await journal.stored(chain!, { head, files: 3000, body: "" });
  t.ok((await stat(path)).size < size / 5);
  await journal.note(many(2900, 101), NOON);
  t.equal(journal.chains()[0]!.files.length, 1, "what was noted before is noted once");
  await journal.close();
  const [again] = await readChains(b.directory);
  t.strictSame([again!.head, again!.files.length], [head, 1]);
});

t.test("dueEnd() and lastEnd() follow the hours of a chain", async (t) => {
  const head = { bucket: "b", key: "k", hash: "h", signature: "s", end: NOON };
  const chain = { accountId, region, end: NOON, head, plan: undefined, files: [] };
  t.equal(dueEnd({ ...chain, head: undefined }, NOON + 5, HOUR), NOON, "the starting one");
  t.equal(dueEnd(chain, NOON + HOUR - 1, HOUR), undefined);
  t.equal(dueEnd(chain, NOON + HOUR, HOUR), NOON + HOUR);
  t.equal(dueEnd(chain, NOON + 9.5 * HOUR, HOUR), NOON + HOUR);
  t.equal(dueEnd(chain, NOON + 200 * HOUR, HOUR), NOON + 33 * HOUR);
  const file = { key: "k", hash: "h", at: NOON, oldestEventTime: 0, newestEventTime: 0 };
  const full = { ...chain, files: Array(20_000).fill(file) };
  t.equal(dueEnd(full, NOON + 1500, HOUR), NOON + 1000, "so many do not wait for the hour");
  t.equal(lastEnd(chain, NOON + 999), undefined);
  t.equal(lastEnd(chain, NOON + 1500), NOON + 2000);
});

t.test("a key is the agent's alone, signs for its time, and the next one overlaps", async (t) => {
  const b = await bench(t);
  const directory = join(b.data, "ring");
  const options = { directory, rotationMs: 10 * DAY, log: testContext().log };
  const ring = await KeyRing.open(options);
  const first = await ring.keyFor(NOON - HOUR, NOON, SIGNAL);
  const path = join(directory, `${first.fingerprint}.pem`);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  t.equal((await stat(directory)).mode & 0o777, 0o700);
  t.notMatch(await readFile(join(directory, "keys.json"), "utf8"), "PRIVATE");
  const again = await KeyRing.open(options);
  const soon = await again.keyFor(NOON, NOON + HOUR, SIGNAL);
  t.equal(soon.fingerprint, first.fingerprint);
  const later = NOON + 11 * DAY;
  const second = await again.keyFor(later, later + HOUR, SIGNAL);
  t.not(second.fingerprint, first.fingerprint);
  const past = await again.keyFor(NOON + HOUR, NOON + 2 * HOUR, SIGNAL);
  t.equal(
    past.fingerprint,
    first.fingerprint,
    "what is made up for is signed by the key of its time",
  );
  t.equal(again.publicKeys(NOON + 10.5 * DAY, NOON + 10.6 * DAY).length, 1);
  t.equal(again.publicKeys(NOON, later).length, 2);
  for (const key of again.publicKeys()) {
    t.equal(key.value[0], 0x30);
    t.equal(createHash("md5").update(key.value).digest("hex"), key.fingerprint);
  }
  await again.keyFor(later + 11 * DAY, later + 11 * DAY + HOUR, SIGNAL);
  await t.rejects(stat(path), { code: "ENOENT" }, "a key that signs no more is gone");
  t.equal((await KeyRing.open(options)).publicKeys().length, 3, "its public part is kept");
});

t.test("a key out of a file is used, and told where it is none", async (t) => {
  const b = await bench(t);
  const keyFile = join(b.data, "own.pem");
  const options = {
    directory: join(b.data, "ring"),
    rotationMs: DAY,
    log: testContext().log,
    keyFile,
  };
  const ring = await KeyRing.open(options);
  await t.rejects(ring.keyFor(NOON, NOON + HOUR, SIGNAL), {
    name: "RetryableError",
    message: /^Cannot read key ".*own.pem": ENOENT/,
  });
  await writeFile(keyFile, "no key, but a secret");
  await t.rejects(ring.keyFor(NOON, NOON + HOUR, SIGNAL), {
    message: `Cannot read key "${keyFile}": it is no RSA private key in PEM`,
  });
  await writeFile(keyFile, PEM);
  const { fingerprint } = await ring.keyFor(NOON, NOON + HOUR, SIGNAL);
  const der = PAIR.publicKey.export({ type: "pkcs1", format: "der" });
  t.equal(fingerprint, createHash("md5").update(der).digest("hex"));
  await ring.keyFor(NOON + 800 * DAY, NOON + 800 * DAY + HOUR, SIGNAL);
  t.equal(ring.publicKeys(NOON + 800 * DAY, NOON + 801 * DAY).length, 1, "its time is moved on");
});

t.test("keys that are unreadable are set aside, and told", async (t) => {
  const b = await bench(t);
  const context = testContext();
  await writeFile(join(b.directory, "keys.json"), "{");
  const ring = await KeyRing.open({ directory: b.directory, rotationMs: DAY, log: context.log });
  t.strictSame(ring.publicKeys(), []);
  t.match(context.lines, [{ level: "error", message: /^Keys of digests are unreadable/ }]);
  t.ok((await stat(join(b.directory, "keys.json.broken"))).isFile());
});

t.test("verify knows a digest that was made up later by its own chain and key", async (t) => {
  const b = await bench(t);
  const chain = b.chain();
  await tick(b, chain);
  await chain.stop(SIGNAL);
  const [[, digest]] = [...await b.digests()] as [[string, Digest]];
  const of = { accountId, region, trail: "main", homeRegion: region };
  const key = formatDigestKey({ ...of, prefix: "", endTime: NOON, isBackfill: true });
  const made = { ...digest, digestS3Object: key };
  const text = Buffer.from(JSON.stringify(made));
  const signature = sign(
    "sha256",
    Buffer.from(digestSignedText(made, digestHash(text))),
    PAIR.privateKey,
  );
  const metadata = {
    signature: signature.toString("hex"),
    "backfill-generation-timestamp": "2040-02-01T00:00:00.000Z",
  };
  const about = { contentType: "application/json", metadata };
  await b.store.put(key, gzipSync(text), about, SIGNAL);
  t.strictSame(await b.verify(), []);
  await writeFile(
    join(b.folder, `${key}.metadata.json`),
    JSON.stringify({ ...metadata, signature: metadata.signature.slice(2) + "0a" }),
  );
  t.match(await b.verify(), [{ kind: "changed", problem: "has a signature that does not hold" }]);
});

t.test("formatDigestKey() refuses what would leave the trail; parseDigestKey() reads it back", async (t) => {
  const key = {
    prefix: "a/b",
    accountId,
    region,
    trail: "main",
    homeRegion: region,
    endTime: NOON,
  };
  const full = { ...key, organizationId: "o-abcdefghij", isBackfill: true };
  t.strictSame(parseDigestKey(formatDigestKey(key)), key);
  t.strictSame(parseDigestKey(formatDigestKey(full)), full);
  for (const wrong of [{ trail: "../x" }, { region: "a/b" }, { accountId: "1" }]) {
    t.throws(() => formatDigestKey({ ...key, ...wrong }), TypeError);
  }
  t.equal(parseDigestKey(basename(formatDigestKey(key))), undefined);
});
