// The results of golden tests in the Test Anything Protocol, version 14.

import { stringify } from "yaml";
import { type CaseResult, printable } from "./report.ts";

/** The first lines. */
export function tapHead(cases: number): string {
  return `TAP version 14\n1..${cases}\n`;
}

/** One case, counted from 1. */
export function tapCase({ file, line, name, ms, failures }: CaseResult, number: number): string {
  const verdict = failures.length === 0 ? "ok" : "not ok";
  const point = `${verdict} ${number} - ${description(`${file}: ${name}`)} # time=${
    ms.toFixed(0)
  }ms`;
  if (failures.length === 0) return `${point}\n`;
  const details = {
    at: { file: printable(file), line },
    failures: failures.map(({ path, expected, got }) => ({
      path: printable(path),
      expected: printable(expected),
      got: printable(got),
    })),
  };
  const yaml = stringify(details, { lineWidth: 0, defaultStringType: "QUOTE_DOUBLE" });
  const block = yaml.trimEnd().split("\n").map((text) => `  ${text}\n`).join("");
  return `${point}\n  ---\n${block}  ...\n`;
}

/** A `#` would begin a directive, and a backslash an escape. */
function description(text: string): string {
  return printable(text).replace(/[\\#]/g, "\\$&");
}
