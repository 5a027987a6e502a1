// The API of the real agent, called by programs that know only CloudTrail: the AWS CLI and boto3,
// unmodified, from putting events in to validating the log files they are delivered in; and events
// that come in once though every call is repeated and the agent is killed.

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { startMoto } from "../../plugins/sdk/conformance/moto-server.ts";
import { until } from "../../plugins/sdk/conformance.ts";
import { sampleRecord } from "../bench/sample-data.ts";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const KILLS = process.env.CAIRN_SOAK ? 50 : 3;
const ACCOUNT = "111122223333";
const REGION = "eu-central-1";

t.setTimeout(0);

/**
 * The AWS CLI's own program and boto3 in one process: a line asks, a line answers. Starting Python
 * for each call would take most of the test's time.
 */
const PYTHON = `
import contextlib, io, json, os, sys
import boto3
from awscli.clidriver import create_clidriver
driver = create_clidriver()
def cli(args):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = driver.main(args)
        except SystemExit as end:
            code = end.code
    return {"code": code, "out": out.getvalue(), "error": err.getvalue()}
def pages(operation, params, size=None):
    client = boto3.client("cloudtrail", endpoint_url=os.environ["API"])
    config = {} if size is None else {"PageSize": size}
    pages = client.get_paginator(operation).paginate(PaginationConfig=config, **params)
    found = [{k: v for k, v in page.items() if k != "ResponseMetadata"} for page in pages]
    return json.loads(json.dumps(found, default=str))
print("ready", flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    answer = cli(ask["cli"]) if "cli" in ask else pages(*ask["pages"])
    print(json.dumps(answer), flush=True)
`;

interface CliAnswer {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

interface Python {
  cli(...args: readonly string[]): Promise<CliAnswer>;
  pages(operation: string, params: object, size?: number): Promise<Record<string, unknown>[]>;
}

/** Starts it; undefined, with a comment, where the AWS CLI or boto3 is not on this machine. */
async function startPython(t: Test, env: Record<string, string>): Promise<Python | undefined> {
  const look = spawnSync("python3", ["-c", "import awscli, boto3"], { stdio: "ignore" });
  if (look.status !== 0) {
    t.comment("Skipped: the AWS CLI is not on this machine (pip install awscli boto3)");
    return undefined;
  }
  const child: ChildProcess = spawn("python3", ["-c", PYTHON], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  await lines.next();
  const ask = async (question: object) => {
    child.stdin!.write(`${JSON.stringify(question)}\n`);
    return JSON.parse((await lines.next()).value as string);
  };
  return {
    cli: (...cli) => ask({ cli }),
    pages: (...pages) => ask({ pages }),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A history keeps what is not too old.
const NOW = new Date().toISOString().replace(/\.\d+/, "");

function auditEvent(uid: string) {
  return {
    version: "1.0",
    userIdentity: { type: "User", principalId: "alice@host1" },
    eventSource: "shop.example.com",
    eventName: "ApproveOrder",
    eventTime: NOW,
    UID: uid,
    recipientAccountId: ACCOUNT,
  };
}

const entry = (uid: string, id = uid) => ({ id, eventData: JSON.stringify(auditEvent(uid)) });

function configuration(folder: string, port: number, bucket: string | undefined): string {
  const path = join(folder, "cairn.yaml");
  const place = bucket === undefined
    ? `directory: ${folder}/trail`
    : `bucket: audit, endpoint: "${bucket}", access_key_id: A, secret_access_key: s`;
  writeFileSync(
    path,
    `
agent: { account_id: "${ACCOUNT}", region: ${REGION}, data_dir: ${folder}/data, host: h }
receivers:
  file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning }
  channel: { name: shop }
exporters:
  trail: { name: main, ${place}, batch: { max_age: 100ms } }
  history: { batch: { max_age: 20ms } }
extensions:
  api:
    endpoint: 127.0.0.1:${port}
    credentials: [ { access_key_id: AKIDALICE, secret_access_key: alice-secret, user: alice } ]
service:
  extensions: [api]
  pipelines: { main: { receivers: [file, channel], exporters: [trail, history] } }
`,
  );
  return path;
}

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "AKIDALICE",
  AWS_SECRET_ACCESS_KEY: "alice-secret",
  AWS_DEFAULT_REGION: REGION,
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_PAGER: "",
};

/** A record that every attribute finds, and no other. */
const SOUGHT = {
  ...sampleRecord(1),
  eventID: "00000000-0000-4000-8000-00000000abcd",
  eventName: "SoughtEvent",
  eventSource: "sought.amazonaws.com",
  readOnly: true,
  userIdentity: { type: "IAMUser", userName: "sought-user", accessKeyId: "AKIASOUGHT" },
  resources: [{ type: "AWS::Sought::Thing", ARN: "arn:aws:sought:::thing" }],
  recipientAccountId: ACCOUNT,
  awsRegion: REGION,
  eventTime: NOW,
  managementEvent: true,
  eventCategory: "Management",
};
const ATTRIBUTES = {
  EventId: SOUGHT.eventID,
  EventName: SOUGHT.eventName,
  EventSource: SOUGHT.eventSource,
  ReadOnly: "true",
  Username: "sought-user",
  ResourceType: "AWS::Sought::Thing",
  ResourceName: "arn:aws:sought:::thing",
  AccessKeyId: "AKIASOUGHT",
};

t.test("the AWS CLI and boto3 use the agent as they use CloudTrail", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-api-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const api = `http://127.0.0.1:${await freePort()}`;
  const s3 = await startMoto(t);
  const env = { ...ENVIRONMENT, API: api, ...(s3 !== undefined && { AWS_ENDPOINT_URL_S3: s3 }) };
  const python = await startPython(t, env);
  if (python === undefined) return;
  if (s3 !== undefined) {
    await fetch(`${s3}/audit`, { method: "PUT" }).then((answer) => answer.text());
  }
  const config = configuration(folder, Number(api.split(":")[2]), s3);
  const records = Array.from({ length: 120 }, (_, index) => ({
    ...SOUGHT,
    eventID: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
    eventName: "OtherEvent",
    eventSource: "other.amazonaws.com",
    readOnly: false,
    userIdentity: { type: "IAMUser", userName: "other", accessKeyId: "AKIAOTHER" },
    resources: [],
  }));
  const text = [...records, SOUGHT].map((record) => JSON.stringify(record)).join("\n");
  writeFileSync(join(folder, "in.jsonl"), `${text}\n`);
  let agent = startCairn(["run", "--config", config]);
  t.teardown(() => agent.kill("SIGKILL"));
  await agent.said(/"Running"/);
  const aws = async (...args: readonly string[]) => {
    const { code, out, error } = await python.cli(...args, "--endpoint-url", api);
    if (code !== 0) throw new Error(`aws ${args.join(" ")} ended with ${code}: ${out}${error}`);
    return out === "" ? {} : JSON.parse(out);
  };
  const lookup = (...args: readonly string[]) => aws("cloudtrail", "lookup-events", ...args);
  const find = (key: string, value: string) =>
    lookup("--lookup-attributes", `AttributeKey=${key},AttributeValue=${value}`);

  await t.test("lookup-events finds a record by each attribute", async (t) => {
    await until(
      async () => (await find("EventId", SOUGHT.eventID)).Events.length === 1,
      "the record in the history",
    );
    for (const [key, value] of Object.entries(ATTRIBUTES)) {
      const { Events } = await find(key, value);
      const found = Events.filter(({ EventId }: { EventId: string }) => EventId === SOUGHT.eventID);
      t.equal(found.length, 1, key);
      t.same(JSON.parse(found[0].CloudTrailEvent), SOUGHT);
      if (key !== "ReadOnly") t.equal(Events.length, 1, `${key} finds nothing else`);
    }
  });

  await t.test("trails, keys and channels are described", async (t) => {
    const { trailList } = await aws("cloudtrail", "describe-trails");
    t.match(trailList, [{ Name: "main", HomeRegion: REGION, LogFileValidationEnabled: true }]);
    t.equal((await aws("cloudtrail", "get-trail-status", "--name", "main")).IsLogging, true);
    const { PublicKeyList } = await aws("cloudtrail", "list-public-keys");
    t.match(PublicKeyList, [{ Fingerprint: /^[0-9a-f]{32}$/ }]);
    const { Channels } = await aws("cloudtrail", "list-channels");
    t.match(Channels, [{ Name: "shop" }]);
    const arn = Channels[0].ChannelArn;
    const put = ["cloudtrail-data", "put-audit-events", "--channel-arn", arn];
    const events = JSON.stringify([entry("a"), { id: "b", eventData: "{}" }]);
    const { successful, failed } = await aws(...put, "--audit-events", events);
    t.match(successful, [{ id: "a", eventID: /^[0-9a-f-]{36}$/ }]);
    t.match(failed, [{ id: "b", errorCode: "FieldNotFound" }]);
    const about = await aws("cloudtrail", "get-channel", "--channel", arn);
    t.equal(about.IngestionStatus.LatestIngestionSuccessEventID, successful[0].eventID);
  });

  await t.test("changing the configuration is refused with its place", async (t) => {
    const args = ["cloudtrail", "update-trail", "--name", "main", "--endpoint-url", api];
    const { code, error } = await python.cli(...args);
    t.not(code, 0);
    t.match(error, "OperationNotPermittedException");
    t.match(error, `${config}:7:3`);
  });

  await t.test("boto3's paginators go through all pages", async (t) => {
    const params = {
      LookupAttributes: [{ AttributeKey: "EventName", AttributeValue: "OtherEvent" }],
    };
    const pages = await python.pages("lookup_events", params, 50);
    t.same(pages.map(({ Events }) => (Events as unknown[]).length), [50, 50, 20]);
    t.same(await python.pages("list_imports", {}), [{ Imports: [] }]);
    const resources = { ResourceIdList: [`arn:cairn:cloudtrail:${REGION}:${ACCOUNT}:trail/main`] };
    t.match(await python.pages("list_tags", resources), [{
      ResourceTagList: [{ TagsList: [] }],
    }]);
    t.equal((await python.pages("list_trails", {})).length, 1);
    t.equal((await python.pages("list_public_keys", {})).length, 1);
  });

  await t.test("cairn channel put hands in what a file holds", async (t) => {
    const file = join(folder, "events.jsonl");
    const bad = { ...auditEvent("d"), recipientAccountId: "1" };
    const put = (...args: string[]) =>
      startCairn(["channel", "put", file, "--config", config, ...args]).exit;
    const long = { id: "f", eventData: "x".repeat(3_000_000) };
    const texts = [bad, long, auditEvent("c")].map((event) => JSON.stringify(event));
    const notUtf8 = Buffer.from(texts[2]!.replace("ApproveOrder", "\xff"), "latin1");
    writeFileSync(file, Buffer.concat([notUtf8, Buffer.from(`\n${texts.join("\n")}`)]));
    const { code, stdout, stderr } = await put();
    t.same([code, stdout], [1, "1 event taken, 3 refused\n"]);
    t.match(stderr, /^Event 1: InvalidData: Text is no UTF-8$/m);
    t.match(stderr, /^Event 2: InvalidRecipient: /m);
    t.match(stderr, /^Event f: FieldTooLong: /m);
    writeFileSync(file, JSON.stringify({ auditEvents: [entry("c"), entry("e")] }));
    const all = await put("--json", "--channel", "shop");
    t.equal(all.code, 0, all.stderr);
    const printed = all.stdout.trim().split("\n").map((line) => JSON.parse(line));
    t.match(printed, [{ id: "c", eventID: String }, { id: "e", eventID: String }]);
    t.equal((await put("--channel", "none")).code, 6);
  });

  await t.test("validate-logs passes what was delivered", { skip: s3 === undefined }, async (t) => {
    agent.kill("SIGTERM");
    t.equal((await agent.exit).code, 0);
    agent = startCairn(["run", "--config", config]);
    await agent.said(/"Running"/);
    const { code, out, error } = await python.cli(
      ...["cloudtrail", "validate-logs", "--verbose", "--endpoint-url", api],
      ...["--trail-arn", `arn:cairn:cloudtrail:${REGION}:${ACCOUNT}:trail/main`],
      ...["--start-time", new Date(Date.now() - 7_200_000).toISOString()],
      ...["--end-time", new Date(Date.now() + 3_600_000).toISOString()],
    );
    t.equal(code, 0, `${out}${error}`);
    t.match(out, /([1-9]\d*)\/\1 digest files valid/);
    t.match(out, /([1-9]\d*)\/\1 log files valid/);
  });

  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0);
});

/** Posts to the API's socket; undefined where nobody answers. */
function put(
  socketPath: string,
  uids: readonly string[],
  channel: string,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asking = request({
      socketPath,
      path: `/PutAuditEvents?channelArn=${encodeURIComponent(channel)}`,
      method: "POST",
      agent: false,
      headers: { host: "localhost", "content-type": "application/json" },
    }, (answer) => {
      answer.on("error", () => resolve(undefined));
      answer.resume().on("end", () => resolve(answer.statusCode));
    });
    asking.on("error", () => resolve(undefined));
    asking.end(JSON.stringify({ auditEvents: uids.map((uid) => entry(uid)) }));
  });
}

t.test(`each event is delivered once though calls are repeated, over ${KILLS} kills`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-api-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, "api.sock");
  const config = join(folder, "cairn.yaml");
  const id = "5a7d6a1e-0000-4000-8000-000000000001";
  const channel = `arn:cairn:cloudtrail:${REGION}:${ACCOUNT}:channel/${id}`;
  writeFileSync(
    config,
    `
agent: { account_id: "${ACCOUNT}", region: ${REGION}, data_dir: ${folder}/data, host: h }
receivers: { channel: { name: shop, id: ${id} } }
exporters:
  trail: { name: main, directory: ${folder}/trail, batch: { max_records: 150, max_age: 50ms } }
  file: { path: ${folder}/out.jsonl, batch: { max_age: 20ms } }
  history: { batch: { max_age: 20ms } }
extensions: { api: { endpoint: "unix://${socket}" } }
service:
  extensions: [api]
  pipelines: { main: { receivers: [channel], exporters: [trail, file, history] } }
`,
  );
  const acknowledged: string[] = [];
  let number = 0;
  const goal = { isOver: false };
  // A sender that never believes its first answer, and comes again until it has one.
  const sender = async () => {
    while (!goal.isOver) {
      const uids = Array.from({ length: 10 }, () => `uid-${number++}`);
      for (let answers = 0; answers < 2;) {
        if (await put(socket, uids, channel) === 200) answers++;
        else await new Promise((resolve) => setTimeout(resolve, 20));
      }
      acknowledged.push(...uids);
    }
  };
  let agent = startCairn(["run", "--config", config]);
  t.teardown(() => agent.kill("SIGKILL"));
  await agent.said(/"Running"/);
  const senders = Promise.all(Array.from({ length: 4 }, sender));
  for (let life = 0; life < KILLS; life++) {
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 200, "events of this life");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    agent.kill("SIGKILL");
    await agent.exit;
    agent = startCairn(["run", "--config", config]);
    await agent.said(/"Running"/);
  }
  goal.isOver = true;
  await senders;
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0);
  const uidOf = (record: Readonly<Record<string, unknown>>) =>
    (record.eventData as { readonly UID: string } | undefined)?.UID;
  const delivered = readTrail(join(folder, "trail")).map(({ record }) => uidOf(record));
  const lines = readFileSync(join(folder, "out.jsonl"), "utf8").trimEnd().split("\n");
  const written = lines.map((line) => uidOf(JSON.parse(line))).filter((uid) => uid !== undefined);
  const asked = startCairn(["history", "--config", config, "--json", "--limit", "all"]);
  const looked = (await asked.exit).stdout.trimEnd().split("\n");
  const kept = looked.map((line) => uidOf(JSON.parse(line))).filter((uid) => uid !== undefined);
  for (const found of [delivered, written, kept]) {
    t.equal(found.length, acknowledged.length);
    t.same(new Set(found), new Set(acknowledged));
  }
  t.comment(`${acknowledged.length} events, each put at least twice`);
});
