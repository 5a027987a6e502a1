// The configuration that a file of golden tests is about: named on the command line or in the file,
// resolved as the agent would, with a host's name that is the same on every machine.

import { dirname, isAbsolute, join } from "node:path";
import { loadSources, processEnvironment } from "../config/load.ts";
import { placeOf } from "../config/node.ts";
import { formatPath, type Problem } from "../config/problem.ts";
import { type Factories, resolve } from "../config/resolve.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { readSources } from "../config/sources.ts";
import type { TestFile } from "./test-file.ts";

/** What the command line says besides the files. */
export interface PrepareOptions {
  readonly factories: Factories;
  /** Configurations in place of the files' own. */
  readonly config: readonly string[];
  /** Options over those of the files. */
  readonly set: readonly string[];
  /** Environment variables, under those of the files. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A case that expects nothing yet is no problem. */
  readonly update: boolean;
}

/** Name of the machine where the configuration does not say. */
const HOST = "test-host";

/** What cases with a format of their own run in, where no configuration is named. */
const BARE = `receivers: { cloudtrail: { path: . } }
exporters: { debug: {} }
service: { pipelines: { test: { receivers: [cloudtrail], exporters: [debug] } } }
`;

/** What is no path: `yaml:`, `env:`, `https:`. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/;

/** The configuration, or what is wrong with it. */
export async function loadConfiguration(
  file: TestFile,
  options: PrepareOptions,
): Promise<{ readonly config?: ResolvedConfig; readonly problems: readonly Problem[] }> {
  const folder = dirname(file.name);
  const own = typeof file.config === "string" ? [file.config] : file.config ?? [];
  const paths = options.config.length > 0
    ? options.config
    : own.map((path) => isAbsolute(path) || SCHEME.test(path) ? path : join(folder, path));
  const environment = processEnvironment({ ...options.env, ...file.env });
  const { sources, problems } = await readSources(paths, environment);
  if (problems.length > 0) return { problems };
  const needed = file.cases.findIndex(({ format }) => format === undefined);
  if (paths.length === 0 && needed >= 0) {
    const at = placeOf(file.node, ["cases", needed]);
    const problem = "No configuration to test";
    const fix = "name one with --config or config:, or a format in the case";
    return { problems: [{ at, path: formatPath(["cases", needed]), problem, fix }] };
  }
  const loaded = loadSources({
    sources: paths.length > 0 ? sources : [{ name: file.name, text: BARE }],
    set: [...file.set, ...options.set],
    environment,
  });
  return await resolve(loaded, options.factories, { host: HOST, dataDir: "." });
}
