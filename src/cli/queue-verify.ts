// `cairn queue verify`: reads every queue and dead-letter folder whole, and says what is wrong.

import { counted } from "../../plugins/sdk/wording.ts";
import {
  listStores,
  type QueueReport,
  type SegmentReport,
  type Store,
  verifyStore,
} from "../agent/stores.ts";
import type { DataDir } from "../agent/data-dir.ts";
import type { Arguments, Command } from "./command.ts";
import { chooseDataDir, chooseStores, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const queueVerify: Command = {
  name: "queue verify",
  summary: "Check every byte of queues and dead letters",
  description:
    "Reads every segment whole and tells, for each, what is torn (a write that a crash cut\n" +
    "short and nobody was promised), corrupt and in quarantine, and how far each cursor is.\n" +
    "Never writes; a running agent goes on. Ends with 1 where something is wrong.",
  options: { ...STORE_OPTIONS, json: { type: "boolean", help: "Print the report as JSON" } },
  async run(args, shell) {
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const reports = [];
    for (const store of await allStores(chosen.dataDir, args)) {
      const { pipeline, kind } = store;
      reports.push({ pipeline, kind, ...await verifyStore(chosen.dataDir, store) });
    }
    const text = args.flags.has("json")
      ? `${JSON.stringify(reports, null, 2)}\n`
      : reports.map((report) => formatReport(report, report)).join("\n");
    shell.out.write(text);
    return reports.some(({ problems }) => problems.length > 0) ? EXIT.failure : EXIT.ok;
  },
};

/** The queues asked for, and the dead letters of the same pipelines. */
export async function allStores(dataDir: DataDir, args: Arguments): Promise<readonly Store[]> {
  const queues = await chooseStores(dataDir, "queue", args);
  const names = new Set(queues.map(({ pipeline }) => pipeline));
  const letters = await listStores(dataDir, "dead letters");
  return [...queues, ...letters.filter(({ pipeline }) => names.has(pipeline))];
}

/** A report for people: a line for each segment, cursor and problem. */
export function formatReport(
  { pipeline, kind }: Pick<Store, "pipeline" | "kind">,
  report: QueueReport,
): string {
  const { owner, segments, cursors, quarantined, broken, problems, notes } = report;
  const state = problems.length === 0 ? "nothing wrong" : counted(problems.length, "problem");
  return [
    `${kind} of pipeline ${pipeline}: ${state}` +
    (owner === undefined ? "" : ` (open in process ${owner})`),
    ...segments.map(segmentLine),
    ...cursors.map(({ name, state, lag }) => {
      const place = state === undefined ? "place cannot be read" : `at ${state.position}`;
      return `  cursor ${name}: ${place}, ${lag} to go`;
    }),
    ...quarantined.map((path) => `  in quarantine: ${path}`),
    ...broken.map((path) => `  put aside: ${path}`),
    ...notes.map((note) => `  note: ${note}`),
    ...problems.map((problem) => `  PROBLEM: ${problem}`),
    "",
  ].join("\n");
}

function segmentLine(segment: SegmentReport): string {
  const { path, bytes, first, last, frames, records, header, corrupt, tornBytes } = segment;
  const range = last < first ? "empty" : `${first}-${last}`;
  const parts = [
    `  segment ${path}: ${range}, ${counted(records, "record")} in ${counted(frames, "frame")}, ` +
    counted(bytes, "byte"),
    ...(header === "whole" ? [] : [`header ${header}`]),
    ...(corrupt.length === 0 ? [] : [`corrupt in ${counted(corrupt.length, "place")}`]),
    ...(tornBytes === 0 ? [] : [`${counted(tornBytes, "byte")} torn`]),
  ];
  return parts.join(", ");
}
