// What a plugin is handed in a test: a context with a fixed identity and memory for state, and a
// host that remembers what was reported.

import { createNoopMeter, trace } from "@opentelemetry/api";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { constants, deflateRaw, gzip } from "node:zlib";
import { type AgentStatusService, agentStatusService } from "../agent-status.ts";
import type {
  AgentIdentity,
  ComponentContext,
  ComponentState,
  Host,
  Log,
  Runtime,
  StateStore,
} from "../component.ts";
import { nodeDatagrams } from "../datagrams.ts";
import type { Json } from "../json.ts";
import type { ServiceKind } from "../service.ts";

/** The agent that test contexts belong to. */
export const testAgent: AgentIdentity = {
  accountId: "111122223333",
  region: "eu-central-1",
  partition: "cairn",
  domain: "host.internal",
  host: "web-01",
  version: "0.0.0",
};

/** A log line that a plugin wrote. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

/** A context whose log lines can be read back. */
export interface TestContext extends ComponentContext {
  readonly lines: readonly LogLine[];
  /** What was left out on purpose, by reason. */
  readonly ignoredCounts: Readonly<Record<string, number>>;
}

/** Makes a context; any member can be given instead of the default. */
export function testContext(members: Partial<ComponentContext> = {}): TestContext {
  const lines: LogLine[] = [];
  const ignoredCounts: Record<string, number> = {};
  const write = (level: LogLine["level"]) => (message: string) => {
    lines.push({ level, message });
  };
  const log: Log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  return {
    id: "test",
    log,
    meter: createNoopMeter(),
    tracer: trace.getTracer("test"),
    clock: Date.now,
    state: memoryState(),
    // Nobody has made it, and only who uses it makes it: a test of those names one it removes.
    directory: join(tmpdir(), `cairn-component-${process.pid}-${performance.now()}`),
    agent: testAgent,
    runtime: testRuntime,
    once: false,
    ignored: (reason, count = 1) => {
      ignoredCounts[reason] = (ignoredCounts[reason] ?? 0) + count;
    },
    format: (name) => {
      throw new Error(`Cannot make format "${name}": the test context was given none`);
    },
    ...members,
    lines,
    ignoredCounts,
  };
}

/** State that lasts as long as the object: pass the same one to the next context to restart. */
export function memoryState(): StateStore {
  const texts = new Map<string, string>();
  return {
    get: (key) => {
      const text = texts.get(key);
      return text === undefined ? undefined : JSON.parse(text) as Json;
    },
    set: async (key, value) => {
      if (value === undefined) texts.delete(key);
      else texts.set(key, JSON.stringify(value));
    },
  };
}

const compress = promisify(gzip);
const compressPiece = promisify(deflateRaw);

/** A runtime with everything that the context promises. */
export const testRuntime: Runtime = {
  name: process.versions.deno === undefined ? "node" : "deno",
  gzip: (chunks, level) => compress(Buffer.concat(chunks), { level: level ?? 6 }),
  deflate: (piece, level) => compressPiece(piece, { level, finishFlush: constants.Z_SYNC_FLUSH }),
  // Good for some messages at a time; on Deno the agent itself has a better one.
  datagrams: nodeDatagrams,
};

/** What a component said about itself. */
export interface Report {
  readonly state: ComponentState;
  readonly reason: string | undefined;
}

/** A host that remembers. */
export interface TestHost extends Host {
  readonly reports: readonly Report[];
}

/** Makes a host of an agent that runs, without components. */
export function testHost(): TestHost {
  const reports: Report[] = [];
  const agent: AgentStatusService = {
    status: () => ({ state: "running", components: [], pipelines: [] }),
  };
  const services: { kind: unknown; service: unknown }[] = [
    { kind: agentStatusService, service: agent },
  ];
  return {
    reports,
    provide: (kind, service) => {
      services.push({ kind, service });
    },
    find: <S>(kind: ServiceKind<S>) =>
      services.filter((offer) => offer.kind === kind).map((offer) => offer.service as S),
    report: (state, reason) => {
      reports.push({ state, reason });
    },
  };
}
