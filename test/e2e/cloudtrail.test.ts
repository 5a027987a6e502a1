// Receiver cloudtrail from a bucket and from a queue: the agent killed with SIGKILL at random
// moments, while files come and the store fails, leaves each record in the trail exactly once.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import t from "tap";
import { AWS_KEYS, AwsServer } from "../../plugins/sdk/conformance/aws-server.ts";
import { sampleRecord } from "../bench/sample-data.ts";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const KILLS = 6;
const FILES_A_LIFE = 6;
const RECORDS_A_FILE = 150;
const DAY_MS = 86_400_000;
const NAME = "111122223333_CloudTrail_eu-central-1";

t.setTimeout(0);

/** Puts log files of the last days into both buckets, and announces the second one's. */
function grow(server: AwsServer, written: string[], life: number): void {
  for (let file = 0; file < FILES_A_LIFE; file++) {
    // Later files come under the last two days alone, as a trail delivers them.
    const days = file % (life === 0 ? 4 : 2);
    const at = new Date(Date.now() - days * DAY_MS).toISOString();
    const minute = at.slice(0, 16).replaceAll(/[-:]/g, "");
    const unique = String(life * 100 + file).padStart(16, "0");
    const folder = `AWSLogs/111122223333/CloudTrail/eu-central-1/${
      at.slice(0, 10).replaceAll("-", "/")
    }`;
    for (const bucket of ["listed", "announced"]) {
      const Records = Array.from({ length: RECORDS_A_FILE }, () => {
        const record = sampleRecord(written.length);
        written.push(String(record.eventID));
        return record;
      });
      const key = `${folder}/${NAME}_${minute}Z_${unique}.json.gz`;
      server.put(bucket, key, gzipSync(JSON.stringify({ Records })));
      if (bucket === "announced") server.queues.send("q", { s3Bucket: bucket, s3ObjectKey: [key] });
    }
  }
}

function configuration(folder: string, server: AwsServer): string {
  const path = join(folder, "cairn.yaml");
  const keys = Object.entries(AWS_KEYS).map(([name, value]) => `${name}: "${value}"`).join(", ");
  const store = `endpoint: "${server.url}", ${keys}`;
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  cloudtrail/listed: { bucket: listed, poll_interval: 50ms, ${store} }
  cloudtrail/announced: { sqs_queue_url: "${server.queueUrl("q")}", ${store} }
exporters: { trail: { directory: ${folder}/trail, batch: { max_age: 50ms } } }
service:
  pipelines:
    main: { receivers: [cloudtrail/listed, cloudtrail/announced], exporters: [trail] }
`,
  );
  return path;
}

t.test(`${KILLS} kills leave each record of a bucket and a queue in the trail once`, async (t) => {
  const folder = t.testdir();
  const server = await new AwsServer({ pageMax: 5 }).start();
  t.teardown(() => server.stop());
  const config = configuration(folder, server);
  const written: string[] = [];
  let requests = 0;
  server.fault = () => ++requests % 17 === 0 ? { cutAt: 900 } : undefined;
  for (let life = 0; life < KILLS; life++) {
    grow(server, written, life);
    server.queues.show("q");
    const before = server.requests.length;
    const agent = startCairn(["run", "--config", config]);
    await agent.said(/Running/);
    // After a few requests, which is in the middle of the work, whatever the machine's speed.
    const wanted = before + 4 + Math.floor(Math.random() * 30);
    const end = performance.now() + 1500;
    while (server.requests.length < wanted && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    agent.kill("SIGKILL");
    t.equal((await agent.exit).signal, "SIGKILL", "the agent was alive when it was killed");
  }
  server.queues.show("q");
  const { code, stderr } = await startCairn(["run", "--once", "--config", config]).exit;
  t.equal(code, 0, stderr);
  const ids = readTrail(join(folder, "trail")).map(({ record }) => String(record.eventID));
  t.equal(new Set(ids).size, ids.length, "no record is there twice");
  const delivered = new Set(ids);
  t.equal(written.filter((id) => !delivered.has(id)).length, 0, "none is missing");
  t.equal(ids.length, written.length, "nothing else is there");
  t.equal(server.queues.size("q"), 0, "the queue is empty");
});
