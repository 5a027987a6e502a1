// What the commands that take --config and --set have in common: reading, resolving, reporting.

import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { counted } from "../../plugins/sdk/wording.ts";
import { type DetectedSource, detectSources, PLACES } from "../agent/detect.ts";
import { createRegistry } from "../agent/registry.ts";
import { defaultConfig } from "../config/default.ts";
import type { Environment } from "../config/expand.ts";
import { loadSources, processEnvironment } from "../config/load.ts";
import { find, type MapNode } from "../config/node.ts";
import { formatProblem } from "../config/problem.ts";
import {
  type Factories,
  type Resolution,
  resolve,
  type ResolveDefaults,
} from "../config/resolve.ts";
import { digestFile, readSources } from "../config/sources.ts";
import type { Arguments, Option, Shell } from "./command.ts";

/** The options themselves. */
export const CONFIG_OPTIONS = {
  config: {
    type: "string",
    multiple: true,
    value: "SOURCE",
    help: "File, folder, env:NAME, yaml:TEXT or https://…; later ones are laid over earlier",
  },
  set: {
    type: "string",
    multiple: true,
    value: "PATH=VALUE",
    help: "One option, over all files: --set exporters.trail.directory=/srv/trail",
  },
} as const satisfies Readonly<Record<string, Option>>;

// More come from one mistake that repeats itself, or from a file that is no configuration.
const PROBLEMS_MAX = 100;

/** A resolution, what it was made from, and the sources of this host if it is the embedded default. */
export interface ReadConfiguration extends Resolution {
  readonly detected: readonly DetectedSource[];
  /** What it was read from, as digests: by source as named, and by the path of `${file:PATH}`. */
  readonly read: Readonly<Record<"sources" | "files", ReadonlyMap<string, string>>>;
  /** All sources as one tree; undefined where one of them could not be read. */
  readonly tree?: { readonly root: MapNode; readonly defaults: ResolveDefaults };
}

/** Reads what the options name, or the embedded default where there is no --config. */
export async function readConfiguration(args: Arguments, shell: Shell): Promise<ReadConfiguration> {
  const paths = args.values.config ?? [];
  const set = args.values.set ?? [];
  const files = new Map<string, string>();
  const environment = noting(files, processEnvironment(shell.env));
  const { sources, problems, digests } = await readSources(paths, environment);
  const read = { sources: digests, files };
  if (problems.length > 0) return { problems, warnings: [], detected: [], read };
  const named = loadSources({ sources, set, environment });
  const given = find(named.root, ["agent", "data_dir"]);
  const chosen = given?.kind === "scalar" && typeof given.value === "string" ? given.value : "";
  // Looked for only where needed: under Deno each variable and folder is a permission.
  const dataDir = chosen === "" && named.complete ? await defaultDataDir(shell.env) : chosen;
  const detected = paths.length > 0
    ? []
    : await detectSources({ ...PLACES, programs: shell.env.PATH ?? "" });
  const receivers = detected.flatMap(({ receiver }) => receiver === undefined ? [] : [receiver]);
  const loaded = loadSources({
    sources: paths.length > 0 ? sources : [defaultConfig(dataDir, receivers)],
    set,
    environment,
  });
  const defaults = { host: hostname(), dataDir };
  const resolution = await resolve(loaded, createRegistry(), defaults);
  const tree = loaded.complete ? { tree: { root: loaded.root, defaults } } : {};
  return { ...resolution, ...tree, detected, read };
}

/** The same outside world; notes the digest of each file that is read. */
function noting(files: Map<string, string>, outside: Environment): Environment {
  return {
    ...outside,
    readFile(path) {
      let text: string | undefined;
      // Once for both: what is noted is what was read.
      const readFile = () => text ??= outside.readFile(path);
      files.set(path, digestFile(path, { ...outside, readFile }));
      return readFile();
    },
  };
}

/**
 * What a configuration can be made of: the built-in plugins and, with --config, those that one
 * brings. Undefined, and the problems printed, where it or its plugins cannot be loaded.
 */
export async function knownFactories(
  args: Arguments,
  shell: Shell,
): Promise<Factories | undefined> {
  if (args.values.config === undefined && args.values.set === undefined) return createRegistry();
  const { factories, problems } = await readConfiguration(args, shell);
  // What is wrong with the rest of it is for `cairn validate` to say.
  if (factories === undefined) printProblems({ problems, warnings: [] }, shell);
  return factories;
}

/** Every problem and warning on standard error, one a line. */
export function printProblems(resolution: Resolution, shell: Shell): void {
  const paint = (text: string, code: string) =>
    shell.error.isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  for (const problem of resolution.problems.slice(0, PROBLEMS_MAX)) {
    shell.error.write(`${paint("error", "31")}: ${formatProblem(problem)}\n`);
  }
  const more = resolution.problems.length - PROBLEMS_MAX;
  if (more > 0) {
    shell.error.write(`${paint("error", "31")}: ${counted(more, "problem")} more, not shown\n`);
  }
  for (const warning of resolution.warnings) {
    shell.error.write(`${paint("warning", "33")}: ${formatProblem(warning)}\n`);
  }
}

/** /var/lib/cairn where that can be written, else cairn in the user's state folder. */
export async function defaultDataDir(env: Shell["env"]): Promise<string> {
  const system = "/var/lib/cairn";
  if (await isWritable(system) || await isWritable(dirname(system))) return system;
  return userDataDir(env);
}

/** The folder of a user who may not write to /var/lib; in the working directory without a home. */
export function userDataDir(env: Shell["env"]): string {
  const state = env.XDG_STATE_HOME;
  // A relative one is to be ignored, by the specification of these variables.
  if (state !== undefined && isAbsolute(state)) return join(state, "cairn");
  return env.HOME ? join(env.HOME, ".local", "state", "cairn") : "cairn-data";
}

async function isWritable(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
