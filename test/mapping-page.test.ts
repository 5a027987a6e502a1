// Keeps the page of the mapping language true: every worked example does what it says.

import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse } from "yaml";
import json from "../plugins/formats/json/index.ts";
import text from "../plugins/formats/text/index.ts";
import { testContext } from "../plugins/sdk/conformance.ts";
import type { Format } from "../plugins/sdk/index.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const page = readFileSync(join(ROOT, "plugins/sdk/mapping.md"), "utf8");

interface Block {
  readonly kind: string;
  readonly text: string;
}

const blocks: readonly Block[] = [...page.matchAll(/```(?:\w+) (\w+)\n(.*?)\n```/gs)]
  .map(([, kind, text]) => ({ kind: kind!, text: text! }));

/** The format of a mapping, and what it leaves out by reason. */
function formatOf(source: { readonly pattern?: unknown }): [Format, Record<string, number>] {
  const context = testContext();
  const format = source.pattern === undefined
    ? json.create(json.config.parse({ mapping: source }), context)
    : text.create(text.config.parse({ mapping: source }), context);
  return [format, context.ignoredCounts as Record<string, number>];
}

t.test("every worked example of the mapping language does what the page says", async (t) => {
  let format: Format | undefined;
  let counts: Record<string, number> = {};
  let found: unknown;
  let shown = 0;
  for (const [index, { kind, text }] of blocks.entries()) {
    if (kind === "mapping") [format, counts] = formatOf(parse(text));
    else if (kind === "input") {
      const at = { source: "page", offset: index };
      const decoded = format!.decode(new TextEncoder().encode(text), at);
      found = "events" in decoded ? decoded.events : undefined;
    } else {
      shown++;
      if (kind === "ignored") t.same([found, counts], [[], JSON.parse(text)], text);
      else t.same(found, [{ id: (found as { id: string }[])[0]?.id, ...JSON.parse(text) }], text);
    }
  }
  t.equal(shown, 6);
  t.same([...new Set(blocks.map(({ kind }) => kind))].sort(), [
    "event",
    "ignored",
    "input",
    "mapping",
  ]);
});

t.test("the pages of both formats lead to it", async (t) => {
  for (const name of ["json", "text"]) {
    const readme = readFileSync(join(ROOT, "plugins/formats", name, "README.md"), "utf8");
    t.match(readme, "](../../sdk/mapping.md)", name);
  }
});
