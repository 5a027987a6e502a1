// Promises P1 to P3 with a real journal: written by systemd-journal-remote while the agent reads it
// through journalctl and is killed with SIGKILL; and an exported file that grows beside it. Each
// entry is in the trail exactly once, and no journalctl outlives its agent.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { startCairn } from "./cairn.ts";
import { readTrail, trailObjects } from "./trail.ts";
import { callCairn } from "../cli/call.ts";

const REMOTE = ["/lib/systemd/systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote"]
  .find(existsSync);
const skip = REMOTE === undefined ? "no systemd-journal-remote here" : false;
if (skip && process.env.CI) throw new Error("Cannot test journals: no systemd-journal-remote");

const KILLS = process.env.CAIRN_SOAK ? 100 : 4;
const ENTRIES_A_LIFE = 150;
const START_US = 1_767_225_600_000_000;
const BOOT = "00000000000000000000000000000abc";

t.setTimeout(0);

function journalEntry(number: number): string {
  const micros = number * 1000;
  return `__REALTIME_TIMESTAMP=${START_US + micros}\n__MONOTONIC_TIMESTAMP=${micros}\n` +
    `_BOOT_ID=${BOOT}\n_TRANSPORT=syslog\n_UID=0\nSYSLOG_IDENTIFIER=sshd\n` +
    `MESSAGE=Accepted publickey for live${number} from 192.0.2.7 port 4711 ssh2\n\n`;
}

function exportedLine(number: number): string {
  const cursor = `s=1;i=${number};b=${BOOT};m=${number};t=${number};x=f${number.toString(16)}`;
  const text = `Accepted publickey for file${number} from 192.0.2.7 port 4711 ssh2`;
  return JSON.stringify({
    __CURSOR: cursor,
    __REALTIME_TIMESTAMP: String(START_US + number),
    SYSLOG_IDENTIFIER: "sshd",
    MESSAGE: text,
  }) + "\n";
}

function writeJournal(t: Test, path: string): ChildProcess {
  const writer = spawn(REMOTE!, [`--output=${path}`, "-"], { stdio: ["pipe", "ignore", "ignore"] });
  t.teardown(() => writer.kill("SIGKILL"));
  return writer;
}

function configuration(folder: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  journald: { directory: ${folder}/journal, files: [${folder}/export.json], start_at: beginning }
exporters:
  trail: { name: main, directory: ${folder}/trail, batch: { max_records: 100, max_age: 50ms } }
service:
  pipelines: { main: { receivers: [journald], exporters: [trail] } }
`,
  );
  return path;
}

/** The command lines of this machine's processes that name a folder. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return line.includes("journalctl") && line.includes(folder) ? [line] : [];
    } catch {
      return [];
    }
  });
}

t.test(`journald over ${KILLS} kills with SIGKILL: each entry once`, { skip }, async (t) => {
  const folder = t.testdir();
  const trail = join(folder, "trail");
  for (const name of ["journal", "trail"]) mkdirSync(join(folder, name));
  const config = configuration(folder);
  const writer = writeJournal(t, join(folder, "journal", "live.journal"));
  const expected: string[] = [];
  let number = 0;
  const grow = () => {
    for (let i = 0; i < ENTRIES_A_LIFE; i++) {
      number++;
      writer.stdin!.write(journalEntry(number));
      appendFileSync(join(folder, "export.json"), exportedLine(number));
      expected.push(`live${number}`, `file${number}`);
    }
  };
  grow();
  let delivering = 0;
  for (let life = 1; life <= KILLS; life++) {
    const before = trailObjects(trail).length;
    const agent = startCairn(["run", "--config", config]);
    await agent.said(/Running/);
    grow();
    // Half of them in the middle of their work, at whatever they do then.
    if (life % 2 === 0) await until(() => trailObjects(trail).length > before, "an object");
    else await new Promise((done) => setTimeout(done, Math.random() * 300));
    agent.kill("SIGKILL");
    t.equal((await agent.exit).signal, "SIGKILL", "the agent was alive when it was killed");
    if (trailObjects(trail).length > before) delivering++;
  }
  writer.stdin!.end();
  await once(writer, "exit");
  const last = await callCairn(["run", "--once", "--config", config]);
  t.equal(last.code, 0, last.stderr);

  const records = readTrail(trail).map(({ record }) => record);
  const users = records.map(({ requestParameters }) =>
    (requestParameters as { readonly userName?: string } | null)?.userName ?? ""
  );
  t.strictSame([...users].sort(), [...expected].sort(), "each entry is there exactly once");
  t.equal(new Set(records.map(({ eventID }) => eventID)).size, records.length);
  t.match(records[0], {
    eventSource: "sshd.host.internal",
    eventName: "UserLogin",
    sourceIPAddress: "192.0.2.7",
  });
  t.ok(delivering > 0, `${delivering} of ${KILLS} were killed after a delivery`);
  await until(() => processesOf(folder).length === 0, "no journalctl is left behind");
  t.comment(`${records.length} records, ${KILLS} kills, ${delivering} of them after a delivery`);
});
