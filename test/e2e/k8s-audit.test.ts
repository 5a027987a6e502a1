// The audit webhook on the real agent: lists of real events over HTTPS with a client certificate, the
// agent killed with SIGKILL in the middle again and again while the sender repeats what was not
// answered. Each request of the cluster is in the trail once (promises P1, P2, P4).

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { Agent, request } from "undici";
import { testCertificates, until } from "../../plugins/sdk/conformance.ts";
import { root, type RunningCairn, runtimeName, startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";
import { callCairn } from "../cli/call.ts";

const SAMPLES = process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
const SAMPLE = join(SAMPLES, "k8s-audit/aks-audit-log/event.json");

const KILLS = process.env.CAIRN_SOAK ? 100 : 5;
const LISTS_A_LIFE = 25;
const EVENTS_A_LIST = 40;
const SENDERS = 3;

t.setTimeout(0);

type Value = Record<string, unknown>;

/** Real events, as the API server wrote them. */
function sampleEvents(): Value[] {
  const { records } = JSON.parse(readFileSync(SAMPLE, "utf8").replace(/^\ufeff/, "")) as {
    records: { properties: { log: string } }[];
  };
  return records.map(({ properties }) => JSON.parse(properties.log) as Value);
}

/** Lists of events with auditIDs of their own; now and then the receipt stands one list before. */
class Cluster {
  readonly #samples = sampleEvents();
  readonly auditIDs: string[] = [];
  #answers: Value[] = [];

  list(): string {
    const items = this.#answers;
    this.#answers = [];
    while (items.length < EVENTS_A_LIST) {
      const number = this.auditIDs.length;
      const auditID = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
      this.auditIDs.push(auditID);
      const event = { ...this.#samples[number % this.#samples.length], auditID };
      if (number % 4 !== 0) items.push(event);
      else {
        items.push({ ...event, stage: "RequestReceived", responseStatus: undefined });
        if (number % 8 === 0) items.push(event);
        else this.#answers.push(event);
      }
    }
    return JSON.stringify({ kind: "EventList", apiVersion: "audit.k8s.io/v1", items });
  }

  /** The answers that no list has brought yet. */
  rest(): string {
    return JSON.stringify({ kind: "EventList", items: this.#answers });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configuration(folder: string, port: number, tls: Record<string, string>): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  k8s_audit: { endpoint: "127.0.0.1:${port}", cluster: prod, tls: ${JSON.stringify(tls)} }
exporters:
  trail: { name: main, directory: ${folder}/trail, batch: { max_records: 500, max_age: 50ms } }
service:
  pipelines: { main: { receivers: [k8s_audit], exporters: [trail] } }
`,
  );
  return path;
}

/** Posts a list until it is answered with 200, as an API server with much patience does. */
async function deliver(url: string, dispatcher: Agent, body: string): Promise<number> {
  for (let attempts = 1;; attempts++) {
    try {
      const answer = await request(url, { method: "POST", body, dispatcher });
      await answer.body.dump();
      if (answer.statusCode === 200) return attempts;
      if (answer.statusCode !== 503) throw new TypeError(`Answered ${answer.statusCode}`);
    } catch (error) {
      if (error instanceof TypeError) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function skipped(t: Test): boolean {
  if (existsSync(SAMPLE)) return false;
  if (process.env.CI !== undefined) t.fail(`No sample at ${SAMPLE}`);
  else t.comment(`| skipped: no sample at ${SAMPLE} |`);
  return true;
}

t.test(`${KILLS} kills leave each request of a cluster in the trail exactly once`, async (t) => {
  if (skipped(t)) return;
  const folder = t.testdir();
  const { ca, server, client } = testCertificates(folder);
  const port = await freePort();
  const tls = { cert_file: server.cert, key_file: server.key, client_ca_file: ca };
  const config = configuration(folder, port, tls);
  const read = (path: string) => readFileSync(path);
  const dispatcher = new Agent({
    connect: { ca: read(ca), cert: read(client.cert), key: read(client.key) },
  });
  t.teardown(() => dispatcher.destroy());
  const url = `https://127.0.0.1:${port}/`;
  const cluster = new Cluster();
  let answered = 0;
  let repeated = 0;
  const send = async () => {
    while (answered < KILLS * LISTS_A_LIFE) {
      const attempts = await deliver(url, dispatcher, cluster.list());
      answered++;
      if (attempts > 1) repeated++;
    }
  };
  const senders = Promise.all(Array.from({ length: SENDERS }, send));
  let agent: RunningCairn | undefined;
  for (let life = 0; life < KILLS; life++) {
    agent = startCairn(["run", "--config", config]);
    const target = life * LISTS_A_LIFE + Math.ceil(Math.random() * LISTS_A_LIFE);
    await until(() => answered >= target, `${target} lists answered`, 60_000);
    agent.kill("SIGKILL");
    t.equal((await agent.exit).signal, "SIGKILL");
  }
  agent = startCairn(["run", "--config", config]);
  await senders;
  await deliver(url, dispatcher, cluster.rest());
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0, "an orderly stop");
  // What the exporter had not delivered by then.
  const last = await callCairn(["run", "--once", "--config", config]);
  t.equal(last.code, 0, last.stderr);

  const records = readTrail(join(folder, "trail")).map(({ record }) => record);
  const found = records.map(({ additionalEventData }) => (additionalEventData as Value).auditID);
  const once = new Set(found);
  t.equal(found.length, once.size, "none is there twice");
  t.same(cluster.auditIDs.filter((id) => !once.has(id)), [], "none is missing");
  t.equal(once.size, cluster.auditIDs.length, "and nothing else");
  const stages = new Set(records.map((one) => (one.additionalEventData as Value).stage));
  t.notOk(stages.has("RequestReceived"), "each with its answer");
  t.match(records[0], {
    eventSource: "kubernetes.host.internal",
    additionalEventData: { host: "prod" },
  });
  t.ok(repeated > 0, "some lists were sent again");
  t.comment("| runtime | kills | lists | sent again | requests | twice | missing |");
  t.comment(`| ${[runtimeName, KILLS, answered, repeated, once.size, 0, 0].join(" | ")} |`);
});
