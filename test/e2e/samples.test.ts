// The agent over real logs of others: everything is delivered, unchanged, once, and the same on both
// runtimes.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import process from "node:process";
import t, { type Test } from "tap";
import { startCairn } from "./cairn.ts";
import { readTrail, trailObjects } from "./trail.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const SAMPLES = process.env.CAIRN_SAMPLES ?? resolve(ROOT, "../shared/samples");
const missing = existsSync(SAMPLES) ? false : `no samples at ${SAMPLES}`;
if (missing && process.env.CI) throw new Error(`Cannot test: ${missing}`);

type Value = Record<string, unknown>;

/** A value's text with sorted keys: equal texts are equal field by field. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner) =>
      inner !== null && typeof inner === "object" && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
  );
}

function files(folder: string, ending: RegExp): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((name) => join(folder, name))
    .filter((path) => ending.test(path) && statSync(path).isFile())
    .sort();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every JSON object of a document that could be a record, at whatever depth it stands. */
function* objects(value: unknown): Generator<Value> {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) yield value as Value;
  for (const inner of Object.values(value)) {
    yield* objects(typeof inner === "string" && inner.startsWith("{") ? parsed(inner) : inner);
  }
}

/** Reads the sample files without any of the agent's code: document by document, line by line. */
function documents(): { path: string; document: unknown }[] {
  return files(join(SAMPLES, "cloudtrail"), /\.(json|json\.gz|jsonl|log)$/).flatMap((path) => {
    const bytes = readFileSync(path);
    const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
    const whole = parsed(text);
    const found = whole === undefined ? text.split("\n").map(parsed) : [whole];
    return found.filter((one) => one !== undefined).map((document) => ({ path, document }));
  });
}

function configuration(folder: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  cloudtrail: { path: ${SAMPLES}/cloudtrail }
  file/lines: { path: ["${SAMPLES}/cloudtrail/**/*.jsonl", "${SAMPLES}/cloudtrail/**/*.log"], format: cloudtrail }
  file/audit: { path: "${SAMPLES}/linux-audit/**/*.log", format: audit }
exporters:
  trail/cloudtrail: { name: cloudtrail, directory: ${folder}/cloudtrail }
  trail/audit: { name: audit, directory: ${folder}/audit }
service:
  pipelines:
    cloudtrail: { receivers: [cloudtrail, file/lines], exporters: [trail/cloudtrail] }
    audit: { receivers: [file/audit], exporters: [trail/audit] }
`,
  );
  return path;
}

/** Runs the agent to the end, twice; answers the canonical text of every record, sorted. */
async function run(t: Test, runtime: "node" | "deno", folder: string) {
  const config = configuration(folder);
  const first = await startCairn(["run", "--once", "--config", config], { runtime }).exit;
  t.equal(first.code, 0, first.stderr);
  const objectsBefore = ["cloudtrail", "audit"].flatMap((name) => trailObjects(join(folder, name)));
  const again = await startCairn(["run", "--once", "--config", config], { runtime }).exit;
  t.equal(again.code, 0, again.stderr);
  const objectsAfter = ["cloudtrail", "audit"].flatMap((name) => trailObjects(join(folder, name)));
  t.same(objectsAfter, objectsBefore, `${runtime}: run again, nothing is added`);
  const texts = (name: string) =>
    readTrail(join(folder, name)).map(({ record }) => canonical(record)).sort();
  return { cloudtrail: texts("cloudtrail"), audit: texts("audit") };
}

t.test("real logs become the same trail on both runtimes, each record as it came in", {
  // Each agent runs as a process: on Deno the same two would only run again.
  skip: missing || ("Deno" in globalThis && "runs both runtimes from Node"),
}, async (t) => {
  const folder = t.testdir({ node: {}, deno: {} });
  const [node, deno] = await Promise.all([
    run(t, "node", join(folder, "node")),
    run(t, "deno", join(folder, "deno")),
  ]);
  const hash = (texts: readonly string[]) =>
    createHash("sha256").update(texts.join("\n")).digest("hex");
  t.equal(hash(node.cloudtrail), hash(deno.cloudtrail), "the same CloudTrail records");
  t.equal(hash(node.audit), hash(deno.audit), "the same audit records, the same eventIDs");

  const inputs = documents();
  const known = new Set(inputs.flatMap(({ document }) => [...objects(document)].map(canonical)));
  const foreign = node.cloudtrail.filter((text) => !known.has(text));
  t.same(foreign, [], "every CloudTrail record in the trail equals its input field by field");

  const delivered = new Set(node.cloudtrail);
  const lost = inputs.flatMap(({ path, document }) => {
    const { Records } = document as { Records?: Value[] };
    const records = Array.isArray(Records) ? Records : [];
    return records.filter((one) => !delivered.has(canonical(one))).map((one) =>
      `${path} ${canonical(one).slice(0, 200)}`
    );
  });
  t.same(lost, [], "every record of every log file is in the trail");
  t.ok(node.cloudtrail.length > 4000, `${node.cloudtrail.length} CloudTrail records`);
  t.ok(node.audit.length > 130, `${node.audit.length} audit records`);
  const eventIds = node.audit.map((text) => (JSON.parse(text) as Value).eventID);
  t.equal(new Set(eventIds).size, eventIds.length, "each audit record has an eventID of its own");
});
