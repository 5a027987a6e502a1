// `cairn validate --deep`: asks this host whether a configuration can run here, without changing
// anything. What belongs to a component its factory asks; the rest stands in examine-host.ts and
// examine-queue.ts.

import { addressOf, checkClientTls } from "../../plugins/sdk/check-client.ts";
import { checkListening, checkResolves } from "../../plugins/sdk/check-listen.ts";
import type { CheckContext, Finding } from "../../plugins/sdk/index.ts";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { askControl } from "./ask-control.ts";
import { dataDirAt } from "./data-dir.ts";
import { examineHost } from "./examine-host.ts";
import { examineQueues } from "./examine-queue.ts";

// A name server that is gone takes this long to be given up by the system's own resolver.
const CHECK_MS = 15_000;
const ANSWER_MS = 2000;

/** What examine() may be told. */
export interface ExamineOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Of the program. */
  readonly version: string;
  /** How long one component's check may take. */
  readonly checkMs?: number;
}

/** Everything that was found, with whole paths: `receivers.syslog.endpoint`. Never rejects. */
export async function examine(
  config: ResolvedConfig,
  { clock, version, checkMs = CHECK_MS }: ExamineOptions,
): Promise<readonly Finding[]> {
  const agentRuns = await isRunning(config.dataDir);
  const agent = { ...config.agent, version };
  const findings: Finding[] = [];
  const host = bounded("agent", checkMs, () => examineHost(config, clock(), agentRuns));
  const queues = bounded("service.pipelines", checkMs, () => examineQueues(config, clock()));
  const telemetry = bounded(
    "service.telemetry",
    checkMs,
    (signal) => examineTelemetry(config, { clock, signal, agentRuns, agent }),
  );
  findings.push(...await host, ...await queues, ...await telemetry);
  const sections = ["receivers", "processors", "exporters", "extensions"] as const;
  const components = sections.flatMap((section) =>
    [...config[section].values()].map(({ id, factory, config: options }) => {
      const path = `${section}.${id}`;
      return bounded(path, checkMs, async (signal) => {
        const found = await factory.check?.(options, { clock, signal, agentRuns, agent }) ?? [];
        return found.map((one) => ({ ...one, path: below(path, one.path) }));
      });
    })
  );
  return [...findings, ...(await Promise.all(components)).flat()];
}

/** Where metrics are read, and where they, spans and the log are sent to. */
async function examineTelemetry(
  { metrics, traces, logs }: ResolvedConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const at = "service.telemetry";
  const endpoint = metrics?.endpoint;
  const targets = Object.entries({ metrics, traces, logs });
  const findings = await Promise.all([
    endpoint === undefined ? [] : checkListening({ endpoint }, context, `${at}.metrics.`),
    ...targets.map(([name, { otlp } = {}]) =>
      otlp === undefined ? [] : examineTarget(otlp, `${at}.${name}.otlp`, context)
    ),
  ]);
  return findings.flat();
}

/** The receiver's name, and the files that TLS needs. */
async function examineTarget(
  { endpoint, tls }: OtlpTarget,
  at: string,
  { clock }: CheckContext,
): Promise<readonly Finding[]> {
  const findings = await Promise.all([
    checkResolves(addressOf(endpoint).host, `${at}.endpoint`),
    checkClientTls(tls, `${at}.tls`, clock()),
  ]);
  return findings.flat();
}

function below(path: string, option: string): string {
  return option === "" ? path : `${path}.${option}`;
}

async function isRunning(dataDir: string): Promise<boolean> {
  try {
    await askControl(dataDirAt(dataDir).socket, "/status", { answerMs: ANSWER_MS });
    return true;
  } catch {
    return false;
  }
}

/** What a check finds; one that fails or does not end is a finding of its own. */
async function bounded(
  path: string,
  ms: number,
  check: (signal: AbortSignal) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Finding[]>((done) => {
    timer = setTimeout(() => {
      done([{ level: "warning", path, message: `Check did not end within ${ms / 1000} s` }]);
      abort.abort();
    }, ms);
  });
  try {
    return await Promise.race([check(abort.signal), late]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ level: "warning", path, message: `Cannot be checked: ${reason}` }];
  } finally {
    clearTimeout(timer);
  }
}
