// Real logs of programs we did not write, through the mapping an operator would write for them.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import json from "./index.ts";

function samples(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  return process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
}

/** Decodes a file of samples; skips the test where there is none, except in CI. */
function decode(t: Test, name: string, mapping: unknown): [AuditEvent[], string[]] | undefined {
  const path = join(samples(), name);
  if (!existsSync(path)) {
    if (process.env.CI) t.fail(`${name} is missing`);
    else t.pass(`${name} is not on this machine`, { skip: true });
    return undefined;
  }
  const format = json.create(json.config.parse({ mapping }), testContext());
  const events: AuditEvent[] = [];
  const rejected: string[] = [];
  let offset = 0;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    try {
      const decoded = format.decode(new TextEncoder().encode(line), { source: name, offset });
      if ("events" in decoded) events.push(...decoded.events);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      rejected.push(`${error.message}: ${line.slice(0, 80)}`);
    }
    offset += line.length + 1;
  }
  return [events, rejected];
}

t.test("every event of Teleport's own fixtures has its time, action and user", async (t) => {
  const found = decode(t, "teleport/webapps-fixtures/events.jsonl", {
    time: "$.time",
    service: "teleport",
    action: { first: ["$.event", "$.code"] },
    actor: { name: "$.user" },
    origin: { address: "$['addr.remote']", user_agent: "$.user_agent" },
    outcome: { success: { path: "$.success", default: true }, message: "$.error" },
  });
  if (found === undefined) return;
  const [events, rejected] = found;
  t.same(rejected, []);
  t.ok(events.length > 50, `${events.length} events`);
  t.equal(new Set(events.map(({ id }) => id)).size, events.length, "no two share an id");
  t.same(events.filter(({ action }) => !/^[A-Z]\w*$/.test(action)), []);
  const deleted = events.find(({ action }) => action === "UserDelete");
  t.equal(deleted?.actor.type === "user" && deleted.actor.name, "benarent");
});

t.test("osquery's results are read with their times as text", async (t) => {
  const found = decode(t, "osquery/osquery-docs/results.jsonl", {
    time: { path: "$.unixTime", format: "epoch_s" },
    service: "osquery",
    action: {
      path: "$.action",
      map: { added: "AddRow", removed: "RemoveRow" },
      default: "Snapshot",
    },
    host: "$.hostname",
    resources: [{ type: "Osquery::Table", name: "$.name" }],
  });
  if (found === undefined) return;
  const [events, rejected] = found;
  // A line of osquery's own tests whose members all hold the word "collision".
  t.match(rejected, [/^Cannot read time "collision"/]);
  t.equal(rejected.length, 1);
  t.match(events[0], {
    time: 1_412_123_850_000,
    action: "AddRow",
    host: "hostname.local",
    resources: [{ type: "Osquery::Table", name: "processes" }],
    additional: { columns: { name: "osqueryd" } },
  });
});
