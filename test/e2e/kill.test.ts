// Promises P1 to P3 and P5 on the real agent: killed with SIGKILL at random moments while its
// sources grow and rotate, then run to the end, it has delivered each action exactly once, to a
// trail and to a file.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import t from "tap";
import { sampleAuditEvent, sampleRecord } from "../bench/sample-data.ts";
import { runtimeName, startCairn } from "./cairn.ts";
import { readTrail, trailObjects } from "./trail.ts";

// Fifty on each runtime make a hundred; the long version is for the soak.
const KILLS = process.env.CAIRN_SOAK ? 1000 : 50;
const RECORDS_A_LIFE = 400;
const EVENTS_A_LIFE = 200;
const ROTATE_EVERY = 6;

// As long as it takes: the runner ends a file that hangs.
t.setTimeout(0);

interface Source {
  /** Identities of everything written so far. */
  readonly written: string[];
  /** Appends what one life is to read. */
  grow(life: number): void;
}

/** A file that is rotated by rename now and then, while nobody reads; nothing is thrown away. */
function rotate(path: string, life: number): void {
  if (life % ROTATE_EVERY !== 0 || !existsSync(path)) return;
  let last = 0;
  while (existsSync(`${path}.${last + 1}`)) last++;
  for (let n = last; n >= 1; n--) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
  renameSync(path, `${path}.1`);
}

function jsonLines(path: string): Source {
  const written: string[] = [];
  return {
    written,
    grow(life) {
      rotate(path, life);
      let text = "";
      for (let i = 0; i < RECORDS_A_LIFE; i++) {
        const record = sampleRecord(written.length);
        written.push(String(record.eventID));
        text += `${JSON.stringify(record)}\n`;
      }
      appendFileSync(path, text);
    },
  };
}

function auditLog(path: string): Source {
  const written: string[] = [];
  return {
    written,
    grow(life) {
      rotate(path, life + 3);
      let text = "";
      for (let i = 0; i < EVENTS_A_LIFE; i++) {
        text += sampleAuditEvent(written.length);
        written.push(`/srv/app/release-${written.length % 1009}/config.yaml`);
      }
      appendFileSync(path, text);
    },
  };
}

function configuration(folder: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  file: { path: ${folder}/records.jsonl*, format: cloudtrail, start_at: beginning }
  auditd: { path: ${folder}/audit.log, start_at: beginning }
exporters:
  trail: { name: main, directory: ${folder}/trail, batch: { max_records: 150, max_age: 50ms } }
  file: { path: ${folder}/out.jsonl, batch: { max_records: 100, max_age: 20ms } }
service:
  pipelines: { main: { receivers: [file, auditd], exporters: [trail, file] } }
`,
  );
  return path;
}

function readLines(path: string): readonly string[] {
  return readFileSync(path, "utf8").trimEnd().split("\n");
}

function eventIdOf(line: string): string {
  return String((JSON.parse(line) as { readonly eventID: unknown }).eventID);
}

/** How often each identity occurs. */
function tally(identities: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const identity of identities) counts.set(identity, (counts.get(identity) ?? 0) + 1);
  return counts;
}

t.test(`P2, P3: ${KILLS} kills with SIGKILL leave each record in the trail exactly once`, async (t) => {
  const folder = t.testdir();
  const trail = join(folder, "trail");
  mkdirSync(trail);
  const config = configuration(folder);
  const sources = [jsonLines(join(folder, "records.jsonl")), auditLog(join(folder, "audit.log"))];

  // How long a life takes to start, and to do all it has to do, says when the kills are to fall.
  sources.forEach((source) => source.grow(0));
  const begin = performance.now();
  const first = startCairn(["run", "--once", "--config", config]);
  await first.said(/Running/);
  const startMs = performance.now() - begin;
  t.equal((await first.exit).code, 0);
  const workMs = performance.now() - begin - startMs;

  const lives = { starting: 0, running: 0 };
  for (let life = 1; life <= KILLS; life++) {
    sources.forEach((source) => source.grow(life));
    const before = trailObjects(trail).length;
    const agent = startCairn(["run", "--config", config]);
    // One in five dies while it starts; the others at a random moment of their work.
    const isEarly = life % 5 === 0;
    if (!isEarly) await agent.said(/Running/);
    await new Promise((done) => setTimeout(done, Math.random() * (isEarly ? startMs : workMs)));
    agent.kill("SIGKILL");
    t.equal((await agent.exit).signal, "SIGKILL", "the agent was alive when it was killed");
    trailObjects(trail).length > before ? lives.running++ : lives.starting++;
  }
  const last = await startCairn(["run", "--once", "--config", config]).exit;
  t.equal(last.code, 0, last.stderr);

  const delivered = readTrail(trail, { own: true }).map(({ record }) => record);
  const records = delivered.filter(({ eventSource }) => eventSource !== "auditd.host.internal");
  const ids = tally(delivered.map(({ eventID }) => String(eventID)));
  const twice = [...ids.values()].filter((count) => count > 1).length;
  const written = new Set(sources[0]!.written);
  const missing = [...written].filter((id) => !ids.has(id)).length;
  const events = delivered.filter(({ eventID, eventSource }) =>
    !written.has(String(eventID)) && eventSource !== "cairn.internal"
  );
  t.equal(twice, 0, "no record is there twice");
  t.equal(missing, 0, "no record is missing");
  t.equal(events.length, sources[1]!.written.length, "as many audit events as were written");
  t.equal(records.length, delivered.length, "nothing else is in the trail");
  const lines = tally(readLines(join(folder, "out.jsonl")).map(eventIdOf));
  t.equal([...lines.values()].filter((count) => count > 1).length, 0, "no line is there twice");
  t.equal(lines.size, ids.size, "as many lines as records in the trail");
  t.ok([...ids.keys()].every((id) => lines.has(id)), "the file holds what the trail holds");
  const row = [runtimeName, KILLS, lives.starting, lives.running, delivered.length, twice, missing];
  t.comment("| runtime | kills | before delivery | while delivering | records | twice | missing |");
  t.comment(`| ${row.join(" | ")} |`);
});
