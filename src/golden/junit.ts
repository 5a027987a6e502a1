// The results of golden tests as JUnit's XML, as build servers read it: a suite for each file.

import type { CaseResult } from "./report.ts";

/** The whole document. */
export function junit(results: readonly CaseResult[]): string {
  const files = [...new Set(results.map(({ file }) => file))];
  const suites = files.map((file) => suite(file, results.filter((one) => one.file === file)));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes({ name: "cairn test", ...totals(results) })}>`,
    ...suites,
    "</testsuites>",
    "",
  ].join("\n");
}

function suite(file: string, results: readonly CaseResult[]): string {
  return [
    `  <testsuite ${attributes({ name: file, ...totals(results) })}>`,
    ...results.map(testCase),
    "  </testsuite>",
  ].join("\n");
}

function testCase({ file, line, name, ms, failures }: CaseResult): string {
  const about = attributes({ name, classname: file, file, line, time: seconds(ms) });
  const [first] = failures;
  if (first === undefined) return `    <testcase ${about}/>`;
  const more = failures.length === 1 ? "" : ` and ${failures.length - 1} more`;
  const text = failures.map(({ path, expected, got }) =>
    `${path}\n  expected ${expected}\n  got      ${got}\n`
  );
  return [
    `    <testcase ${about}>`,
    `      <failure ${attributes({ message: `${first.path}${more}`, type: "difference" })}>` +
    `${escape(text.join(""))}</failure>`,
    "    </testcase>",
  ].join("\n");
}

function totals(results: readonly CaseResult[]): Readonly<Record<string, string | number>> {
  return {
    tests: results.length,
    failures: results.filter(({ failures }) => failures.length > 0).length,
    errors: 0,
    time: seconds(results.reduce((sum, { ms }) => sum + ms, 0)),
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values).map(([name, value]) => `${name}="${escape(String(value))}"`)
    .join(" ");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
};

/** Text for an element or an attribute. What XML 1.0 has no way to write becomes U+FFFD. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[<>&"]/g, (character) => ENTITIES[character]!)
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
