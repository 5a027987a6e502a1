// What the commands on a data_dir have in common: which data_dir, which of its pipelines.

import { type DataDir, dataDirAt } from "../agent/data-dir.ts";
import { findStore, listStores, NotFoundError, type Store } from "../agent/stores.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { type Arguments, type Option, type Shell, UsageError } from "./command.ts";
import { defaultDataDir, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** Which data_dir. */
export const DATA_DIR_OPTIONS = {
  "data-dir": { type: "string", value: "DIR", help: "The agent's data_dir" },
  config: {
    type: "string",
    multiple: true,
    value: "FILE",
    help: "Configuration that names the data_dir",
  },
} as const satisfies Readonly<Record<string, Option>>;

/** Which data_dir, and which of its pipelines. */
export const STORE_OPTIONS = {
  pipeline: { type: "string", value: "NAME", help: "Only this pipeline" },
  ...DATA_DIR_OPTIONS,
} as const satisfies Readonly<Record<string, Option>>;

/** The data_dir asked for. */
export interface ChosenDataDir {
  readonly dataDir: DataDir;
  /** Of --config. */
  readonly config: ResolvedConfig | undefined;
}

/** The data_dir that the options name; the exit code where the configuration has problems. */
export async function chooseDataDir(
  args: Arguments,
  shell: Shell,
): Promise<ChosenDataDir | number> {
  const [given] = args.values["data-dir"] ?? [];
  if (args.values.config === undefined) {
    return { dataDir: dataDirAt(given ?? await defaultDataDir(shell.env)), config: undefined };
  }
  if (given !== undefined) {
    throw new UsageError("Option --data-dir and option --config exclude each other");
  }
  const resolution = await readConfiguration(args, shell);
  if (resolution.config !== undefined) {
    return { dataDir: dataDirAt(resolution.config.dataDir), config: resolution.config };
  }
  printProblems(resolution, shell);
  return EXIT.configuration;
}

/** The stores of a kind, or the one of --pipeline. Throws NotFoundError where there is none. */
export async function chooseStores(
  dataDir: DataDir,
  kind: Store["kind"],
  args: Arguments,
): Promise<readonly Store[]> {
  const stores = await listStores(dataDir, kind);
  const [pipeline] = args.values.pipeline ?? [];
  if (pipeline !== undefined) return [findStore(stores, pipeline)];
  if (stores.length > 0) return stores;
  throw new NotFoundError(`There is no ${kind} in data_dir "${dataDir.path}"`);
}

/** One store: of --pipeline, or the only one there is. */
export async function chooseStore(
  dataDir: DataDir,
  kind: Store["kind"],
  args: Arguments,
): Promise<Store> {
  const stores = await chooseStores(dataDir, kind, args);
  if (stores.length === 1) return stores[0]!;
  const names = stores.map(({ pipeline }) => pipeline).join(", ");
  throw new UsageError(`Name one of the pipelines with --pipeline: ${names}`);
}

/** A run of numbers such as `5-9`, or one number. Throws UsageError. */
export function parseRange(text: string, what: string): readonly [first: number, last: number] {
  const [, first = text, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const range = [parseNumber(first, what), parseNumber(last, what)] as const;
  if (range[0] <= range[1]) return range;
  throw new UsageError(`Cannot read ${what} "${text}": its end is before its beginning`);
}

/** A number of records or letters from 1 on. Throws UsageError. */
export function parseNumber(text: string, what: string): number {
  const number = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new UsageError(`Cannot read ${what} "${text}": a number from 1 on is expected`);
}
