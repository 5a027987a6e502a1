// The machine's own limits, measured in the same run as the agent: what one record costs in the
// steps that nobody can avoid, and what one fdatasync takes. One thread, microseconds of CPU.

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import process from "node:process";
import { sampleRecord } from "./sample-data.ts";

/** One measured step. */
export interface Step {
  readonly name: string;
  readonly value: number;
  readonly unit: "µs CPU/record" | "µs";
}

const RECORDS = 20_000;
const SYNCS = 300;

function cpuPerRecord(work: () => void): number {
  work();
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / RECORDS;
}

/** Measures JSON.parse, stringify, gzip and fdatasync on this machine, now. */
export function measureMachine(): Step[] {
  const records = Array.from({ length: RECORDS }, (_, index) => sampleRecord(index));
  const lines = records.map((record) => Buffer.from(JSON.stringify(record)));
  const joined = Buffer.concat(lines);
  const steps: Step[] = [
    {
      name: "JSON.parse",
      value: cpuPerRecord(() => lines.forEach((line) => JSON.parse(line.toString()))),
      unit: "µs CPU/record",
    },
    {
      name: "JSON.stringify + Buffer.from",
      value: cpuPerRecord(() => records.forEach((one) => Buffer.from(JSON.stringify(one)))),
      unit: "µs CPU/record",
    },
    {
      name: "gzip level 6",
      value: cpuPerRecord(() => gzipSync(joined, { level: 6 })),
      unit: "µs CPU/record",
    },
  ];
  return [...steps, ...measureSync(joined.subarray(0, 65_536))];
}

function measureSync(block: Uint8Array): Step[] {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  const file = openSync(join(folder, "sync"), "w");
  const times: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    const begin = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    times.push((performance.now() - begin) * 1000);
  }
  closeSync(file);
  rmSync(folder, { recursive: true });
  return [
    { name: "append 64 KiB + fdatasync p50", value: percentile(times, 0.5), unit: "µs" },
    { name: "append 64 KiB + fdatasync p99", value: percentile(times, 0.99), unit: "µs" },
  ];
}

/** The value below which the share `p` of the numbers lies. */
export function percentile(numbers: readonly number[], p: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}
