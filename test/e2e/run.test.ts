// The main job whole, as an operator sees it: sources of several formats, selectors, two exporters,
// `cairn status` while it runs, an orderly stop, and a second run that adds nothing.

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { root, startCairn } from "./cairn.ts";
import { readTrail, trailObjects } from "./trail.ts";
import { callCairn } from "../cli/call.ts";

type Value = Record<string, unknown>;

const APPLICATION = [
  { ts: "2026-11-22T08:00:00.500Z", event: "login", user: "alice", ip: "203.0.113.9", ok: true },
  { ts: "2026-11-22T08:00:01Z", event: "login", user: "mallory", ip: "198.51.100.7", ok: false },
  { ts: "2026-11-22T08:00:02Z", event: "export", user: "alice", rows: 12345678901234567890 },
];

function configuration(folder: string): string {
  copyFileSync(join(root, "config/examples/first-run/audit.log"), join(folder, "audit.log"));
  writeFileSync(
    join(folder, "app.jsonl"),
    APPLICATION.map((line) => `${JSON.stringify(line)}\n`).join("") + "no JSON at all\n",
  );
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: web-01 }
receivers:
  auditd: { path: ${folder}/audit.log, start_at: beginning }
  file/app:
    path: ${folder}/app.jsonl
    format: json
    start_at: beginning
    mapping:
      time: $.ts
      service: app
      action: { path: $.event, map: { login: UserLogin }, default: ExportReport }
      actor: { name: $.user }
      origin: { address: $.ip }
      outcome: { success: { not: { path: $.ok, equals: false } }, code: AuthenticationFailed }
exporters:
  trail: { name: main, directory: ${folder}/trail, batch: { max_age: 100ms } }
  file:
    path: ${folder}/management.jsonl
    batch: { max_age: 100ms }
    advanced_event_selectors:
      - Name: management
        FieldSelectors: [{ Field: eventCategory, Equals: [Management] }]
service:
  pipelines: { main: { receivers: [auditd, file/app], exporters: [trail, file] } }
`,
  );
  return path;
}

interface Exporter {
  id: string;
  delivered: number;
  excluded: number;
  queued: number;
}

/** The books of the only pipeline, as `cairn status --json` tells them. */
async function books(config: string) {
  const { code, stdout, stderr } = await callCairn(["status", "--json", "--config", config]);
  if (code !== 0) throw new Error(`cairn status ended with ${code}: ${stderr}`);
  const [pipeline] = (JSON.parse(stdout) as { pipelines: unknown[] }).pipelines as [{
    counts: Record<"received" | "filtered" | "duplicate" | "rejected" | "stored", number>;
    exporters: Exporter[];
  }];
  return pipeline;
}

t.test("sources become a trail, the books balance, and a second run adds nothing", async (t) => {
  const folder = t.testdir();
  const config = configuration(folder);
  const agent = startCairn(["run", "--config", config]);
  await agent.said(/Running/);
  const done = async () => {
    const { counts, exporters } = await books(config);
    const isThere = counts.rejected === 1 && counts.stored > APPLICATION.length;
    return isThere && exporters.every(({ queued }) => queued === 0);
  };
  await until(done, "everything is delivered");
  const { counts, exporters } = await books(config);
  const { received, filtered, duplicate, rejected, stored } = counts;
  t.equal(received, filtered + duplicate + rejected + stored, "the way in balances");
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0, "an orderly stop");

  const trail = readTrail(join(folder, "trail"), { own: true })
    .map(({ record }) => record as Value);
  const stops = trail.filter(({ eventName }) => eventName === "StopAgent").length;
  t.equal(stops, 1, "the stop, too, is recorded and delivered");
  t.equal(trail.length, stored + stops, "the trail holds all that was stored");
  const lines = readFileSync(join(folder, "management.jsonl"), "utf8").split("\n").filter(Boolean);
  const management = trail.filter(({ eventCategory }) => eventCategory === "Management");
  t.equal(lines.length, management.length, "the file holds what its selectors want");
  const excluded = exporters.find(({ id }) => id === "file")?.excluded;
  t.equal(excluded, stored + stops - management.length, "the rest is excluded");

  const app = trail.filter(({ eventSource }) => eventSource === "app.host.internal");
  t.match(app.find(({ errorCode }) => errorCode !== undefined), {
    eventVersion: "1.11",
    eventName: "UserLogin",
    eventTime: "2026-11-22T08:00:01Z",
    errorCode: "AuthenticationFailed",
    sourceIPAddress: "198.51.100.7",
    userIdentity: {
      type: "IAMUser",
      userName: "mallory",
      arn: "arn:cairn:iam::111122223333:user/web-01/mallory",
    },
    recipientAccountId: "111122223333",
  });
  t.equal(app.length, APPLICATION.length);
  t.ok(trail.some(({ eventName }) => eventName === "AssumeRole"), "sudo is there");

  const objects = trailObjects(join(folder, "trail"));
  const again = await callCairn(["run", "--once", "--config", config]);
  t.equal(again.code, 0, again.stderr);
  t.same(trailObjects(join(folder, "trail")), objects);
});
