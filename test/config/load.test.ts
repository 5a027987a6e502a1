// Sources, references, merging and --set: what the configuration's tree holds, and from where.

import t from "tap";
import { expand } from "../../src/config/expand.ts";
import { type ConfigSource, loadSources } from "../../src/config/load.ts";
import { find, placeOf, toValue } from "../../src/config/node.ts";
import { formatPlace, formatProblem } from "../../src/config/problem.ts";
import { editDistance, suggest } from "../../src/config/suggest.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  NAME: "web-01",
  EMPTY: "",
  NUMBER: "4580",
  ACCOUNT: "012345678901",
  NESTED: "${env:NAME}",
};

const environment = {
  env: (name: string) => VARIABLES[name],
  readFile: (path: string) => {
    if (path === "/run/secret") return "s3cret\n";
    throw new Error("no such file");
  },
};

function load(texts: readonly (string | ConfigSource)[], set: readonly string[] = []) {
  const sources = texts.map((text, i) =>
    typeof text === "string" ? { name: `${"abc"[i]}.yaml`, text } : text
  );
  return loadSources({ sources, set, environment });
}

function told(loaded: ReturnType<typeof load>): readonly string[] {
  return loaded.problems.map(formatProblem);
}

t.test("expand() replaces references once, and only those it knows", async (t) => {
  const rows: readonly [text: string, expanded: string, problem?: string][] = [
    ["plain", "plain"],
    ["${env:NAME}", "web-01"],
    ["a-${env:NAME}-${env:NUMBER}", "a-web-01-4580"],
    ["${env:MISSING:-other}", "other"],
    ["${env:EMPTY:-other}", "other"],
    ["${env:NAME:-other}", "web-01"],
    ["${env:MISSING:-}", ""],
    ["${env:MISSING:-a:b}", "a:b"],
    ["${env:EMPTY}", ""],
    ["${file:/run/secret}", "s3cret"],
    ["${env:NESTED}", "${env:NAME}"],
    ["$${env:NAME}", "${env:NAME}"],
    ["costs $5 or $$5", "costs $5 or $5"],
    ["^x$", "^x$"],
    ["${env:MISSING}", "${env:MISSING}", 'Environment variable "MISSING" is not set'],
    ["${env:a-b}", "${env:a-b}", 'Environment variable name "a-b" is not valid'],
    ["${file:/nope}", "${file:/nope}", 'Cannot read file "/nope": no such file'],
    ["${NAME}", "${NAME}", 'Unknown reference "${NAME}"'],
    ["${vault:x}", "${vault:x}", 'Unknown reference "${vault:x}"'],
    ["${env:NAME", "${env:NAME", "Reference has no end"],
  ];
  for (const [text, expanded, problem] of rows) {
    const result = expand(text, environment);
    t.equal(result.text, expanded, text);
    t.equal(result.problems[0]?.problem, problem, `${text}: problem`);
  }
});

t.test("loadSources() keeps the place of every value, merged ones too", async (t) => {
  const { root, problems } = load([
    "agent:\n  region: one\n  host: h\nlist: [1, 2, 3]\n",
    "agent:\n  region:   two\nlist: [4]\n",
  ], ["agent.host=set", "receivers.file/app.path=/x"]);
  t.same(problems, []);
  t.same(toValue(root), {
    agent: { region: "two", host: "set" },
    list: [4],
    receivers: { "file/app": { path: "/x" } },
  });
  t.equal(formatPlace(placeOf(root, ["agent", "region"])), "b.yaml:2:13");
  t.equal(formatPlace(placeOf(root, ["list", 0])), "b.yaml:3:8");
  t.equal(formatPlace(placeOf(root, ["agent", "host"])), "--set agent.host=…");
});

t.test("a later null takes away, a blank key leaves a map as it is, a list is replaced", async (t) => {
  const base = "receivers:\n  auditd: { path: /x }\n  file: { path: /y }\nlist: [1, 2]\nhost: h\n";
  const over = "receivers:\n  auditd:\n  file: null\nlist: [3]\nhost: ~\n";
  t.same(toValue(load([base, over]).root), {
    receivers: { auditd: { path: "/x" } },
    list: [3],
  });
  t.same(toValue(load([base], ["receivers=null", "list=[]"]).root), { list: [], host: "h" });
  t.same(toValue(load(["a: null\n"]).root), { a: null }, "there is nothing to take away");
});

t.test("inline text may join its keys, as the Collector's", async (t) => {
  const text = "a::b::c: 1\na::d: { e::f: 2 }\n";
  const { root } = load([{ name: "yaml:#1", text, joinedKeys: true }]);
  t.same(toValue(root), { a: { b: { c: 1 }, d: { "e::f": 2 } } });
  t.equal(formatPlace(placeOf(root, ["a", "b", "c"])), "yaml:#1:1:10");
  t.same(toValue(load([text]).root), { "a::b::c": 1, "a::d": { "e::f": 2 } });
});

t.test("loadSources() types --set values as YAML does, and reports malformed ones", async (t) => {
  const { root } = load([""], ["a.n=5", "a.t=true", "a.s='5'", "a.l=[x, y]", "a.e=", "a.q=x=y"]);
  t.same(toValue(root), { a: { n: 5, t: true, s: "5", l: ["x", "y"], q: "x=y" } });
  const bad = load([""], ["nothing", "a..b=1", "a={"]);
  t.match(told(bad), [
    "--set: Expected --set path.to.option=value",
    "--set: Expected --set path.to.option=value",
    /^--set a=…: a: Not valid YAML/,
  ]);
});

t.test("a referenced value has the reading of where it stands, and knows it is secret", async (t) => {
  const { root } = load(['plain: ${env:NUMBER}\nquoted: "${env:NUMBER}"\nid: ${env:ACCOUNT}\n']);
  t.same(toValue(root), { plain: 4580, quoted: "4580", id: 12345678901 });
  const id = find(root, ["id"]);
  t.match(id, { text: "012345678901", secret: true, readings: [12345678901, "012345678901"] });
});

t.test("loadSources() tells syntax errors, tabs and repeated keys with their places", async (t) => {
  t.match(told(load(["a: 1\nb: [1, 2\nc: 3\n"])), [/^a\.yaml:3:1: Not valid YAML: /]);
  t.match(told(load(["a:\n\tb: 1\n"])), [/^a\.yaml:2:1: Tab in the indentation \(use spaces\)/]);
  t.same(told(load(["a:\n  b: 1\n  b: 2\n"])), [
    "a.yaml:3:3: a.b: Key stands twice in this map (keep one)",
  ]);
  t.match(told(load(["a: 1\n---\nb: 1\n"])), [/More than one document in a file/]);
  t.match(told(load(["- a\n"])), ["a.yaml:1:1: Expected a map of options"]);
  t.match(told(load(["a: { b: ${env:NAME} }\n"])), [
    /^a\.yaml:1:10: Not valid YAML: .*write a reference in quotes/,
  ]);
  t.equal(load(["a: [\n"]).complete, false);
});

t.test("loadSources() bounds what aliases multiply and how deep values nest", async (t) => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++) {
    lines.push(`a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]`);
  }
  t.match(told(load([lines.join("\n")])), [/More than 100000 values/]);
  t.match(told(load([`a: ${"[".repeat(100)}${"]".repeat(100)}`]))[0], /Nested deeper than 64/);
  t.match(told(load([`a: ${"[".repeat(3000)}`])), [/Nested deeper than 64/]);
});

t.test("an alias is its anchor's value; a key named __proto__ is only a key", async (t) => {
  const { root, problems } = load(["a: &x { n: 1 }\nb: *x\n__proto__: { polluted: true }\n"]);
  t.same(problems, []);
  const value = toValue(root) as Record<string, unknown>;
  t.same(value.b, { n: 1 });
  t.equal(({} as Record<string, unknown>).polluted, undefined);
  t.ok(Object.hasOwn(value, "__proto__"));
});

t.test("suggest() finds the slip of the keyboard and nothing far away", async (t) => {
  t.equal(editDistance("abcd", "acbd"), 1);
  t.equal(editDistance("", "abc"), 3);
  t.equal(editDistance("x".repeat(100), "x"), Infinity);
  t.equal(suggest("recievers", ["receivers", "exporters"]), 'did you mean "receivers"?');
  t.equal(suggest("Path", ["path"]), 'did you mean "path"?');
  t.equal(suggest("zebra", ["path", "format"]), undefined);
});
