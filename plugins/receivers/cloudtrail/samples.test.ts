// Every record of real log files, through the receiver and back: field by field, byte by byte.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { logFilePieces } from "../../sdk/cloudtrail/log-file.ts";
import { writeFileAtomic } from "../../sdk/atomic-file.ts";
import {
  type RecordingIntake,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
  testRuntime,
} from "../../sdk/conformance.ts";
import receiver from "./index.ts";

function samples(t: Test): string | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "deno.json"))) root = dirname(root);
  const folder = join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), "cloudtrail");
  if (existsSync(folder)) return folder;
  if (process.env.CI) t.fail(`No samples at ${folder}`);
  t.comment(`Skipped: no samples at ${folder}`);
  return undefined;
}

/** Each record's own text out of a pretty or plain log file, by way of JSON.parse alone. */
function expected(folder: string): unknown[] {
  const records: unknown[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (!/\.json(\.gz)?$/.test(name)) continue;
    const bytes = readFileSync(join(folder, name));
    const value = JSON.parse((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString());
    records.push(...(Array.isArray(value) ? value : value.Records ?? [value]));
  }
  return records;
}

/** Number spellings of a JSON text, in order: what parsing alone would not keep. */
function numbers(text: string): string[] {
  const plain = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return plain.match(/-?\d[\d.eE+-]*/g) ?? [];
}

async function read(t: Test, path: string): Promise<RecordingIntake> {
  const intake = recordingIntake();
  const config = receiver.config.parse({ path });
  const made = receiver.create(config, testContext({ id: "cloudtrail", once: true }), intake);
  await made.start(testHost());
  await made.drain!();
  await stopInTime(t, made);
  return intake;
}

t.test("every record of the delivered samples comes out as it went in", async (t) => {
  const folder = samples(t);
  if (folder === undefined) return;
  const home = await mkdtemp(join(tmpdir(), "cairn-samples-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  for (const source of ["invictus-aws_dataset", "trailscraper", "umccr-cloudtrail-parquet"]) {
    const path = join(folder, source);
    const wanted = expected(path);
    const intake = await read(t, path);
    t.strictSame(intake.rejects, [], `${source}: nothing set aside`);
    t.strictSame(intake.takenRecords, wanted, `${source}: ${wanted.length} records`);
    const texts = intake.takenBytes.map((bytes) => Buffer.from(bytes!).toString());
    t.strictSame(texts.map((text) => JSON.parse(text)), wanted, `${source}: from their bytes`);

    const file = join(home, `${source}.json.gz`);
    const taken = intake.takenBytes.map((bytes) => ({ bytes: bytes! }));
    const pieces = logFilePieces(taken, new Uint8Array(64 * 1024));
    const written = Buffer.concat(Array.from(pieces, (piece) => piece.slice()));
    await writeFileAtomic(file, await testRuntime.gzip([written]));
    const again = await read(t, file);
    const back = again.takenBytes.map((bytes) => Buffer.from(bytes!).toString());
    t.strictSame(back, texts, `${source}: written and read again`);
  }
});

t.test("number spellings of the samples survive", async (t) => {
  const folder = samples(t);
  if (folder === undefined) return;
  const path = join(folder, "invictus-aws_dataset");
  const intake = await read(t, path);
  const wanted = readdirSync(path).sort().flatMap((name) =>
    numbers(readFileSync(join(path, name), "utf8"))
  );
  const found = intake.takenBytes.flatMap((bytes) => numbers(Buffer.from(bytes!).toString()));
  t.ok(found.length > 900, `${found.length} numbers`);
  t.strictSame(found, wanted);
});

t.test("all samples are read without a crash, each record once", async (t) => {
  const folder = samples(t);
  if (folder === undefined) return;
  const intake = await read(t, folder);
  t.ok(intake.takenRecords.length > 4600, `${intake.takenRecords.length} records`);
  t.match(intake.rejects.map(({ reason }) => reason), [/bad_cloudtrail\.json/]);
  t.notOk(intake.takenRecords.some((record) => "detail-type" in record), "no envelope is left");
});
