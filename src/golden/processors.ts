// The processors of a pipeline for one case: made and started as the agent makes them, with state in
// memory and nobody to log to.

import { metrics, trace } from "@opentelemetry/api";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type {
  AgentIdentity,
  ComponentContext,
  Host,
  Json,
  Log,
  Processor,
  Runtime,
} from "../../plugins/sdk/index.ts";
import type { ResolvedConfig } from "../config/resolved.ts";

/** What processors are made with. */
export interface ProcessorOptions {
  readonly agent: AgentIdentity;
  readonly clock: () => number;
  readonly runtime: Runtime;
  readonly ignored: (reason: string, count?: number) => void;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

const HOST: Host = { provide() {}, find: () => [], report() {} };

/**
 * Makes and starts them, in order; each is in `started` before it is started, so that it can be
 * stopped whatever comes. Throws an error that names the one that cannot.
 */
export async function startProcessors(
  config: ResolvedConfig,
  ids: readonly string[],
  options: ProcessorOptions,
  started: Processor[],
): Promise<void> {
  for (const id of ids) {
    const { factory, config: own } = config.processors.get(id)!;
    try {
      const processor = factory.create(own, context(id, options));
      started.push(processor);
      await processor.start(HOST);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot start processor "${id}": ${reason}`, { cause: error });
    }
  }
}

/** Stops them; one that cannot stop is left behind. */
export async function stopProcessors(processors: readonly Processor[]): Promise<void> {
  const deadline = AbortSignal.abort(new Error("Stopped"));
  await Promise.allSettled(processors.map(async (processor) => await processor.stop(deadline)));
}

function context(id: string, options: ProcessorOptions): ComponentContext {
  const state = new Map<string, Json>();
  return {
    ...options,
    id,
    log: SILENT,
    meter: metrics.getMeter("cairn"),
    tracer: trace.getTracer("cairn"),
    once: true,
    directory: join(tmpdir(), `cairn-test-${process.pid}-${encodeURIComponent(id)}`),
    state: {
      get: (key) => state.get(key),
      set(key, value) {
        if (value === undefined) state.delete(key);
        else state.set(key, value);
        return Promise.resolve();
      },
    },
    format(name) {
      throw new Error(`Cannot use format "${name}": processors have none`);
    },
  };
}
