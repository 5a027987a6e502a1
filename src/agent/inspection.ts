// What a running agent lets its operator look into through the control socket: live records at the
// stages of its pipelines (`cairn tap`), and what a support bundle holds of it.

import { hostname, loadavg, totalmem } from "node:os";
import process from "node:process";
import { z } from "zod";
import { redactedText } from "../pipeline/redacted-json.ts";
import { STAGES, type TapFilter, type Taps } from "../pipeline/taps.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { askControl, followControl } from "./ask-control.ts";
import { type ControlRoutes } from "./control.ts";
import type { DataDir } from "./data-dir.ts";

export { type Stage, STAGES, type TapFilter } from "../pipeline/taps.ts";
export { redactedJson, redactedText } from "../pipeline/redacted-json.ts";

/** Most that a tap shows in a second, whatever is asked for: some percent of a core. */
export const TAP_RATE_MAX = 1000;
// The OpenTelemetry library may have to be loaded first.
const ANSWER_MS = 20_000;

const tapFilter = z.strictObject({
  stages: z.array(z.enum(STAGES)).min(1).max(STAGES.length),
  pipeline: z.string().max(256).optional(),
  component: z.string().max(256).optional(),
  perSecond: z.number().int().min(1).max(TAP_RATE_MAX),
});

/** What an agent tells of itself for a bundle, without secrets. */
export interface AgentSupport {
  /** JSON lines of the log, oldest first. */
  readonly log: readonly string[];
  /** Prometheus text. */
  readonly metrics: string;
  readonly process: {
    readonly uptimeSeconds: number;
    readonly memory: Readonly<Record<string, number>>;
    readonly versions: Readonly<Record<string, string | undefined>>;
  };
}

/** What the routes look into. */
export interface InspectionParts {
  readonly taps: Taps;
  readonly telemetry: Telemetry;
  readonly logs: Logs;
  /** Texts of the configuration that are not to be shown. */
  readonly secrets: () => readonly string[];
}

/** How the agent is looked into. */
export function inspectionRoutes(parts: InspectionParts): ControlRoutes {
  const { taps, telemetry, logs, secrets } = parts;
  return {
    "POST /tap": (value, asking) => taps.open(tapFilter.parse(value), asking),
    "GET /support": async (): Promise<AgentSupport> => {
      const hidden = secrets();
      return {
        log: logs.recent().map((line) => redactedText(line, hidden)),
        metrics: redactedText(await telemetry.metricsText(), hidden),
        process: {
          uptimeSeconds: Math.round(process.uptime()),
          memory: { ...process.memoryUsage() },
          versions: { ...process.versions },
        },
      };
    },
  };
}

/** Live lines of JSON of a running agent, until it stops or `signal` aborts. */
export function openTap(
  { socket }: DataDir,
  filter: TapFilter,
  signal: AbortSignal,
): AsyncGenerator<string> {
  return followControl(socket, "/tap", filter, signal);
}

/** Asks a running agent. Throws AgentNotRunningError. */
export async function askSupport({ socket }: DataDir): Promise<AgentSupport> {
  return await askControl(socket, "/support", { answerMs: ANSWER_MS }) as AgentSupport;
}

/** Facts of this host that need no permission and tell nothing of its users. */
export function hostFacts(): Readonly<Record<string, unknown>> {
  return {
    hostname: attempt(hostname),
    platform: process.platform,
    arch: process.arch,
    loadAverage: attempt(loadavg),
    memoryBytes: attempt(totalmem),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** Under Deno each of them may be forbidden. */
function attempt<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
