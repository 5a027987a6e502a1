// PutAuditEvents on the whole agent: signed calls of 1, 10 and 100 events over TCP, each answered when
// it is on disk, as fast as sixteen senders go and then at half that rate.

import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { startCairn } from "../e2e/process.ts";
import { percentile } from "./machine.ts";
import { cpuSeconds, type RuntimeName } from "./process.ts";

const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const ID = "5a7d6a1e-0000-4000-8000-000000000001";
const CHANNEL = `arn:cairn:cloudtrail:${REGION}:${ACCOUNT}:channel/${ID}`;
const PATH = "/PutAuditEvents";
const QUERY = `channelArn=${encodeURIComponent(CHANNEL)}`;
const SECRET = "bench-secret";
const SENDERS = 16;
/** Events for each size of a call, and those that warm it up. */
const EVENTS: Readonly<Record<number, number>> = { 1: 8000, 10: 40_000, 100: 120_000 };
const WARM_UP_SHARE = 0.25;

/** An event of some 600 bytes, as an application would send it. */
function auditEvent(number: number): string {
  return JSON.stringify({
    version: "1.0",
    userIdentity: {
      type: "User",
      principalId: `user-${number % 997}`,
      details: { department: "sales", session: `s-${number % 4999}` },
    },
    userAgent: "shop/2.4 (linux)",
    eventSource: "shop.example.com",
    eventName: "ApproveOrder",
    eventTime: "2026-03-02T08:04:57Z",
    UID: `bench-${number}`,
    requestParameters: { order: number, lines: 3, note: "approved after a second look by a human" },
    responseElements: { state: "approved" },
    sourceIPAddress: "203.0.113.9",
    recipientAccountId: ACCOUNT,
    additionalEventData: { region: "eu", host: `web-${number % 16}` },
  });
}

interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A call with a signature and checksums, made beforehand: only the agent's part is timed. */
function prepare(host: string, first: number, size: number): Call {
  const sha = (text: string, form: "hex" | "base64") =>
    createHash("sha256").update(text).digest(form);
  const auditEvents = Array.from({ length: size }, (_, index) => {
    const eventData = auditEvent(first + index);
    return { id: String(index), eventData, eventDataChecksum: sha(eventData, "base64") };
  });
  const body = JSON.stringify({ auditEvents });
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${date.slice(0, 8)}/${REGION}/cloudtrail-data/aws4_request`;
  const canonical =
    `POST\n${PATH}\n${QUERY}\nhost:${host}\nx-amz-date:${date}\n\nhost;x-amz-date\n` +
    sha(body, "hex");
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha(canonical, "hex")}`;
  let key: string | Uint8Array = `AWS4${SECRET}`;
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  const signature = createHmac("sha256", key).update(text).digest("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDBENCH/${scope}, ` +
    `SignedHeaders=host;x-amz-date, Signature=${signature}`;
  return { headers: { host, "x-amz-date": date, authorization }, body };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Sends the calls; `everyMs` apart, or as fast as they are answered. Times in milliseconds. */
async function send(pool: Pool, calls: readonly Call[], everyMs = 0): Promise<readonly number[]> {
  const times: number[] = [];
  const begin = performance.now();
  let next = 0;
  const sender = async () => {
    for (let number = next++; number < calls.length; number = next++) {
      const due = begin + number * everyMs;
      const wait = due - performance.now();
      if (everyMs > 0 && wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      // A call that is late counts from when it was due.
      const from = everyMs > 0 ? due : performance.now();
      const { headers, body } = calls[number]!;
      const answer = await pool.request({
        method: "POST",
        path: `${PATH}?${QUERY}`,
        headers,
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200 || !text.includes('"failed":[]')) throw new Error(text);
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  return times;
}

/** Measures the agent on a runtime; a line for each size of a call. */
export async function* measurePutAuditEvents(runtime: RuntimeName): AsyncGenerator<string> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `
agent: { account_id: "${ACCOUNT}", region: ${REGION}, data_dir: ${folder}/data }
receivers: { channel: { name: bench, id: ${ID} } }
exporters: { file: { path: ${folder}/out.jsonl } }
extensions:
  api:
    endpoint: ${host}
    credentials: [ { access_key_id: AKIDBENCH, secret_access_key: ${SECRET}, user: bench } ]
service:
  extensions: [api]
  pipelines: { bench: { receivers: [channel], exporters: [file] } }
`,
  );
  const agent = startCairn(["run", "--config", config], { runtime, timeoutMs: 600_000 });
  const pool = new Pool(`http://${host}`, { connections: SENDERS });
  try {
    await agent.said(/"Running"/);
    let number = 0;
    for (const [size, events] of Object.entries(EVENTS)) {
      const count = Math.ceil(events / Number(size));
      const make = (calls: number) =>
        Array.from({ length: calls }, () => prepare(host, number += Number(size), Number(size)));
      await send(pool, make(Math.ceil(count * WARM_UP_SHARE)));
      const calls = make(count);
      const begin = performance.now();
      const used = cpuSeconds(agent.pid!);
      const times = await send(pool, calls);
      const seconds = (performance.now() - begin) / 1000;
      const micros = ((cpuSeconds(agent.pid!) - used) * 1e6) / events;
      const paced = await send(pool, make(Math.ceil(count / 2)), (2000 * seconds) / count);
      yield [
        `  ${size.padStart(3)} a call  ${runtime}`,
        `${Math.round(events / seconds).toLocaleString("en")} events/s`.padStart(16),
        `${micros.toFixed(0)} µs CPU/event`.padStart(17),
        `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
        `at half load p99 ${percentile(paced, 0.99).toFixed(1)} ms`,
      ].join("  ");
    }
  } finally {
    await pool.close();
    agent.kill("SIGTERM");
    await agent.exit;
    rmSync(folder, { recursive: true, force: true });
  }
}
