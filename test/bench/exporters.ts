// What each exporter costs beyond one that does nothing: the agent as a process, a file of records,
// and a sink on this machine that takes everything. Also what a second exporter that is dead takes
// from the first one's rate.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { AWS_KEYS } from "../../plugins/sdk/conformance/aws-signature.ts";
import { type Run, runOnce, type RuntimeName, runUntil } from "./process.ts";
import { writeJsonLines } from "./sample-data.ts";

interface Measured {
  readonly name: string;
  /** The exporter's part of the configuration; the sink is at `url`. */
  readonly config: (url: string, folder: string) => string;
}

const { access_key_id: id, secret_access_key: secret } = AWS_KEYS;
const AWS = `region: eu-central-1, access_key_id: ${id}, secret_access_key: ${secret}`;
const CHANNEL = "arn:aws:cloudtrail:eu-central-1:111122223333:channel/" +
  "11111111-2222-4333-8444-555555555555";

const EXPORTERS: readonly Measured[] = [
  { name: "file", config: (_, folder) => `file: { path: ${folder}/out.jsonl }` },
  { name: "trail, folder", config: (_, folder) => `trail: { directory: ${folder}/trail }` },
  {
    name: "trail, bucket",
    config: (url) => `trail/s3: { name: to-s3, bucket: a-bucket, endpoint: "${url}", ${AWS} }`,
  },
  {
    name: "eventbridge",
    config: (url) => `eventbridge: { endpoint: "${url}", source: host.example, ${AWS} }`,
  },
  {
    name: "cloudwatch_logs",
    config: (url) => `cloudwatch_logs: { endpoint: "${url}", log_group_name: a, ${AWS} }`,
  },
  {
    name: "audit_channel",
    config: (url) => `audit_channel: { endpoint: "${url}", channel_arn: "${CHANNEL}", ${AWS} }`,
  },
  { name: "otlp", config: (url) => `otlp: { endpoint: "${url}" }` },
];

const NULL = "nothing: {}";
const TOGETHER = ["trail, folder", "trail, bucket", "eventbridge", "cloudwatch_logs"];

/** Beside the built-in ones: takes every batch and does nothing with it. */
function nullPlugin(): string {
  const zod = resolve("node_modules/zod/index.js");
  return `import { z } from "file://${zod}";
export default {
  kind: "exporter", sdk: "1.0.0", type: "nothing", stability: "stable", summary: "Does nothing",
  config: z.strictObject({}),
  create: () => ({ start: async () => {}, stop: async () => {}, export: async () => {} }),
};
`;
}

/** Measures every exporter; gives lines to print. */
export async function* measureExporters(
  runtimes: readonly RuntimeName[],
  records: number,
): AsyncGenerator<string> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  const sink = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  await new Promise<void>((listening) => sink.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  try {
    writeFileSync(join(folder, "nothing.mjs"), nullPlugin());
    const source = await writeJsonLines(folder, records);
    for (const runtime of runtimes) {
      const measure = async (configs: readonly string[]) =>
        await inFolder(folder, (out) => runOnce(runtime, whole(folder, source, out, configs), out));
      const nothing = await measure([NULL]);
      yield line("nothing", runtime, records, nothing);
      for (const { name, config } of EXPORTERS) {
        const out = join(folder, "out");
        yield line(name, runtime, records, await measure([config(url, out)]), nothing);
      }
      const four = EXPORTERS.filter(({ name }) => TOGETHER.includes(name));
      const configs = four.map(({ config }) => config(url, join(folder, "out")));
      yield line("four together", runtime, records, await measure(configs), nothing);
      yield await measureDead(folder, source, runtime, records);
    }
  } finally {
    await close(sink);
    rmSync(folder, { recursive: true, force: true });
  }
}

const ROUNDS = 3;

/** The rate of a trail beside a dead exporter, as a share of its rate alone: medians of some rounds. */
async function measureDead(
  folder: string,
  source: string,
  runtime: RuntimeName,
  records: number,
): Promise<string> {
  const trail = `trail: { directory: ${join(folder, "out")}/trail }`;
  // Nobody listens on the port of discard.
  const dead = `eventbridge: { endpoint: "http://127.0.0.1:9", source: host.example, ${AWS} }`;
  const seconds = async (configs: readonly string[]) =>
    await inFolder(folder, async (out) => {
      const config = whole(folder, source, out, configs);
      const isDone = async () => await delivered(join(out, "data/cairn.sock"), "trail") >= records;
      return (await runUntil(runtime, config, out, isDone)).wallSeconds;
    });
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await seconds([trail]));
    beside.push(await seconds([trail, dead]));
  }
  const middle = (times: number[]) => times.sort((a, b) => a - b)[ROUNDS >> 1]!;
  const ratio = middle(alone) / middle(beside);
  return `trail beside a dead exporter  ${runtime}  ${
    (100 * ratio).toFixed(1)
  } % of its rate alone`;
}

/** How many records an exporter of a running agent has delivered. */
async function delivered(socketPath: string, exporter: string): Promise<number> {
  const text = await new Promise<string>((done) => {
    const asked = request({ socketPath, path: "/status" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => text += part);
      answer.on("end", () => done(text));
    });
    asked.on("error", () => done(""));
    asked.end();
  });
  if (text === "") return 0;
  const { pipelines } = JSON.parse(text) as {
    pipelines: { exporters: { id: string; delivered: number }[] }[];
  };
  return pipelines[0]?.exporters.find(({ id }) => id === exporter)?.delivered ?? 0;
}

function whole(
  folder: string,
  source: string,
  out: string,
  exporters: readonly string[],
): string {
  const ids = exporters.map((exporter) => exporter.slice(0, exporter.indexOf(":")));
  return [
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${out}/data }`,
    `plugins: [ ${folder}/nothing.mjs ]`,
    `receivers: { file: { path: ${source}, format: cloudtrail, start_at: beginning } }`,
    `exporters: { ${exporters.join(", ")} }`,
    `service: { pipelines: { bench: { receivers: [file], exporters: [${ids.join(", ")}] } } }`,
  ].join("\n");
}

async function inFolder<T>(folder: string, work: (out: string) => Promise<T>): Promise<T> {
  const out = join(folder, "out");
  mkdirSync(out);
  try {
    return await work(out);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function line(name: string, runtime: RuntimeName, records: number, run: Run, than?: Run): string {
  const perRecord = ({ cpuSeconds }: Run) => (cpuSeconds * 1e6) / records;
  const beyond = than === undefined ? "" : `+${(perRecord(run) - perRecord(than)).toFixed(1)}`;
  return [
    name.padEnd(15),
    runtime,
    `${Math.round(records / run.wallSeconds).toLocaleString("en")} records/s`.padStart(18),
    `${perRecord(run).toFixed(1)} µs CPU/record`.padStart(20),
    beyond.padStart(6),
    `peak ${(run.peakRssBytes / 2 ** 20).toFixed(0)} MiB`.padStart(13),
  ].join("  ");
}

/** Takes whatever comes, and says so as the service would. */
async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method, url = "", headers } = incoming;
  const target = String(headers["x-amz-target"] ?? "");
  const isCounted = target === "AWSEvents.PutEvents" || url.startsWith("/PutAuditEvents");
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) if (isCounted) chunks.push(chunk);
  const body = isCounted ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
  if (target === "AWSEvents.PutEvents") {
    const Entries = body.Entries.map(() => ({ EventId: "1" }));
    return void outgoing.end(JSON.stringify({ FailedEntryCount: 0, Entries }));
  }
  if (body !== undefined) {
    const successful = body.auditEvents.map(({ id }: { id: string }) => ({ id, eventID: id }));
    return void outgoing.end(JSON.stringify({ successful, failed: [] }));
  }
  if (target !== "") return void outgoing.end("{}");
  if (method === "HEAD") outgoing.statusCode = 404;
  if (headers["content-type"] === "application/x-protobuf") {
    outgoing.setHeader("content-type", "application/x-protobuf");
  }
  outgoing.setHeader("etag", '"1"').end();
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
}
