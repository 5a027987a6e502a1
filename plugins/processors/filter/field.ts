// One condition on a field, compiled to a test of a record. The operators are those of event
// patterns; their values are alternatives, and one value of the field that fits is enough.

import { compileValue, EventPatternError, type Test } from "../../sdk/cloudtrail/pattern-value.ts";
import type { CloudTrailRecord, JsonObject } from "../../sdk/index.ts";
import { isStructured, someAt } from "../../sdk/record-path.ts";
import type { FieldCondition } from "./config.ts";

// Options whose values are those of the event pattern's operator of that name.
const OPERATORS = {
  equals_ignore_case: "equals-ignore-case",
  prefix: "prefix",
  suffix: "suffix",
  wildcard: "wildcard",
  cidr: "cidr",
} as const;

/** The condition's test; a text says what is wrong with it. */
export function compileField(
  condition: FieldCondition,
): ((record: CloudTrailRecord) => boolean) | string {
  let tests: Test[];
  try {
    tests = testsOf(condition);
  } catch (error) {
    if (error instanceof EventPatternError) return error.message;
    throw error;
  }
  const { field, exists, not } = condition;
  if (tests.length === 0 && exists === undefined) {
    const names = ["equals", ...Object.keys(OPERATORS), "matches", "numeric", "exists"];
    return `Expected an operator: ${names.join(", ")}`;
  }
  const fits = (value: unknown): boolean => tests.some((test) => test(value));
  const holds = (record: CloudTrailRecord): boolean => {
    const root = record as JsonObject;
    if (exists !== undefined && someAt(root, field, isThere) === exists) return true;
    return someAt(
      root,
      field,
      (value) =>
        Array.isArray(value)
          ? value.some((item) => !isStructured(item) && fits(item))
          : fits(value),
    );
  };
  return not ? (record) => !holds(record) : holds;
}

function isThere(): boolean {
  return true;
}

function testsOf(condition: FieldCondition): Test[] {
  const tests: Test[] = [];
  const add = (value: unknown) => {
    const test = compileValue(value, []);
    if (test !== "absent") tests.push(test);
  };
  if (condition.equals !== undefined) listOf(condition.equals).forEach(add);
  for (const [option, operator] of Object.entries(OPERATORS)) {
    const values = condition[option as keyof typeof OPERATORS];
    if (values !== undefined) { for (const value of listOf(values)) add({ [operator]: value }); }
  }
  if (condition.numeric !== undefined) add({ numeric: condition.numeric });
  for (const pattern of condition.matches ?? []) {
    tests.push((value) => typeof value === "string" && pattern.test(value));
  }
  return tests;
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value as readonly T[] : [value as T];
}
