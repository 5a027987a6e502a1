// Every format over real logs of others, as a table: what became an action, what was left out and
// why, what was rejected. Nothing that is well-formed is rejected, and nothing disappears.

import t from "tap";
import type { AuditEvent } from "../../plugins/sdk/index.ts";
import { isAccountedAlone, readAll, type Reading } from "./reading.ts";
import {
  allSampleNames,
  formatOf,
  framesOf,
  NO_INPUT,
  SAMPLE_ROWS,
  sampleFiles,
  samplesMissing,
} from "./samples.ts";

// How many frames of a file are not well-formed, and what is wrong with them.
const BAD: Readonly<Record<string, readonly [number, string]>> = {
  "cloudtrail/cloudgrep/bad_cloudtrail.json": [1, "bad on purpose: cut off"],
  "k8s-audit/falco-trace-files/fal_01_003.json": [1, "bad on purpose: a kind that is a number"],
  "linux-audit/go-libaudit/auparse__audit-rhel7.log": [1, "a line without time and serial"],
  "linux-audit/oms-auditd-plugin/raw-lines.log": [1, "a message of the OMS agent, in JSON"],
  "syslog/crowdsec-hub/docker-logs__docker-logs.log": [
    3,
    "no syslog: Docker's log files of a web server",
  ],
  "syslog/crowdsec-hub/dropbear-logs__dropbear-logs.log": [4, "messages without a header"],
  "syslog/crowdsec-hub/pgsql-logs__pgsql-logs.log": [6, "no syslog: PostgreSQL's own log"],
  "syslog/jc/syslog-3164.out": [1, "priority 3444"],
  "syslog/jc/syslog-5424.out": [2, "a year of three digits; a priority that is not closed"],
  "syslog/lnav/logfile_muxed_syslog.0": [14, "no syslog: lines inside JSON"],
  "syslog/lnav/logfile_syslog_fr.0": [1, "a month in French"],
  "syslog/lnav/logfile_syslog_with_header.0": [2, "headers of the file"],
};

// A folder of more files than this takes one row of the table.
const ROWS_MAX = 8;

interface Row {
  readonly name: string;
  readonly files: number;
  readonly readings: readonly Reading[];
}

function print(row: Row): string {
  const sum = (count: (reading: Reading) => number) =>
    row.readings.reduce((total, reading) => total + count(reading), 0);
  const reasons = new Map<string, number>();
  for (const { ignored } of row.readings) {
    for (const [reason, count] of ignored) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  const ignored = [...reasons].map(([reason, count]) => `${count} ${reason}`).join("; ");
  const name = row.files > 1 ? `${row.name}/* (${row.files})` : row.name;
  const rejected = sum(({ rejected }) => rejected.length);
  return `| ${name} | ${sum(({ frames }) => frames)} | ${
    sum(({ actions }) => actions)
  } | ${ignored} | ${rejected} |`;
}

/** Rows of the table: a file each, or a folder of many. */
function tabulate(readings: ReadonlyMap<string, Reading>): Row[] {
  const folders = new Map<string, string[]>();
  for (const name of readings.keys()) {
    const folder = name.slice(0, name.lastIndexOf("/"));
    folders.set(folder, [...folders.get(folder) ?? [], name]);
  }
  return [...folders].flatMap(([folder, names]) => {
    const row = (name: string, files: readonly string[]): Row => ({
      name,
      files: files.length,
      readings: files.map((file) => readings.get(file)!),
    });
    return names.length > ROWS_MAX ? [row(folder, names)] : names.map((name) => row(name, [name]));
  });
}

function problemOf({ id, time, service, action, actor, outcome }: AuditEvent): string | undefined {
  if (typeof id !== "string" || id === "") return "no id";
  if (!Number.isFinite(time)) return "no time";
  if (service === "" || !/^[A-Z]\w*$/.test(action)) return `service ${service}, action ${action}`;
  return actor === undefined || outcome === undefined ? "no actor or no outcome" : undefined;
}

const readings = new Map<string, Reading>();

t.test("every sample file is read by a format, or listed as no input", {
  skip: samplesMissing,
}, async (t) => {
  const read = new Set(sampleFiles().map(({ name }) => name));
  const names = allSampleNames();
  const rest = names.filter((name) => !read.has(name))
    .filter((name) => !NO_INPUT.some(([pattern]) => pattern.test(name)));
  t.same(rest, []);
  for (const row of SAMPLE_ROWS) {
    t.ok(await formatOf(row), `${row.folder} is read by format ${row.format}`);
  }
});

t.test("well-formed samples are rejected nowhere, and each frame ends as something", {
  skip: samplesMissing,
}, async (t) => {
  for (const file of sampleFiles()) {
    const factory = await formatOf(file.row);
    if (factory === undefined) continue; // Said above.
    const frames = framesOf(file);
    const reading = readAll(factory, file.row, frames);
    readings.set(file.name, reading);
    const [bad, why] = BAD[file.name] ?? [0, "all of it is well-formed"];
    const reasons = reading.rejected.map(({ reason }) => reason);
    t.equal(
      reasons.length,
      bad,
      `${file.name}: ${why}${reasons.map((one) => `\n${one}`).join("")}`,
    );
    const lost = frames.filter((frame) => !isAccountedAlone(factory, file.row, frame))
      .concat(reading.silent.map((frame) => Buffer.from(frame)));
    t.same(lost.map(String), [], `${file.name}: no frame disappears`);
    const problems = reading.events.map(problemOf).filter((problem) => problem !== undefined);
    t.same(problems, [], `${file.name}: each event is whole`);
  }
  // The same on both runtimes: one table is enough.
  if ("Deno" in globalThis) return;
  t.comment("| samples | frames | actions | ignored | rejected |");
  for (const row of tabulate(readings)) t.comment(print(row));
});
