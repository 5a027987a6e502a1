// Keeps the pages true: every configuration in a README is accepted, every option and exit code is
// told, every dependency has its reason, and every link leads somewhere.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { builtIn, loadBuiltIn } from "../plugins/index.ts";
import type { ComponentKind } from "../plugins/sdk/index.ts";
import { EXIT, EXIT_MEANINGS } from "../src/cli/exit-code.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { loadConfig } from "../src/mod.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** Every plugin folder's page, with the plugin it is about. */
const plugins = Object.entries(builtIn).flatMap(([kind, types]) =>
  Object.keys(types).map((type) => {
    const page = join("plugins", `${kind}s`, type, "README.md");
    return { kind: kind as ComponentKind, type, page };
  })
);

function yamlBlocks(page: string): string[] {
  return [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
}

/** What an example leaves out: a pipeline around its receivers or exporters. */
function completed(yaml: string): string {
  if (/^service:/m.test(yaml)) return yaml;
  const ids = (section: string) => {
    const part = new RegExp(`^${section}:\\n((?:[ #].*\\n|\\n)*)`, "m").exec(`${yaml}\n`)?.[1];
    return [...(part ?? "").matchAll(/^ {2}([a-z][\w/-]*):/gm)].map((match) => match[1]!);
  };
  const receivers = ids("receivers");
  const exporters = ids("exporters");
  return [
    yaml,
    receivers.length === 0 ? "receivers: { auditd: {} }" : "",
    exporters.length === 0 ? "exporters: { debug: {} }" : "",
    "service: { pipelines: { example: {",
    `  receivers: [${receivers.join(", ") || "auditd"}],`,
    `  exporters: [${exporters.join(", ") || "debug"}] } } }`,
  ].join("\n");
}

/** A component's own examples; a block of a format's page may be only its mapping. */
function isConfiguration(yaml: string): boolean {
  return /^(agent|receivers|exporters|service):/m.test(yaml);
}

t.test("every configuration in a README is accepted as it stands", async (t) => {
  const pages = ["README.md", ...plugins.map(({ page }) => page)];
  let blocks = 0;
  for (const page of pages) {
    const found = yamlBlocks(readFileSync(join(ROOT, page), "utf8")).filter(isConfiguration);
    for (const yaml of found) {
      blocks++;
      const env = Object.fromEntries(
        [...yaml.matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => [name!, "of no use but here"]),
      );
      await t.resolves(loadConfig([{ name: page, text: completed(yaml) }], { env }), page);
    }
  }
  t.ok(blocks >= plugins.length - 4, `${blocks} configurations`);
});

/** The options of a schema, as its JSON Schema names them. */
async function optionNames(kind: ComponentKind, type: string): Promise<string[]> {
  const { z } = await import("zod");
  const factory = await loadBuiltIn(kind, type);
  const schema = z.toJSONSchema(factory!.config, { io: "input", unrepresentable: "any" });
  return Object.keys((schema as { properties?: object }).properties ?? {});
}

t.test("every plugin's README tells each of its options", async (t) => {
  for (const { kind, type, page } of plugins) {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const option of await optionNames(kind, type)) {
      t.match(text, new RegExp("`" + option + "[`.]"), `${page} tells ${option}`);
    }
    t.match(readme, `(${page})`, `README.md leads to ${page}`);
  }
});

t.test("README.md tells every command and every exit code", async (t) => {
  for (const name of Object.keys(COMMANDS)) t.match(readme, `\`cairn ${name}`, name);
  for (const [name, code] of Object.entries(EXIT)) {
    t.match(readme, `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`, name);
  }
});

t.test("README.md gives each dependency its reason, and names no other", async (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const table = /## Dependencies\n([\s\S]*?)\n\nFor development/.exec(readme)?.[1] ?? "";
  const named = [...table.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  t.same(named.sort(), Object.keys(dependencies).sort());
});

t.test("every link of a page leads to a file", async (t) => {
  const pages = ["README.md", ...plugins.map(({ page }) => page)];
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      t.ok(existsSync(resolve(ROOT, dirname(page), link!)), `${page} leads to ${link}`);
    }
  }
});

t.test("every plugin's test runs conformance()", async (t) => {
  for (const { page } of plugins) {
    const folder = join(ROOT, dirname(page));
    const tests = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
    const runs = tests.some((name) =>
      /\bconformance\(/.test(readFileSync(join(folder, name), "utf8"))
    );
    t.ok(runs, dirname(page));
  }
});
