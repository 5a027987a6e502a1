// Receiver file: globs, formats by name, and what an operator sees of files that cannot be read.

import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { conformance, lineFormat } from "../../sdk/conformance.ts";
import file from "./index.ts";

/** Two files in a folder, written in turns. */
async function source(t: Test) {
  const folder = join(t.testdir(), "logs");
  await mkdir(folder);
  const paths = [join(folder, "a.log"), join(folder, "b.log")];
  for (const path of paths) await writeFile(path, "");
  let number = 0;
  let turn = 0;
  return {
    config: { path: join(folder, "*.log"), format: "line", start_at: "beginning" },
    context: { format: lineFormat },
    write: async (count: number) => {
      const ids = Array.from({ length: count }, () => String(number++));
      const text = ids.map((id) => `line ${id}\n`).join("");
      await appendFile(paths[turn++ % paths.length]!, text);
      return ids;
    },
    writeBad: async (noise: Uint8Array) => {
      await appendFile(paths[turn % paths.length]!, Buffer.concat([noise, Buffer.from("\n")]));
    },
  };
}

t.test("file", async (t) => {
  await conformance(t, file, { minimal: { path: "*.log", format: "line" }, source });
});

t.test("file names its format and mapping for the configuration's check", async (t) => {
  const config = file.config.parse({ path: "a", format: "json", mapping: { id: "x" } });
  t.same(file.formats?.(config), [
    { name: "json", config: { mapping: { id: "x" } }, under: "format_options" },
  ]);
});
