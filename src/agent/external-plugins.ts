// Plugins from outside: found, held against their hash, loaded, and checked for what every factory
// has to be. Whatever is wrong with one is a problem of the configuration that names it.

import { createHash } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { type ComponentFactory, type ComponentKind, SDK_VERSION } from "../../plugins/sdk/index.ts";
import { toJsonSchema } from "../config/json-schema.ts";
import type { PluginUse } from "../config/plugins.ts";
import { formatProblem, type Problem } from "../config/problem.ts";
import type { ExtendedFactories, Factories } from "../config/resolve.ts";
import { suggest } from "../config/suggest.ts";
import { pluginFile, PluginProblem } from "./plugin-file.ts";

/** The kinds, in the order of the flow. */
export const KINDS = [
  "receiver",
  "format",
  "processor",
  "exporter",
  "extension",
] as const satisfies readonly ComponentKind[];

/** How long a plugin's module may take, which may wait for something that never comes. */
const LOAD_MS = 30_000;
const MESSAGE_CHARS_MAX = 500;
/** What the shell is told when a plugin ends the process: the configuration has problems. */
const EXIT_CONFIGURATION = 3;

/** Loads the plugins one after the other, and answers `base` with what they bring. Never throws. */
export async function extendFactories(
  base: Factories,
  plugins: readonly PluginUse[],
  loadMs = LOAD_MS,
): Promise<ExtendedFactories> {
  const added = new Map<string, ComponentFactory>();
  const problems: Problem[] = [];
  for (const plugin of plugins) {
    try {
      const file = pluginFile(plugin.named, [plugin.folder, process.cwd()]);
      const module = await loadModule(file, plugin, loadMs);
      for (const factory of checkedFactories(module)) add(factory, base, added);
    } catch (error) {
      problems.push(describe(error, plugin));
    }
  }
  const factories: Factories = {
    ...base,
    load: async (kind, type) => added.get(`${kind} ${type}`) ?? await base.load(kind, type),
    types: (kind) => {
      const own = [...added.values()].filter((factory) => factory.kind === kind);
      return [...base.types(kind), ...own.map(({ type }) => type)].sort();
    },
  };
  return { factories, problems };
}

function add(
  factory: ComponentFactory,
  base: Factories,
  added: Map<string, ComponentFactory>,
): void {
  const key = `${factory.kind} ${factory.type}`;
  const isBuiltIn = base.types(factory.kind).includes(factory.type);
  if (isBuiltIn || added.has(key)) {
    const owner = isBuiltIn ? "comes with Cairn" : "is there already";
    throw new PluginProblem(`A ${key} ${owner}`, "give the plugin's another type");
  }
  added.set(key, factory);
}

function describe(error: unknown, { at, path, isSecret }: PluginUse): Problem {
  const isOurs = error instanceof PluginProblem;
  const problem = isOurs ? error.message : `Cannot read it: ${told(error)}`;
  const fix = isOurs ? error.fix : undefined;
  // Paths and what the plugin says may hold what came from the environment.
  if (isSecret) return { at, path, problem: "Plugin cannot be used", fix: "write its path here" };
  return { at, path, problem, ...(fix !== undefined && { fix }) };
}

async function loadModule(file: string, plugin: PluginUse, loadMs: number): Promise<object> {
  const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (plugin.sha256 !== undefined && plugin.sha256 !== hash) {
    throw new PluginProblem(
      `"${file}" is not the pinned file: its sha256 is ${hash}`,
      "look at what has changed before you pin it",
    );
  }
  const url = pathToFileURL(file);
  // A module is loaded once for each address: what has changed is loaded when read again.
  url.searchParams.set("sha256", hash);
  const onExit = () => {
    const problem = describe(new PluginProblem("Plugin ends the process when loaded"), plugin);
    writeSync(2, `error: ${formatProblem(problem)}\n`);
    process.exitCode = EXIT_CONFIGURATION;
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const problem = `Plugin is still loading after ${loadMs / 1000} s`;
    timer = setTimeout(
      () => reject(new PluginProblem(problem, "do the waiting in start()")),
      loadMs,
    );
  });
  process.once("exit", onExit);
  try {
    return await Promise.race([import(url.href), late]);
  } catch (error) {
    throw error instanceof PluginProblem ? error : loadProblem(error);
  } finally {
    clearTimeout(timer);
    process.off("exit", onExit);
  }
}

function loadProblem(error: unknown): PluginProblem {
  const code = String((error as { code?: unknown } | null)?.code);
  if (code === "ERR_UNKNOWN_FILE_EXTENSION" || code.includes("TYPE_STRIPPING")) {
    return new PluginProblem(
      "This runtime does not load TypeScript or files of this kind",
      "name the compiled .js file, or run Cairn on Deno",
    );
  }
  const text = told(error);
  const isMissing = /cannot find (?:package|module)|not a dependency|could not (?:find|resolve)/i;
  const fix = isMissing.test(text)
    ? "install what it imports: npm install in its folder"
    : undefined;
  return new PluginProblem(`Plugin threw while it was loaded: ${text}`, fix);
}

/** What was thrown, on one line of bounded length. */
function told(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim().slice(0, MESSAGE_CHARS_MAX);
}

function checkedFactories(module: object): readonly ComponentFactory[] {
  const fix = "export default defineReceiver({ … }), or a list of such";
  if (!("default" in module)) throw new PluginProblem("Module has no default export", fix);
  const list: readonly unknown[] = Array.isArray(module.default)
    ? module.default
    : [module.default];
  if (list.length === 0) throw new PluginProblem("Default export is an empty list", fix);
  return list.map((factory) => {
    if (typeof factory !== "object" || factory === null) {
      throw new PluginProblem(`Default export is no factory: ${typeof factory}`, fix);
    }
    return checkFactory(factory);
  });
}

function checkFactory(factory: Partial<ComponentFactory>): ComponentFactory {
  const { kind, type, config, create, summary, stability } = factory;
  if (typeof kind !== "string" || !KINDS.includes(kind)) {
    const fix = typeof kind === "string" ? suggest(kind, KINDS) : undefined;
    throw new PluginProblem(
      `Kind is ${typeof kind === "string" ? `"${kind}"` : "missing"}`,
      fix ?? `kinds: ${KINDS.join(", ")}`,
    );
  }
  const refuse = (problem: string, fix: string) => {
    throw new PluginProblem(`Plugin ${kind} ${JSON.stringify(type)}: ${problem}`, fix);
  };
  if (typeof type !== "string" || !/^[a-z][a-z0-9_]{0,63}$/.test(type)) {
    refuse("Type is not valid", "write small letters, digits and _");
  }
  checkVersion(factory.sdk, kind, refuse);
  if (typeof create !== "function") refuse("There is no function create", "add it");
  if (typeof summary !== "string" || typeof stability !== "string") {
    refuse("There is no summary or no stability", "add both: `cairn components` shows them");
  }
  if (typeof config?.safeParse !== "function" || typeof config.parse !== "function") {
    refuse("config is no schema", "make it with zod: z.strictObject({ … })");
  }
  try {
    toJsonSchema(config!);
  } catch (error) {
    refuse(`config cannot be described: ${told(error)}`, "make it with zod 4");
  }
  return factory as ComponentFactory;
}

function checkVersion(
  version: unknown,
  kind: string,
  refuse: (problem: string, fix: string) => void,
): void {
  const maker = `define${kind[0]!.toUpperCase()}${kind.slice(1)}()`;
  const major = typeof version === "string" ? /^(\d{1,6})\.\d+\.\d+/.exec(version)?.[1] : undefined;
  if (major === undefined) {
    return refuse("It names no SDK version", `make it with ${maker} of cairn-agent/sdk`);
  }
  const ours = Number.parseInt(SDK_VERSION);
  if (Number(major) === ours) return;
  const isNewer = Number(major) > ours;
  refuse(
    `It is made with ${isNewer ? "newer" : "older"} SDK ${version}, this Cairn has ${SDK_VERSION}`,
    isNewer ? "update Cairn, or use an older version of the plugin" : "update the plugin",
  );
}
