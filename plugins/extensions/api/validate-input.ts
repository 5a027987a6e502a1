// Checks the input of an operation against its shape, with AWS's own words for what is wrong.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { type Shape, SHAPES, type StructureShape } from "./input-shapes.ts";

/** Problems that one answer tells. */
const PROBLEMS_MAX = 10;
/** Characters of a value that one answer repeats. */
const SHOWN_MAX = 128;
/** Seconds from 1970 to the last moment that a clock can show, also before it. */
const TIME_MAX = 8.64e12;

/**
 * Throws AwsFault: SerializationException where a value is of another type, ValidationException
 * with everything else that is wrong. Answers the input without members that the shape does not
 * know: AWS lets them be, and neither records nor tokens are to hold what nobody asked for.
 */
export function validateInput(input: JsonObject, shape: StructureShape): JsonObject {
  const problems: string[] = [];
  checkMembers(input, shape, "", problems);
  if (problems.length === 0) return knownOf(input, shape) as JsonObject;
  const noun = problems.length === 1 ? "error" : "errors";
  const told = problems.slice(0, PROBLEMS_MAX).join("; ");
  throw new AwsFault(
    "ValidationException",
    `${problems.length} validation ${noun} detected: ${told}`,
  );
}

/** A checked value without what its shape does not know. */
function knownOf(value: Json, shape: Shape): Json {
  if (shape.type === "list" && Array.isArray(value)) {
    return value.map((item) => knownOf(item, SHAPES[shape.of]!));
  }
  if (shape.type !== "structure" || !isObject(value)) return value;
  const known: Record<string, Json> = {};
  for (const { name, shape: of } of shape.members) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    if (member !== undefined) known[name] = knownOf(member, SHAPES[of]!);
  }
  return known;
}

function checkMembers(
  value: JsonObject,
  { members }: StructureShape,
  at: string,
  problems: string[],
): void {
  for (const { name, shape, required } of members) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    const path = `${at}${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    if (member !== undefined && member !== null) check(member, SHAPES[shape]!, path, problems);
    else if (required) {
      problems.push(
        `Value null at '${path}' failed to satisfy constraint: Member must not be null`,
      );
    }
  }
}

function check(value: Json, shape: Shape, path: string, problems: string[]): void {
  switch (shape.type) {
    case "string":
      if (typeof value !== "string") throw wrongType(value, "a String");
      checkText(value, shape, path, problems);
      break;
    case "integer":
      if (!Number.isInteger(value)) throw wrongType(value, "an Integer");
      checkNumber(value as number, shape, path, problems);
      break;
    case "boolean":
      if (typeof value !== "boolean") throw wrongType(value, "a Boolean");
      break;
    case "timestamp":
      if (typeof value !== "number" || Math.abs(value) > TIME_MAX) {
        throw wrongType(value, "a Timestamp");
      }
      break;
    case "list":
      if (!Array.isArray(value)) throw wrongType(value, "a List");
      checkLength(value.length, shape, path, problems, "");
      for (const [index, item] of value.entries()) {
        // Millions of wrong items would keep others waiting.
        if (problems.length >= PROBLEMS_MAX) break;
        if (item === null) throw wrongType(item, "an item of a List");
        check(item, SHAPES[shape.of]!, `${path}.${index + 1}.member`, problems);
      }
      break;
    case "map":
      checkMap(value, shape, path, problems);
      break;
    case "structure":
      if (!isObject(value)) throw wrongType(value, "a Structure");
      checkMembers(value, shape, `${path}.`, problems);
  }
}

function checkMap(
  value: Json,
  shape: Extract<Shape, { type: "map" }>,
  path: string,
  problems: string[],
): void {
  if (!isObject(value)) throw wrongType(value, "a Map");
  const entries = Object.entries(value);
  checkLength(entries.length, shape, path, problems, "");
  for (const [key, member] of entries) {
    check(key, SHAPES[shape.keys]!, `${path}.key`, problems);
    check(member ?? null, SHAPES[shape.of]!, `${path}.${key.slice(0, SHOWN_MAX)}`, problems);
  }
}

function checkText(
  text: string,
  { pattern, values, ...bounds }: Extract<Shape, { type: "string" }>,
  path: string,
  problems: string[],
): void {
  const told = `Value '${text.slice(0, SHOWN_MAX)}' at '${path}' failed to satisfy constraint: `;
  if (values !== undefined && !values.includes(text)) {
    problems.push(`${told}Member must satisfy enum value set: [${values.join(", ")}]`);
  }
  checkLength(text.length, bounds, path, problems, told);
  if (pattern === undefined || pattern.exec(text)?.[0] === text) return;
  problems.push(`${told}Member must satisfy regular expression pattern: ${pattern.source}`);
}

function checkNumber(
  value: number,
  { min, max }: { readonly min?: number; readonly max?: number },
  path: string,
  problems: string[],
): void {
  const bound = min !== undefined && value < min
    ? `greater than or equal to ${min}`
    : max !== undefined && value > max
    ? `less than or equal to ${max}`
    : undefined;
  if (bound === undefined) return;
  const told = `Value '${value}' at '${path}' failed to satisfy constraint: `;
  problems.push(`${told}Member must have value ${bound}`);
}

function checkLength(
  length: number,
  { min, max }: { readonly min?: number; readonly max?: number },
  path: string,
  problems: string[],
  told: string,
): void {
  const bound = min !== undefined && length < min
    ? `greater than or equal to ${min}`
    : max !== undefined && length > max
    ? `less than or equal to ${max}`
    : undefined;
  if (bound === undefined) return;
  const what = told || `Value at '${path}' failed to satisfy constraint: `;
  problems.push(`${what}Member must have length ${bound}`);
}

function wrongType(value: Json | undefined, wanted: string): AwsFault {
  const found = value === null
    ? "NULL"
    : Array.isArray(value)
    ? "START_ARRAY"
    : typeof value === "object"
    ? "START_OBJECT"
    : typeof value === "number"
    ? "NUMBER_VALUE"
    : typeof value === "boolean"
    ? `${String(value).toUpperCase()}_VALUE`
    : "STRING_VALUE";
  return new AwsFault("SerializationException", `${found} can not be converted to ${wanted}`);
}
