// The configuration as a tree in which every value knows where it was written. `load.ts` makes it
// out of YAML; `check.ts` reads it with a schema.

import { hash } from "node:crypto";
import type { Place } from "./problem.ts";

/** A scalar value of YAML. */
export type Scalar = null | boolean | number | string;

/** A scalar. It keeps its spelling: the schema may want text where YAML saw a number, or the reverse. */
export interface ScalarNode {
  readonly kind: "scalar";
  readonly at: Place;
  /** What it means now; `check.ts` sets the other reading where the schema wants that. */
  value: Scalar;
  /** As it was written, or what a reference expanded to. */
  readonly text: string;
  /** The other readings a schema may ask for. */
  readonly readings: readonly Scalar[];
  /** Came from the environment or a file: never printed. */
  readonly secret: boolean;
}

/** A list. */
export interface ListNode {
  readonly kind: "list";
  readonly at: Place;
  readonly items: readonly ConfigNode[];
}

/** A map; `at` of an entry is its key's place. */
export interface MapNode {
  readonly kind: "map";
  readonly at: Place;
  readonly entries: ReadonlyMap<string, { readonly at: Place; readonly node: ConfigNode }>;
}

/** Any node. */
export type ConfigNode = ScalarNode | ListNode | MapNode;

/** A map without entries. */
export function emptyMap(at: Place): MapNode {
  return { kind: "map", at, entries: new Map() };
}

/** The child of that name or index; undefined where there is none. */
export function child(node: ConfigNode, key: PropertyKey): ConfigNode | undefined {
  if (node.kind === "map") return node.entries.get(String(key))?.node;
  if (node.kind === "list") return node.items[Number(key)];
  return undefined;
}

/** The node at a path; undefined where the path ends earlier. */
export function find(node: ConfigNode, path: readonly PropertyKey[]): ConfigNode | undefined {
  let found: ConfigNode | undefined = node;
  for (const key of path) {
    if (found === undefined) return undefined;
    found = child(found, key);
  }
  return found;
}

/** Where to point for a path: at the value, or where it is missing at the nearest map's own key. */
export function placeOf(node: ConfigNode, path: readonly PropertyKey[], at = node.at): Place {
  let place = at;
  let found = node;
  for (const [index, key] of path.entries()) {
    const entry = found.kind === "map" ? found.entries.get(String(key)) : undefined;
    const next = entry?.node ?? child(found, key);
    if (next === undefined) return place;
    const isLast = index === path.length - 1;
    place = isLast && next.kind !== "map" ? next.at : entry?.at ?? next.at;
    found = next;
  }
  return place;
}

/** True for a key with nothing after its colon: the option is left at its default. */
export function isBlank(node: ConfigNode): boolean {
  return node.kind === "scalar" && node.value === null && node.text === "";
}

/** Plain data: what the tree means. Blank keys are left out. */
export function toValue(node: ConfigNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toValue);
  const value: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) {
    if (isBlank(entry.node)) continue;
    // Defined, not assigned: a key called __proto__ is a key like any other.
    const descriptor = { enumerable: true, configurable: true, writable: true };
    Object.defineProperty(value, key, { ...descriptor, value: toValue(entry.node) });
  }
  return value;
}

/** A text that is equal where two trees mean the same, secrets included, and tells nothing of them. */
export function digestOf(node: ConfigNode | undefined): string {
  return hash("sha256", JSON.stringify(node === undefined ? null : toValue(node)) ?? "");
}

/**
 * Lays `over` on `base`. Maps are merged key by key, at every depth. A written `null` takes the key
 * away that `base` has; a key with nothing after it leaves a map as it is. Everything else, lists
 * too, is replaced as a whole: what the later source says about a list is all that holds.
 */
export function merge(base: ConfigNode, over: ConfigNode): ConfigNode {
  if (base.kind === "map" && isBlank(over)) return base;
  if (base.kind !== "map" || over.kind !== "map") return over;
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key);
    if (below === undefined) entries.set(key, entry);
    else if (isNull(entry.node)) entries.delete(key);
    else entries.set(key, { at: entry.at, node: merge(below.node, entry.node) });
  }
  return { kind: "map", at: over.entries.size > 0 ? over.at : base.at, entries };
}

function isNull(node: ConfigNode): boolean {
  return node.kind === "scalar" && node.value === null && node.text !== "";
}

/** The map without some of its keys. */
export function without(node: MapNode, keys: ReadonlySet<string>): MapNode {
  const entries = new Map([...node.entries].filter(([key]) => !keys.has(key)));
  return { kind: "map", at: node.at, entries };
}

/** The map with only some of its keys. */
export function only(node: MapNode, keys: ReadonlySet<string>): MapNode {
  const entries = new Map([...node.entries].filter(([key]) => keys.has(key)));
  return { kind: "map", at: node.at, entries };
}

/** What secrets the tree holds, so that messages can leave them out; `all`: every scalar is one. */
export function secretsOf(node: ConfigNode, all = false): readonly string[] {
  if (node.kind === "scalar") return (all || node.secret) && node.text !== "" ? [node.text] : [];
  const children = node.kind === "list"
    ? node.items
    : Array.from(node.entries.values(), (entry) => entry.node);
  return children.flatMap((inner) => secretsOf(inner, all));
}
