// Where the code of an external plugin is: a path as it stands, or a package found as Node finds
// packages. Asked by external-plugins.ts; reads nothing but a package's package.json.

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Why a plugin cannot be used, and what to do. */
export class PluginProblem extends Error {
  override readonly name = "PluginProblem";
  readonly fix: string | undefined;

  constructor(problem: string, fix?: string) {
    super(problem);
    this.fix = fix;
  }
}

/** The file to load: absolute, and there. Throws PluginProblem. `folders`: where to look, in order. */
export function pluginFile(named: string, folders: readonly string[]): string {
  const [first = "."] = folders;
  if (/^(?:\.{0,2}\/|\.{1,2}$)/.test(named)) return existing(resolve(first, named));
  const [, name = "", below = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.+)?$/.exec(named) ?? [];
  for (const folder of folders) {
    for (const modules of modulesAbove(folder)) {
      const home = join(modules, name);
      if (existsSync(join(home, "package.json"))) return existing(entryOf(home, `.${below}`));
    }
  }
  if (existsSync(resolve(first, named))) {
    throw new PluginProblem("There is no package of this name", `a file is written "./${named}"`);
  }
  throw new PluginProblem(
    `There is no package of this name in node_modules of ${quoted(folders)} or above`,
    "npm install it there; a file is written ./PATH",
  );
}

function quoted(folders: readonly string[]): string {
  return [...new Set(folders)].map((folder) => `"${folder}"`).join(" or ");
}

function existing(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new PluginProblem(
      `There is no file "${path}"`,
      "a path is relative to the folder of the configuration file",
    );
  }
  if (!found.isDirectory()) return path;
  if (!existsSync(join(path, "package.json"))) {
    throw new PluginProblem(`"${path}" is a folder without package.json`, "name its file");
  }
  return existing(entryOf(path, "."));
}

function* modulesAbove(folder: string): Generator<string> {
  for (let at = folder;; at = dirname(at)) {
    yield join(at, "node_modules");
    if (at === dirname(at)) return;
  }
}

/** What package.json says is loaded for the package, or for one of its subpaths. */
function entryOf(home: string, subpath: string): string {
  const page = join(home, "package.json");
  let about: { readonly exports?: unknown; readonly main?: unknown };
  try {
    about = JSON.parse(readFileSync(page, "utf8"));
  } catch (error) {
    throw new PluginProblem(`Cannot read "${page}": ${(error as Error).message}`);
  }
  if (about.exports === undefined) {
    const main = typeof about.main === "string" ? about.main : "index.js";
    return join(home, subpath === "." ? main : subpath);
  }
  const target = targetOf(about.exports, subpath);
  if (target !== undefined) return join(home, target);
  throw new PluginProblem(`"${page}" exports no "${subpath}"`, 'add it to "exports"');
}

const CONDITIONS = new Set(["import", "node", "module-sync", "default"]);

function targetOf(exported: unknown, subpath: string): string | undefined {
  if (typeof exported === "string") return subpath === "." ? exported : undefined;
  if (typeof exported !== "object" || exported === null) return undefined;
  const names = Object.keys(exported);
  if (names.some((name) => name.startsWith("."))) {
    return targetOf((exported as Record<string, unknown>)[subpath], ".");
  }
  if (subpath !== ".") return undefined;
  for (const [condition, target] of Object.entries(exported)) {
    const found = CONDITIONS.has(condition) ? targetOf(target, ".") : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
