// Promises P2 and P5 on the real agent with a bucket: killed with SIGKILL in the middle of uploads,
// then run to the end, it has left each record in the bucket exactly once, each object written once,
// and no upload in parts begun and left.

import { appendFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import t from "tap";
import { gunzipSync } from "node:zlib";
import { AwsObjects } from "../../plugins/sdk/conformance/aws-objects.ts";
import { AWS_KEYS } from "../../plugins/sdk/conformance/aws-signature.ts";
import { FaultyServer } from "../../plugins/sdk/conformance/faulty-server.ts";
import { sampleRecord } from "../bench/sample-data.ts";
import { type RunningCairn, runtimeName, startCairn } from "./cairn.ts";

const KILLS = process.env.CAIRN_SOAK ? 100 : 4;
const BATCH_RECORDS = 150;
// Each life has so many requests at least: one of them is its last.
const BATCHES_A_LIFE = 3;
// Some lives end in an upload of parts: noise does not compress, and three parts hold it.
const NOISE_RECORDS = 120;
const NOISE_BYTES = 100_000;
const LAST_LIFE_MS = 1_200_000;
const OWN_SOURCE = "cairn.internal";

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

function configuration(folder: string, url: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  file: { path: ${folder}/records.jsonl, format: cloudtrail, start_at: beginning }
exporters:
  trail:
    bucket: a-bucket
    endpoint: ${url}
    access_key_id: ${AWS_KEYS.access_key_id}
    secret_access_key: ${AWS_KEYS.secret_access_key}
    part_size: 5MiB
    compression_level: 1
    log_file_validation: false
    batch: { max_records: ${BATCH_RECORDS}, max_bytes: 32MiB, max_age: 50ms }
    retry: { initial: 10ms, max: 100ms }
service:
  pipelines: { main: { receivers: [file], exporters: [trail] } }
`,
  );
  return path;
}

/** Appends what one life is to read; gives the identities. */
function grow(path: string, from: number, isLong: boolean): string[] {
  const count = isLong ? NOISE_RECORDS : BATCHES_A_LIFE * BATCH_RECORDS;
  const ids: string[] = [];
  let text = "";
  for (let i = 0; i < count; i++) {
    const record = sampleRecord(from + i);
    const noise = isLong ? { noise: randomBytes(NOISE_BYTES).toString("base64") } : {};
    ids.push(String(record.eventID));
    text += `${JSON.stringify({ ...record, additionalEventData: noise })}\n`;
  }
  appendFileSync(path, text);
  return ids;
}

/** Counts each record of the objects that came since, and lets go of their bytes. */
function tally({ objects }: AwsObjects, counts: Map<string, number>): void {
  for (const [path, object] of objects) {
    if (object.bytes.length === 0) continue;
    const { Records } = JSON.parse(gunzipSync(object.bytes).toString()) as {
      Records: { eventID: string; eventSource: string }[];
    };
    for (const { eventID, eventSource } of Records) {
      // That the agent was started is a record, too.
      if (eventSource === OWN_SOURCE) continue;
      counts.set(eventID, (counts.get(eventID) ?? 0) + 1);
    }
    objects.set(path, { ...object, bytes: object.bytes.subarray(0, 0) });
  }
}

t.test(`P5: ${KILLS} kills during uploads leave each record in the bucket exactly once`, async (t) => {
  const folder = t.testdir();
  const objects = new AwsObjects();
  let agent: RunningCairn | undefined;
  /** Requests until the life ends, and whether that one is still done. */
  let left = Infinity;
  let isDone = false;
  const kills = { "while sending": 0, "before the answer": 0 };
  const server = await new FaultyServer((request) => {
    const answer = objects.answer(request);
    if (left === 0 && isDone) {
      kills["before the answer"]++;
      agent!.kill("SIGKILL");
    }
    return answer;
  }).start();
  t.teardown(() => server.stop());
  // Asked when a request begins to come in; what is killed then has sent some of it, or none.
  server.script(["silence"], () => {
    left--;
    if (left === 0 && !isDone) {
      kills["while sending"]++;
      agent!.kill("SIGKILL");
    }
    return false;
  });
  const source = join(folder, "records.jsonl");
  const config = configuration(folder, server.url);
  const written: string[] = [];
  const counts = new Map<string, number>();
  for (let life = 1; life <= KILLS; life++) {
    const isLong = life % 4 === 0;
    written.push(...grow(source, written.length, isLong));
    isDone = life % 2 === 0;
    left = 1 + Math.floor(Math.random() * (isLong ? 6 : BATCHES_A_LIFE));
    agent = startCairn(["run", "--config", config]);
    const { signal, stderr } = await agent.exit;
    t.equal(signal, "SIGKILL", `the agent was alive when it was killed${signal ? "" : stderr}`);
    tally(objects, counts);
  }
  left = Infinity;
  // It has to deliver what all the lives left, on a machine that may be busy.
  const args = ["run", "--once", "--config", config];
  const last = await startCairn(args, { timeoutMs: LAST_LIFE_MS }).exit;
  t.equal(last.code, 0, last.stderr);
  tally(objects, counts);
  const twice = [...counts.values()].filter((count) => count > 1).length;
  const missing = written.filter((id) => !counts.has(id)).length;
  const again = [...objects.objects.values()].filter(({ writes }) => writes > 1).length;
  t.equal(twice, 0, "no record is there twice");
  t.equal(missing, 0, "no record is missing");
  t.equal(counts.size, written.length, "nothing else is in the bucket");
  t.equal(again, 0, "no object was written twice");
  t.equal(objects.uploads.size, 0, "no upload in parts is left over");
  const figures = [KILLS, ...Object.values(kills), objects.objects.size, counts.size];
  t.comment("| runtime | kills | while sending | before the answer | objects | records | twice |");
  t.comment(`| ${[runtimeName, ...figures, twice].join(" | ")} | missing ${missing}`);
});
