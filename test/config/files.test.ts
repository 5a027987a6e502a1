// The configurations that come with Cairn: valid, and where they are generated up to date.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { createRegistry, loadAll } from "../../src/agent/registry.ts";
import { documentSchema } from "../../src/config/document-schema.ts";
import { writeReference } from "../../src/config/reference.ts";
import { loadConfig } from "../../src/mod.ts";
import { VERSION } from "../../src/version.ts";

function findRoot(folder: string): string {
  return readdirSync(folder).includes("package.json") ? folder : findRoot(dirname(folder));
}

const root = findRoot(dirname(fileURLToPath(import.meta.url)));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** A value for each variable that a text asks for: secrets have no default. */
function everyVariable(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => [name!, "of no use but here"]),
  );
}

t.test("no example has a secret as a default", async (t) => {
  for (const name of readdirSync(join(root, "config/examples"))) {
    if (!name.endsWith(".yaml")) continue;
    t.notMatch(read(`config/examples/${name}`), /(?:SECRET|TOKEN|PASSWORD|KEY)\w*:-/, name);
  }
});

t.test("every configuration that comes with Cairn is valid", async (t) => {
  const examples = readdirSync(join(root, "config/examples")).filter((name) =>
    /\.yaml$/.test(name)
  );
  t.ok(examples.length >= 3);
  const paths = ["config/agent.yaml", ...examples.map((name) => `config/examples/${name}`)];
  for (const name of [...paths, "config/reference.yaml"]) {
    const text = read(name);
    const config = await loadConfig([{ name, text }], { env: everyVariable(text) });
    t.ok(config.pipelines.length > 0, name);
  }
});

t.test("config/reference.yaml is what the schemas say", async (t) => {
  t.equal(read("config/reference.yaml"), writeReference(await loadAll(createRegistry())));
});

t.test("documentSchema() knows every component and refuses other keys", async (t) => {
  const schema = documentSchema(await loadAll(createRegistry()));
  t.same(Object.keys(schema.properties ?? {}), [
    "agent",
    "plugins",
    "receivers",
    "processors",
    "exporters",
    "extensions",
    "service",
  ]);
  const { receivers } = schema.properties ?? {};
  const auditd = Object.entries(receivers?.patternProperties ?? {})
    .find(([pattern]) => new RegExp(pattern).test("auditd/host"));
  t.equal(auditd?.[1].anyOf?.[0]?.properties?.max_line_bytes?.default, "256KiB");
  t.equal(receivers?.additionalProperties, false);
});

t.test("loadConfig() throws every problem with its place", async (t) => {
  await t.rejects(loadConfig([{ name: "x.yaml", text: "agnt: {}\n" }]), {
    name: "ConfigError",
    message: /^x\.yaml:1:1: agnt: Unknown option.*\nx\.yaml:1:1: service\.pipelines: Missing/,
  });
});

t.test("VERSION is the package's version", async (t) => {
  t.equal(VERSION, (JSON.parse(read("package.json")) as { version: string }).version);
});
