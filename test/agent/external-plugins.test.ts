// Plugins from outside as an operator names them: good ones, and one for each way to be none.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { extendFactories } from "../../src/agent/external-plugins.ts";
import { createRegistry } from "../../src/agent/registry.ts";
import { loadSources } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { resolve } from "../../src/config/resolve.ts";
import { writeReference } from "../../src/config/reference.ts";
import { RejectedInput, SDK_VERSION } from "../../plugins/sdk/index.ts";

/** A module whose default export is a factory with these members over those that are right. */
function factory(members = "", before = ""): string {
  return `import { z } from "zod";
const idle = { start: async () => {}, stop: async () => {}, process: (batch) => batch };
${before}
export default { kind: "processor", type: "mine", sdk: "${SDK_VERSION}", stability: "beta",
  summary: "Mine", config: z.strictObject({ level: z.int().default(1).describe("How much") }),
  create: () => idle, ${members} };`;
}

/** Files of plugins below the project, where zod is found. */
type Folder = Exclude<Parameters<Test["testdir"]>[0], undefined>;

interface Setup {
  readonly files: Folder;
  /** The list, in YAML. */
  readonly plugins: string;
  readonly options?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly processor?: string;
}

async function resolved(t: Test, setup: Setup) {
  const { files, plugins, options = "{}", env = {}, processor = "mine" } = setup;
  const folder = t.testdir(files);
  const text = `plugins: ${plugins}
receivers: { auditd: {} }
processors: { ${processor}: ${options} }
exporters: { debug: {} }
service: { pipelines: { main: {
  receivers: [auditd], processors: [${processor}], exporters: [debug] } } }
`;
  // The place of a problem is the file's, so the file has to be there.
  const name = join(folder, "cairn.yaml");
  writeFileSync(name, text);
  const environment = {
    env: (key: string) => env[key],
    readFile: () => {
      throw new Error("no files");
    },
  };
  const loaded = loadSources({ sources: [{ name, text }], environment });
  const resolution = await resolve(loaded, createRegistry(), { host: "h", dataDir: folder });
  const problems = resolution.problems.map((problem) =>
    formatProblem(problem).replaceAll(folder, "~")
  );
  return { ...resolution, folder, problems };
}

t.test("plugins by path, by package and pinned are what a configuration is made of", async (t) => {
  const pinned = factory('type: "pinned"');
  const hash = createHash("sha256").update(pinned).digest("hex");
  const files: Folder = {
    "mine.js": factory(),
    "pinned.js": pinned,
    "two.js": factory(
      "",
      'const a = { kind: "extension", type: "one" };',
    ).replace(
      "export default {",
      "const b = {",
    ) + '\nexport default [{ ...b, ...a }, { ...b, type: "two" }];',
    node_modules: {
      "plugin-a": {
        "package.json": '{"type":"module","exports":{".":{"import":"./lib/a.js"}}}',
        lib: { "a.js": factory('type: "a"') },
      },
      "@scope": {
        "plugin-b": {
          "package.json": '{"type":"module","main":"b.js"}',
          "b.js": factory('type: "b"'),
        },
      },
    },
  };
  const plugins =
    `[./mine.js, plugin-a, "@scope/plugin-b", { path: ./pinned.js, sha256: ${hash.toUpperCase()} }, ./two.js]`;
  const { config, problems, factories } = await resolved(t, { files, plugins });
  t.same(problems, []);
  t.same(config!.processors.get("mine")!.config, { level: 1 });
  const own = ["a", "b", "mine", "pinned", "two"];
  t.same(factories!.types("processor"), ["enrich", "filter", "redact", ...own].sort());
  t.same(factories!.types("extension").includes("one"), true);
  t.equal((await factories!.load("processor", "filter"))?.type, "filter", "the built-in ones, too");
  t.match(writeReference([(await factories!.load("processor", "mine"))!]), "# How much");
});

t.test("a configuration names its plugin's slips with their places", async (t) => {
  const files = { "mine.js": factory() };
  const slip = await resolved(t, { files, plugins: "[./mine.js]", options: "{ levle: 2 }" });
  t.match(slip.problems, [
    '~/cairn.yaml:3:23: processors.mine.levle: Unknown option (did you mean "level"?)',
  ]);
  const other = await resolved(t, { files, plugins: "[./mine.js]", processor: "mime" });
  t.match(other.problems.join("\n"), 'Unknown processor type "mime" (did you mean "mine"?)');
});

t.test("a plugin that changed is loaded again, and one that failed, too", async (t) => {
  const plugins = "[./mine.js]";
  const broken = await resolved(t, { files: { "mine.js": "nonsense(" }, plugins });
  t.match(broken.problems, [/Plugin threw while it was loaded: /]);
  const mended = await resolved(t, { files: { "mine.js": factory() }, plugins });
  t.same(mended.problems, []);
  const newer = factory('summary: "Newer"');
  const { factories } = await resolved(t, { files: { "mine.js": newer }, plugins });
  t.equal((await factories!.load("processor", "mine"))?.summary, "Newer");
});

/** Each way to be no plugin: its module, and what the operator reads. */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ["throws at load", 'throw new Error("no\\nluck")', /threw while it was loaded: no luck/],
  ["throws no error", "throw null", /threw while it was loaded: null/],
  ["is no JavaScript", "export default {", /threw while it was loaded: /],
  ["misses a dependency", 'import "not-there-at-all"', /\(install what it imports: npm install/],
  ["has no default export", "export const a = 1", /no default export \(export default define/],
  ["exports nothing usable", "export default 7", /Default export is no factory: number/],
  ["exports an empty list", "export default []", /Default export is an empty list/],
  ["has a wrong kind", factory('kind: "procesor"'), /Kind is "procesor" \(did you mean "proc/],
  ["has no kind", factory("kind: undefined"), /Kind is missing \(kinds: receiver, format/],
  ["has a wrong type", factory('type: "My-Type"'), /"My-Type": Type is not valid \(write small/],
  ["has a built-in type", factory('type: "filter"'), /A processor filter comes with Cairn/],
  ["has no SDK version", factory("sdk: undefined"), /names no SDK version \(make it with defineP/],
  ["has an odd SDK version", factory('sdk: "one"'), /names no SDK version/],
  ["has a newer SDK", factory('sdk: "2.1.0"'), /made with newer SDK 2\.1\.0, .* \(update Cairn/],
  ["has an older SDK", factory('sdk: "0.9.0"'), /made with older SDK 0\.9\.0, .* \(update the/],
  ["has no create", factory("create: 1"), /There is no function create/],
  ["has no summary", factory("summary: undefined"), /There is no summary or no stability/],
  ["has no schema", factory("config: {}"), /config is no schema \(make it with zod: z\.strict/],
  [
    "has a schema of another library",
    factory("config: { parse: (x) => x, safeParse: (data) => ({ success: true, data }) }"),
    /config cannot be described: .* \(make it with zod 4\)/,
  ],
  [
    "has a getter that throws",
    factory('get kind() { throw new Error("ha") }'),
    /Cannot read it: ha/,
  ],
];

for (const [name, text, expected] of WRONG) {
  t.test(`a plugin that ${name} is a problem with its place`, async (t) => {
    const { problems } = await resolved(t, { files: { "mine.js": text }, plugins: "[./mine.js]" });
    t.equal(problems.length, 1, problems.join("\n"));
    t.match(problems[0], expected);
    t.match(problems[0], /^~\/cairn\.yaml:1:11: plugins\[0\]: [A-Z]/);
    t.notMatch(problems[0], /\n/);
  });
}

t.test("what is no plugin's file is said with what to do", async (t) => {
  const files: Folder = {
    "mine.js": factory(),
    "again.js": factory(),
    empty: {},
    "data.json": "{}",
    node_modules: {
      bad: { "package.json": "{" },
      closed: { "package.json": '{"exports":{"./other":"./a.js"}}' },
      gone: { "package.json": '{"main":"gone.js"}' },
    },
  };
  const of = async (plugins: string) => (await resolved(t, { files, plugins })).problems;
  t.match(await of("[./not-there.js]"), [/There is no file "~\/not-there\.js" \(a path is rel/]);
  t.match(await of("[./empty]"), [/"~\/empty" is a folder without package\.json \(name its file/]);
  t.match(await of("[mine.js]"), [/no package of this name \(a file is written "\.\/mine\.js"/]);
  t.match(await of("[not-there]"), [
    /no package of this name in node_modules of "~" or .*npm inst/,
  ]);
  t.match(await of("[bad]"), [/Cannot read "~\/node_modules\/bad\/package\.json": /]);
  t.match(await of("[closed]"), [/exports no "\." \(add it to "exports"\)/]);
  t.match(await of("[gone]"), [/There is no file "~\/node_modules\/gone\/gone\.js"/]);
  t.match(await of("[./mine.js, ./again.js]"), [
    /cairn\.yaml:1:22: plugins\[1\]: A processor mine is there already/,
  ]);
  t.match(await of(`[{ path: ./mine.js, sha256: ${"0".repeat(64)} }]`), [
    /"~\/mine\.js" is not the pinned file: its sha256 is [0-9a-f]{64} \(look at what has changed/,
  ]);
  t.match(await of("[{ path: ./mine.js, sha256: abc }]"), [
    /plugins\[0\]\.sha256: Expected a SHA-/,
  ]);
  t.match(await of("[{ path: ./mine.js, sha: abc }]"), [/sha: Unknown option/]);
  t.match(await of("./mine.js"), [/plugins: Expected a list, got text/]);
  t.match(await of("[7, ./mine.js]"), [/no package of this name|Expected/]);
});

t.test("a file that is not the pinned one is never loaded", async (t) => {
  const key = "cairnTestLoaded";
  const files = { "mine.js": `globalThis.${key} = true;\n${factory()}` };
  const plugins = `[{ path: ./mine.js, sha256: ${"1".repeat(64)} }]`;
  const { problems } = await resolved(t, { files, plugins });
  t.equal(problems.length, 1);
  t.equal(Object.hasOwn(globalThis, key), false);
});

t.test("TypeScript is loaded where the runtime takes it, and else a problem says so", async (t) => {
  const files = { "mine.ts": `const n: number = 1;\n${factory("n")}` };
  const { problems, factories } = await resolved(t, { files, plugins: "[./mine.ts]" });
  if (problems.length === 0) return t.ok(factories!.types("processor").includes("mine"));
  t.notOk("Deno" in globalThis, "Deno takes it");
  t.match(problems, [/does not load TypeScript .* \(name the compiled \.js file, or run Cairn on/]);
});

t.test("a name that came from the environment is in no message", async (t) => {
  const env = { PLUGIN: "./s3cr3t.js" };
  const plugins = '["${env:PLUGIN}"]';
  const missing = await resolved(t, { files: {}, plugins, env });
  const broken = await resolved(t, { files: { "s3cr3t.js": "throw 1" }, plugins, env });
  for (const { problems } of [missing, broken]) {
    t.match(problems, [/plugins\[0\]: Plugin cannot be used/]);
    t.notMatch(problems.join(), "s3cr3t");
  }
  t.same((await resolved(t, { files: { "s3cr3t.js": factory() }, plugins, env })).problems, []);
});

t.test("a plugin that never ends loading is given up", async (t) => {
  // Opened when the test is over: a module that is still loading keeps Deno's process.
  const gate: { open?: () => void } = {};
  const closed = new Promise<void>((open) => gate.open = open);
  Object.assign(globalThis, { cairnTestGate: closed });
  t.teardown(() => gate.open!());
  const folder = t.testdir({ "mine.js": `await globalThis.cairnTestGate;\n${factory()}` });
  const at = { source: "cairn.yaml", rank: 0, line: 1, column: 1 };
  const use = { named: "./mine.js", folder, at, path: "plugins[0]", isSecret: false };
  const { problems } = await extendFactories(createRegistry(), [use], 50);
  t.match(problems, [{ problem: "Plugin is still loading after 0.05 s", path: "plugins[0]" }]);
});

t.test("a plugin that throws while its options are read is a problem without them", async (t) => {
  const schema = "z.strictObject({ a: z.string().refine((a) => { throw new TypeError(a); }) })";
  const files = { "mine.js": factory(`config: ${schema}`) };
  const options = "{ a: s3cr3t }";
  const { problems } = await resolved(t, { files, plugins: "[./mine.js]", options });
  t.match(problems, [
    /^~\/cairn\.yaml:3:15: processors\.mine: Plugin failed .* it threw TypeError$/,
  ]);
});

t.test("RejectedInput of a plugin's own copy of the SDK is known by its code", async (t) => {
  const other = Object.assign(new Error("x"), { code: "CAIRN_REJECTED_INPUT" });
  t.ok(other instanceof RejectedInput);
  t.ok(new RejectedInput("x") instanceof RejectedInput);
  for (const no of [new Error("x"), undefined, null, { code: "CAIRN_REJECTED_INPUT" }]) {
    t.notOk((no as unknown) instanceof RejectedInput);
  }
});
