// The parts of a support bundle, each gathered by itself: what cannot be had is said in its place and
// keeps no other part back.

import { secretsOf } from "../agent/config-secrets.ts";
import { askControl } from "../agent/ask-control.ts";
import { type DataDir, dataDirAt } from "../agent/data-dir.ts";
import { askSupport } from "../agent/inspection.ts";
import { createRegistry } from "../agent/registry.ts";
import { type AgentStatus, formatStatus } from "../agent/status.ts";
import { listStores, verifyStore, viewLetters } from "../agent/stores.ts";
import { schemaOf } from "../config/document-schema.ts";
import { printTree } from "../config/print.ts";
import { formatProblem } from "../config/problem.ts";
import { redact } from "../config/redact.ts";
import { type Arguments, type Shell, UsageError } from "./command.ts";
import { defaultDataDir, type ReadConfiguration, readConfiguration } from "./configuration.ts";
import { escapeBytes } from "./printable.ts";
import { formatReport } from "./queue-verify.ts";

// The newest tell most; older ones are there for `cairn dead-letters`.
const LETTERS_MAX = 1000;
const INPUT_BYTES_MAX = 64 * 1024;

/** One file of the bundle. */
export interface Section {
  readonly name: string;
  readonly text: string;
  /** Why it could not be had; the text then says so, too. */
  readonly problem?: string;
}

/** All of them. */
export interface Sections {
  readonly sections: readonly Section[];
  /** Texts that must not be in any of them. */
  readonly secrets: readonly string[];
  readonly dataDir: string;
}

/** Gathers what can be had. Throws UsageError only. */
export async function collect(args: Arguments, shell: Shell): Promise<Sections> {
  const [given] = args.values["data-dir"] ?? [];
  const isConfigured = args.values.config !== undefined || args.values.set !== undefined;
  if (given !== undefined && isConfigured) {
    throw new UsageError("Option --data-dir and option --config exclude each other");
  }
  const read = isConfigured ? await readConfiguration(args, shell) : undefined;
  const path = given ?? read?.config?.dataDir ?? await defaultDataDir(shell.env);
  const dataDir = dataDirAt(path);
  const sections = [
    ...await configuration(read),
    ...await runningAgent(dataDir),
    ...(args.flags.has("without-verify")
      ? []
      : [await section("queues.txt", () => verified(dataDir))]),
    await section("dead-letters.jsonl", () => letters(dataDir, args.flags.has("with-payload"))),
  ];
  const secrets = read?.config === undefined ? [] : secretsOf(read.config);
  return { sections, secrets, dataDir: path };
}

async function section(name: string, text: () => Promise<string>): Promise<Section> {
  try {
    return { name, text: await text() };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { name, text: `${problem}\n`, problem };
  }
}

async function configuration(read: ReadConfiguration | undefined): Promise<readonly Section[]> {
  if (read === undefined) return [];
  const { tree, factories = createRegistry(), problems, warnings } = read;
  const told = [...problems, ...warnings].map((problem) => `${formatProblem(problem)}\n`).join("");
  const found = { name: "config-problems.txt", text: told === "" ? "None\n" : told };
  if (tree === undefined) return [found];
  const printed = await section("config.yaml", async () => {
    const schema = await schemaOf(tree.root, factories, tree.defaults);
    return printTree(redact(tree.root, schema), { origin: true });
  });
  return [printed, found];
}

async function runningAgent(dataDir: DataDir): Promise<readonly Section[]> {
  const status = await section("status.json", async () => {
    return `${JSON.stringify(await askControl(dataDir.socket, "/status"), null, 2)}\n`;
  });
  // Without an agent each of the others would say the same again.
  if (status.problem !== undefined) return [status];
  const readable = await section(
    "status.txt",
    () => Promise.resolve(formatStatus(JSON.parse(status.text) as AgentStatus)),
  );
  try {
    const { log, metrics, process } = await askSupport(dataDir);
    return [
      status,
      readable,
      { name: "log.jsonl", text: log.join("") },
      { name: "metrics.txt", text: metrics },
      { name: "process.json", text: `${JSON.stringify(process, null, 2)}\n` },
    ];
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return [status, readable, { name: "log.jsonl", text: `${problem}\n`, problem }];
  }
}

async function verified(dataDir: DataDir): Promise<string> {
  const texts: string[] = [];
  for (const kind of ["queue", "dead letters"] as const) {
    for (const store of await listStores(dataDir, kind)) {
      texts.push(formatReport(store, await verifyStore(dataDir, store)));
    }
  }
  return texts.join("\n");
}

async function letters(dataDir: DataDir, withPayload: boolean): Promise<string> {
  const lines: string[] = [];
  for (const store of await listStores(dataDir, "dead letters")) {
    const { pipeline } = store;
    const { kept, letters } = await viewLetters(dataDir, store);
    lines.push(`${JSON.stringify({ pipeline, kept })}\n`);
    const newest: string[] = [];
    for await (const { raw, ...about } of letters()) {
      const input = withPayload && { input: escapeBytes(raw.subarray(0, INPUT_BYTES_MAX)) };
      newest.push(`${JSON.stringify({ pipeline, ...about, bytes: raw.length, ...input })}\n`);
      if (newest.length > LETTERS_MAX) newest.shift();
    }
    lines.push(...newest);
  }
  return lines.join("");
}
