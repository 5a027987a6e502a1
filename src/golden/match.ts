// What a record is expected to be, compiled from what stands in the test file, and compared with what
// came: every difference with its path. Pure.

import { compilePattern, type Pattern } from "../../plugins/sdk/mapping-pattern.ts";

/** An expected value. */
export type Expected =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "matches"; readonly pattern: Pattern }
  | { readonly kind: "exists"; readonly exists: boolean }
  | { readonly kind: "list"; readonly items: readonly Expected[] }
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, Expected> };

/** Where something is not as expected. */
export interface Difference {
  readonly path: readonly PropertyKey[];
  readonly expected: string;
  readonly got: string;
}

/** A pattern that cannot be compiled. */
export interface BadPattern {
  readonly path: readonly PropertyKey[];
  readonly problem: string;
}

/**
 * Compiles an expected value. A map of one member `matches`, `exists` or `equals` is a condition;
 * `equals` holds a value that would look like one.
 */
export function compileExpected(
  value: unknown,
  path: readonly PropertyKey[],
  problems: BadPattern[],
): Expected {
  if (Array.isArray(value)) {
    const items = value.map((item, i) => compileExpected(item, [...path, i], problems));
    return { kind: "list", items };
  }
  if (typeof value !== "object" || value === null) return { kind: "value", value };
  const members = Object.entries(value);
  const [only] = members;
  if (only !== undefined && members.length === 1) {
    const condition = compileCondition(only, path, problems);
    if (condition !== undefined) return condition;
  }
  const entries = members.map(([key, item]) =>
    [key, compileExpected(item, [...path, key], problems)] as const
  );
  return { kind: "map", entries: new Map(entries) };
}

function compileCondition(
  [name, value]: [string, unknown],
  path: readonly PropertyKey[],
  problems: BadPattern[],
): Expected | undefined {
  if (name === "exists" && typeof value === "boolean") return { kind: "exists", exists: value };
  if (name === "equals") return asIs(value);
  if (name !== "matches" || typeof value !== "string") return undefined;
  try {
    return { kind: "matches", pattern: compilePattern(value) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const problem = `Cannot compile regular expression: ${reason}`;
    problems.push({ path: [...path, name], problem });
    return undefined;
  }
}

function asIs(value: unknown): Expected {
  if (Array.isArray(value)) return { kind: "list", items: value.map(asIs) };
  if (typeof value !== "object" || value === null) return { kind: "value", value };
  const entries = Object.entries(value).map(([key, item]) => [key, asIs(item)] as const);
  return { kind: "map", entries: new Map(entries) };
}

/** How values are compared. */
export interface Comparison {
  /** No members but the given ones. */
  readonly exact: boolean;
  /** Where to stop: what comes after says nothing more. */
  readonly limit: number;
}

/** All differences, up to the limit, in the order of what is expected. */
export function compare(
  expected: Expected,
  got: unknown,
  comparison: Comparison,
  path: readonly PropertyKey[] = [],
  found: Difference[] = [],
): readonly Difference[] {
  if (found.length >= comparison.limit) return found;
  if (expected.kind === "map" && isObject(got)) {
    for (const [key, item] of expected.entries) {
      const value = Object.hasOwn(got, key) ? got[key] : undefined;
      compare(item, value, comparison, [...path, key], found);
    }
    const more = comparison.exact
      ? Object.keys(got).filter((key) => !expected.entries.has(key))
      : [];
    for (const key of more) {
      if (found.length >= comparison.limit) break;
      found.push({ path: [...path, key], expected: "nothing", got: show(got[key]) });
    }
    return found;
  }
  if (
    expected.kind === "list" && Array.isArray(got) && got.length === expected.items.length
  ) {
    expected.items.forEach((item, i) => compare(item, got[i], comparison, [...path, i], found));
    return found;
  }
  if (!fits(expected, got)) found.push({ path, expected: wording(expected), got: show(got) });
  return found;
}

/** Whether a value is what is expected; lists and maps are compared by `compare`. */
export function fits(expected: Expected, got: unknown): boolean {
  if (expected.kind === "value") return expected.value === got;
  if (expected.kind === "exists") return expected.exists === (got !== undefined);
  if (expected.kind !== "matches" || got === undefined) return false;
  return expected.pattern.test(typeof got === "string" ? got : JSON.stringify(got));
}

/** An expected value as a report shows it. */
export function wording(expected: Expected): string {
  if (expected.kind === "matches") return `a match of /${expected.pattern.source}/`;
  if (expected.kind === "exists") return expected.exists ? "some value" : "nothing";
  return show(plain(expected));
}

function plain(expected: Expected): unknown {
  if (expected.kind === "value") return expected.value;
  if (expected.kind === "list") return expected.items.map(plain);
  if (expected.kind === "map") {
    return Object.fromEntries([...expected.entries].map(([key, item]) => [key, plain(item)]));
  }
  return expected.kind === "exists"
    ? { exists: expected.exists }
    : { matches: expected.pattern.source };
}

// A record of ordinary size is shown whole, so that it can be copied into the test.
const SHOWN_CHARS_MAX = 4000;

/** A value as a report shows it. */
export function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`;
}

/** Whether a value is an object of JSON. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
