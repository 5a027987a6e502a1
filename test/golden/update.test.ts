// What --update writes into a file of golden tests: what came, and nothing else.

import { chmodSync, lstatSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { folder, line, runFiles, runText, shop } from "./golden.ts";

const FILES = { "shop.yaml": shop() };
const ORDER = line("1", "CreateOrder");
const READ = line("2", "ListOrders", { read: true });

t.test("update writes what differs and leaves every other byte", async (t) => {
  const text = `# Above all.
config:   shop.yaml   # odd   spacing
cases:

  - name: "wrong in part"
    # before the input
    input:   {lines: '${ORDER}'}   # a flow map without spaces
    expect:
      # what matters
      records:
        - eventName: 'DeleteOrder' # was it?
          # who
          userIdentity: { userName: { matches: ^c }, type: Root }
          errorCode: gone


  # between two cases
  - name: right
    input: { lines: '${READ}' }
    expect: {records: [{eventName: ListOrders}]}   # stays
# The end.
`;
  const { text: after, failures } = await runText(t, text, { files: FILES, update: true });
  t.equal(failures[0]!.length, 3);
  t.equal(
    after,
    text.replace("'DeleteOrder'", "'CreateOrder'").replace("type: Root", "type: IAMUser")
      .replace("          errorCode: gone\n", ""),
  );
  t.same((await runText(t, after, { files: FILES })).failures, [[], []]);
});

t.test("update fills in what is not expected yet, and the reasons", async (t) => {
  const text = `config: shop.yaml
cases:
  - name: nothing yet
    input:
      lines: |
        ${ORDER}
        no JSON

  - name: a blank one
    expect:
    input: { lines: '${READ}' }
  - name: filtered
    input: { lines: '${READ}' }
    expect: { records: [{ eventName: ListOrders }] }
  - name: set aside
    input: { lines: no JSON }
    expect:
      records:
        - {}
      rejected: [{ matches: nothing like it }]
`;
  const before = await runText(t, text, { files: FILES });
  t.same(before.problems, [
    "test.yaml:3:5: cases[0].expect: Expects nothing (write records, or run with --update)",
    "test.yaml:10:12: cases[1].expect: Expects nothing (write records, or run with --update)",
  ]);
  const files = { "shop.yaml": shop("no_reads") };
  const { text: after } = await runText(t, text, { files, update: true });
  const again = await runText(t, after, { files });
  t.same(again.problems, []);
  t.same(again.failures, [[], [], [], []], after);
  t.match(after, /nothing yet[^]*no JSON\n {4}expect:\n {6}records:\n {8}- eventVersion: "1.11"/);
  t.match(after, /name: filtered\n.*\n {4}expect: \{ records: none, counts: \{ filtered: 1 \} \}/);
  t.match(after, /records: none\n {6}rejected: .*JSON/);
});

t.test("update drops records that did not come and adds those that did", async (t) => {
  const text = `config: shop.yaml
cases:
  - name: it
    input:
      lines: |
        ${ORDER}
        ${READ}
    expect:
      records:
        - eventName: DeleteOrder # never came
        - eventName: NorThisOne
        - eventName: ListOrders # the second one
      counts: { received: 7 }
`;
  const { text: after } = await runText(t, text, { files: FILES, update: true });
  t.same((await runText(t, after, { files: FILES })).failures, [[]]);
  t.match(after, "- eventName: ListOrders # the second one\n");
  t.notMatch(after, "NorThisOne");
  t.match(after, "counts: { received: 2 }");
});

t.test("update understands anchors that others use, and cases in braces", async (t) => {
  const text = `config: shop.yaml
cases:
  - name: first
    input: { lines: '${ORDER}' }
    expect: { records: [&who { userIdentity: { userName: bob } }] }
  - { name: second, input: { lines: '${ORDER}' }, expect: { records: [*who] } } # braces
`;
  const { text: after } = await runText(t, text, { files: FILES, update: true });
  t.same((await runText(t, after, { files: FILES })).failures, [[], []], after);
  t.match(after, "# braces");
  t.match(after, "*who");
});

t.test("update leaves a file that passes, a link and its permissions as they are", async (t) => {
  const text = `config: shop.yaml
cases:
  - {name: it,   input: {lines: '${ORDER}'}, expect: {records: [{eventName: CreateOrder}]}}
`;
  const path = folder(t, {
    ...FILES,
    "passes.yaml": text,
    "fails.yaml": text.replace("[{eventName: C", "[{eventName: X"),
  });
  const passes = join(path, "passes.yaml");
  const at = statSync(passes).mtimeMs;
  await runFiles([passes], { update: true });
  t.equal(statSync(passes).mtimeMs, at);
  chmodSync(join(path, "fails.yaml"), 0o600);
  symlinkSync("fails.yaml", join(path, "link.yaml"));
  await runFiles([join(path, "link.yaml")], { update: true });
  t.ok(lstatSync(join(path, "link.yaml")).isSymbolicLink());
  t.equal(statSync(join(path, "fails.yaml")).mode & 0o777, 0o600);
  t.same((await runFiles([join(path, "fails.yaml")])).failures, [[]]);
});

t.test("update does not touch a case whose input could not be read to its end", async (t) => {
  const text = `cases:
  - name: it
    format: late_thrower
    input: { lines: x }
    expect: { records: [{}] }
`;
  t.equal((await runText(t, text, { update: true })).text, text);
});
