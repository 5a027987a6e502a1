// Statements as they may be copied: cut at a limit, and without the values that stand behind the name
// of a secret. pgaudit removes passwords of roles by itself in newer versions only.

import { NOT_COPIED } from "../../sdk/json-secrets.ts";

// What most statements lack altogether: the search below looks at every word.
const ANY_SECRET = /passw|passphrase|secret|token|api_?key|access_?key/i;
const SECRET =
  /\b\w{0,40}(?:password|passwd|passphrase|secret|token|api_?key|access_?key)\w{0,40}"?/gi;
// Between a name and its value, beside comments.
const BETWEEN = /(?:\s+|:?=)/y;
const DOLLAR = /\$(?:[A-Za-z_]\w{0,62})?\$/y;
// Inside a connection string: `password=hunter2 host=…`.
const BARE = /[^\s'",;)]+/y;

/** A statement, cut to `charactersMax`, with `[not copied]` in place of secrets. */
export function statementWithoutSecrets(statement: string, charactersMax: number): string {
  const long = statement.length > charactersMax;
  const text = long ? statement.slice(0, charactersMax) : statement;
  if (!ANY_SECRET.test(text)) return long ? `${text}…` : text;
  let copied = "";
  let from = 0;
  const comments = new Comments(text);
  SECRET.lastIndex = 0;
  for (let found = SECRET.exec(text); found !== null; found = SECRET.exec(text)) {
    const value = valueAfter(text, SECRET.lastIndex, comments);
    if (value === undefined) continue;
    copied += `${text.slice(from, value.begin)}${NOT_COPIED}`;
    from = value.end;
    SECRET.lastIndex = Math.max(value.end, SECRET.lastIndex);
  }
  return `${copied}${text.slice(from)}${long ? "…" : ""}`;
}

interface Span {
  readonly begin: number;
  readonly end: number;
}

/** Where comments end. Each end is searched for once, however many names stand before it. */
class Comments {
  readonly #text: string;
  readonly #ends = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Behind the comment that begins here; `at` where none does. */
  after(at: number): number {
    if (this.#text.startsWith("--", at)) return this.#end("\n", at + 2);
    return this.#text.startsWith("/*", at) ? this.#end("*/", at + 2) : at;
  }

  #end(mark: string, from: number): number {
    const known = this.#ends.get(mark);
    if (known !== undefined && known >= from + mark.length) return known;
    const found = this.#text.indexOf(mark, from);
    const end = found < 0 ? this.#text.length : found + mark.length;
    this.#ends.set(mark, end);
    return end;
  }
}

/** The literal behind a name; undefined where none stands there. */
function valueAfter(text: string, from: number, comments: Comments): Span | undefined {
  let at = from;
  let assigned = false;
  for (let last = -1; at > last;) {
    last = at;
    at = comments.after(at);
    BETWEEN.lastIndex = at;
    if (!BETWEEN.test(text)) continue;
    assigned ||= text[BETWEEN.lastIndex - 1] === "=";
    at = BETWEEN.lastIndex;
  }
  const quote = /(?:[EeNnBbXx]|[Uu]&)?'/y;
  quote.lastIndex = at;
  // Doubled quotes: a literal inside a literal, as in EXECUTE or a connection string.
  if (quote.test(text)) return { begin: at, end: literalEnd(text, quote.lastIndex) };
  DOLLAR.lastIndex = at;
  const tag = DOLLAR.exec(text)?.[0];
  if (tag !== undefined) {
    const end = text.indexOf(tag, at + tag.length);
    return { begin: at, end: end < 0 ? text.length : end + tag.length };
  }
  if (!assigned) return undefined;
  // Parameters ($1) and names of columns are no values, but in a connection string all is one word.
  BARE.lastIndex = at;
  const bare = BARE.exec(text)?.[0];
  return bare === undefined || /^\$\d/.test(bare)
    ? undefined
    : { begin: at, end: at + bare.length };
}

/** Behind the quote that ends a literal; the end of the text where none does. */
function literalEnd(text: string, from: number): number {
  let quotes = 1;
  while (text[from + quotes - 1] === "'") quotes++;
  if (quotes > 1) return nestedEnd(text, from + quotes - 1, quotes);
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    // Taken as an escape in every literal: at worst more is left out.
    if (character === "\\") at++;
    else if (character === "'") {
      if (text[at + 1] !== "'") return at + 1;
      at++;
    }
  }
  return text.length;
}

/** A literal inside a literal, as in EXECUTE: as many quotes end it as begin it. */
function nestedEnd(text: string, from: number, quotes: number): number {
  const next = text[from];
  const empty = quotes % 2 === 0 && (next === undefined || /[\s,;)]/.test(next));
  if (empty) return from;
  const end = text.indexOf("'".repeat(quotes), from);
  return end < 0 ? text.length : end + quotes;
}
