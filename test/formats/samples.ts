// Which format reads which of the sample files: the one table behind the samples' test, the fuzz
// test and the benchmark of formats. A new format gets its row here.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { loadBuiltIn } from "../../plugins/index.ts";
import type { FormatFactory } from "../../plugins/sdk/index.ts";
import { journald, otlpProtobuf } from "./received.ts";

/** What of a file is one frame: a line, an entry that an empty line ends, or all of it. */
export type Framing = "lines" | "entries" | "document";

/** Files of one kind, and what reads them. */
export interface SampleRow {
  /** A folder of samples. */
  readonly folder: string;
  /** Fits the paths of its files. */
  readonly files: RegExp;
  readonly framing: Framing;
  /** Name of a built-in format, or of one in received.ts. */
  readonly format: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Frames that are well-formed and say nothing, which may end as nothing. */
  readonly empty?: RegExp;
}

// A member of another name is to be passed over, and so this is a request of nothing.
const NO_LOG_RECORDS = /^(?![^]*"resourceLogs"[^]*"scopeLogs"[^]*"logRecords")/;

/** Every folder of the samples has a row here. */
export const SAMPLE_ROWS: readonly SampleRow[] = [
  {
    folder: "cloudtrail",
    files: /\.(jsonl|log)$|\/otrf-.*\.json$/,
    framing: "lines",
    format: "cloudtrail",
  },
  {
    folder: "cloudtrail",
    files: /\.json(\.gz)?$/,
    framing: "document",
    format: "cloudtrail",
    empty: /^\s*\{\s*"Records"\s*:\s*\[\s*\]\s*\}\s*$/,
  },
  { folder: "docker-events", files: /\.(log|golden)$/, framing: "lines", format: "docker" },
  { folder: "falco", files: /\.jsonl$/, framing: "lines", format: "falco" },
  { folder: "github-audit", files: /\.jsonl$/, framing: "lines", format: "github" },
  { folder: "gitlab-audit", files: /\.jsonl$/, framing: "lines", format: "gitlab" },
  {
    folder: "journald",
    files: /\.jsonl$|\/logfile_journald\.json$/,
    framing: "lines",
    format: "journald",
  },
  { folder: "journald", files: /\.json$/, framing: "document", format: "journald" },
  { folder: "journald", files: /\.export$/, framing: "entries", format: "journald" },
  { folder: "k8s-audit", files: /^k8s-audit\/falco-/, framing: "lines", format: "k8s_audit" },
  { folder: "k8s-audit", files: /\.json$/, framing: "document", format: "k8s_audit" },
  {
    folder: "linux-audit",
    files: /\.log$/,
    framing: "lines",
    format: "audit",
    // The end of an event that was handed out already.
    empty: /^(node=\S+ )?type=EOE /,
  },
  { folder: "minio", files: /\.jsonl$/, framing: "lines", format: "minio" },
  { folder: "osquery", files: /\.jsonl$/, framing: "lines", format: "osquery" },
  {
    folder: "otlp",
    files: /\.jsonl$/,
    framing: "lines",
    format: "otlp",
    empty: NO_LOG_RECORDS,
  },
  {
    folder: "otlp",
    files: /\.json$/,
    framing: "document",
    format: "otlp",
    empty: NO_LOG_RECORDS,
  },
  { folder: "otlp", files: /\.protobuf$/, framing: "document", format: "otlp_protobuf" },
  { folder: "pgaudit", files: /\.log$/, framing: "lines", format: "pgaudit" },
  { folder: "syslog", files: /\.(log|out|\d)$/, framing: "lines", format: "syslog" },
  { folder: "teleport", files: /\.(jsonl|log)$/, framing: "lines", format: "teleport" },
  { folder: "vault", files: /\.log$/, framing: "lines", format: "vault" },
];

/** Files that are no input of ours, and why. */
export const NO_INPUT: readonly (readonly [RegExp, string])[] = [
  [/(^|\/)(README\.md|SOURCES\.tsv)$|\.index\.tsv$/, "says where the samples are from"],
  [/\.assert$|^linux-audit\/.*\.golden$|\.yaml$|^syslog\/jc\/.*\.json$/, "expected of others"],
  [/^linux-audit\/.*\/laurel/, "LAUREL's own JSON"],
  [/^linux-audit\/otrf-/, "AUOMS's own audit events inside JSON of Log Analytics"],
];

/** A sample file of a row. */
export interface SampleFile {
  /** Below the samples' folder. */
  readonly name: string;
  readonly row: SampleRow;
}

/** Where the samples are: CAIRN_SAMPLES, or beside the project. */
export const SAMPLES = process.env.CAIRN_SAMPLES ??
  join(projectFolder(dirname(fileURLToPath(import.meta.url))), "../shared/samples");

/** Why tests over samples are skipped; false where there are samples. Throws in CI. */
export const samplesMissing = existsSync(SAMPLES) ? false : `no samples at ${SAMPLES}`;
if (samplesMissing && process.env.CI) throw new Error(`Cannot test: ${samplesMissing}`);

function projectFolder(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : projectFolder(resolve(folder, ".."));
}

/** Names of all files below the samples' folder, sorted. */
export function allSampleNames(): string[] {
  if (samplesMissing) return [];
  return readdirSync(SAMPLES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(SAMPLES.length + 1))
    .sort();
}

/** The sample files that rows name, with the row of each. */
export function sampleFiles(): SampleFile[] {
  return allSampleNames().flatMap((name) => {
    const row = SAMPLE_ROWS.find((row) =>
      name.startsWith(`${row.folder}/`) && row.files.test(name)
    );
    return row === undefined || NO_INPUT.some(([pattern]) => pattern.test(name))
      ? []
      : [{ name, row }];
  });
}

/** Formats that are no plugins. */
const RECEIVED: readonly FormatFactory[] = [journald, otlpProtobuf];

/** The factory of a row's format; undefined where the registry has none of that name. */
export async function formatOf({ format }: SampleRow): Promise<FormatFactory | undefined> {
  const received = RECEIVED.find(({ type }) => type === format);
  return received ?? await loadBuiltIn("format", format) as FormatFactory | undefined;
}

/** The frames of a sample file, each a Buffer of its own. */
export function framesOf({ name, row }: SampleFile): Buffer[] {
  const stored = readFileSync(join(SAMPLES, name));
  const bytes = name.endsWith(".gz") ? gunzipSync(stored) : stored;
  if (row.framing === "document") return [bytes];
  const text = bytes.toString("latin1");
  const frames = row.framing === "entries"
    ? text.split(/(?<=\n\n)/)
    : text.split("\n").map((line) => line.endsWith("\r") ? line.slice(0, -1) : line);
  return frames.filter((frame) => frame !== "").map((frame) => Buffer.from(frame, "latin1"));
}

/** All files that one format reads in one way. */
export interface SamplePool {
  /** The format's name, and how its frames are cut where that is not by lines. */
  readonly name: string;
  readonly row: SampleRow;
  /** The frames of each file. */
  readonly files: readonly (readonly Buffer[])[];
}

/** The frames of all sample files, by format and framing. */
export function samplePools(): SamplePool[] {
  const pools = new Map<string, { name: string; row: SampleRow; files: Buffer[][] }>();
  for (const file of sampleFiles()) {
    const { format, framing } = file.row;
    const name = framing === "lines" ? format : `${format} (${framing})`;
    const pool = pools.get(name) ?? { name, row: file.row, files: [] };
    pool.files.push(framesOf(file));
    pools.set(name, pool);
  }
  return [...pools.values()];
}
