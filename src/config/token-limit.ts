// Looks at the tokens of a YAML text before the parser does: its time grows with the square of what
// stands inside each other, and a few kilobytes of brackets would keep it busy for minutes.

import { Lexer } from "yaml";

// Some ten thousand lines of configuration, which the parser reads within a second or two.
const TOKENS_MAX = 100_000;

// Deeper than any schema here.
const DEPTH_MAX = 64;

/** Where a text goes beyond what a configuration may be. */
export interface Excess {
  readonly offset: number;
  readonly problem: string;
}

/** The first token too many, or nested too deeply; undefined for a text the parser can be given. */
export function findExcess(text: string): Excess | undefined {
  let tokens = 0;
  let offset = 0;
  // Open brackets; and indicators without a value between them: `- - -`, `&a &b`.
  let open = 0;
  let waiting = 0;
  for (const token of new Lexer().lex(text)) {
    const first = token[0]!;
    if ("[{".includes(first)) open++;
    else if ("]}".includes(first)) open--;
    if ("-?&!".includes(first)) waiting++;
    else if (!" \t".includes(first)) waiting = 0;
    if (open > DEPTH_MAX || waiting > DEPTH_MAX) {
      return { offset, problem: `Nested deeper than ${DEPTH_MAX} levels` };
    }
    if (++tokens > TOKENS_MAX) return { offset, problem: `More than ${TOKENS_MAX} YAML tokens` };
    // The lexer's own marks: a document's start, a scalar's, and the end of a broken bracket.
    if (!"\x02\x1f\x18".includes(first)) offset += token.length;
  }
  return undefined;
}
