// The samples, read in place: they lie beside this folder, or where CAIRN_SAMPLES says.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

/** The path of a sample file or folder; undefined, with a line that says so, where there is none. */
export function sampleFile(t: Test, name: string): string | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  const path = join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), name);
  if (existsSync(path)) return path;
  if (process.env.CI) t.fail(`${path} is missing`);
  else t.pass(`${path} is not on this machine`, { skip: true });
  return undefined;
}
