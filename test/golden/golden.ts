// Golden tests run inside a test: files written into a folder, plugins made for the purpose beside the
// built-in ones, and what a terminal would have shown.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { z } from "zod";
import {
  type CloudTrailRecord,
  type ComponentFactory,
  defineFormat,
  defineProcessor,
  defineReceiver,
  NOTHING,
  type Processor,
} from "../../plugins/sdk/index.ts";
import { createRegistry } from "../../src/agent/registry.ts";
import { formatProblem } from "../../src/config/problem.ts";
import type { Factories } from "../../src/config/resolve.ts";
import { loadGolden, runGolden, updateGolden } from "../../src/golden/golden.ts";
import type { CaseResult } from "../../src/golden/report.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";

function processor(type: string, make: () => Pick<Processor, "process">): ComponentFactory {
  return defineProcessor({
    type,
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({}),
    create: () => ({ start: () => Promise.resolve(), stop: () => Promise.resolve(), ...make() }),
  });
}

const MADE: readonly ComponentFactory[] = [
  processor("no_reads", () => ({
    process: (batch) => batch.filter(({ readOnly }) => readOnly !== true),
  })),
  processor("stamp", () => {
    let count = 0;
    const stamp = (record: CloudTrailRecord) => ({ ...record, requestID: `r-${++count}` });
    return { process: (batch) => batch.map(stamp) };
  }),
  processor("thrower", () => ({
    process() {
      throw new Error("no mood");
    },
  })),
  processor("sleeper", () => ({ process: () => new Promise(() => {}) })),
  defineProcessor({
    type: "no_start",
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({}),
    create: () => ({
      start: () => Promise.reject(new Error("nobody home")),
      stop: () => Promise.resolve(),
      process: (batch) => batch,
    }),
  }),
  defineFormat({
    type: "thrower",
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({}),
    create: () => ({
      decode() {
        throw new TypeError("undefined is no function");
      },
      flush: () => NOTHING,
      oldestPending: () => undefined,
    }),
  }),
  defineFormat({
    type: "late_thrower",
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({}),
    create: () => ({
      decode: () => NOTHING,
      flush() {
        throw new TypeError("nothing held");
      },
      oldestPending: () => undefined,
    }),
  }),
  defineReceiver({
    type: "formatless",
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({}),
    create: () => ({ start: () => Promise.resolve(), stop: () => Promise.resolve() }),
  }),
];

/** The built-in plugins, and those made here. */
export function factories(): Factories {
  const registry = createRegistry();
  const made = (kind: string, type: string) =>
    MADE.find((factory) => factory.kind === kind && factory.type === type);
  return {
    load: (kind, type) => Promise.resolve(made(kind, type) ?? registry.load(kind, type)),
    types: (kind) => [
      ...registry.types(kind),
      ...MADE.filter((factory) => factory.kind === kind).map(({ type }) => type),
    ],
  };
}

/** What came of some files. */
export interface Ran {
  readonly results: readonly CaseResult[];
  /** Each case's failures, one text each. */
  readonly failures: readonly (readonly string[])[];
  readonly problems: readonly string[];
}

/** How they are run. */
export interface RunOptions {
  readonly update?: boolean;
  readonly config?: readonly string[];
  readonly set?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs files of golden tests. */
export async function runFiles(paths: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { update = false, config = [], set = [], env = {} } = options;
  const given = { factories: factories(), config, set, env, update };
  const { files, problems } = await loadGolden(paths, given);
  const runtime = await detectRuntime();
  const results: CaseResult[] = [];
  for (const file of problems.length > 0 ? [] : files) {
    const ran = [];
    for await (const each of runGolden(file, runtime)) {
      ran.push(each);
      results.push(each.result);
    }
    if (update) await updateGolden(file.name, ran);
  }
  return {
    results,
    failures: results.map(({ failures }) =>
      failures.map(({ path, expected, got }) => `${path}: ${expected} / ${got}`)
    ),
    problems: problems.map(formatProblem),
  };
}

/** A folder that goes with the test. */
export function folder(t: Test, files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = mkdtempSync(join(tmpdir(), "cairn-golden-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** Runs one file, whose name is test.yaml. */
export async function runText(
  t: Test,
  text: string,
  options: RunOptions & { readonly files?: Readonly<Record<string, string | Uint8Array>> } = {},
): Promise<Ran & { readonly text: string; readonly folder: string }> {
  const path = folder(t, { ...options.files, "test.yaml": text });
  const file = join(path, "test.yaml");
  const ran = await runFiles([file], options);
  const problems = ran.problems.map((problem) => problem.replaceAll(`${path}/`, ""));
  return { ...ran, problems, text: readFileSync(file, "utf8"), folder: path };
}

/** A shop that writes JSON lines; processors as given. */
export function shop(...processors: readonly string[]): string {
  return `agent: { account_id: "111122223333", region: eu-central-1, host: shop-01 }
receivers:
  file/shop:
    path: /nowhere/*.jsonl
    format: json
    max_line_bytes: 1KiB
    mapping:
      id: $.id
      time: $.at
      service: { const: shop }
      action: $.action
      actor: { name: $.user }
      read_only: $.read
processors: { ${processors.map((id) => `${id}: {}`).join(", ")} }
exporters: { debug: {} }
service:
  pipelines:
    shop: { receivers: [file/shop], processors: [${processors.join(", ")}], exporters: [debug] }
`;
}

/** A line of the shop. */
export function line(id: string, action: string, more: Readonly<Record<string, unknown>> = {}) {
  return JSON.stringify({ id, at: "2026-03-04T05:06:07Z", action, user: "carol", ...more });
}
