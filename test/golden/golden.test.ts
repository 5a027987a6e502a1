// Golden tests of a configuration: the ones that come with Cairn, and what each word of a file means.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadGolden } from "../../src/golden/golden.ts";
import { runCase } from "../../src/golden/run.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { root } from "../e2e/cairn.ts";
import { factories, folder, line, runFiles, runText, shop } from "./golden.ts";

const EXAMPLES = join(root, "config/examples/tests");

t.test("the golden tests of the examples pass", async (t) => {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith(".yaml"));
  for (const name of names) {
    const { results, failures, problems } = await runFiles([join(EXAMPLES, name)]);
    t.same(problems, [], name);
    t.ok(results.length > 0, name);
    t.same(failures, results.map(() => []), name);
  }
  const tested = ["host", "syslog", "kubernetes", "webhook", "application"];
  for (const name of tested) t.ok(names.includes(`${name}.yaml`), name);
});

t.test("the golden test in README.md passes", async (t) => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const block = /```yaml\n(config: \.\.\/application\.yaml[\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const text = block.replace("../application.yaml", join(root, "config/examples/application.yaml"));
  const { problems, failures } = await runText(t, text);
  t.same(problems, []);
  t.same(failures, [[]]);
});

const CONFIG = { "shop.yaml": shop() };

/** A test file with one case. */
function oneCase(lines: readonly string[], expect: string): string {
  const text = lines.map((each) => `        ${each}\n`).join("");
  return `config: shop.yaml
cases:
  - name: it
    input:
      lines: |
${text}    expect: ${expect}
`;
}

const ORDER = line("1", "CreateOrder");
const READ = line("2", "ListOrders", { read: true });

/** The failures of one case. */
async function judge(
  t: Parameters<typeof runText>[0],
  lines: readonly string[],
  expect: string,
  config = shop(),
): Promise<readonly string[]> {
  const files = { "shop.yaml": config };
  const { failures, problems } = await runText(t, oneCase(lines, expect), { files });
  t.same(problems, []);
  return failures[0] ?? ["did not run"];
}

t.test("records are compared by the members that are given, and with exact by all", async (t) => {
  const part = "{ records: [{ eventName: CreateOrder, userIdentity: { userName: carol } }] }";
  t.same(await judge(t, [ORDER], part), []);
  const all = await judge(t, [ORDER], part.replace("{ records", "{ exact: true, records"));
  t.ok(all.includes('records[0].eventVersion: nothing / "1.11"'));
  t.ok(all.includes('records[0].userIdentity.type: nothing / "IAMUser"'));
  t.same(await judge(t, [ORDER], "{ records: [{ userIdentity: { userName: bob } }] }"), [
    'records[0].userIdentity.userName: "bob" / "carol"',
  ]);
});

t.test("an eventID that is given is compared; it is the same in every run", async (t) => {
  const [failure] = await judge(t, [ORDER], "{ records: [{ eventID: x }] }");
  const id = /\/ ("[0-9a-f-]{36}")$/.exec(failure!)?.[1];
  t.same(await judge(t, [ORDER], `{ records: [{ eventID: ${id} }] }`), []);
});

t.test("matches, exists and equals are conditions on a value", async (t) => {
  const records = (text: string) => `{ records: [{ ${text} }] }`;
  t.same(await judge(t, [ORDER], records("eventName: { matches: ^Create }")), []);
  t.same(await judge(t, [ORDER], records("eventName: { exists: true }")), []);
  t.same(await judge(t, [ORDER], records("errorCode: { exists: false }")), []);
  t.same(
    await judge(t, [ORDER], records("readOnly: { matches: ^f }, requestID: { exists: false }")),
    [],
  );
  t.same(await judge(t, [ORDER], records("eventName: { matches: ^Delete }")), [
    'records[0].eventName: a match of /^Delete/ / "CreateOrder"',
  ]);
  t.same(await judge(t, [ORDER], records("errorCode: { exists: true }")), [
    "records[0].errorCode: some value / nothing",
  ]);
  t.same(await judge(t, [ORDER], records("eventName: { exists: false }")), [
    'records[0].eventName: nothing / "CreateOrder"',
  ]);
  const odd = line("1", "Odd", { filter: { exists: true } });
  const there = (value: string) => records(`additionalEventData: { filter: ${value} }`);
  t.same(await judge(t, [odd], there("{ equals: { exists: true } }")), []);
  t.match(await judge(t, [odd], there("{ equals: { exists: false } }")), [/filter\.exists/]);
});

t.test("order counts unless any is said; then as many fit as can", async (t) => {
  const lines = [ORDER, READ];
  const turned = "records: [{ eventName: ListOrders }, { eventName: CreateOrder }]";
  t.equal((await judge(t, lines, `{ ${turned} }`)).length, 2);
  t.same(await judge(t, lines, `{ order: 'any', ${turned} }`), []);
  // The first one fits both, the second only the first: they have to move.
  const vague = "records: [{ eventName: { exists: true } }, { eventName: CreateOrder }]";
  t.same(await judge(t, lines, `{ order: 'any', ${vague} }`), []);
});

t.test("records too many and too few are told, each as the one it is", async (t) => {
  const three = [ORDER, READ, line("3", "DeleteOrder")];
  const more = await judge(
    t,
    three,
    "{ records: [{ eventName: CreateOrder }, { eventName: DeleteOrder }] }",
  );
  t.equal(more.length, 1);
  t.match(more[0], /^records\[1\]: no further record \/ \{.*"ListOrders"/);
  const fewer = await judge(
    t,
    [READ],
    "{ records: [{ eventName: CreateOrder }, { eventName: ListOrders }] }",
  );
  t.same(fewer, ['records[0]: {"eventName":"CreateOrder"} / no such record']);
});

t.test("reasons of what was set aside have to be expected, one for each", async (t) => {
  const lines = [ORDER, "no JSON", `{"x": "${"y".repeat(2000)}"}`];
  const failures = await judge(t, lines, "{ records: [{}] }");
  t.equal(failures.length, 2);
  t.match(failures[1], /^rejected: no further reason \/ "Line is longer than 1024 bytes"/);
  const both = "rejected: [{ matches: JSON }, Line is longer than 1024 bytes]";
  t.same(await judge(t, lines, `{ records: [{}], ${both}, counts: { rejected: 2 } }`), []);
  t.match(await judge(t, [ORDER], "{ records: [{}], rejected: Too hot }"), [
    'rejected[0]: "Too hot" / no such reason',
  ]);
});

t.test("a case without records says why: filtered, duplicate, rejected or ignored", async (t) => {
  const config = shop("no_reads");
  const none = (why: string) => `{ records: none, ${why} }`;
  t.same(await judge(t, [READ], none("counts: { filtered: 1, stored: 0 }"), config), []);
  t.same(await judge(t, ["{}"], none("rejected: { matches: . }")), []);
  t.match(await judge(t, [ORDER], none("counts: { filtered: 1 }"), config), [
    /^records\[0\]: no further record/,
    "counts.filtered: 1 / 0",
  ]);
  const { problems } = await runText(t, oneCase([READ], "{ records: none }"), { files: CONFIG });
  t.match(problems, [/^test\.yaml:7:\d+: cases\[0\]\.expect\.records: Say why there is no record/]);
});

t.test("processors run as in the pipeline, each case with its own", async (t) => {
  const text = `config: shop.yaml
cases:
  - name: once
    input: { lines: '${ORDER}' }
    expect: { records: [{ requestID: r-1 }] }
  - name: again
    input: { lines: '${ORDER}' }
    expect: { records: [{ requestID: r-1 }] }
`;
  const { failures } = await runText(t, text, { files: { "shop.yaml": shop("stamp") } });
  t.same(failures, [[], []]);
});

t.test("what comes with Cairn reshapes as in the agent: filter drops, redact hides", async (t) => {
  const config = shop("filter", "redact").replace(
    "filter: {}",
    "filter: { drop: [{ reason: lists, fields: [{ field: eventName, prefix: List }] }] }",
  );
  const secret = line("3", "CreateKey", { note: "token ghp_0123456789abcdefghijklmnopqrstuvwxyz" });
  const note = "{ matches: HIDDEN_DUE_TO_SECURITY_REASONS }";
  const records = `[{ eventName: CreateKey, additionalEventData: { note: ${note} } }]`;
  const counts = "counts: { received: 2, filtered: 1 }";
  t.same(
    await judge(t, [READ, secret], `{ records: ${records}, ignored: lists, ${counts} }`, config),
    [],
  );
});

t.test("a format or a processor that throws fails its case and no other", async (t) => {
  const text = (format: string) =>
    `cases:
  - name: throws
    format: ${format}
    input: { lines: x }
    expect: { records: [{}] }
  - name: works
    format: cloudtrail
    input: { lines: '{"eventName": "A", "eventTime": "2026-01-02T03:04:05Z"}' }
    expect: { records: [{ eventName: A }] }
`;
  const thrower = await runText(t, text("thrower"));
  t.match(thrower.failures[0]?.at(-1), /"Format failed: undefined is no function"/);
  t.same(thrower.failures[1], []);
  const late = await runText(t, text("late_thrower"));
  t.match(late.failures[0]?.[0], "input: the input read to its end / nothing held");
  t.same(late.failures[1], []);
  const config = shop("thrower");
  t.same(
    await judge(t, [ORDER], "{ records: none, rejected: 'Processor failed: no mood' }", config),
    [],
  );
  const start = await judge(t, [ORDER], "{ records: [{}] }", shop("no_start"));
  t.match(start[0], /Cannot start processor "no_start": nobody home/);
});

t.test("a processor that never answers fails its case after a time", async (t) => {
  const path = folder(t, {
    "shop.yaml": shop("sleeper"),
    "test.yaml": oneCase([ORDER], "{ records: [{}] }"),
  });
  const given = { factories: factories(), config: [], set: [], env: {}, update: false };
  const { files } = await loadGolden([join(path, "test.yaml")], given);
  const { failure, counts } = await runCase(files[0]!.cases[0]!, await detectRuntime(), 20);
  t.equal(failure, "No end after 0.02 s");
  t.equal(counts.stored, 0);
});

t.test("input comes from lines, bodies, files, patterns, hex and base64", async (t) => {
  const base64 = Buffer.from(ORDER).toString("base64");
  const hex = Buffer.from(ORDER).toString("hex");
  const one = "expect: { records: [{ eventName: CreateOrder }] }";
  const two = "expect: { counts: { received: 2, stored: 2 } }";
  const text = `config: shop.yaml
cases:
  - { name: body, input: { body: '${ORDER}' }, ${one} }
  - { name: bodies, input: { body: ['${ORDER}', '${READ}'] }, ${two} }
  - { name: base64, input: { base64: ${base64} }, ${one} }
  - { name: hex, input: { hex: '${hex.slice(0, 8)} ${hex.slice(8)}' }, ${one} }
  - { name: file, input: { file: a.jsonl }, ${one} }
  - { name: pattern, input: { file: '*.jsonl' }, ${two} }
  - { name: pieces, input: { file: '[ab].jsonl', framing: body }, ${two} }
`;
  // The last line of a file need not have an end.
  const files = { ...CONFIG, "a.jsonl": `${ORDER}\r\n`, "b.jsonl": READ };
  const { failures, problems } = await runText(t, text, { files });
  t.same(problems, []);
  t.same(failures, Array(7).fill([]));
});

t.test("bytes that are no text reach the format as they are", async (t) => {
  const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
  const text = `config: shop.yaml
cases:
  - name: binary
    input: { file: noise.bin, framing: body }
    expect: { records: none, rejected: { matches: . } }
`;
  t.same((await runText(t, text, { files: { ...CONFIG, "noise.bin": bytes } })).failures, [[]]);
});

t.test("more lines than a batch holds pass in their order", async (t) => {
  const lines = Array.from({ length: 2500 }, (_, i) => line(`${i}`, "CreateOrder")).join("\n");
  const text = `config: shop.yaml
cases:
  - name: many
    input: { file: many.jsonl }
    expect: { counts: { received: 2500, stored: 2500 } }
`;
  t.same((await runText(t, text, { files: { ...CONFIG, "many.jsonl": lines } })).failures, [[]]);
});

t.test("the clock stands at now, the case's before the file's", async (t) => {
  const text = (now: string) =>
    `now: 2020-06-01T00:00:00Z
cases:
  - name: a time without a year
    format: syslog
${now}    input: { lines: "Mar  4 05:06:07 h useradd[1]: new user: name=a, UID=1, GID=1, home=/a, shell=/b" }
    expect: { records: [{ eventTime: { matches: ^2020 } }] }
`;
  t.same((await runText(t, text(""))).failures, [[]]);
  t.match((await runText(t, text("    now: 2024-06-01\n"))).failures, [[/"2024-03-04T05:06:07Z"/]]);
});

t.test("env, set and the command line stand over the configuration", async (t) => {
  const files = { "shop.yaml": shop().replace("eu-central-1", '"${env:REGION}"') };
  const text = `config: shop.yaml
env: { REGION: us-east-1 }
set: [agent.host=web-09]
cases:
  - name: it
    input: { lines: '${ORDER}' }
    expect: { records: [{ awsRegion: us-east-1, additionalEventData: { host: web-09 } }] }
`;
  t.same((await runText(t, text, { files })).failures, [[]]);
  const over = await runText(t, text, { files, set: ["agent.region=eu-west-1"] });
  t.match(over.failures, [[/"us-east-1" \/ "eu-west-1"/]]);
  const other = folder(t, { "other.yaml": shop("stamp") });
  const replaced = await runText(t, text, { files, config: [join(other, "other.yaml")] });
  t.match(replaced.failures, [[/"us-east-1" \/ "eu-central-1"/]]);
});

t.test("text of a case is no reference, whatever it looks like", async (t) => {
  const odd = line("1", "CreateOrder", { note: "${env:HOME} $$" });
  const expect = '{ records: [{ additionalEventData: { note: "${env:HOME} $$" } }] }';
  t.same(await judge(t, [odd], expect), []);
});
