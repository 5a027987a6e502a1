// `cairn verify` on a trail that the agent wrote: whole, changed, copied, and without its data_dir.

import { Buffer } from "node:buffer";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { startCairn } from "../e2e/cairn.ts";
import { callCairn } from "./call.ts";

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

const verify = (...argv: readonly string[]) =>
  callCairn(["verify", ...argv], { XDG_STATE_HOME: "/nonexistent" });

function record(n: number): string {
  return JSON.stringify({
    eventVersion: "1.11",
    eventID: `6f0e3a34-8c1d-4d5e-9f5b-${String(n).padStart(12, "0")}`,
    eventTime: "2026-01-02T03:04:05Z",
    eventSource: "s3.amazonaws.com",
    eventName: "ListBuckets",
    awsRegion: "eu-central-1",
    eventType: "AwsApiCall",
    recipientAccountId: "111122223333",
  });
}

/** Runs the agent twice over a file, with digests as they are by default. */
async function deliver(t: Test): Promise<{ root: string; trail: string; data: string }> {
  const root = mkdtempSync(join(tmpdir(), "cairn-verify-"));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const [trail, data] = [join(root, "trail"), join(root, "data")];
  const config = join(root, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${data} }
receivers: { file: { path: ${join(root, "in.log")}, format: cloudtrail, start_at: beginning } }
exporters: { trail: { directory: ${trail} } }
service: { pipelines: { audit: { receivers: [file], exporters: [trail] } } }
`,
  );
  for (const n of [1, 2]) {
    writeFileSync(join(root, "in.log"), `${record(n)}\n`, { flag: "a" });
    const { code, stderr } = await startCairn(["run", "--once", "--config", config]).exit;
    t.equal(code, 0, stderr);
  }
  return { root, trail, data };
}

function paths(trail: string, part: string): string[] {
  return (readdirSync(trail, { recursive: true }) as string[])
    .filter((name) => name.includes(part) && name.endsWith(".json.gz"))
    .map((name) => join(trail, name)).sort();
}

t.test("verify passes a trail of the agent, and tells by its exit code what it finds", async (t) => {
  const { root, trail, data } = await deliver(t);
  const whole = await verify(trail, "--data-dir", data);
  t.equal(whole.code, 0, whole.stdout + whole.stderr);
  const digests = paths(trail, "/CloudTrail-Digest/");
  const logs = paths(trail, "/CloudTrail/");
  t.match(whole.stdout, `${digests.length} digest files, none of them invalid\n`);
  t.match(whole.stdout, `${logs.length} log files, none of them invalid\n`);
  t.ok(logs.length >= 2);

  await t.test("a public key, or a copy elsewhere", async (t) => {
    const { keys } = JSON.parse(
      readFileSync(join(data, "components/exporter.trail/digests/keys.json"), "utf8"),
    ) as { keys: { value: string }[] };
    const key = join(root, "key.der");
    writeFileSync(key, Buffer.from(keys[0]!.value, "base64"));
    const copy = join(root, "copy");
    cpSync(trail, copy, { recursive: true });
    const elsewhere = await verify(copy, "--public-key", key, "--json");
    t.equal(elsewhere.code, 1);
    const { problems, problemCount, valid } = JSON.parse(elsewhere.stdout);
    t.match(problems[0], { kind: "moved", problem: /^has been moved from .*"s3:\/\/trail\// });
    t.match({ problemCount, valid }, { problemCount: digests.length, valid: false });
    const named = await verify(copy, "--public-key", key, "--bucket", "trail");
    t.equal(named.code, 0, named.stdout);
    t.match(
      named.stdout,
      /note: The last digest ends at .*: whether later ones are gone, --data-dir/,
    );
    const unknown = await verify(trail);
    t.equal(unknown.code, 1);
    t.match(
      unknown.stdout,
      /^unproven {5}.*: is signed with a key that is not known, [0-9a-f]{32}\n/,
    );
  });

  await t.test("what is changed, gone, unsigned, moved, vanished or added", async (t) => {
    const kept = join(root, "kept");
    cpSync(trail, kept, { recursive: true });
    const told = async (change: () => void) => {
      change();
      const { code, stdout } = await verify(trail, "--data-dir", data, "--json");
      rmSync(trail, { recursive: true });
      cpSync(kept, trail, { recursive: true });
      const { problems } = JSON.parse(stdout) as {
        problems: { kind: string; path: string; problem: string }[];
      };
      t.equal(code, 1);
      return problems.map(({ kind, path }) => `${kind} ${path.slice(trail.length + 1)}`);
    };
    const name = (path: string) => path.slice(trail.length + 1);
    const [log, middle, newest] = [logs[0]!, digests[1]!, digests.at(-1)!];
    t.strictSame(await told(() => writeFileSync(log, "x")), [`changed ${name(log)}`]);
    t.strictSame(await told(() => unlinkSync(log)), [`missing ${name(log)}`]);
    t.strictSame(
      await told(() => unlinkSync(`${middle}.metadata.json`)),
      [`changed ${name(middle)}`],
    );
    t.strictSame(await told(() => unlinkSync(newest)), [`missing ${name(newest)}`]);
    const other = log.replace(/[^_]{16}\.json/, "ABCDEFGHIJKLMNOP.json");
    t.strictSame(await told(() => renameSync(log, other)), [
      `missing ${name(log)}`,
      `moved ${name(other)}`,
    ]);
    t.same((await told(() => unlinkSync(middle)))[0], `missing ${name(middle)}`);
  });

  await t.test("what a digest names is printed, not obeyed", async (t) => {
    const digest = digests.find((path) => gunzipSync(readFileSync(path)).includes("s3Object"))!;
    const kept = readFileSync(digest);
    const text = gunzipSync(kept).toString();
    const hostile = text.replace(/"s3Object":"/, '"s3Object":"\\u001b[31m\\n');
    t.not(hostile, text);
    writeFileSync(digest, gzipSync(hostile));
    const { code, stdout } = await verify(trail, "--data-dir", data);
    writeFileSync(digest, kept);
    t.equal(code, 1);
    t.notOk(stdout.includes("\u001b"));
  });

  await t.test("what cannot be read is not said to be wrong", async (t) => {
    const metadata = `${digests[0]!}.metadata.json`;
    const kept = readFileSync(metadata);
    unlinkSync(metadata);
    mkdirSync(metadata);
    const { code, stderr } = await verify(trail, "--data-dir", data);
    rmdirSync(metadata);
    writeFileSync(metadata, kept);
    t.equal(code, 7);
    t.match(stderr, /^cairn: Cannot verify all: /);
  });

  await t.test("words and times it does not understand", async (t) => {
    t.equal((await verify()).code, 2);
    t.equal((await verify(trail, "--end-time", "soon")).code, 2);
    t.equal((await verify("s3://")).code, 2);
    mkdirSync(join(root, "empty"));
    const empty = await verify(join(root, "empty"));
    t.equal(empty.code, 6);
    t.match(empty.stderr, /^cairn: There is nothing to verify at ".*empty"\n$/);
    const gone = await verify(join(root, "gone"));
    t.equal(gone.code, 6);
    t.match(gone.stderr, /^cairn: Cannot verify ".*gone": there is no such folder\n$/);
    const key = await verify(trail, "--public-key", join(root, "none"));
    t.equal(key.code, 3);
    t.match(key.stderr, /Cannot read public key ".*none"/);
    const none = await verify(trail, "--data-dir", data, "--end-time", "2020-01-01T00:00:00Z");
    t.match(none.stdout, /^0 digest files/m);
  });
});
