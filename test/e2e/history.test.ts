// The event history of the real agent: killed at random moments it holds each event once, and `cairn
// history` tells them, of a running agent and without one, whatever their fields hold.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import t from "tap";
import { sampleRecord } from "../bench/sample-data.ts";
import { startCairn } from "./cairn.ts";
import { callCairn } from "../cli/call.ts";

const IS_SOAK = process.env.CAIRN_SOAK !== undefined;
const KILLS = IS_SOAK ? 50 : 5;
// In the soak enough for a log to be sealed now and then.
const RECORDS_A_LIFE = IS_SOAK ? 1500 : 400;

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

function configuration(folder: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning } }
exporters: { history: { batch: { max_age: 20ms } } }
service: { pipelines: { p: { receivers: [file], exporters: [history] } } }
`,
  );
  return path;
}

async function cairn(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await callCairn(args);
  if (code !== 0) throw new Error(`cairn ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Of records in JSON lines, without those of what the agent itself did. */
function idsOf(jsonLines: string): string[] {
  return jsonLines.split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { eventID: string; eventSource: string })
    .filter(({ eventSource }) => eventSource !== "cairn.internal")
    .map(({ eventID }) => eventID);
}

t.test("the agent killed at random moments keeps each event once in its history", async (t) => {
  const folder = t.testdir({ "in.jsonl": "" });
  const config = configuration(folder);
  const written: string[] = [];
  const begin = Date.now() - 40 * 86_400_000;
  for (let life = 0; life < KILLS; life++) {
    let text = "";
    for (let i = 0; i < RECORDS_A_LIFE; i++) {
      const record = sampleRecord(written.length);
      // Days that come and go, some of them late.
      const eventTime = new Date(begin + (written.length * 997 % 400_000) * 8000).toISOString();
      written.push(String(record.eventID));
      text += `${JSON.stringify({ ...record, eventTime })}\n`;
    }
    appendFileSync(join(folder, "in.jsonl"), text);
    const agent = startCairn(["run", "--config", config]);
    await agent.said(/Running/);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * (IS_SOAK ? 1500 : 250)));
    agent.kill("SIGKILL");
    await agent.exit;
  }
  await cairn("run", "--once", "--config", config);
  const all = ["history", "--config", config, "--json", "--limit", "all"];
  const found = idsOf(await cairn(...all));
  t.equal(found.length, written.length);
  t.same(new Set(found), new Set(written));
  const place = join(folder, "data", "components", "exporter.history");
  await cairn("verify", place);
});

t.test("cairn history asks the running agent, and follows what comes", async (t) => {
  const folder = t.testdir({ "in.jsonl": "" });
  const config = configuration(folder);
  const hostile = {
    eventTime: new Date().toISOString(),
    eventName: "=HYPERLINK(1)",
    userIdentity: {
      type: "IAMUser",
      userName: "al\u001b[31mice\r\n<script>",
      accessKeyId: "AKIA1",
    },
    sourceIPAddress: "-1+1",
    errorCode: 'a,"b"',
  };
  const text = `${JSON.stringify({ ...sampleRecord(1), ...hostile })}\n`;
  const agent = startCairn(["run", "--config", config]);
  await agent.said(/Running/);
  const follow = startCairn([
    "history",
    "--config",
    config,
    "--json",
    "--follow",
    "--limit",
    "2",
    "--since",
    "-1h",
    "ResourceType=AWS::IAM::Role",
  ]);
  appendFileSync(join(folder, "in.jsonl"), text);
  const second = { ...sampleRecord(2), eventTime: hostile.eventTime };
  appendFileSync(join(folder, "in.jsonl"), `${JSON.stringify(second)}\n`);
  const followed = await follow.exit;
  t.equal(followed.code, 0);
  t.same(idsOf(followed.stdout), [sampleRecord(1).eventID, sampleRecord(2).eventID]);
  const ask = (...args: string[]) => cairn("history", "--config", config, ...args);
  const [table, csv, json, word] = await Promise.all([
    ask("--errors", "--text", "HYPERLINK(1)"),
    ask("--access-key-id", "AKIA1", "--csv"),
    ask("EventName==HYPERLINK(1)", "AccessKeyId=AKIA1", "--since", "2h", "--json"),
    ask("Username=nobody", "--json"),
  ]);
  t.match(table, "al\\u001b[31mice\\u000d\\n<script>");
  t.notMatch(table, "\u001b");
  t.match(csv, `,"al\u001b[31mice\r\n<script>",'=HYPERLINK(1),`);
  t.match(csv, /,'-1\+1,"a,""b""",/);
  t.equal(json, text);
  t.equal(word, "");
  const wrong = await startCairn(["history", "--config", config, "Usernme=x"]).exit;
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /Cannot read "Usernme=x": KEY=VALUE is expected \(did you mean "Username"/);
  agent.kill("SIGTERM");
  await agent.exit;
  t.equal(await ask("AccessKeyId=AKIA1", "--json"), text, "and without an agent");
});

t.test("cairn history asks which of several histories is meant", async (t) => {
  const folder = t.testdir({ "in.jsonl": `${JSON.stringify(sampleRecord(1))}\n` });
  const path = configuration(folder);
  const text = readFileSync(path, "utf8")
    .replace("{ history: {", "{ history/long: { retention_days: 3650 }, history: {")
    .replace("[history]", "[history, history/long]");
  writeFileSync(path, text);
  const ask = (...args: string[]) => startCairn(["history", "--config", path, ...args]).exit;
  const told = async (what: string) => {
    const { code, stderr } = await ask();
    t.equal(code, 6, what);
    t.match(
      stderr,
      /several event histories: choose by --exporter one of history(, |\/long)/,
      what,
    );
    const wrong = await ask("--exporter", "history/short");
    t.match(wrong.stderr, /Exporter "history\/short" keeps no event history: there is history/);
    const { stdout } = await ask("--exporter", "history/long", "--json", "--limit", "all");
    t.same(idsOf(stdout), [sampleRecord(1).eventID], what);
  };
  await cairn("run", "--once", "--config", path);
  await told("without an agent");
  const agent = startCairn(["run", "--config", path]);
  await agent.said(/Running/);
  await told("of the agent");
  agent.kill("SIGTERM");
  await agent.exit;
});
