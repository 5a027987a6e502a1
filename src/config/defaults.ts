// The tree with every default filled in, as the schemas spell them.

import type { JsonSchema } from "./json-schema.ts";
import { type ConfigNode, emptyMap, isBlank, type MapNode, type Scalar } from "./node.ts";
import type { Place } from "./problem.ts";

/** Where a value stands that nobody wrote. */
const AT: Place = { source: "default", rank: Number.MAX_SAFE_INTEGER };

/** The tree with what its schema says holds where nothing is written, behind what is. */
export function fillDefaults(root: MapNode, schema: JsonSchema): MapNode {
  const filled = fill(root, schema);
  return filled?.kind === "map" ? filled : root;
}

function defaultNode(value: unknown): ConfigNode {
  if (Array.isArray(value)) return { kind: "list", at: AT, items: value.map(defaultNode) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, inner]) =>
      [key, { at: AT, node: defaultNode(inner) }] as const
    );
    return { ...emptyMap(AT), entries: new Map(entries) };
  }
  const scalar = value as Scalar;
  const text = String(value);
  return { kind: "scalar", at: AT, value: scalar, text, readings: [scalar], secret: false };
}

function fill(written: ConfigNode | undefined, schema: JsonSchema): ConfigNode | undefined {
  const isUnset = written === undefined || isBlank(written);
  const node = isUnset && schema.default !== undefined ? defaultNode(schema.default) : written;
  if (node?.kind === "list" && schema.items !== undefined) {
    const { items } = schema;
    return { ...node, items: node.items.map((item) => fill(item, items) ?? item) };
  }
  if (node?.kind !== "map") return node;
  const entries = new Map(node.entries);
  for (const [key, entry] of entries) {
    const inner = schema.additionalProperties;
    const below = typeof inner === "object" ? fill(entry.node, inner) : undefined;
    if (below !== undefined) entries.set(key, { ...entry, node: below });
  }
  for (const [key, option] of Object.entries(schema.properties ?? {})) {
    const entry = entries.get(key);
    const below = fill(entry?.node, option);
    if (below !== undefined) entries.set(key, { at: entry?.at ?? AT, node: below });
  }
  return { ...node, entries };
}
