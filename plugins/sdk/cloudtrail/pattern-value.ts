// The values of an event pattern: a plain value means itself, an object with one member is an
// operator. Each is compiled to a test of one plain value (text, number, boolean, null) of an event.

import { isIP } from "node:net";
import { isInRange, parseRange } from "./address-range.ts";

/** A pattern cannot be compiled: `path` leads to what is wrong. */
export class EventPatternError extends Error {
  override readonly name = "EventPatternError";
  readonly path: readonly (string | number)[];

  constructor(message: string, path: readonly (string | number)[]) {
    super(message);
    this.path = path;
  }
}

/** Whether a plain value of an event is one that is meant. */
export type Test = (value: unknown) => boolean;

type Way = readonly (string | number)[];

/** Compiles one value of a field; `"absent"` for `{"exists": false}`. Throws EventPatternError. */
export function compileValue(value: unknown, at: Way): Test | "absent" {
  if (typeof value !== "object" || value === null) return exactly(value, at);
  if (Array.isArray(value)) {
    throw new EventPatternError("Match value must be a text, number, true, false, null", at);
  }
  const [operator, argument] = onlyMember(value as Readonly<Record<string, unknown>>, at);
  const compile = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (compile === undefined) {
    throw new EventPatternError(`Unrecognized match type "${operator}"`, [...at, operator]);
  }
  return compile(argument, [...at, operator]);
}

function onlyMember(object: Readonly<Record<string, unknown>>, at: Way): [string, unknown] {
  const members = Object.entries(object);
  if (members.length !== 1) {
    throw new EventPatternError("Exactly one key is allowed in a match expression", at);
  }
  return members[0]!;
}

const OPERATORS: Readonly<Record<string, (argument: unknown, at: Way) => Test | "absent">> = {
  "exactly": (argument, at) => equal(text(argument, at)),
  "prefix": (argument, at) => textual(argument, at, PREFIX),
  "suffix": (argument, at) => textual(argument, at, SUFFIX),
  "equals-ignore-case": (argument, at) => ignoringCase(text(argument, at)),
  "wildcard": (argument, at) => wildcard(text(argument, at), at),
  "anything-but": anythingBut,
  "numeric": numeric,
  "cidr": cidr,
  "exists": exists,
};

/** A plain value. An address means every spelling of itself. */
function exactly(value: unknown, at: Way): Test {
  if (value === undefined) throw new EventPatternError("Match value is missing", at);
  if (typeof value !== "string" || isIP(value) === 0) return equal(value);
  const range = parseRange(value);
  if (range === undefined) return equal(value);
  return (found) => found === value || (typeof found === "string" && isInRange(found, range));
}

function equal(value: unknown): Test {
  return (found) => found === value;
}

function text(argument: unknown, at: Way): string {
  if (typeof argument === "string") return argument;
  throw new EventPatternError(`Value of "${at.at(-1)}" must be a text`, at);
}

/** Makes the test of a prefix or suffix; `fold` is null where case counts. */
type Affix = (part: string, fold: typeof lower | null) => Test;

const PREFIX: Affix = (part, fold) => {
  const { length } = part;
  return (found) =>
    typeof found === "string" &&
    (fold === null ? found.startsWith(part) : fold(found.slice(0, length)) === part);
};

const SUFFIX: Affix = (part, fold) => {
  const { length } = part;
  return (found) =>
    typeof found === "string" &&
    (fold === null
      ? found.endsWith(part)
      : found.length >= length && fold(found.slice(found.length - length)) === part);
};

function textual(argument: unknown, at: Way, affix: Affix): Test {
  if (typeof argument !== "object" || argument === null) return affix(text(argument, at), null);
  const [operator, value] = onlyMember(argument as Readonly<Record<string, unknown>>, at);
  if (operator !== "equals-ignore-case") {
    throw new EventPatternError(`Unsupported "${at.at(-1)}" pattern: "${operator}"`, at);
  }
  return affix(lower(text(value, [...at, operator])), lower);
}

/** One character for one, so that lengths stay: `İ` alone would become two. */
function lower(value: string): string {
  const folded = value.toLowerCase();
  if (folded.length === value.length) return folded;
  return Array.from(value, (one) => {
    const small = one.toLowerCase();
    return small.length === one.length ? small : one;
  }).join("");
}

function ignoringCase(value: string): Test {
  const wanted = lower(value);
  return (found) =>
    typeof found === "string" && found.length === wanted.length && lower(found) === wanted;
}

/**
 * `*` stands for any characters, `\*` and `\\` for themselves. The pieces between are looked for one
 * after the other, each at the first place it is found: nothing is tried twice.
 */
function wildcard(pattern: string, at: Way): Test {
  const pieces = piecesOf(pattern, at);
  if (pieces.length === 1) return equal(pieces[0]);
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  const between = pieces.slice(1, -1);
  return (found) => {
    if (typeof found !== "string" || found.length < first.length + last.length) return false;
    if (!found.startsWith(first) || !found.endsWith(last)) return false;
    let from = first.length;
    for (const piece of between) {
      const place = found.indexOf(piece, from);
      if (place < 0) return false;
      from = place + piece.length;
    }
    return from <= found.length - last.length;
  };
}

function piecesOf(pattern: string, at: Way): string[] {
  const pieces = [""];
  for (let i = 0; i < pattern.length; i++) {
    let character = pattern[i]!;
    if (character === "*") {
      if (pattern[i + 1] === "*") {
        throw new EventPatternError(`Consecutive wildcard characters at position ${i}`, at);
      }
      pieces.push("");
      continue;
    }
    if (character === "\\") {
      character = pattern[++i] ?? "";
      if (character !== "*" && character !== "\\") {
        throw new EventPatternError(`Invalid escape character at position ${i - 1}`, at);
      }
    }
    pieces[pieces.length - 1] += character;
  }
  return pieces;
}

/** Operators that anything-but negates; each takes one text or a list of them. */
const NEGATED: Readonly<Record<string, (value: string, at: Way) => Test>> = {
  "prefix": (value) => PREFIX(value, null),
  "suffix": (value) => SUFFIX(value, null),
  "equals-ignore-case": ignoringCase,
  "wildcard": wildcard,
};

function anythingBut(argument: unknown, at: Way): Test {
  if (typeof argument === "object" && argument !== null && !Array.isArray(argument)) {
    const [operator, value] = onlyMember(argument as Readonly<Record<string, unknown>>, at);
    const compile = Object.hasOwn(NEGATED, operator) ? NEGATED[operator] : undefined;
    if (compile === undefined) {
      throw new EventPatternError(`Unsupported anything-but pattern: "${operator}"`, at);
    }
    const here = [...at, operator];
    const tests = listOf(value, here).map((one) => {
      const part = text(one, here);
      if (part === "" && operator.endsWith("fix")) {
        throw new EventPatternError("An empty prefix or suffix is not allowed", here);
      }
      return compile(part, here);
    });
    return (found) => !tests.some((test) => test(found));
  }
  const values = listOf(argument, at);
  const kinds = new Set(values.map((value) => typeof value));
  const [kind] = kinds;
  if (kinds.size !== 1 || (kind !== "string" && kind !== "number")) {
    throw new EventPatternError("Values of anything-but must be all texts or all numbers", at);
  }
  const refused = new Set(values);
  return (found) => !refused.has(found);
}

function listOf(argument: unknown, at: Way): readonly unknown[] {
  if (!Array.isArray(argument)) return [argument];
  if (argument.length === 0) throw new EventPatternError("Empty arrays are not allowed", at);
  return argument;
}

const COMPARISONS: Readonly<Record<string, (found: number, limit: number) => boolean>> = {
  "=": (found, limit) => found === limit,
  "<": (found, limit) => found < limit,
  "<=": (found, limit) => found <= limit,
  ">": (found, limit) => found > limit,
  ">=": (found, limit) => found >= limit,
};

/** `["=", 1]`, `[">", 0]`, or a lower and an upper bound: `[">=", 0, "<", 5]`. */
function numeric(argument: unknown, at: Way): Test {
  if (!Array.isArray(argument) || (argument.length !== 2 && argument.length !== 4)) {
    throw new EventPatternError(
      'Value of "numeric" must be an array such as [">", 0, "<=", 5]',
      at,
    );
  }
  const [lower, from, upper, to] = argument as unknown[];
  const first = comparison(lower, from, at);
  if (argument.length === 2) return (found) => typeof found === "number" && first(found);
  const isRange = (lower === ">" || lower === ">=") && (upper === "<" || upper === "<=");
  const second = comparison(upper, to, at);
  if (!isRange) throw new EventPatternError("A numeric range goes from > or >= to < or <=", at);
  if ((from as number) >= (to as number)) {
    throw new EventPatternError("The bottom of a numeric range must be less than its top", at);
  }
  return (found) => typeof found === "number" && first(found) && second(found);
}

function comparison(operator: unknown, limit: unknown, at: Way): (found: number) => boolean {
  const compare = typeof operator === "string" && Object.hasOwn(COMPARISONS, operator)
    ? COMPARISONS[operator]
    : undefined;
  if (compare === undefined) {
    const message = `Unrecognized numeric operator ${JSON.stringify(operator)}`;
    throw new EventPatternError(message, at);
  }
  if (typeof limit !== "number" || !Number.isFinite(limit)) {
    throw new EventPatternError(`Value of ${operator} must be a number`, at);
  }
  return (found) => compare(found, limit);
}

function cidr(argument: unknown, at: Way): Test {
  const range = parseRange(text(argument, at));
  if (range === undefined || !(argument as string).includes("/")) {
    throw new EventPatternError('Value of "cidr" must be a range such as 10.0.0.0/24', at);
  }
  return (found) => typeof found === "string" && isInRange(found, range);
}

/** Of plain values only: an object, or an empty list, is no value. */
function exists(argument: unknown, at: Way): Test | "absent" {
  if (typeof argument !== "boolean") {
    throw new EventPatternError('Value of "exists" must be true or false', at);
  }
  return argument ? () => true : "absent";
}
