// Module hooks: a source of this project is loaded from dist, and keeps the URL of its source, so
// that a test finds the files beside it and a stack trace names the line that was written.

import { readFile } from "node:fs/promises";

const ROOT = new URL("../../", import.meta.url).href;
const SOURCE = /^(?:src|plugins|test)\/.*(?=\.ts$)/;
const RELATIVE = /^(\.\.?\/.*)\.js$/;
const MAP = /^\/\/# sourceMappingURL=.*$/m;

/** The place of a source in the tree, without its ending; undefined for anything else. */
function sourceName(url) {
  return url?.startsWith(ROOT) ? SOURCE.exec(url.slice(ROOT.length))?.[0] : undefined;
}

/** Built text names its neighbours as they are in dist, `./x.js`: the source is `./x.ts`. */
export function resolve(specifier, context, next) {
  const relative = RELATIVE.exec(specifier);
  if (relative !== null && sourceName(context.parentURL) !== undefined) {
    const url = new URL(`${relative[1]}.ts`, context.parentURL).href;
    if (sourceName(url) !== undefined) return { url, format: "module", shortCircuit: true };
  }
  return next(specifier, context);
}

/** Loads a source from dist; its map is found there, too. */
export async function load(url, context, next) {
  const name = sourceName(url);
  if (name === undefined) return next(url, context);
  const built = new URL(`dist/${name}.js`, ROOT);
  const text = await readFile(built, "utf8");
  const source = text.replace(MAP, `//# sourceMappingURL=${built.pathname}.map`);
  return { format: "module", source, shortCircuit: true };
}
