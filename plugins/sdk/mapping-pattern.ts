// Regular expressions an operator may write. JavaScript's own engine can run for ever on a line made
// for it, so these run on RE2JS, whose time grows with the length of the text alone.

import { createRequire } from "node:module";
import type { RE2JS } from "re2js";
import { z } from "zod";

/** A compiled regular expression in RE2's syntax; it matches anywhere in the text. */
export interface Pattern {
  readonly source: string;
  /** Names of its named groups. */
  readonly groups: readonly string[];
  /** Whether it matches. */
  test(text: string): boolean;
  /** The named groups that took part, or undefined where the text does not match. */
  match(text: string): Record<string, string> | undefined;
  /** The text with `put`'s answer in place of each match, or of the match's group `secret`. */
  replace(text: string, put: (found: string) => string): string;
}

// Matching costs up to pattern length times text length; nobody writes more by hand.
const SOURCE_LENGTH_MAX = 4096;

/** Compiles a regular expression. Throws an Error that says what is wrong with it. */
export function compilePattern(source: string): Pattern {
  if (source.length > SOURCE_LENGTH_MAX) {
    throw new Error(`Regular expression is longer than ${SOURCE_LENGTH_MAX} characters`);
  }
  // Loaded with the first expression (8-12 ms, 260 KB): most configurations have none.
  const engine: typeof RE2JS = createRequire(import.meta.url)("re2js").RE2JS;
  const compiled = engine.compile(source);
  const numbers = Object.entries<number>(compiled.namedGroups());
  return {
    source,
    groups: numbers.map(([name]) => name),
    test: (text) => compiled.test(text),
    match(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      const groups: Record<string, string> = {};
      for (const [name, number] of numbers) {
        const value = matcher.group(number);
        if (value !== null && value !== undefined) groups[name] = value;
      }
      return groups;
    },
    replace(text, put) {
      const matcher = compiled.matcher(text);
      const secret = numbers.find(([name]) => name === "secret")?.[1] ?? 0;
      let result = "";
      let from = 0;
      while (matcher.find()) {
        const [start, end] = [matcher.start(secret), matcher.end(secret)];
        if (end <= start) continue;
        result += text.slice(from, start) + put(text.slice(start, end));
        from = end;
      }
      return from === 0 ? text : result + text.slice(from);
    },
  };
}

/** Option: a regular expression in RE2's syntax (no look-around, no back references). */
export const pattern = z.codec(
  z.string().min(1).meta({ examples: ["^(?<user>\\S+) logged in"] }),
  z.custom<Pattern>(),
  {
    decode(source, ctx) {
      try {
        return compilePattern(source);
      } catch (error) {
        ctx.issues.push({ code: "custom", input: source, message: explain(error, source) });
        return z.NEVER;
      }
    },
    encode: (compiled) => compiled.source,
  },
);

function explain(error: unknown, source: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = message.replace(/^error parsing regexp: /, "");
  const hint = /\(\?[=!<]|\\[1-9]/.test(source)
    ? "; look-around and back references do not exist here, since they can hang"
    : "";
  return `Cannot compile regular expression: ${reason}${hint}`;
}
