// log_line_prefix: what stands before each message that goes to stderr, compiled to a reader. A field
// of free text ends where the text behind it begins; nothing is tried twice, whatever a line holds.

/** What a prefix says of a message, as text. */
export interface PrefixFields {
  time?: string;
  user?: string;
  database?: string;
  application?: string;
  host?: string;
  port?: string;
  pid?: string;
  session?: string;
  line?: string;
  sessionStart?: string;
  state?: string;
  tag?: string;
  backend?: string;
}

/** The head of a line: the fields of its prefix, its severity, and where its message begins. */
export interface Head {
  readonly fields: PrefixFields;
  readonly severity: string;
  readonly begin: number;
  /** The prefix is empty: a client wrote it, without a tab before further lines. */
  readonly bare: boolean;
}

/** Reads the head of a line; undefined for a line that does not begin so. */
export type PrefixReader = (line: string) => Head | undefined;

type Name = keyof PrefixFields | "address" | undefined;

interface Field {
  readonly name: Name;
  /** Matches the field where it stands; without one it is free text. */
  readonly pattern: RegExp | undefined;
}

type Part = string | Field | "%q";

const TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [^\s\]),;|]{1,40}/y;
const FIELDS: Readonly<Record<string, readonly [Name, RegExp?]>> = {
  a: ["application"],
  u: ["user"],
  d: ["database"],
  r: ["address"],
  h: ["host"],
  b: ["backend"],
  p: ["pid", /\d{1,10}/y],
  P: [undefined, /\d{0,10}/y],
  t: ["time", TIME],
  m: ["time", TIME],
  n: ["time", /\d{1,12}\.\d{3}/y],
  i: ["tag"],
  e: ["state", /[0-9A-Z]{5}/y],
  c: ["session", /[0-9a-f]{1,16}\.[0-9a-f]{1,8}/y],
  l: ["line", /\d{1,19}/y],
  s: ["sessionStart", TIME],
  v: [undefined, /[\d/-]{0,32}/y],
  x: [undefined, /\d{1,20}/y],
  Q: [undefined, /-?\d{1,20}/y],
};
const SEVERITY =
  /(DEBUG[1-5]?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE): {1,2}/y;
const FREE_CHARACTERS_MAX = 1024;
const ESCAPE = /%(-?\d{0,4})([A-Za-z%])/y;

/** Compiles a prefix; a string in the answer says what is wrong with it. */
export function compilePrefix(prefix: string): PrefixReader | string {
  const parts = partsOf(prefix);
  if (typeof parts === "string") return parts;
  const optional = parts.indexOf("%q");
  const always = optional < 0 ? parts : parts.slice(0, optional);
  const rest = optional < 0 ? [] : parts.slice(optional + 1).filter((part) => part !== "%q");
  return (line) => {
    const fields: PrefixFields = {};
    const at = readParts(always, line, 0, fields);
    if (at < 0) return undefined;
    if (rest.length > 0) {
      const more: PrefixFields = {};
      const begin = readParts(rest, line, at, more);
      const head = begin < 0 ? undefined : headAt(line, begin, { ...fields, ...more });
      if (head !== undefined) return head;
    }
    return headAt(line, at, fields);
  };
}

function partsOf(prefix: string): Part[] | string {
  const parts: Part[] = [];
  let literal = "";
  const flush = () => {
    if (literal !== "") parts.push(literal);
    literal = "";
  };
  for (let at = 0; at < prefix.length;) {
    ESCAPE.lastIndex = at;
    const escape = ESCAPE.exec(prefix);
    if (escape === null) {
      literal += prefix[at++];
      continue;
    }
    at = ESCAPE.lastIndex;
    const [, padding, letter = ""] = escape;
    if (letter === "%") literal += "%";
    else {
      flush();
      const field = FIELDS[letter];
      if (letter === "q") parts.push("%q");
      else if (field === undefined) return `Unknown escape "%${letter}" in log_line_prefix`;
      // What is padded has blanks around it, like free text.
      else parts.push({ name: field[0], pattern: padding === "" ? field[1] : undefined });
    }
  }
  flush();
  return parts;
}

/** Where the parts end in the line; -1 where they are not there. */
function readParts(
  parts: readonly Part[],
  line: string,
  from: number,
  fields: PrefixFields,
): number {
  let at = from;
  for (const [index, part] of parts.entries()) {
    if (typeof part === "string") {
      if (!line.startsWith(part, at)) return -1;
      at += part.length;
      continue;
    }
    const end = part.pattern === undefined
      ? freeEnd(line, at, parts[index + 1], index + 2 === parts.length)
      : patternEnd(part.pattern, line, at);
    if (end < 0) return -1;
    keep(fields, part.name, line.slice(at, end).trim());
    at = end;
  }
  return at;
}

function patternEnd(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(line) ? pattern.lastIndex : -1;
}

/** `last`: what follows stands before the severity, which tells blanks in the field from its end. */
function freeEnd(line: string, at: number, next: Part | undefined, last: boolean): number {
  if (typeof next === "string") {
    let end = line.indexOf(next, at);
    for (let tries = 8; last && end >= 0 && tries > 0; tries--) {
      SEVERITY.lastIndex = end + next.length;
      if (SEVERITY.test(line)) break;
      end = line.indexOf(next, end + 1);
    }
    return end - at > FREE_CHARACTERS_MAX ? -1 : end;
  }
  // Nothing tells where it ends but the severity, or it has no end of its own.
  if (next !== undefined) return at;
  const found = /[A-Z]+[1-5]?: {1,2}/.exec(line.slice(at, at + FREE_CHARACTERS_MAX));
  return found === null ? -1 : at + found.index;
}

function keep(fields: PrefixFields, name: Name, value: string): void {
  // What a server does not know yet, it writes so.
  if (value === "" || value === "[unknown]" || name === undefined) return;
  if (name !== "address") {
    fields[name] = value;
    return;
  }
  const match = /^(.*)\((\d{1,5})\)$/.exec(value);
  fields.host = match?.[1] ?? value;
  if (match?.[2] !== undefined) fields.port = match[2];
}

function headAt(line: string, at: number, fields: PrefixFields): Head | undefined {
  SEVERITY.lastIndex = at;
  const match = SEVERITY.exec(line);
  if (match === null) return undefined;
  return { fields, severity: match[1]!, begin: SEVERITY.lastIndex, bare: at === 0 };
}
