// Orders for dead letters while no agent runs: this process opens one pipeline, under its locks, for as
// long as the order takes. Nothing is received or delivered; what is replayed waits in the queue.

import { createNoopMeter, trace } from "@opentelemetry/api";
import type { AgentIdentity, Processor } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { DeadLetters } from "../pipeline/dead-letters.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import type { HostRuntime } from "../runtime/runtime.ts";
import type { Logs } from "../telemetry/logs.ts";
import { ComponentSet } from "./component-set.ts";
import { asDataDirError, type DataDir, dataDirAt } from "./data-dir.ts";
import { startDeadline } from "./deadline.ts";
import { type DeadLetterDesk, openDesk } from "./dead-letter-orders.ts";
import { lockingFiles, NotFoundError, type Store } from "./stores.ts";

/** A desk that has to be given back. */
export interface OfflineDesk extends DeadLetterDesk {
  close(): Promise<void>;
}

/** What it needs besides the configuration. */
export interface OfflineOptions {
  readonly version: string;
  readonly logs: Logs;
  readonly runtime: HostRuntime;
}

// Nothing is appended to dead letters here, so the limit only has to be one.
const BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Opens one pipeline of a configuration. Throws DataDirError, also where another process has it
 * open, and NotFoundError where there is none of that name.
 */
export async function openOfflineDesk(
  config: ResolvedConfig,
  name: string,
  options: OfflineOptions,
): Promise<OfflineDesk> {
  const { version, logs, runtime } = options;
  const resolved = config.pipelines.find((each) => each.name === name);
  if (resolved === undefined) {
    throw new NotFoundError(`There is no pipeline "${name}" in the configuration`);
  }
  const dataDir = dataDirAt(config.dataDir);
  const agent: AgentIdentity = { ...config.agent, version };
  const clock = Date.now;
  const components = new ComponentSet({
    identity: agent,
    dataDir,
    logs,
    clock,
    runtime,
    once: false,
    meter: createNoopMeter,
    tracer: () => trace.getTracer("cairn"),
  });
  components.useFormats(config.formats);
  const processors: Processor[] = [];
  for (const id of resolved.processors) {
    const { factory, config: own } = config.processors.get(id)!;
    const create = (context: Parameters<typeof factory.create>[1]) => factory.create(own, context);
    processors.push(await components.make("processor", id, create, { pipeline: name }));
  }
  const pipeline = await Pipeline.open({
    name,
    directory: dataDir.queue(name),
    deadLettersDirectory: dataDir.deadLetters(name),
    queue: resolved.queue,
    agent,
    clock,
    log: logs.of(name),
    processors,
    exporters: resolved.exporters,
    files: await lockingFiles(),
  }).catch((error) => {
    throw asDataDirError(dataDir.path, error) ?? error;
  });
  const close = async () => {
    const { signal, cancel } = startDeadline(config.stopTimeoutMs);
    await pipeline.stop(signal).finally(cancel);
    for (const processor of processors) await components.stop(processor, signal);
  };
  try {
    for (const processor of processors) await components.start(processor);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...openDesk({ config: () => config, agent, pipelines: () => [pipeline] }), close };
}

/** Purges letters of a store, without a configuration. Throws DataDirError. */
export async function purgeStore(
  dataDir: DataDir,
  { directory, pipeline }: Store,
  runs: Parameters<DeadLetterDesk["purge"]>[1],
  logs: Logs,
): Promise<number> {
  const letters = await DeadLetters.open({
    directory,
    bytesMax: BYTES_MAX,
    freeDiskBytesMin: 0,
    // Whose letters they are is only written into new ones.
    agent: { accountId: "", region: "" },
    clock: Date.now,
    log: logs.of(pipeline),
    files: await lockingFiles(),
  }).catch((error) => {
    throw asDataDirError(dataDir.path, error) ?? error;
  });
  try {
    return await letters.exclusive(() => letters.remove(runs, "purged"));
  } finally {
    await letters.close();
  }
}
