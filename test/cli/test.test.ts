// `cairn test`: exit codes, problems with their places, TAP, JUnit, and bad input.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseXML } from "@aws-sdk/xml-builder";
import t from "tap";
import { Parser, type Result } from "tap-parser";
import { reportCase } from "../../src/golden/report.ts";
import { commandOf, root, runtimeName, startCairn } from "../e2e/cairn.ts";
import { folder, line, shop } from "../golden/golden.ts";
import { callCairn } from "./call.ts";

const run = (...args: string[]) => startCairn(["test", ...args]).exit;

const call = (...args: string[]) => callCairn(["test", ...args]);

const ORDER = line("1", "CreateOrder");

/** A file with a case that passes, and one that fails in odd words. */
const MIXED = `config: shop.yaml
cases:
  - name: passes
    input: { lines: '${ORDER}' }
    expect: { records: [{ eventName: CreateOrder }] }
  - name: 'fails # <as> & "it" \\ should]]>'
    input: { lines: '${line("2", "A", { note: '\u0001\u001b[31m \ud800 <&>" ]]>' })}' }
    expect: { records: [{ eventName: "B\\u001b[0m\\uD83D", additionalEventData: { note: x } }] }
`;

t.test("cairn test says what differs, and ends with 0 or 1", async (t) => {
  const path = folder(t, { "shop.yaml": shop(), "test.yaml": MIXED });
  const [mixed, examples] = await Promise.all([
    run(join(path, "test.yaml")),
    run(...["host", "webhook"].map((name) => join(root, `config/examples/tests/${name}.yaml`))),
  ]);
  t.equal(mixed.code, 1, mixed.stderr);
  t.match(mixed.stdout, "ok    passes\n");
  t.match(
    mixed.stdout,
    /FAIL {2}fails # <as> .* \(.*test\.yaml:6\)\n {8}records\[0\]\.eventName\n/,
  );
  t.match(mixed.stdout, /expected "B\\u001b\[0m.*\n {10}got {6}"A"\n/);
  t.match(mixed.stdout, /\n1 passed, 1 failed\n$/);
  // No terminal reads it: no colour, and nothing of the input that one would obey.
  t.notMatch(mixed.stdout, "\u001b");
  t.match(examples, { code: 0, stdout: /\n8 passed, 0 failed\n$/ });
});

t.test("reportCase() colours what a terminal shows, and no more", async (t) => {
  const failures = [{ path: "records[0]", expected: "1", got: "\u001b]0;x\u0007\u202e2" }];
  const result = { file: "a.yaml", line: 3, name: "it", ms: 1, failures };
  const painted = reportCase(result, (text, code) => `<${code}>${text}</>`);
  t.equal(
    painted,
    "<31>FAIL</>  it (a.yaml:3)\n        records[0]\n          expected <32>1</>\n" +
      "          got      <31>\\u001b]0;x\\u0007\\u202e2</>\n",
  );
});

t.test("cairn test --tap and --junit are read by parsers that others wrote", async (t) => {
  const path = folder(t, { "shop.yaml": shop(), "test.yaml": MIXED });
  const xml = join(path, "out.xml");
  const { code, stdout } = await call("--tap", `--junit=${xml}`, join(path, "test.yaml"));
  t.equal(code, 1);

  const points: Result[] = [];
  const strays: unknown[] = [];
  const parser = new Parser({ strict: true });
  parser.on("assert", (point) => points.push(point));
  parser.on("extra", (text) => strays.push(text));
  parser.end(stdout);
  const { count, fail, failures, plan } = parser.results!;
  t.match({ count, fail, plan }, { count: 2, fail: 1, plan: { start: 1, end: 2 } });
  t.same(failures.filter(({ tapError }) => tapError), []);
  t.same(strays.filter((text) => !/^TAP version/.test(String(text))), []);
  t.match(points[1]?.name, 'test.yaml: fails # <as> & "it" \\ should]]>');
  t.match(points[1]?.diag, { failures: [{ path: "records[0].eventName", got: '"A"' }, {}] });

  const text = readFileSync(xml, "utf8");
  t.notMatch(text, /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u);
  t.notMatch(text, /&(?!(?:lt|gt|amp|quot|#\d+);)/);
  const { testsuites } = { testsuites: parseXML(text).testsuites as unknown };
  t.match(testsuites, {
    tests: "2",
    failures: "1",
    testsuite: {
      testcase: [
        { name: "passes" },
        { name: 'fails # <as> & "it" \\ should]]>', failure: { "#text": /records\[0\]/ } },
      ],
    },
  });
});

t.test("every problem of every file is told at once with its place, and ends with 3", async (t) => {
  const path = folder(t, {
    "shop.yaml": shop(),
    "bad.yaml": `config: shop.yaml
nwo: 2026-01-01
cases:
  - nmae: x
    input: { lines: a, body: b }
    expect: { records: nothing, counts: { recieved: 1 } }
  - name: y
    input: { file: a, framming: lines }
    expect: { rejected: { matches: "(" } }
`,
    "worse.yaml": `config: shop.yaml
cases:
  - { name: a, receiver: file/shpo, input: { lines: a }, expect: { counts: { stored: 0 } } }
  - { name: b, format: jsno, input: { lines: a }, expect: { counts: { stored: 0 } } }
  - { name: c, format: json, options: { maping: {} }, input: { lines: a }, expect: { counts: {} } }
  - { name: d, pipeline: shpo, input: { lines: a }, expect: { counts: { stored: 0 } } }
  - { name: e, input: { file: none.log }, expect: { counts: { stored: 0 } } }
  - { name: f, input: { file: '*.none' }, expect: { counts: { stored: 0 } } }
  - { name: g, input: { file: . }, expect: { counts: { stored: 0 } } }
  - { name: h, input: { hex: 0g }, expect: { counts: { stored: 0 } } }
  - { name: i, input: { base64: 'a' }, expect: { counts: { stored: 0 } } }
  - { name: j, input: { lines: a }, expect: { records: [{ eventName: { matches: '(?=a)' } }] } }
`,
    "unset.yaml": "cases: [{ name: a, input: { lines: a }, expect: { records: [{}] } }]\n",
    "journal.yaml":
      `config: 'yaml:{ receivers: { journald: {} }, exporters: { debug: {} }, service: { pipelines: { p: { receivers: [journald], exporters: [debug] } } } }'
cases: [{ name: a, input: { lines: a }, expect: { records: [{}] } }]
`,
    "broken.yaml":
      "config: missing.yaml\ncases: [{ name: a, input: { lines: a }, expect: { records: [{}] } }]\n",
  });
  const names = ["bad", "worse", "unset", "journal", "broken", "not-there"];
  const { code, stdout, stderr } = await call(...names.map((name) => join(path, `${name}.yaml`)));
  t.equal(code, 3);
  t.equal(stdout, "");
  const expected = [
    /bad\.yaml:2:1: nwo: Unknown option \(did you mean "now"\?\)/,
    /bad\.yaml:4:5: cases\[0\]\.nmae: Unknown option \(did you mean "name"\?\)/,
    /bad\.yaml:5:5: cases\[0\]\.input: Expected one of lines, body, file, hex, base64/,
    /bad\.yaml:6:43: cases\[0\]\.expect\.counts\.recieved: .*did you mean "received"/,
    /bad\.yaml:8:23: cases\[1\]\.input\.framming: .*did you mean "framing"/,
    /bad\.yaml:9:36: cases\[1\]\.expect\.rejected\.matches: Cannot compile/,
    /worse\.yaml:3:26: cases\[0\]\.receiver: No receiver "file\/shpo".*did you mean "file\/shop"/,
    /worse\.yaml:4:24: cases\[1\]\.format: Unknown format \(did you mean "json"\?\)/,
    /worse\.yaml:5:41: cases\[2\]\.options\.maping: .*did you mean "mapping"/,
    /worse\.yaml:6:26: cases\[3\]\.pipeline: No pipeline "shpo".*did you mean "shop"/,
    /worse\.yaml:7:31: cases\[4\]\.input\.file: Cannot read ".*none\.log": no such file/,
    /worse\.yaml:8:31: cases\[5\]\.input\.file: No file fits "\*\.none"/,
    /worse\.yaml:9:31: cases\[6\]\.input\.file: Cannot read ".*": not a regular file/,
    /worse\.yaml:10:30: cases\[7\]\.input\.hex: Expected pairs of hexadecimal digits/,
    /worse\.yaml:11:33: cases\[8\]\.input\.base64: Expected base64/,
    /worse\.yaml:12:81: cases\[9\]\.expect\.records\[0\]\.eventName\.matches: Cannot compile/,
    /unset\.yaml:1:9: cases\[0\]: No configuration to test \(name one with --config/,
    /journal\.yaml:2:\d+: .*Receiver "journald" knows itself what its input means/,
    /missing\.yaml: Cannot read configuration: no such file/,
    /not-there\.yaml: Cannot read test file: no such file/,
  ];
  for (const pattern of expected) t.match(stderr, pattern);
});

t.test("files that are no tests, without an end or too large are refused at once", async (t) => {
  const path = folder(t, {
    "cycle.yaml": "cases: &a [{ name: x, input: { lines: a }, expect: { records: *a } }]\n",
    "self.yaml": "cases: &a [*a, *a]\n",
    "binary.yaml": Uint8Array.from({ length: 300 }, (_, i) => i % 256),
    "list.yaml": "- 1\n",
    "empty.yaml": "",
    "deep.yaml": "[".repeat(5000),
    "large.yaml": "#".repeat(1024 * 1024 + 1),
    "shop.yaml": shop(),
    "load.yaml": `config: shop.yaml
cases: [{ name: a, input: { file: load.bin }, expect: { records: [{}] } }]
`,
    "load.bin": "",
  });
  truncateSync(join(path, "load.bin"), 65 * 1024 * 1024);
  const expected: Readonly<Record<string, RegExp>> = {
    "cycle.yaml": /Nested deeper than 64 levels|More than 100000 values/,
    "self.yaml": /Nested deeper than 64 levels|More than 100000 values/,
    "binary.yaml": /Cannot read test file: not UTF-8 text/,
    "list.yaml": /Expected a map with cases/,
    "empty.yaml": /Expected a map with cases/,
    "deep.yaml": /Nested deeper than 64 levels/,
    "large.yaml": /Cannot read test file: larger than 1048576 bytes/,
    "load.yaml": /load\.bin": all input of a case is at most 67108864 bytes/,
    ".": /Cannot read test file: is a directory/,
  };
  const { code, stderr } = await call(...Object.keys(expected).map((name) => join(path, name)));
  t.equal(code, 3);
  for (const [name, pattern] of Object.entries(expected)) {
    const lines = stderr.split("\n").filter((text) => text.includes(join(path, name)));
    t.match(lines.join("\n"), pattern, name);
    t.ok(lines.length <= 20, `${name}: ${lines.length} problems`);
  }
});

t.test("cairn test wants files, and says where it cannot write", async (t) => {
  const path = folder(t, { "shop.yaml": shop(), "test.yaml": MIXED });
  t.match(await call(), { code: 2, stderr: /Expected files of golden tests/ });
  const junit = join(path, "no/such/folder.xml");
  t.match(await call(`--junit=${junit}`, join(path, "test.yaml")), {
    code: 1,
    stderr: /Cannot write ".*folder\.xml": /,
  });
});

t.test("cairn test --update mends the file, so that it passes", async (t) => {
  const path = folder(t, { "shop.yaml": shop() });
  const file = join(path, "test.yaml");
  const part = `config: shop.yaml
cases:
  - name: it # as a sentence
    input: { lines: '${ORDER}' }
    expect: { records: [{ eventName: X }] }
`;
  writeFileSync(file, part);
  t.match(await call("--update", file), { code: 0, stdout: /wrote it\nUpdated .*test\.yaml\n/ });
  t.equal(readFileSync(file, "utf8"), part.replace("eventName: X", "eventName: CreateOrder"));
  t.match(await call(file), { code: 0, stdout: /ok {4}it\n/ });
});

const noPipes = existsSync("/bin/sh") ? false : "no shell here";

t.test("a reader that goes away early does no harm", { skip: noPipes }, async (t) => {
  const cases = Array.from({ length: 300 }, (_, i) =>
    `  - name: number ${i} ${"x".repeat(300)}
    input: { lines: '${ORDER}' }
    expect: { records: [{ eventName: CreateOrder }] }
`);
  const path = folder(t, {
    "shop.yaml": shop(),
    "test.yaml": `config: shop.yaml\ncases:\n${cases.join("")}`,
  });
  const command = commandOf(runtimeName).map((word) => `'${word}'`).join(" ");
  const script = join(path, "line.sh");
  const codes = join(path, "code");
  writeFileSync(
    script,
    `(${command} test '${path}/test.yaml' 2>'${path}/errors'; echo $? >'${codes}') | head -n 1\n`,
  );
  const child = spawn("sh", [script], { stdio: ["ignore", "ignore", "ignore"], env: process.env });
  await new Promise((done) => child.on("close", done));
  t.equal(readFileSync(codes, "utf8"), "0\n");
  t.equal(readFileSync(join(path, "errors"), "utf8"), "");
});
