// Whole-process benchmark: the agent as users run it, reading real-shaped input to its end, beside
// the machine's own limits in the same run. It prints figures and asserts nothing.
//
//   npm run bench                       one million records on both runtimes
//   npm run bench -- --records 200000 --runtime node --only jsonl-trail
//   npm run bench -- --records 300000 --only exporters

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import process from "node:process";
import { measureAcknowledge } from "./acknowledge.ts";
import { measureConsole } from "./console.ts";
import { measureExporters } from "./exporters.ts";
import { measureFormats } from "./formats.ts";
import { measureHistory } from "./history.ts";
import { measureMachine } from "./machine.ts";
import { measurePutAuditEvents } from "./put-audit-events.ts";
import { measureIdle, type Run, runOnce, type RuntimeName } from "./process.ts";
import { writeAuditLog, writeJsonLines, writeLogFiles } from "./sample-data.ts";

interface Path {
  readonly name: string;
  /** Writes the input; answers the receiver's part of the configuration. */
  input(folder: string, records: number): Promise<string>;
  /** The exporter's part of the configuration. */
  output(folder: string): string;
}

const trail = (folder: string) => `trail: { name: bench, directory: ${folder}/trail }`;
const file = (folder: string) => `file: { path: ${folder}/out.jsonl }`;

const PATHS: readonly Path[] = [
  {
    name: "logfiles-trail",
    input: async (folder, records) =>
      `cloudtrail: { path: ${await writeLogFiles(folder, records)} }`,
    output: trail,
  },
  {
    name: "jsonl-trail",
    input: async (folder, records) =>
      `file: { path: ${await writeJsonLines(folder, records)}, format: cloudtrail }`,
    output: trail,
  },
  {
    name: "jsonl-file",
    input: async (folder, records) =>
      `file: { path: ${await writeJsonLines(folder, records)}, format: cloudtrail }`,
    output: file,
  },
  {
    name: "audit-trail",
    input: async (folder, records) => `auditd: { path: ${await writeAuditLog(folder, records)} }`,
    output: trail,
  },
];

function configuration(receiver: string, exporter: string, dataDir: string): string {
  const id = (part: string) => part.slice(0, part.indexOf(":"));
  return [
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${dataDir} }`,
    `receivers: { ${receiver} }`,
    `exporters: { ${exporter} }`,
    `service: { pipelines: { bench: { receivers: [${id(receiver)}], exporters: [${
      id(exporter)
    }] } } }`,
  ].join("\n");
}

function print(name: string, runtime: RuntimeName, records: number, run: Run): void {
  console.log(
    [
      name.padEnd(15),
      runtime,
      `${Math.round(records / run.wallSeconds).toLocaleString("en")} records/s`.padStart(18),
      `${((run.cpuSeconds * 1e6) / records).toFixed(1)} µs CPU/record`.padStart(20),
      `peak ${(run.peakRssBytes / 2 ** 20).toFixed(0)} MiB`.padStart(13),
    ].join("  "),
  );
}

async function measurePath(path: Path, runtimes: readonly RuntimeName[], records: number) {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  try {
    const receiver = await path.input(folder, records);
    for (const runtime of runtimes) {
      const out = join(folder, runtime);
      mkdirSync(out);
      const config = configuration(receiver, path.output(out), join(out, "data"));
      print(path.name, runtime, records, await runOnce(runtime, config, out));
      rmSync(out, { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    runtime: { type: "string", multiple: true, default: ["node", "deno"] },
    only: { type: "string", multiple: true },
  },
});
const records = Number(values.records);
const runtimes = values.runtime as RuntimeName[];

console.log("The machine itself, one thread:");
for (const { name, value, unit } of measureMachine()) {
  console.log(`  ${name.padEnd(30)} ${value.toFixed(1).padStart(8)} ${unit}`);
}
console.log(`\nThe agent, ${records.toLocaleString("en")} records:`);
for (const path of PATHS) {
  if (values.only !== undefined && !values.only.includes(path.name)) continue;
  await measurePath(path, runtimes, records);
}
if (values.only === undefined || values.only.includes("formats")) {
  console.log("\nThe formats, over real samples:");
  for await (const line of measureFormats()) console.log(line);
}
if (values.only?.includes("exporters")) {
  console.log("\nThe exporters, beyond one that does nothing:");
  for await (const line of measureExporters(runtimes, records)) console.log(line);
}
if (values.only === undefined || values.only.includes("put-audit-events")) {
  console.log("\nPutAuditEvents, signed and durable, sixteen senders:");
  for (const runtime of runtimes) {
    for await (const line of measurePutAuditEvents(runtime)) console.log(line);
  }
}
if (values.only === undefined || values.only.includes("acknowledge")) {
  for (const line of await measureAcknowledge()) console.log(line);
}
if (values.only === undefined || values.only.includes("history")) {
  console.log("\nThe event history, on this runtime:");
  await measureHistory(records);
}
if (values.only?.includes("console")) {
  console.log("\nThe console, in a browser:");
  for (const runtime of runtimes) await measureConsole(runtime, records);
}
if (values.only === undefined || values.only.includes("idle")) {
  for (const runtime of runtimes) {
    const idle = await measureIdle(runtime);
    console.log(
      `idle            ${runtime}  ready after ${idle.readyMs.toFixed(0)} ms, ` +
        `${(idle.rssBytes / 2 ** 20).toFixed(0)} MiB, ${idle.cpuPercent.toFixed(2)} % CPU`,
    );
  }
}
process.exit(0);
