// What a configuration may be before a parser is let at it.

import t from "tap";
import { findExcess } from "../../src/config/token-limit.ts";
import { parseYaml } from "../../src/config/yaml.ts";

const environment = { env: () => undefined, readFile: () => "" };
const problemsOf = (text: string) =>
  parseYaml(text, { name: "a.yaml", rank: 0 }, environment).problems
    .map(({ at, problem }) => `${at.line}:${at.column} ${problem}`);

t.test("findExcess() refuses what would keep the parser busy, and says where", async (t) => {
  const deep = "Nested deeper than 64 levels";
  const many = "More than 100000 YAML tokens";
  const texts: Readonly<Record<string, readonly [string, string, number]>> = {
    "open brackets": ["[".repeat(200_000), deep, 64],
    "open maps": ["{a: ".repeat(200_000), deep, 64 * 4],
    "closed brackets": [`a: ${"[".repeat(1e5)}${"]".repeat(1e5)}`, deep, 3 + 64],
    dashes: ["- ".repeat(200_000), deep, 64 * 2],
    "question marks": ["? ".repeat(200_000), deep, 64 * 2],
    anchors: ["&a ".repeat(100_000), deep, 64 * 3],
    tags: ["! ".repeat(100_000), deep, 64 * 2],
    commas: [`a: [${",".repeat(500_000)}]`, many, 100_000 - 4],
    lines: ["- 1\n".repeat(50_000), many, 79_999],
    comments: ["#\n".repeat(500_000), many, 100_000],
  };
  for (const [name, [text, problem, offset]] of Object.entries(texts)) {
    const begin = performance.now();
    const found = findExcess(text);
    t.match(found, { problem }, name);
    t.ok(Math.abs(found!.offset - offset) <= 4, `${name}: at ${found?.offset}`);
    t.ok(performance.now() - begin < 5000, `${name}: at once`);
  }
});

t.test("findExcess() takes what people write", async (t) => {
  const items = Array.from({ length: 200 }, () => "  - { a: [1, 2], b: &x !!str y }\n  -\n").join(
    "",
  );
  t.equal(findExcess(`list:\n${items}`), undefined);
  t.equal(findExcess(`${"[".repeat(64)}${"]".repeat(64)}`), undefined);
  t.equal(findExcess(""), undefined);
});

t.test("parseYaml() places the excess, and tells a merge key as one", async (t) => {
  t.same(problemsOf(`a: 1\nb: ${"[".repeat(100)}`), ["2:68 Nested deeper than 64 levels"]);
  t.same(problemsOf("a: &a { x: 1 }\nb: { <<: *a }"), ["2:6 Merge key: YAML 1.2 has none"]);
});
