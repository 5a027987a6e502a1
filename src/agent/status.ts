// The status of an agent: one document, which the control socket serves as JSON and `cairn status`
// shows to people.

import { counted, readableSize } from "../../plugins/sdk/wording.ts";
import type { LetterCounts } from "../pipeline/dead-letters.ts";
import type { ExporterStatus, PipelineStatus } from "../pipeline/pipeline.ts";
import type { ComponentStatus } from "./host.ts";
import { type ReloadReport, summarizeReload } from "./reload-report.ts";

/** How an agent is doing. Times are in milliseconds since the epoch. */
export interface AgentStatus {
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly host: string;
  readonly dataDir: string;
  readonly state: "starting" | "running" | "stopping";
  readonly startedAt: number;
  /** SHA-256 of the configuration that runs, as `cairn print-config` prints it. */
  readonly configuration?: string;
  /** The last reload. */
  readonly reload?: ReloadReport;
  readonly components: readonly ComponentStatus[];
  readonly pipelines: readonly PipelineStatus[];
}

/** The status for people: about a line for each component and each side of the books. */
export function formatStatus(status: AgentStatus): string {
  const { version, runtime, pid, host, dataDir, state, startedAt, reload } = status;
  const lines = [
    `cairn ${version} on ${host} (${runtime}, process ${pid}): ${state} since ${time(startedAt)}`,
    `data_dir ${dataDir}`,
    ...(reload === undefined ? [] : [`${time(reload.at)} ${summarizeReload(reload)}`]),
    "",
    ...status.components.flatMap(componentLines),
    ...status.pipelines.flatMap((pipeline) => ["", ...pipelineLines(pipeline)]),
  ];
  return `${lines.join("\n")}\n`;
}

function componentLines(component: ComponentStatus): readonly string[] {
  const { kind, id, pipeline, state, reason, since, ignored = {} } = component;
  const name = `${kind} ${id}${pipeline === undefined ? "" : ` (${pipeline})`}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  return [
    `${name.padEnd(32)} ${state} since ${time(since)}${why}`,
    ...Object.entries(ignored).map(([what, count]) => `  left out ${count}: ${what}`),
  ];
}

function pipelineLines(pipeline: PipelineStatus): readonly string[] {
  const { name, counts, queue, letters } = pipeline;
  const { received, stored, filtered, duplicate, rejected } = counts;
  const blocked = queue.blocked ? ", receivers wait" : "";
  const state = pipeline.state === "running" ? "" : ` ${pipeline.state}: ${queue.problem}`;
  return [
    `pipeline ${name}${state}`,
    `  received ${received} = stored ${stored} + filtered ${filtered} + duplicate ${duplicate} ` +
    `+ rejected ${rejected}`,
    `  queue ${readableSize(queue.bytes)} in ${counted(queue.segments, "segment")}${blocked}; ` +
    `dead letters ${formatLetters(letters)}`,
    ...pipeline.exporters.map((exporter) => exporterLine(exporter, stored)),
  ];
}

/** The dead letters' books: how many there are, and where the others went. */
export function formatLetters({ kept, replayed, purged, dropped }: LetterCounts): string {
  const gone = Object.entries({ replayed, purged, dropped }).filter(([, count]) => count > 0);
  if (gone.length === 0) return String(kept);
  return `${kept} (${gone.map(([how, count]) => `${how} ${count}`).join(", ")})`;
}

function exporterLine(exporter: ExporterStatus, stored: number): string {
  const { id, delivered, deadLettered, excluded, lost, queued, lastError, retryInMs } = exporter;
  const retry = retryInMs === undefined ? "" : `; again in ${Math.ceil(retryInMs / 1000)} s`;
  const error = lastError === undefined ? "" : `\n    last error: ${lastError}${retry}`;
  return `  ${id}: stored ${stored} = delivered ${delivered} + queued ${queued} ` +
    `+ excluded ${excluded} + dead letters ${deadLettered} + lost ${lost}${error}`;
}

function time(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19) + "Z";
}
