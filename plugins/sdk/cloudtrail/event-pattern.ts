// EventBridge's event patterns, compiled once: objects name fields (all must match), arrays hold the
// values of a field (one must match), `$or` holds alternatives. Where the event holds arrays, one
// match never mixes members of different elements of the same array. pattern-value.ts knows what a
// value of a pattern means. Semantics, names and limits are AWS's.

import { z } from "zod";
import { compileValue, EventPatternError, type Test } from "./pattern-value.ts";

export { EventPatternError } from "./pattern-value.ts";

/** A compiled pattern. */
export interface EventPattern {
  /** As the operator wrote it: an object, or its JSON text. */
  readonly source: unknown;
  /** Whether an event, a JSON object, matches. Never throws; the event is not changed. */
  matches(event: unknown): boolean;
}

/** AWS's limits: characters of a pattern as JSON, and sub-rules that `$or` multiplies into. */
const CHARACTERS_MAX = 4096;
const ALTERNATIVES_MAX = 1000;

// Names an object inside $or may not use, since they could be meant as an operator.
const RESERVED: ReadonlySet<string> = new Set([
  ..."exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr".split(
    " ",
  ),
  ..."= < <= > >= regex not-wildcard not-equals-ignore-case".split(" "),
  ..."date-after date-on-or-after date-before date-on-or-before in-date-range".split(" "),
  ..."ip-address-in-range ip-address-not-in-range".split(" "),
]);

/** A field of a pattern. */
interface Field {
  readonly name: string;
  readonly keys: readonly string[];
  /** One of them must hold of a value of the field. */
  readonly tests: readonly Test[];
  /** Whether `{"exists": false}` is among the values. */
  readonly orAbsent: boolean;
}

/** Fields by their name; all must match. */
type Alternative = ReadonlyMap<string, Field>;

/** A field with how many of its first keys the next field shares. */
interface OrderedField extends Field {
  readonly shared: number;
}

/** Which element of which array a value lies in; linked, innermost first. */
interface Membership {
  readonly array: readonly unknown[];
  readonly index: number;
  /** How many keys lead to the array. */
  readonly depth: number;
  readonly outer: Membership | undefined;
}

/** A value that an event holds under a field's name. */
interface Found {
  readonly value: unknown;
  readonly within: Membership | undefined;
}

/** Compiles a pattern, an object or its JSON text. Throws EventPatternError. */
export function compileEventPattern(source: unknown): EventPattern {
  const pattern = typeof source === "string" ? parseText(source) : source;
  if (!isObject(pattern)) throw new EventPatternError("Event pattern is not an object", []);
  const { length } = JSON.stringify(pattern);
  if (length > CHARACTERS_MAX) {
    const message = `Event pattern has ${length} characters, at most ${CHARACTERS_MAX} are allowed`;
    throw new EventPatternError(message, []);
  }
  const alternatives = objectAlternatives(pattern, [], [], [new Map()], false).map(inOrder);
  return {
    source,
    matches: (event) =>
      isObject(event) && alternatives.some((fields) => matchesFrom(event, fields, 0, undefined)),
  };
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EventPatternError(`Event pattern is not JSON: ${(error as Error).message}`, []);
  }
}

/** In the order of names, as AWS's engine takes them: it decides what `exists: false` sees. */
function inOrder(fields: Alternative): readonly OrderedField[] {
  const sorted = [...fields.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  return sorted.map((field, i) => {
    const next = sorted[i + 1]?.keys ?? [];
    const differs = field.keys.findIndex((key, at) => key !== next[at]);
    return { ...field, shared: differs < 0 ? field.keys.length : differs };
  });
}

/** Adds an object's fields to each alternative so far. `at` is the way in the document. */
function objectAlternatives(
  object: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  at: readonly (string | number)[],
  before: readonly Alternative[],
  isInOr: boolean,
): readonly Alternative[] {
  const names = Object.keys(object);
  if (names.length === 0) throw new EventPatternError("Empty objects are not allowed", at);
  let alternatives = before;
  for (const name of names) {
    const value = object[name];
    const here = [...at, name];
    if (name === "$or") {
      alternatives = orAlternatives(value, keys, here, alternatives);
      continue;
    }
    if (isInOr && RESERVED.has(name)) {
      throw new EventPatternError(`"${name}" cannot be the name of a field inside $or`, here);
    }
    const path = [...keys, name];
    if (Array.isArray(value)) alternatives = withField(alternatives, path, value, here);
    else if (isObject(value)) {
      alternatives = objectAlternatives(value, path, here, alternatives, isInOr);
    } else throw new EventPatternError(`"${name}" must be an object or an array`, here);
  }
  return alternatives;
}

function orAlternatives(
  value: unknown,
  keys: readonly string[],
  at: readonly (string | number)[],
  before: readonly Alternative[],
): readonly Alternative[] {
  if (!Array.isArray(value) || value.length < 2 || !value.every(isObject)) {
    throw new EventPatternError("$or must be an array of at least two objects", at);
  }
  const alternatives: Alternative[] = [];
  for (let i = 0; i < value.length; i++) {
    alternatives.push(...objectAlternatives(value[i]!, keys, [...at, i], before, true));
    if (alternatives.length > ALTERNATIVES_MAX) {
      const message = `$or leads to more than ${ALTERNATIVES_MAX} combinations`;
      throw new EventPatternError(message, at);
    }
  }
  return alternatives;
}

function withField(
  alternatives: readonly Alternative[],
  keys: readonly string[],
  values: readonly unknown[],
  at: readonly (string | number)[],
): readonly Alternative[] {
  if (values.length === 0) throw new EventPatternError("Empty arrays are not allowed", at);
  const name = keys.join(".");
  const tests: Test[] = [];
  let orAbsent = false;
  for (let i = 0; i < values.length; i++) {
    const test = compileValue(values[i], [...at, i]);
    if (test === "absent") orAbsent = true;
    else tests.push(test);
  }
  const field: Field = { name, keys, tests, orAbsent };
  return alternatives.map((fields) => {
    if (fields.has(name)) {
      throw new EventPatternError(`Field "${name}" is named more than once`, at);
    }
    return new Map(fields).set(name, field);
  });
}

/**
 * Whether the fields from `index` on match, given the array elements the match lies in so far. Fields
 * with a common beginning stand together, so of those elements only the ones count that the next
 * field goes through as well, and each is tried once.
 */
function matchesFrom(
  event: unknown,
  fields: readonly OrderedField[],
  index: number,
  within: Membership | undefined,
): boolean {
  const field = fields[index];
  if (field === undefined) return true;
  const found = valuesAt(event, field.keys, within);
  if (found.length === 0) {
    return field.orAbsent && matchesFrom(event, fields, index + 1, shallow(within, field.shared));
  }
  const tried = new Set<Membership | undefined>();
  for (const candidate of found) {
    const place = shallow(candidate.within, field.shared);
    if (tried.has(place) || !field.tests.some((test) => test(candidate.value))) continue;
    if (matchesFrom(event, fields, index + 1, place)) return true;
    tried.add(place);
  }
  return false;
}

/** The memberships in arrays that at most `depth` keys lead to. */
function shallow(within: Membership | undefined, depth: number): Membership | undefined {
  let place = within;
  while (place !== undefined && place.depth > depth) place = place.outer;
  return place;
}

/** The plain values below a name: arrays are seen through, objects are none. */
function valuesAt(
  event: unknown,
  keys: readonly string[],
  within: Membership | undefined,
): readonly Found[] {
  let value = event;
  // Most ways lead through no array, and then nothing has to be collected.
  for (let i = 0; i < keys.length; i++) {
    if (Array.isArray(value)) return new Collector(keys, within).collect(value, i, undefined);
    if (!isObject(value) || !Object.hasOwn(value, keys[i]!)) return [];
    value = value[keys[i]!];
  }
  return new Collector(keys, within).collect(value, keys.length, undefined);
}

class Collector {
  readonly #keys: readonly string[];
  /** Array elements that are chosen already. */
  readonly #chosen: Membership | undefined;
  readonly #found: Found[] = [];

  constructor(keys: readonly string[], chosen: Membership | undefined) {
    this.#keys = keys;
    this.#chosen = chosen;
  }

  collect(value: unknown, depth: number, within: Membership | undefined): readonly Found[] {
    if (Array.isArray(value)) this.#array(value, depth, within);
    else if (depth === this.#keys.length) {
      if (!isObject(value) && value !== undefined) this.#found.push({ value, within });
    } else if (isObject(value) && Object.hasOwn(value, this.#keys[depth]!)) {
      this.collect(value[this.#keys[depth]!], depth + 1, within);
    }
    return this.#found;
  }

  #array(array: readonly unknown[], depth: number, outer: Membership | undefined): void {
    let chosen = this.#chosen;
    while (chosen !== undefined && chosen.array !== array) chosen = chosen.outer;
    for (let index = 0; index < array.length; index++) {
      const item = array[index];
      // Plain values of one array go together: only objects and lists in it are kept apart.
      if (typeof item !== "object" || item === null) this.collect(item, depth, outer);
      else if (chosen === undefined || chosen.index === index) {
        this.collect(item, depth, { array, index, depth, outer });
      }
    }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The option: a pattern as a map in the YAML, or as the JSON text that AWS's tools print. */
export const eventPattern = z.codec(
  z.union([z.string().min(2), z.record(z.string(), z.unknown())]).meta({
    examples: [{ eventName: [{ prefix: "Delete" }] }],
  }),
  z.custom<EventPattern>(),
  {
    decode(source, ctx) {
      try {
        return compileEventPattern(source);
      } catch (error) {
        if (!(error instanceof EventPatternError)) throw error;
        const path = typeof source === "string" ? [] : [...error.path];
        const where = typeof source === "string" && error.path.length > 0
          ? ` (at ${error.path.join(".")})`
          : "";
        const { message } = error;
        ctx.issues.push({ code: "custom", input: source, path, message: message + where });
        return z.NEVER;
      }
    },
    encode: (pattern) => pattern.source as string | Record<string, unknown>,
  },
);
