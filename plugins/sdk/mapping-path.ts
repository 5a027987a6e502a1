// Paths of the mapping language: `$.a.b[0]`, `$['odd key']`, `$match.name`, compiled to readers.

import type { Json, JsonObject } from "./json.ts";

/** What a mapping reads from while it makes one event. */
export interface Scope {
  /** The frame's object. */
  root: JsonObject;
  /** Named groups of the conditions that have matched so far. */
  match: Record<string, string>;
}

/** Reads one value; undefined where there is none. */
export type Reader = (scope: Scope) => Json | undefined;

/** A parsed path. */
export interface Path {
  /** True for `$match…`: it reads named groups, not the frame. */
  readonly inMatch: boolean;
  /** Member names, and indexes of lists; a negative index counts from the end. */
  readonly keys: readonly (string | number)[];
}

const STEP = /\.([^.[\]'"\s]+)|\[(-?\d{1,6})\]|\['([^']*)'\]|\["([^"]*)"\]/y;

/** Parses a path; a string in the answer says what is wrong with it. */
export function parsePath(text: string): Path | string {
  const start = /^\$(match(?=[.[]|$))?/.exec(text);
  if (start === null) return `Path "${text}" does not begin with $`;
  const keys: (string | number)[] = [];
  let at = start[0].length;
  while (at < text.length) {
    STEP.lastIndex = at;
    const step = STEP.exec(text);
    if (step === null) return `Cannot read path "${text}" at "${text.slice(at)}"`;
    keys.push(step[2] === undefined ? step[1] ?? step[3] ?? step[4] ?? "" : Number(step[2]));
    at = STEP.lastIndex;
  }
  return { inMatch: start[1] !== undefined, keys };
}

/** The reader of a path. Only a value's own members are found, never those it inherits. */
export function pathReader(path: Path): Reader {
  const { inMatch, keys } = path;
  if (keys.length === 1 && typeof keys[0] === "string") {
    const key = keys[0];
    return inMatch
      ? ({ match }) => Object.hasOwn(match, key) ? match[key] : undefined
      : ({ root }) => Object.hasOwn(root, key) ? root[key] : undefined;
  }
  return (scope) => {
    let value: Json | undefined = inMatch ? scope.match : scope.root;
    for (const key of keys) {
      value = step(value, key);
      if (value === undefined) return undefined;
    }
    return value;
  };
}

function step(value: Json | undefined, key: string | number): Json | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return typeof key === "number" ? value.at(key) : undefined;
  const name = String(key);
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}

/** Sets a member, also one called `__proto__`, which plain assignment would lose. */
export function setMember(target: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else target[key] = value;
}

/** What of a member has been copied: its text, its whole value, or some of its own members. */
type Taken = "scalar" | "whole" | { [key: string]: Taken };

/**
 * Makes the function that copies an object without what was copied already: the scalars that
 * `scalars` name (an object or list found there stays) and whatever `whole` names. A list of which
 * one entry was read stays whole. Undefined when nothing is left.
 */
export function remainderOf(
  scalars: readonly Path[],
  whole: readonly Path[],
): (root: JsonObject) => Record<string, Json> | undefined {
  const taken: { [key: string]: Taken } = Object.create(null);
  for (const path of scalars) mark(taken, path, "scalar");
  for (const path of whole) mark(taken, path, "whole");
  const nothing = whole.some(({ inMatch, keys }) => !inMatch && keys.length === 0);
  return (root) => nothing ? undefined : without(root, taken);
}

function mark(taken: { [key: string]: Taken }, { inMatch, keys }: Path, as: Taken): void {
  if (inMatch || keys.some((key) => typeof key === "number")) return;
  let level = taken;
  for (const [index, key] of keys.entries()) {
    const inner = level[key];
    if (index === keys.length - 1) level[key] = as === "whole" ? as : inner ?? as;
    else if (inner === "whole") return;
    else level = typeof inner === "object" ? inner : level[key] = Object.create(null);
  }
}

function without(
  value: JsonObject,
  taken: { [key: string]: Taken },
): Record<string, Json> | undefined {
  let rest: Record<string, Json> | undefined;
  for (const key of Object.keys(value)) {
    let member = value[key];
    const inner = taken[key];
    if (inner === "whole" || member === undefined) continue;
    if (inner === "scalar" && (typeof member !== "object" || member === null)) continue;
    if (typeof inner === "object" && isObject(member)) member = without(member, inner);
    if (member !== undefined) setMember(rest ??= {}, key, member);
  }
  return rest;
}

/** Whether a JSON value is an object, not a list. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
