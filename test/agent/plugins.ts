// Plugins for the agent's tests: they keep a diary of their lifecycle, and misbehave when told to.

import { z } from "zod";
import {
  type AuditEvent,
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
import type { ResolvedConfig } from "../../src/config/resolved.ts";
import { createLogs, type Logs } from "../../src/telemetry/logs.ts";

/** How a component behaves where it does not do as it should. */
export interface Behaviour {
  /** Called in its `start`. */
  readonly start?: (host: Host, context: ComponentContext) => void | Promise<void>;
  /** Called in its `stop`. */
  readonly stop?: (deadline: AbortSignal) => void | Promise<void>;
  readonly create?: () => void;
  readonly drain?: (intake: Intake) => Promise<void>;
}

/** What was written by whom. */
export interface Diary {
  readonly entries: string[];
  readonly exported: ExportBatch[];
}

/** An event with that id. */
export function event(id: string): AuditEvent {
  return {
    id,
    time: Date.UTC(2026, 0, 2),
    service: "sshd",
    action: "UserLogin",
    actor: { type: "user", name: "alice" },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
  };
}

function component(
  name: string,
  diary: Diary,
  behaviour: Behaviour,
  context: ComponentContext,
): Component {
  behaviour.create?.();
  return {
    async start(host) {
      diary.entries.push(`start ${name}`);
      await behaviour.start?.(host, context);
    },
    async stop(deadline) {
      diary.entries.push(`stop ${name}`);
      await behaviour.stop?.(deadline);
    },
  };
}

/** A configuration of one of each kind, all keeping the diary; by kind, how it behaves. */
export function testConfig(
  dataDir: string,
  diary: Diary,
  behaviours: Readonly<Record<string, Behaviour>> = {},
): ResolvedConfig {
  const about = { stability: "stable", summary: "Test", config: z.strictObject({}) } as const;
  const of = (kind: string) => behaviours[kind] ?? {};
  const receiver = defineReceiver({
    ...about,
    type: "source",
    create: (_, context, intake) => ({
      ...component("receiver", diary, of("receiver"), context),
      ...(of("receiver").drain && { drain: () => of("receiver").drain!(intake) }),
    }),
  });
  const processor = defineProcessor({
    ...about,
    type: "pass",
    create: (_, context) => ({
      ...component("processor", diary, of("processor"), context),
      process: (batch) => batch,
    }),
  });
  const exporter = defineExporter({
    ...about,
    type: "sink",
    create: (_, context) => ({
      ...component("exporter", diary, of("exporter"), context),
      export: (batch) => {
        diary.exported.push(batch);
        return Promise.resolve();
      },
    }),
  });
  const extension = defineExtension({
    ...about,
    type: "side",
    create: (_, context) => component("extension", diary, of("extension"), context),
  });
  return {
    agent: {
      accountId: "000000000000",
      region: "local",
      partition: "cairn",
      domain: "host.internal",
      host: "box",
    },
    dataDir,
    receivers: new Map([["source", { id: "source", factory: receiver, config: {} }]]),
    processors: new Map([["pass", { id: "pass", factory: processor, config: {} }]]),
    exporters: new Map([["sink", {
      id: "sink",
      factory: exporter,
      config: {},
      selectors: () => true,
      batch: { maxRecords: 10, maxBytes: 2 ** 20, maxAgeMs: 10 },
      retry: { initialMs: 5, maxMs: 10, multiplier: 2, jitter: 0 },
      timeoutMs: 1000,
    }]]),
    extensions: new Map([["side", { id: "side", factory: extension, config: {} }]]),
    formats: new Map(),
    pipelines: [{
      name: "audit",
      receivers: ["source"],
      processors: ["pass"],
      exporters: ["sink"],
      queue: { bytesMax: 2 ** 24, freeDiskBytesMin: 0, overflow: "block" },
    }],
    stopTimeoutMs: 2000,
    // What tests count is what they put in.
    selfAudit: false,
    logs: { level: "debug" },
  };
}

/** A log whose lines can be read. */
export function recordingLogs(): { readonly logs: Logs; readonly lines: () => readonly LogLine[] } {
  const texts: string[] = [];
  const stream = { write: (text: string) => texts.push(text) };
  const logs = createLogs({ level: "debug", stream, readable: false });
  return { logs, lines: () => texts.map((text) => JSON.parse(text) as LogLine) };
}

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly component: string;
  readonly message: string;
}
