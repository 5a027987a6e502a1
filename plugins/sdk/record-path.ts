// Paths into a record: `userIdentity.userName`, `resources[0].ARN`, `requestParameters['odd key']`,
// in the mapping language's spelling without its `$.`. Further, `*` is any member or item and `**`
// any number of levels; a name seen from a list is looked for in each of its items.

import { z } from "zod";
import type { Json, JsonObject } from "./json.ts";
import { isObject, parsePath, setMember } from "./mapping-path.ts";

/** A parsed path. */
export interface RecordPath {
  readonly source: string;
  readonly keys: readonly (string | number)[];
}

/** Steps of one path; `**` multiplies the work of a record with the levels it has. */
const STEPS_MAX = 32;

/** Parses a path; a string in the answer says what is wrong with it. */
export function parseRecordPath(source: string): RecordPath | string {
  const whole = /^\$(?:[.[]|$)/.test(source)
    ? source
    : source.startsWith("[")
    ? `$${source}`
    : `$.${source}`;
  const path = parsePath(whole);
  if (typeof path === "string") return `Cannot read path "${source}"`;
  const { keys } = path;
  if (keys.length === 0) return "Path names no field";
  if (keys.length > STEPS_MAX) return `Path has more than ${STEPS_MAX} steps`;
  if (keys.filter((key) => key === "**").length > 1) return 'Path has more than one "**"';
  const after = keys[keys.indexOf("**") + 1];
  if (keys.includes("**") && (typeof after !== "string" || after === "*")) {
    return 'After "**" a path needs the name that is meant';
  }
  return { source, keys };
}

/** The option: a path. */
export const recordPath = z.codec(
  z.string().min(1).max(1024).meta({ examples: ["requestParameters.name"] }),
  z.custom<RecordPath>(),
  {
    decode(source, ctx) {
      const path = parseRecordPath(source);
      if (typeof path !== "string") return path;
      ctx.issues.push({ code: "custom", input: source, message: path });
      return z.NEVER;
    },
    encode: (path) => path.source,
  },
);

/** Hands every value that a path leads to to `visit`, until that answers true; answers so then. */
export function someAt(
  value: Json | undefined,
  { keys }: RecordPath,
  visit: (value: Json) => boolean,
): boolean {
  return some(value, keys, 0, visit);
}

function some(
  value: Json | undefined,
  keys: readonly (string | number)[],
  index: number,
  visit: (value: Json) => boolean,
): boolean {
  if (value === undefined) return false;
  const key = keys[index];
  if (key === undefined) return visit(value);
  if (typeof value !== "object" || value === null) return false;
  const isList = Array.isArray(value);
  if (key === "**" && !isList && some(value, keys, index + 1, visit)) return true;
  const every = key === "**" ? index : key === "*" ? index + 1 : undefined;
  if (isList) {
    if (typeof key === "number") return some(value.at(key), keys, index + 1, visit);
    return value.some((item) => some(item, keys, every ?? index, visit));
  }
  const object = value as JsonObject;
  if (every === undefined) {
    const name = String(key);
    return Object.hasOwn(object, name) && some(object[name], keys, index + 1, visit);
  }
  for (const name of Object.keys(object)) if (some(object[name], keys, every, visit)) return true;
  return false;
}

/** What becomes of a value; undefined takes its member or item away. */
export type Change = (value: Json) => Json | undefined;

/**
 * Puts what `change` answers in place of every value that a path leads to. Nothing is changed in
 * place: what is on the way to a changed value is copied, all else is the same object.
 */
export function changeAt(value: Json, { keys }: RecordPath, change: Change): Json | undefined {
  return changed(value, keys, 0, change);
}

function changed(
  value: Json,
  keys: readonly (string | number)[],
  index: number,
  change: Change,
): Json | undefined {
  const key = keys[index];
  if (key === undefined) return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (key === "**") {
    const here = Array.isArray(value) ? value : changed(value, keys, index + 1, change);
    if (!isStructured(here)) return here;
    return changedMembers(here, undefined, (member) => changed(member, keys, index, change));
  }
  if (Array.isArray(value)) {
    const step = typeof key === "number" || key === "*" ? index + 1 : index;
    const only = typeof key === "number" ? (key < 0 ? key + value.length : key) : undefined;
    return changedMembers(value, only, (item) => changed(item, keys, step, change));
  }
  const only = key === "*" ? undefined : String(key);
  return changedMembers(value, only, (member) => changed(member, keys, index + 1, change));
}

/** The object or list with its members, or the one named, changed. */
export function changedMembers(
  value: readonly Json[] | JsonObject,
  only: string | number | undefined,
  change: Change,
): Json {
  if (Array.isArray(value)) return changedItems(value, only, change);
  const object = value as JsonObject;
  let copy: Record<string, Json> | undefined;
  for (const name of only === undefined ? Object.keys(object) : [String(only)]) {
    const member = Object.hasOwn(object, name) ? object[name] : undefined;
    if (member === undefined) continue;
    const after = change(member);
    if (after === member) continue;
    copy ??= { ...object } as Record<string, Json>;
    replaceMember(copy, name, after);
  }
  return copy ?? object;
}

/** Sets a member of a copy, or takes it away where there is no value. */
export function replaceMember(
  copy: Record<string, Json>,
  name: string,
  value: Json | undefined,
): void {
  if (value === undefined) delete copy[name];
  else setMember(copy, name, value);
}

function changedItems(
  list: readonly Json[],
  only: string | number | undefined,
  change: Change,
): Json {
  let copy: (Json | undefined)[] | undefined;
  for (let i = 0; i < list.length; i++) {
    if (only !== undefined && only !== i) continue;
    const after = change(list[i]!);
    if (after !== list[i]) (copy ??= [...list])[i] = after;
  }
  return copy === undefined ? list : copy.filter((item) => item !== undefined);
}

/** Whether a value has members or items. */
export function isStructured(value: Json | undefined): value is readonly Json[] | JsonObject {
  return Array.isArray(value) || isObject(value);
}
