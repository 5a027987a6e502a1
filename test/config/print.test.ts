// What is shown of a configuration: the tree as YAML that reads back, defaults, places, no secrets.

import t from "tap";
import { loadSources } from "../../src/config/load.ts";
import { type MapNode, toValue } from "../../src/config/node.ts";
import type { JsonSchema } from "../../src/config/json-schema.ts";
import { fillDefaults } from "../../src/config/defaults.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { printTree } from "../../src/config/print.ts";
import { maskUrls, redact } from "../../src/config/redact.ts";

const environment = {
  env: (name: string) => ({ VALUE: "hunter2", PORT: "80", ON: "true" })[name],
  readFile: () => "from-file\n",
};

function load(text: string): MapNode {
  const { root, problems } = loadSources({ sources: [{ name: "x.yaml", text }], environment });
  t.same(problems.map(formatProblem), [], "no problem");
  return root;
}

t.test("printTree() prints what reads back as the same tree", async (t) => {
  const root = load(`
a: { b: 1, c: "1", d: "no", e: "", f: 1e3, g: "x: y", "h: i": "- j", k: "a$$b $\${env:X} $5" }
list: [1, two, [3, [4]], { five: 5, six: [6], seven: {} }, {}, []]
long: |
  first "line"
  second: line
blank:
"": empty
"$\${x}": key
"#": "# no comment"
`);
  const text = printTree(root);
  t.same(toValue(load(text)), toValue(root), text);
  t.equal(printTree(load(text)), text);
  t.equal(printTree(load("")), "{}\n");
});

t.test("printTree() says where each value was written, on its own line", async (t) => {
  const sources = [
    { name: "a.yaml", text: "m:\n  x: 1\n  y: [1,\n    2]\n" },
    { name: "b\nc.yaml", text: "m: { x: 2 }\n" },
  ];
  const { root } = loadSources({ sources, set: ["m.z=3"], environment });
  t.equal(
    printTree(root, { origin: true }),
    `m:
  x: 2  # b c.yaml:1:6
  y:  # a.yaml:3:3
    - 1  # a.yaml:3:7
    - 2  # a.yaml:4:5
  z: 3  # --set m.z=…
`,
  );
});

t.test("fillDefaults() fills in what nobody wrote, and no part of what is left out", async (t) => {
  const schema: JsonSchema = {
    properties: {
      on: { default: false },
      queue: { default: {}, properties: { size: { default: "1GiB" }, age: {} } },
      tls: { properties: { version: { default: "1.2" } } },
      each: { additionalProperties: { properties: { n: { default: [1] } } } },
      all: { items: { properties: { n: { default: 2 } } } },
    },
  };
  const filled = (text: string) => toValue(fillDefaults(load(text), schema));
  t.same(filled(""), { on: false, queue: { size: "1GiB" } });
  t.same(filled("on: true\nqueue:\ntls: {}\neach: { a: {} }\nall: [{}, { n: 3 }]"), {
    on: true,
    queue: { size: "1GiB" },
    tls: { version: "1.2" },
    each: { a: { n: [1] } },
    all: [{ n: 2 }, { n: 3 }],
  });
});

t.test("redact() hides secrets by schema, by name and where they stand again", async (t) => {
  const schema: JsonSchema = {
    properties: {
      token: { writeOnly: true },
      signature: { anyOf: [{ enum: ["github"] }, { properties: { header: {} } }] },
      a: { properties: { signature: { properties: { header: {} } } } },
      b: { properties: { signature: { enum: ["github"] } } },
      hmac_key: { type: "string" },
      key_file: { type: "string" },
      either: { anyOf: [{ type: "string" }, { properties: { pin: { writeOnly: true } } }] },
      headers: { additionalProperties: { type: "string" } },
      strict: { properties: { known: {} }, additionalProperties: false },
    },
  };
  const root = load(`
token: literal
signature: github
a: { signature: { header: X-Sig } }
b: { signature: mistaken }
hmac_key: \${env:VALUE}
key_file: \${env:PORT}
either: { pin: 1234567 }
headers: { authorization: Bearer abc, accept: text, x-api-key: { deep: [abcd] } }
passwords: [one-two, "\${file:/x}"]
password: \${env:ON}
strict: { known: shown, tokn: [misspelt] }
note: said hunter2 and literal
url: https://me:pa@ss@example.com/x?token=abc&n=1
`);
  t.same(toValue(redact(root, schema)), {
    token: "[secret]",
    signature: "github",
    a: { signature: { header: "X-Sig" } },
    b: { signature: "[secret]" },
    hmac_key: "[secret]",
    key_file: 80,
    either: { pin: "[secret]" },
    headers: {
      authorization: "[secret]",
      accept: "text",
      "x-api-key": { deep: ["[secret]"] },
    },
    passwords: ["[secret]", "[secret]"],
    password: true,
    strict: { known: "shown", tokn: ["[secret]"] },
    note: "said [secret] and [secret]",
    url: "https://[secret]@example.com/x?token=[secret]&n=1",
  });
});

t.test("maskUrls() hides users, passwords and parameters that name a secret", async (t) => {
  const rows: readonly [string, string][] = [
    ["https://example.com/a@b", "https://example.com/a@b"],
    ["nats://u:p@h1:1,nats://u:p@h2", "nats://[secret]@h1:1,nats://[secret]@h2"],
    ["https://token@h/", "https://[secret]@h/"],
    ["https://h/?a=1&X-Amz-Signature=abc;b=2", "https://h/?a=1&X-Amz-Signature=[secret];b=2"],
    ["a@b?token=c", "a@b?token=c"],
  ];
  for (const [text, masked] of rows) t.equal(maskUrls(text), masked);
});

t.test("a problem in a secret's text does not quote it", async (t) => {
  const told = (text: string) =>
    loadSources({ sources: [{ name: "x.yaml", text }], environment }).problems
      .map(formatProblem).join("\n");
  const lines = [
    "password: *MARKED",
    "password: !MARKED x",
    'password: "a\\qMARKED"',
    "password: |MARKED\n  x",
    "password: a${MARKED}b",
    "password: a${MARKED:x}b",
    "password: a${env:MARKED-x}b",
    "password: @MARKED",
    "password: %MARKED",
    "password: `MARKED",
    'password: "MARKED',
    "password: [MARKED",
    "password: MARKED: x",
    'password: "MARKED" MARKED',
    "%MARKED x\n---\na: 1",
  ];
  for (const text of lines) {
    t.not(told(text), "", text);
    t.notMatch(told(text), "MARKED", text);
  }
  t.match(told("path: *MARKED"), 'Unknown alias "*MARKED"');
  t.match(told("password: ${env:MISSING}"), 'Environment variable "MISSING" is not set');
});
