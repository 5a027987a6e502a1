// Format osquery: rows that are actions and rows that are not, every form of line, the samples.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testAgent, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import osquery from "./index.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const encode = (text: string) => new TextEncoder().encode(text);
const linesOf = (path: string) => readFileSync(path, "utf8").trim().split("\n");
const results = linesOf(join(folder, "testdata/results.log"));

function read(lines: readonly string[], config: unknown = {}, receivedAt?: number) {
  const context = testContext({ agent: { ...testAgent, host: "db-8" } });
  const format = osquery.create(osquery.config.parse(config), context);
  const events: AuditEvent[] = [];
  const rejected: string[] = [];
  for (const [offset, line] of lines.entries()) {
    const at = receivedAt === undefined ? {} : { receivedAt };
    try {
      const decoded = format.decode(encode(line), { source: "s", offset, ...at });
      if ("events" in decoded) events.push(...decoded.events);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      rejected.push(`${error.message}: ${line}`);
    }
  }
  return { events, rejected, ignored: context.ignoredCounts };
}

await conformance(t, osquery, { minimal: {}, frames: results.map(encode) });

t.test("rows of tables that hold actions are those actions; others only came or went", async (t) => {
  const { events, rejected, ignored } = read(results, { max_rows: 2 });
  t.same(rejected, []);
  t.same(ignored, { "no action: osquery status log": 2 });
  t.equal(new Set(events.map(({ id }) => id)).size, events.length);
  t.same(events.map(({ action, actor }) => [action, actor]), [
    ["ExecuteCommand", {
      type: "role",
      name: "root",
      id: "0",
      assumedBy: { type: "user", id: "1000" },
    }],
    ["UserLogin", { type: "user", name: "alice" }],
    ["UpdateFile", { type: "user" }],
    ["AddRow", { type: "service", name: "osquery" }],
    ["RemoveRow", { type: "service", name: "osquery" }],
    ["TakeSnapshot", { type: "service", name: "osquery" }],
    ["AddRow", { type: "service", name: "osquery" }],
    ["AddRow", { type: "service", name: "osquery" }],
    ["RemoveRow", { type: "service", name: "osquery" }],
    ["ExecuteCommand", { type: "user", name: "alice", id: "1000" }],
  ]);
  t.same(events[0], {
    id: "s:0",
    time: 1_795_341_601_000,
    service: "osquery",
    action: "ExecuteCommand",
    actor: events[0]?.actor,
    outcome: { success: true },
    host: "db-7",
    resources: [{ type: "Host::File", name: "/usr/bin/psql" }],
    request: {
      query: "pack_audit_process_events",
      columns: {
        auid: "1000",
        cmdline: "env TOKEN=[not copied] psql --password=[not copied]",
        cwd: '"/root"',
        env: "[not copied]",
        path: "/usr/bin/psql",
        pid: "77",
        time: "1795341601",
        uid: "0",
      },
    },
    additional: {
      epoch: "0",
      counter: "3",
      decorations: { host_uuid: "U-1", hostname: "db-7" },
    },
    readOnly: false,
    category: "Data",
  });
  t.match(events[1], { origin: { address: "192.0.2.7" }, category: "Management" });
  t.match(events[2]?.resources, [{ type: "Host::File", name: "/etc/passwd" }]);
  t.match(events[5]?.response, { rows: [{ port: "22" }, { port: "5432" }], rowsLeftOut: 1 });
  t.notMatch(JSON.stringify(events), /hunter2|TOKEN=abc|s3cr3t/);
});

t.test("what is no line of osquery is rejected", async (t) => {
  const { rejected } = read([
    '{"a":1}',
    '{"name":"q","unixTime":"1795341605"}',
    "no",
    '{"name":"q","columns":{}}',
    '{"log_type":"result","data":[1]}',
  ]);
  t.match(rejected, [
    /^Has no "name"/,
    /^Has no "columns"/,
    /^Is not JSON/,
    /^Has no time/,
    /^Holds an entry/,
  ]);
  t.same(read(['{"log_type":"result","data":[]}']).ignored, {
    "no action: osquery batch without rows": 1,
  });
});

function samples(): string {
  let root = folder;
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  return process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
}

t.test("every sample of osquery's manual and of streamalert becomes events", async (t) => {
  for (const name of ["osquery-docs/results.jsonl", "streamalert/osquery.jsonl"]) {
    const path = join(samples(), "osquery", name);
    if (!existsSync(path)) {
      if (process.env.CI) t.fail(`${path} is missing`);
      else t.pass(`${path} is not on this machine`, { skip: true });
      return;
    }
    const lines = linesOf(path);
    const { events, rejected } = read(lines, {}, 1_700_000_000_000);
    t.same(rejected, []);
    t.ok(events.length >= lines.length);
    t.ok(events.every(({ request, host }) => request?.query !== undefined && host !== undefined));
    if (name.startsWith("osquery")) continue;
    const logins = events.filter(({ action }) => action === "UserLogin");
    t.match(logins, [{ actor: { name: "vagrant" }, origin: { address: "10.0.2.2" } }]);
  }
});
