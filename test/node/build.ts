// Brings dist up to date for a run of single test files: translates the sources that changed, and
// looks at no types, so that it takes a second and goes on beside a mistake elsewhere in the tree.

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import type { CompilerOptions, TranspileOutput } from "typescript";

const EXCLUDED = /\.d\.ts$|^test\/run\.ts$|^test\/deno\/|\/testdata\//;
// A source that is written while tsc runs may be older than what tsc then makes of its old text.
const TSC_MS_MAX = 60_000;
// Times are set in seconds with a fraction, which rounds.
const ROUNDING_MS = 2;

/** The project's sources, by their paths from its folder. */
export function projectSources(): string[] {
  return ["src", "plugins", "test"].flatMap((top) =>
    (readdirSync(top, { recursive: true }) as string[]).map((name) => `${top}/${name}`)
  ).filter((path) => path.endsWith(".ts") && !EXCLUDED.test(path));
}

/** Translates what is newer than its copy in dist; resolves with how many files that were. */
export async function buildChanged(): Promise<number> {
  const changed = projectSources().filter(isChanged);
  // Loading the compiler takes longer than all the rest.
  if (changed.length > 0) await build(changed);
  return changed.length;
}

async function build(paths: readonly string[]): Promise<void> {
  const { default: ts } = await import("typescript");
  const { config } = ts.readConfigFile("tsconfig.json", (path) => readFileSync(path, "utf8"));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ".");
  // Every source is a module; without its package.json at hand the compiler would have to guess.
  const compilerOptions: CompilerOptions = {
    ...options,
    module: ts.ModuleKind.ESNext,
    incremental: false,
  };
  for (const path of paths) {
    const { mtimeMs } = statSync(path);
    const fileName = `/${path}`;
    const text = readFileSync(path, "utf8");
    write(path, mtimeMs, ts.transpileModule(text, { compilerOptions, fileName }));
  }
}

function builtPath(path: string): string {
  return `dist/${path.slice(0, -".ts".length)}.js`;
}

function isChanged(path: string): boolean {
  const built = statSync(builtPath(path), { throwIfNoEntry: false });
  if (built === undefined) return true;
  const ageMs = built.mtimeMs - statSync(path).mtimeMs;
  return Math.abs(ageMs) > ROUNDING_MS && ageMs < TSC_MS_MAX;
}

/** What is built has its source's time, and is there whole or not at all: others may be testing. */
function write(path: string, mtimeMs: number, built: TranspileOutput): void {
  const target = builtPath(path);
  mkdirSync(dirname(target), { recursive: true });
  const map = JSON.parse(built.sourceMapText!) as Record<string, unknown>;
  map.sources = [`${"../".repeat(path.split("/").length)}${path}`];
  writeWhole(`${target}.map`, JSON.stringify(map), mtimeMs);
  writeWhole(target, built.outputText, mtimeMs);
}

function writeWhole(path: string, text: string, mtimeMs: number): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  utimesSync(temporary, mtimeMs / 1000, mtimeMs / 1000);
  renameSync(temporary, path);
}
