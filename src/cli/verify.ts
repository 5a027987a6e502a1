// `cairn verify`: whether what was delivered to a folder or bucket is still there and unchanged, by
// the digests beside it. Needs no agent; each type of exporter that can looks at the place.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createRegistry } from "../agent/registry.ts";
import { NotFoundError } from "../agent/stores.ts";
import type {
  ExporterFactory,
  VerifyOptions,
  VerifyProblem,
  VerifyReport,
} from "../../plugins/sdk/index.ts";
import { VERSION } from "../version.ts";
import { type Arguments, type Command, type Shell, UsageError } from "./command.ts";
import { defaultDataDir } from "./configuration.ts";
import { chooseDataDir, DATA_DIR_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { escapeText } from "./printable.ts";

// Of more, JSON holds the first and how many there are.
const PROBLEMS_MAX = 10_000;

/** The command. */
export const verify: Command = {
  name: "verify",
  summary: "Check delivered files against their signed digests",
  words: "FOLDER | s3://BUCKET[/PREFIX]",
  description:
    "Reads the digests of a trail and every log file they list, and tells each that is missing,\n" +
    "changed, moved, out of order or listed by no digest. Stricter than `aws cloudtrail\n" +
    "validate-logs`: each digest is compared with what the next one says of it, and the newest\n" +
    "with what the agent itself remembers in its data_dir, where that is at hand. Public keys\n" +
    "come from there, from files, or from who answers ListPublicKeys. Writes nothing.\n" +
    "Ends with 1 where something is wrong, with 6 where there is nothing to verify, with 7 where\n" +
    "something could not be read.",
  options: {
    "public-key": {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "Public key of digests, PEM or PKCS#1 DER",
    },
    "public-keys-from": {
      type: "string",
      value: "URL",
      help: "Who answers ListPublicKeys: an endpoint, or aws for CloudTrail's own",
    },
    ...DATA_DIR_OPTIONS,
    "start-time": { type: "string", value: "TIME", help: "Only digests that end from then on" },
    "end-time": { type: "string", value: "TIME", help: "Only log files delivered until then" },
    bucket: { type: "string", value: "NAME", help: "The bucket's name, where a copy is looked at" },
    region: { type: "string", value: "REGION", help: "The bucket's region" },
    endpoint: { type: "string", value: "URL", help: "A store that is not AWS's own" },
    profile: { type: "string", value: "NAME", help: "Profile whose AWS credentials are used" },
    json: { type: "boolean", help: "Print the report as JSON" },
  },
  async run(args, shell) {
    const [place, ...more] = args.words;
    if (place === undefined || more.length > 0) {
      throw new UsageError("Name one place: a folder, or s3://BUCKET/PREFIX");
    }
    const dataDir = await recordPlace(args, shell);
    if (typeof dataDir === "number") return dataDir;
    const isJson = args.flags.has("json");
    const told: VerifyProblem[] = [];
    let problems = 0;
    const onProblem = (problem: VerifyProblem) => {
      problems++;
      if (!isJson) {
        // Paths and reasons come from digests, which anybody may have written.
        const text = `${problem.kind.padEnd(13)}${problem.path}: ${problem.problem}`;
        shell.out.write(`${oneLine(text)}\n`);
      } else if (told.length < PROBLEMS_MAX) told.push(problem);
    };
    const options = { ...verifyOptions(args, shell.env), ...dataDir, onProblem };
    const isFolder = !place.startsWith("s3://");
    if (isFolder && !(await stat(place).catch(() => undefined))?.isDirectory()) {
      throw new NotFoundError(`Cannot verify "${place}": there is no such folder`);
    }
    if (!isFolder && !/^s3:\/\/[^/]/.test(place)) {
      throw new UsageError(`Cannot verify "${place}": name a bucket, s3://BUCKET/PREFIX`);
    }
    const reports = await verifyPlace(isFolder ? resolve(place) : place, options)
      .catch((error) => {
        throw unreadable(error);
      });
    if (reports.length === 0) throw new NotFoundError(`There is nothing to verify at "${place}"`);
    const counts = Object.assign({}, ...reports.map(({ counts }) => counts));
    const notes = reports.flatMap(({ notes }) => notes);
    if (isJson) {
      const report = {
        valid: problems === 0,
        problems: told,
        problemCount: problems,
        counts,
        notes,
      };
      shell.out.write(`${JSON.stringify(report, null, 2)}\n`);
    } else shell.out.write(formatCounts(counts, notes));
    return problems === 0 ? EXIT.ok : EXIT.failure;
  },
};

/** The reports of all exporters that know what lies there. */
async function verifyPlace(
  place: string,
  options: VerifyOptions,
): Promise<readonly VerifyReport[]> {
  const registry = createRegistry();
  const reports: VerifyReport[] = [];
  for (const type of registry.types("exporter")) {
    const factory = await registry.load("exporter", type) as ExporterFactory | undefined;
    const report = await factory?.verify?.(place, options);
    if (report !== undefined) reports.push(report);
  }
  return reports;
}

/** The data_dir that is asked for; this host's own where there is one. */
async function recordPlace(
  args: Arguments,
  shell: Shell,
): Promise<Pick<VerifyOptions, "dataDir" | "ownDataDir"> | number> {
  if (args.values["data-dir"] === undefined && args.values.config === undefined) {
    return { ownDataDir: await defaultDataDir(shell.env) };
  }
  const chosen = await chooseDataDir(args, shell);
  return typeof chosen === "number" ? chosen : { dataDir: chosen.dataDir.path };
}

function verifyOptions(
  { values }: Arguments,
  env: Shell["env"],
): Omit<VerifyOptions, "onProblem"> {
  const first = (name: string) => values[name]?.[0];
  return {
    publicKeyFiles: values["public-key"] ?? [],
    publicKeysFrom: first("public-keys-from"),
    from: parseTime("start-time", first("start-time")),
    to: parseTime("end-time", first("end-time")),
    bucket: first("bucket"),
    // As AWS's own tools find them.
    region: first("region") ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION,
    endpoint: first("endpoint") ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL,
    profile: first("profile"),
    clock: Date.now,
    version: VERSION,
    signal: new AbortController().signal,
  };
}

function oneLine(text: string): string {
  return escapeText(text).replaceAll("\n", "\\n");
}

/** An exit code of its own: who cannot read says nothing about what was delivered. */
function unreadable(error: unknown): unknown {
  const isKnown = error instanceof Error && "code" in error &&
    String(error.code).startsWith("CAIRN_");
  if (isKnown) return error;
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(`Cannot verify all: ${message}`, { cause: error }), {
    code: "CAIRN_UNREADABLE",
  });
}

function parseTime(option: string, text: string | undefined): number | undefined {
  const time = text === undefined ? undefined : Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new UsageError(`Cannot read --${option} "${text}": write it like 2026-01-31T12:00:00Z`);
}

function formatCounts(counts: VerifyReport["counts"], notes: readonly string[]): string {
  const lines = Object.entries(counts).map(([what, { checked, invalid }]) =>
    `${checked} ${what}, ${invalid === 0 ? "none" : invalid} of them invalid`
  );
  return [...lines, ...notes.map((note) => `note: ${oneLine(note)}`), ""].join("\n");
}
