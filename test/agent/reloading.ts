// An agent whose configuration a test writes as plain objects, and reloads: parts that do as they are
// told and note what happens to them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { z } from "zod";
import {
  type Component,
  type ComponentContext,
  defineExporter,
  defineExtension,
  defineProcessor,
  defineReceiver,
  type ExportBatch,
  type Host,
  type Intake,
} from "../../plugins/sdk/index.ts";
import { createAgent } from "../../src/agent/agent.ts";
import type { ReadAgain } from "../../src/agent/reloader.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../../src/config/resolved.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { event, recordingLogs } from "./plugins.ts";

const runtime = await detectRuntime();
const schema = { stability: "stable", summary: "Test", config: z.any() } as const;

/** What a component is told by its options: how it behaves. */
export interface Options {
  readonly create?: () => void;
  readonly start?: (host: Host, context: ComponentContext) => void | Promise<void>;
  readonly stop?: () => void | Promise<void>;
  readonly export?: (batch: ExportBatch) => void | Promise<void>;
}

/** One world: factories that write into one diary, and what they handed out. */
export function world() {
  const diary: string[] = [];
  const intakes = new Map<string, Intake>();
  const exported: { exporter: string; name: string; user: string }[] = [];
  let incarnation = 0;
  const part = (options: Options, context: ComponentContext): Component => {
    options.create?.();
    const name = `${context.id}#${++incarnation}`;
    return {
      async start(host) {
        diary.push(`start ${context.id}`);
        await options.start?.(host, context);
      },
      async stop() {
        diary.push(`stop ${context.id}`);
        await options.stop?.();
      },
      ...{ name },
    };
  };
  const receiver = defineReceiver({
    ...schema,
    type: "in",
    create: (options: Options, context, intake) => {
      const made = part(options, context);
      return {
        ...made,
        start: async (host) => {
          await made.start(host);
          intakes.set(context.id, intake);
        },
      };
    },
  });
  const exporter = defineExporter({
    ...schema,
    type: "out",
    create: (options: Options, context) => ({
      ...part(options, context),
      async export(batch) {
        await options.export?.(batch);
        for (const { record } of batch.records) {
          const user = record.userIdentity?.userName ?? "";
          exported.push({ exporter: context.id, name: String(record.eventName), user });
        }
      },
    }),
  });
  const processor = defineProcessor({
    ...schema,
    type: "mark",
    create: (options: Options & { as?: string }, context) => ({
      ...part(options, context),
      process: (batch) =>
        batch.map((record) => ({
          ...record,
          userIdentity: { ...record.userIdentity, userName: options.as ?? "marked" },
        })),
    }),
  });
  const extension = defineExtension({ ...schema, type: "side", create: part });
  return { diary, intakes, exported, factories: { receiver, exporter, processor, extension } };
}

type World = ReturnType<typeof world>;
/** Options by id. */
export type Written = Readonly<Record<string, Options & { readonly as?: string }>>;

/** What an operator would write: options by id, pipelines by name. */
export interface Text {
  readonly receivers: Written;
  readonly exporters: Written;
  readonly processors?: Written;
  readonly extensions?: Written;
  readonly pipelines: Readonly<Record<string, Partial<ResolvedPipeline>>>;
  readonly over?: Partial<ResolvedConfig>;
}

const digests = new WeakMap<object, string>();
/** The same options object is the same text. */
function digestOf(options: object): string {
  const known = digests.get(options) ?? `digest ${Math.random()}`;
  digests.set(options, known);
  return known;
}

export function resolved(dataDir: string, { factories }: World, text: Text): ResolvedConfig {
  const map = <F>(written: Written = {}, factory: F) =>
    new Map(
      Object.entries(written).map(([id, config]) => [
        id,
        { id, factory, config, digest: digestOf(config) },
      ]),
    );
  const deliver = {
    selectors: () => true,
    batch: { maxRecords: 100, maxBytes: 2 ** 20, maxAgeMs: 5 },
    retry: { initialMs: 5, maxMs: 10, multiplier: 2, jitter: 0 },
    timeoutMs: 1000,
  };
  return {
    agent: {
      accountId: "000000000000",
      region: "local",
      partition: "cairn",
      domain: "host.internal",
      host: "box",
    },
    dataDir,
    receivers: map(text.receivers, factories.receiver),
    processors: map(text.processors, factories.processor),
    exporters: new Map(
      [...map(text.exporters, factories.exporter)].map(([id, part]) => [id, {
        ...part,
        ...deliver,
      }]),
    ),
    extensions: map(text.extensions, factories.extension),
    formats: new Map(),
    pipelines: Object.entries(text.pipelines).map(([name, parts]) => ({
      name,
      receivers: Object.keys(text.receivers),
      processors: Object.keys(text.processors ?? {}),
      exporters: Object.keys(text.exporters),
      queue: { bytesMax: 2 ** 24, freeDiskBytesMin: 0, overflow: "block" },
      ...parts,
    })),
    stopTimeoutMs: 300,
    selfAudit: false,
    logs: { level: "debug" },
    ...text.over,
  };
}

/** An agent that runs a text, and reads what `write` says next. */
export async function running(t: Test, text: Text, clock = Date.now) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-reload-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const made = world();
  const { logs, lines } = recordingLogs();
  const none = { problems: [], warnings: [] };
  const next: { read: () => Promise<ReadAgain>; reads: number } = {
    read: () => Promise.resolve({ ...none, config: resolved(dataDir, made, text) }),
    reads: 0,
  };
  const agent = createAgent(resolved(dataDir, made, text), {
    version: "0.0.0",
    logs,
    runtime,
    clock,
    read: () => {
      next.reads++;
      return next.read();
    },
  });
  t.teardown(() => agent.stop(AbortSignal.timeout(2000)));
  await agent.start();
  const reload = async (text: Text) => {
    made.diary.length = 0;
    next.read = () => Promise.resolve({ ...none, config: resolved(dataDir, made, text) });
    return await agent.reload("command");
  };
  let count = 0;
  const send = async (id = "in", events = 1) => {
    const batch = Array.from({ length: events }, () => event(`${++count}`));
    await made.intakes.get(id)!.events(batch, { position: { at: count } });
  };
  return { ...made, agent, reload, send, next, lines, dataDir };
}

/** Checks the books of every pipeline: both sides balance (P7). */
export function checkBooks(t: Test, agent: { status: ReturnType<typeof createAgent>["status"] }) {
  for (const { name, counts, exporters } of agent.status().pipelines) {
    const { received, filtered, duplicate, rejected, stored } = counts;
    t.equal(received, filtered + duplicate + rejected + stored, `way into ${name} balances`);
    for (const { id, delivered, deadLettered, excluded, lost, queued } of exporters) {
      t.equal(stored, delivered + deadLettered + excluded + lost + queued, `way to ${id} balances`);
    }
  }
}
