// A small set of plugins for the tests of the configuration: one of each kind, nothing behind them.

import { z } from "zod";
import {
  type Component,
  type ComponentFactory,
  defineExporter,
  defineExtension,
  defineFormat,
  defineProcessor,
  defineReceiver,
  duration,
  NOTHING,
} from "../../plugins/sdk/index.ts";
import type { Factories } from "../../src/config/resolve.ts";

const idle: Component = { start: () => Promise.resolve(), stop: () => Promise.resolve() };

const auditd = defineReceiver({
  type: "auditd",
  stability: "stable",
  summary: "The audit log",
  config: z.strictObject({
    path: z.string().default("/var/log/audit/audit.log").describe("File to follow"),
    start_at: z.enum(["end", "beginning"]).default("end").describe("Where to begin"),
    wait: duration.default(2000).describe("How long an event waits"),
    port: z.int().optional(),
    on: z.boolean().default(true),
    match: z.union([z.string(), z.array(z.string())]).optional(),
  }),
  create: () => idle,
});

const file = defineReceiver({
  type: "file",
  stability: "beta",
  summary: "Files",
  config: z.strictObject({
    path: z.string(),
    format: z.string(),
    mapping: z.record(z.string(), z.unknown()).optional(),
    format_options: z.record(z.string(), z.unknown()).optional(),
  }),
  formats: ({ format, mapping }) => [
    { name: format, ...(mapping && { config: { mapping } }), under: "format_options" },
  ],
  create: () => idle,
});

const json = defineFormat({
  type: "json",
  stability: "stable",
  summary: "JSON lines",
  config: z.strictObject({
    mapping: z.strictObject({ action: z.string(), account: z.string().optional() }).optional(),
    max_depth: z.int().optional(),
  }),
  create: () => ({
    decode: () => NOTHING,
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});

const filter = defineProcessor({
  type: "filter",
  stability: "stable",
  summary: "Drops records",
  config: z.strictObject({}),
  create: () => ({ ...idle, process: (batch) => batch }),
});

const trail = defineExporter({
  type: "trail",
  stability: "stable",
  summary: "Log files",
  config: z.strictObject({
    directory: z.string().describe("Folder"),
    token: z.string().refine((text) => text.length < 4, { error: (i) => `Bad token ${i.input}` })
      .optional(),
  }),
  batch: { maxRecords: 7 },
  create: () => ({ ...idle, export: () => Promise.resolve() }),
});

const health = defineExtension({
  type: "health",
  stability: "stable",
  summary: "Health endpoint",
  config: z.strictObject({}),
  create: () => idle,
});

const all = [auditd, file, json, filter, trail, health] as readonly ComponentFactory[];

/** The plugins as a registry. */
export const factories: Factories = {
  load: (kind, type) =>
    Promise.resolve(all.find((factory) => factory.kind === kind && factory.type === type)),
  types: (kind) => all.filter((factory) => factory.kind === kind).map(({ type }) => type),
};
