// A part of the configuration tree against a zod schema: the value, or every problem with its place.
// A scalar takes the reading its schema wants: account id 012345678901 stays text, "${env:PORT}" is
// a number where a number is wanted.

import { z } from "zod";
import { counted } from "../../plugins/sdk/wording.ts";
import { type ConfigNode, emptyMap, find, isBlank, placeOf, secretsOf, toValue } from "./node.ts";
import type { Scalar } from "./node.ts";
import { formatPath, type Place, type Problem } from "./problem.ts";
import { optionNames } from "./json-schema.ts";
import { isSecretPath } from "./redact.ts";
import { suggest } from "./suggest.ts";

// Each round settles every scalar the schema complained about; unions may need another look.
const ROUNDS_MAX = 8;

type Issue = z.core.$ZodIssue;

/** What is checked, and how problems name it. */
export interface Checkable {
  readonly node: ConfigNode;
  /** Where the node stands in the document. */
  readonly path: readonly PropertyKey[];
  /** Where its key was written. */
  readonly at?: Place;
  /** Options that are right here though this schema does not know them. */
  readonly alsoKnown?: readonly string[];
}

/** A value, or what is wrong with it. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly [] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Checks a node. A blank node counts as a map without options. */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  subject: Checkable,
): Checked<z.output<Schema>> {
  const node = isBlank(subject.node) ? emptyMap(subject.node.at) : subject.node;
  let result = schema.safeParse(toValue(node));
  for (let round = 0; round < ROUNDS_MAX && !result.success; round++) {
    const settled = result.error.issues.filter((issue) => settle(node, issue, [])).length;
    if (settled === 0) break;
    result = schema.safeParse(toValue(node));
  }
  if (result.success) return { ok: true, value: result.data, problems: [] };
  const problems = result.error.issues.flatMap((issue) =>
    describe(schema, { ...subject, node }, issue, [])
  );
  return { ok: false, problems };
}

/** Gives the scalar an issue points at the reading it asks for; false where there is none. */
function settle(node: ConfigNode, issue: Issue, base: readonly PropertyKey[]): boolean {
  const path = [...base, ...issue.path];
  if (issue.code === "invalid_union") {
    // The first branch that only wants other readings; applied whole.
    return issue.errors.some((branch) =>
      branch.length > 0 && branch.every((inner) => settle(node, inner, path))
    );
  }
  const scalar = find(node, path);
  if (scalar?.kind !== "scalar") return false;
  const reading = scalar.readings.find((value) => value !== scalar.value && fits(issue, value));
  if (reading === undefined) return false;
  scalar.value = reading;
  return true;
}

function fits(issue: Issue, value: Scalar): boolean {
  if (issue.code === "invalid_value") return issue.values.includes(value);
  if (issue.code !== "invalid_type") return false;
  const type: string = typeof value;
  return type === (issue.expected === "int" ? "number" : issue.expected);
}

function describe(
  schema: z.ZodType,
  subject: Checkable,
  issue: Issue,
  base: readonly PropertyKey[],
): readonly Problem[] {
  const relative = [...base, ...issue.path];
  const path = [...subject.path, ...relative];
  const at = placeOf(subject.node, relative, subject.at);
  const found = find(subject.node, relative);
  const isSecret = isSecretPath(path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => describeUnknown(schema, subject, [...relative, key]));
  }
  if (issue.code === "invalid_union") return describeUnion(schema, subject, issue, relative);
  if (issue.code === "invalid_type") {
    const expected = NAMES[issue.expected] ?? issue.expected;
    const missing = found === undefined || isBlank(found);
    const problem = missing
      ? `Missing, expected ${expected}`
      : `Expected ${expected}, got ${kindOf(found)}`;
    return [{ at, path: formatPath(path), problem }];
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map((value) => JSON.stringify(value)).join(", ");
    const expected = issue.values.length === 1 ? values : `one of ${values}`;
    const shown = found?.kind === "scalar" && !found.secret && !isSecret
      ? `, got "${found.text}"`
      : "";
    const fix = shown === ""
      ? undefined
      : suggest((found as { text: string }).text, issue.values.map(String));
    return [{ at, path: formatPath(path), problem: `Expected ${expected}${shown}`, ...fixed(fix) }];
  }
  const problem = hide(wording(issue), found === undefined ? [] : secretsOf(found, isSecret));
  return [{ at, path: formatPath(path), problem }];
}

function describeUnknown(
  schema: z.ZodType,
  subject: Checkable,
  relative: readonly PropertyKey[],
): Problem {
  const parents = relative.slice(0, -1);
  const known = [
    ...optionNames(schema, parents),
    ...(parents.length === 0 ? subject.alsoKnown ?? [] : []),
  ];
  const name = String(relative.at(-1));
  const fix = suggest(name, known) ??
    (known.length > 0 && known.length <= 12 ? `known here: ${known.join(", ")}` : undefined);
  return {
    at: keyPlace(subject, relative),
    path: formatPath([...subject.path, ...relative]),
    problem: "Unknown option",
    ...fixed(fix),
  };
}

function describeUnion(
  schema: z.ZodType,
  subject: Checkable,
  issue: Extract<Issue, { code: "invalid_union" }>,
  relative: readonly PropertyKey[],
): readonly Problem[] {
  const found = find(subject.node, relative);
  const at = placeOf(subject.node, relative, subject.at);
  const path = formatPath([...subject.path, ...relative]);
  const atRoot = (inner: Issue) => inner.code === "invalid_type" && inner.path.length === 0;
  // The branch that was meant is the one that accepts the kind of value that stands there.
  const meant = issue.errors.filter((branch) => !branch.some(atRoot))
    .sort((a, b) => a.length - b.length)[0];
  if (meant !== undefined) {
    return meant.flatMap((inner) => describe(schema, subject, inner, relative));
  }
  const kinds = issue.errors.flat().filter((inner) => inner.code === "invalid_type")
    .map((inner) => NAMES[inner.expected] ?? inner.expected);
  if (kinds.length === 0) return [{ at, path, problem: wording(issue) }];
  const got = found === undefined ? "" : `, got ${kindOf(found)}`;
  const missing = found === undefined ? "Missing, expected" : "Expected";
  return [{ at, path, problem: `${missing} ${[...new Set(kinds)].join(" or ")}${got}` }];
}

function keyPlace(subject: Checkable, relative: readonly PropertyKey[]): Place {
  const parent = find(subject.node, relative.slice(0, -1));
  const entry = parent?.kind === "map" ? parent.entries.get(String(relative.at(-1))) : undefined;
  return entry?.at ?? placeOf(subject.node, relative, subject.at);
}

/** Zod's own words, where a schema has none of its own, as this program would say it. */
function wording(issue: Issue): string {
  if (!/^(?:Invalid|Too (?:small|big)|Unrecognized)\b/.test(issue.message)) return issue.message;
  if (issue.code === "too_small" || issue.code === "too_big") return boundWording(issue);
  if (issue.code === "not_multiple_of") return `Expected a multiple of ${issue.divisor}`;
  if (issue.code === "invalid_format") {
    return issue.format === "regex" && issue.pattern !== undefined
      ? `Expected text that fits ${issue.pattern}`
      : `Expected ${FORMATS[issue.format] ?? issue.format}`;
  }
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? "Expected another name";
  return "Not what is expected here";
}

function boundWording(
  issue: Extract<Issue, { code: "too_small" | "too_big" }>,
): string {
  const [bound, isLow] = issue.code === "too_small"
    ? [issue.minimum, true]
    : [issue.maximum, false];
  const count = Number(bound);
  const than = issue.inclusive === false ? (isLow ? "more than" : "less than") : undefined;
  const words = than ?? (isLow ? "at least" : "at most");
  if (issue.origin === "string") {
    if (isLow && count <= 1) return "Expected text, got none";
    return `Expected ${words} ${counted(count, "character")}`;
  }
  if (issue.origin === "array" || issue.origin === "set" || issue.origin === "object") {
    return `Expected ${words} ${counted(count, "entry", "entries")}`;
  }
  return `Expected ${words} ${bound}`;
}

const FORMATS: Readonly<Record<string, string>> = {
  url: "a URL",
  datetime: "a time such as 2026-01-31T08:00:00Z",
  date: "a date such as 2026-01-31",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  cidrv4: "an IPv4 range such as 10.0.0.0/8",
  cidrv6: "an IPv6 range such as fd00::/8",
  uuid: "a UUID",
  base64: "base64",
};

const NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of options",
  record: "a map",
  nonoptional: "a value",
  null: "nothing",
  undefined: "nothing",
};

function kindOf(node: ConfigNode): string {
  if (node.kind === "map") return "a map";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "nothing";
  if (typeof node.value === "boolean") return "true or false";
  return typeof node.value === "number" ? "a number" : "text";
}

/** The message without the secrets a schema's own wording may have quoted. */
function hide(message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, "<hidden>"), message);
}

function fixed(fix: string | undefined): { fix?: string } {
  return fix === undefined ? {} : { fix };
}
