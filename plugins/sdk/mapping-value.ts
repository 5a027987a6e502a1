// Values and conditions of the mapping language: what stands right of a colon in a mapping. Each is
// checked when the configuration is read and becomes one function that reads a frame.

import { z } from "zod";
import type { Json } from "./json.ts";
import { parsePath, type Path, pathReader, type Reader, type Scope } from "./mapping-path.ts";
import { pattern } from "./mapping-pattern.ts";

/** A compiled value. Missing (absent, null or an empty text) is always `undefined`. */
export interface Value {
  /** As it stands in the configuration. */
  readonly source: unknown;
  readonly read: Reader;
  /** The path, where the value is nothing but a path: what is read is handed on as it is. */
  readonly path?: Path;
  /** The value, where it is a constant. */
  readonly constant?: Json;
}

/** A compiled condition. */
export interface Condition {
  readonly source: unknown;
  /** Whether it holds. A `matches` that holds adds its named groups to the scope. */
  readonly test: (scope: Scope) => boolean;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** A path alone, where no constant makes sense. */
const pathOption = z.codec(z.string().meta({ examples: ["$.user.name"] }), z.custom<Value>(), {
  decode(source, ctx) {
    return compilePath(source, ctx) ?? z.NEVER;
  },
  encode: ({ source }) => String(source),
});

const VALUE_HELP = "A path ($.a.b[0]), a constant, or one of { path, map, extract, default }, " +
  "{ first: [] }, { template }, { when, then, else }, { const } or a condition";

/** Option: a value. */
export const value: z.ZodType<Value, unknown> = z.codec(
  z.unknown().meta({ description: VALUE_HELP }),
  z.custom<Value>(),
  {
    decode(source, ctx) {
      if (typeof source === "string" && source.startsWith("$")) {
        return compilePath(source, ctx) ?? z.NEVER;
      }
      if (scalar.safeParse(source).success) return constantOf(source as Json);
      const form = isRecord(source) ? formOf(source) : undefined;
      const parsed = form?.safeParse(source);
      if (parsed?.success) return { source, read: parsed.data };
      pass(parsed?.error, ctx, source, VALUE_HELP);
      return z.NEVER;
    },
    encode: ({ source }) => source,
  },
);

const CONDITION_HELP = "{ path, equals | in | contains | matches | min | max | exists }, " +
  "{ all: [] }, { any: [] } or { not: condition }";

/** Option: a condition. */
export const condition: z.ZodType<Condition, unknown> = z.codec(
  z.unknown().meta({ description: CONDITION_HELP }),
  z.custom<Condition>(),
  {
    decode(source, ctx) {
      const parsed = isRecord(source) ? conditionForm(source)?.safeParse(source) : undefined;
      if (parsed?.success) return { source, test: parsed.data };
      pass(parsed?.error, ctx, source, CONDITION_HELP);
      return z.NEVER;
    },
    encode: ({ source }) => source,
  },
);

const comparison = z.strictObject({
  path: pathOption,
  equals: scalar.optional(),
  in: z.array(scalar).min(1).optional(),
  contains: scalar.optional(),
  matches: pattern.optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  exists: z.boolean().optional(),
}).transform(({ path, equals, in: list, contains, matches, min, max, exists }) => {
  const wanted = list === undefined ? undefined : new Set(list.map(String));
  const equal = equals === undefined ? undefined : String(equals);
  const member = contains === undefined ? undefined : String(contains);
  const bounded = min !== undefined || max !== undefined;
  const ofText = equal !== undefined || wanted !== undefined || matches !== undefined || bounded;
  return (scope: Scope): boolean => {
    const found = path.read(scope);
    if (exists !== undefined && (found !== undefined) !== exists) return false;
    if (member !== undefined && !holds(found, member)) return false;
    if (!ofText) return true;
    const text = textOf(found);
    if (text === undefined) return false;
    if (equal !== undefined && text !== equal) return false;
    if (wanted !== undefined && !wanted.has(text)) return false;
    if (bounded && !isBetween(text, min, max)) return false;
    if (matches === undefined) return true;
    if (matches.groups.length === 0) return matches.test(text);
    const groups = matches.match(text);
    if (groups !== undefined) Object.assign(scope.match, groups);
    return groups !== undefined;
  };
});

/** Whether a list has an item of this text. */
function holds(found: Json | undefined, text: string): boolean {
  return Array.isArray(found) && found.some((item: Json) => textOf(item) === text);
}

/** Whether a text is a number within the bounds; text that is none is outside. */
function isBetween(text: string, min = -Infinity, max = Infinity): boolean {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  return number >= min && number <= max;
}

const all = z.strictObject({ all: z.array(condition).min(1) }).transform(
  ({ all }) => (scope: Scope): boolean => all.every((one) => one.test(scope)),
);

const any = z.strictObject({ any: z.array(condition).min(1) }).transform(
  ({ any }) => (scope: Scope): boolean => any.some((one) => one.test(scope)),
);

const not = z.strictObject({ not: condition }).transform(({ not }) => (scope: Scope): boolean =>
  !not.test(scope)
);

const COMPARISONS = ["equals", "in", "contains", "matches", "min", "max", "exists"];

function conditionForm(source: Record<string, unknown>) {
  if ("all" in source) return all;
  if ("any" in source) return any;
  if ("not" in source) return not;
  return COMPARISONS.some((key) => key in source) ? comparison : undefined;
}

const fromPath = z.strictObject({
  path: pathOption,
  map: z.record(z.string(), scalar).optional(),
  extract: pattern.refine(({ groups }) => groups.length === 1, {
    error: "Expected a regular expression with one named group, such as ^(?<name>[^:]+)",
  }).optional(),
  default: value.optional(),
}).transform(({ path, map, extract, default: otherwise }): Reader => {
  const table = map === undefined ? undefined : new Map(Object.entries(map));
  return (scope) => {
    let found = path.read(scope);
    if (extract !== undefined) {
      found = extract.match(textOf(found) ?? "")?.[extract.groups[0]!];
    }
    if (table !== undefined) found = table.get(textOf(found) ?? "");
    return found ?? otherwise?.read(scope);
  };
});

const first = z.strictObject({ first: z.array(value).min(1), default: value.optional() })
  .transform(({ first, default: otherwise }): Reader => (scope) => {
    for (const one of first) {
      const found = one.read(scope);
      if (found !== undefined) return found;
    }
    return otherwise?.read(scope);
  });

const template = z.strictObject({
  template: z.string().transform((text, ctx) => {
    const parts = text.split(/\{(\$[^{}]*)\}/);
    return parts.map((part, index) => index % 2 === 0 ? part : compilePath(part, ctx));
  }),
  default: value.optional(),
}).transform(({ template, default: otherwise }): Reader => (scope) => {
  let text = "";
  for (const part of template) {
    const found = typeof part === "string" ? part : textOf(part?.read(scope));
    if (found === undefined) return otherwise?.read(scope);
    text += found;
  }
  return text;
});

const choice = z.strictObject({ when: condition, then: value, else: value.optional() })
  .transform(({ when, then, else: otherwise }): Reader => (scope) =>
    when.test(scope) ? then.read(scope) : otherwise?.read(scope)
  );

const constant = z.strictObject({ const: scalar }).transform(({ const: value }): Reader => () =>
  value
);

function formOf(source: Record<string, unknown>) {
  if ("first" in source) return first;
  if ("template" in source) return template;
  if ("when" in source) return choice;
  if ("const" in source) return constant;
  const test = conditionForm(source);
  if (test !== undefined) return test as z.ZodType<Reader>;
  return "path" in source ? fromPath : undefined;
}

/** A constant as a value. */
export function constantOf(source: Json): Value {
  return { source, constant: source, read: () => source };
}

/** The text of a value that has one: text, numbers and booleans; otherwise undefined. */
export function textOf(found: Json | undefined): string | undefined {
  if (typeof found === "string") return found === "" ? undefined : found;
  return typeof found === "number" || typeof found === "boolean" ? String(found) : undefined;
}

interface IssueList {
  readonly issues: z.core.$ZodRawIssue[];
}

function compilePath(source: string, ctx: IssueList): Value | undefined {
  const path = parsePath(source);
  if (typeof path !== "string") {
    const find = pathReader(path);
    const read: Reader = (scope) => {
      const found = find(scope);
      return found === null || found === "" ? undefined : found;
    };
    return { source, path, read };
  }
  ctx.issues.push({ code: "custom", input: source, message: path });
  return undefined;
}

/** Hands the problems of an inner schema on, with their places; without any, says what is wanted. */
export function pass(
  error: z.ZodError | undefined,
  ctx: IssueList,
  input: unknown,
  wanted: string,
): void {
  if (error === undefined) {
    const message = input === undefined ? "Required" : `Expected ${wanted}`;
    ctx.issues.push({ code: "custom", input, message });
    return;
  }
  for (const issue of error.issues) {
    ctx.issues.push({ ...issue, input, path: [...issue.path] } as z.core.$ZodRawIssue);
  }
}

/** Whether a configuration value is a mapping of YAML. */
export function isRecord(source: unknown): source is Record<string, unknown> {
  return typeof source === "object" && source !== null && !Array.isArray(source);
}
