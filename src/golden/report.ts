// What a terminal shows of golden tests: a line for each case, below a failed one what differs, and
// how many there were.

import type { Failure } from "./evaluate.ts";

/** A case with its verdict. */
export interface CaseResult {
  /** The file, as it was named. */
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly ms: number;
  /** None: passed. */
  readonly failures: readonly Failure[];
  /** What came was written into the file. */
  readonly updated?: boolean;
}

/** Gives a text a colour, by its ANSI code; or not. */
export type Paint = (text: string, code: string) => string;

/** One case. */
export function reportCase(
  { file, line, name, failures, updated }: CaseResult,
  paint: Paint,
): string {
  if (updated) return `${paint("wrote", "33")} ${printable(name)}\n`;
  if (failures.length === 0) return `${paint("ok", "32")}    ${printable(name)}\n`;
  const lines = [`${paint("FAIL", "31")}  ${printable(name)} (${printable(file)}:${line})`];
  for (const failure of failures) {
    lines.push(
      `        ${printable(failure.path)}`,
      `          expected ${paint(printable(failure.expected), "32")}`,
      `          got      ${paint(printable(failure.got), "31")}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** The last line. */
export function reportTotal(results: readonly CaseResult[], paint: Paint): string {
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  const verdict = failed === 0 ? "0 failed" : paint(`${failed} failed`, "31");
  return `\n${results.length - failed} passed, ${verdict}\n`;
}

/** Text of the input on one line, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
