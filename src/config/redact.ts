// The tree without its secrets, for whatever shows a configuration: options whose schema is the
// SDK's `secret`, what stands under the name of one, and credentials in URLs.

import { isSecretName } from "../../plugins/sdk/json-secrets.ts";
import { below, branches, type JsonSchema, type SchemaLevel } from "./json-schema.ts";
import type { ConfigNode, MapNode, ScalarNode } from "./node.ts";

/** What stands in place of a secret. */
export const HIDDEN = "[secret]";

// Shorter texts are in too many others to be looked for there.
const SECRET_CHARS_MIN = 4;

/** `user:password@` after a scheme. */
const URL_USER = /\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#]+@/gi;
const URL_PARAMETER = /([?&;]([\w.-]{1,64})=)([^&;#\s]+)/g;

/** Whether what stands under this name in a configuration is to be hidden. */
export function isSecretKey(name: string): boolean {
  return isSecretName(name) || isSecretName(name.replace(/s$/i, "")) || /(?:^|_)key$/i.test(name);
}

/** Whether what stands there is not to be quoted, even where it is wrong. */
export function isSecretPath(path: readonly PropertyKey[]): boolean {
  return path.some((key) => typeof key === "string" && isSecretKey(key));
}

/**
 * The tree with `[secret]` for each secret, also where the same text stands once more. Hidden is
 * what the schema calls a secret; what stands under a name that is no option there, which may be a
 * slip in a secret's; and under a secret's name all but words of the schema and what it has its own
 * options for.
 */
export function redact(root: MapNode, schema: JsonSchema): MapNode {
  const secrets = new Set<string>();
  const marked = hide(root, { level: branches(schema), key: "", name: "", isFree: false }, secrets);
  const texts = [...secrets].filter((text) => text.length >= SECRET_CHARS_MIN)
    .sort((a, b) => b.length - a.length);
  const clean = (text: string) =>
    maskUrls(texts.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text));
  return mapScalars(marked, (scalar) => {
    const text = typeof scalar.value === "string" ? clean(scalar.value) : String(scalar.value);
    const isSame = text === String(scalar.value) && !secrets.has(text);
    return isSame ? scalar : { ...scalar, value: secrets.has(text) ? HIDDEN : text };
  }) as MapNode;
}

/** A text with what its URLs hold of credentials replaced. */
export function maskUrls(text: string): string {
  if (!text.includes("://")) return text;
  return text.replace(URL_USER, `$1${HIDDEN}@`).replace(
    URL_PARAMETER,
    (all, before: string, name: string) => isSecretKey(name) ? before + HIDDEN : all,
  );
}

interface Where {
  readonly level: SchemaLevel;
  /** The last key. */
  readonly key: string;
  /** The outermost key that names a secret, or the last key. */
  readonly name: string;
  /** No schema has an option of that name. */
  readonly isFree: boolean;
}

function hide(node: ConfigNode, where: Where, secrets: Set<string>): ConfigNode {
  const isSecret = where.level.some(({ writeOnly }) => writeOnly === true);
  if (isSecret) return mapScalars(node, (scalar) => hidden(scalar, secrets));
  if (node.kind === "list") {
    const items = node.items.map((item, index) => {
      const { level } = below(where.level, index);
      return hide(item, { ...where, level }, secrets);
    });
    return { ...node, items };
  }
  if (node.kind === "map") {
    const entries = new Map(Array.from(node.entries, ([key, entry]) => {
      const { level, declared } = below(where.level, key);
      if (!declared && isStrict(where.level)) {
        return [key, { ...entry, node: mapScalars(entry.node, (one) => hidden(one, secrets)) }];
      }
      const name = isSecretKey(where.name) ? where.name : key;
      const inner = hide(entry.node, { level, key, name, isFree: !declared }, secrets);
      return [key, { ...entry, node: inner }];
    }));
    return { ...node, entries };
  }
  if (!isSecretKey(where.name)) return node;
  const isWord = where.level.some(({ enum: words }) => words?.includes(node.value) === true);
  // A literal under `key` may be a column's name.
  const isHidden = node.secret || where.isFree || (isSecretName(where.key) && !isWord);
  return isHidden ? hidden(node, secrets) : node;
}

/** Whether only what is declared is an option there. */
function isStrict(level: SchemaLevel): boolean {
  const maps = level.filter(({ properties }) => properties !== undefined);
  return maps.length > 0 && maps.every((map) => map.additionalProperties === false);
}

function hidden(scalar: ScalarNode, secrets: Set<string>): ScalarNode {
  // What is off, or empty, tells nothing.
  if (scalar.text === "" || scalar.value === null || typeof scalar.value === "boolean") {
    return scalar;
  }
  secrets.add(scalar.text);
  return { ...scalar, value: HIDDEN, text: HIDDEN, readings: [HIDDEN] };
}

function mapScalars(node: ConfigNode, change: (scalar: ScalarNode) => ScalarNode): ConfigNode {
  if (node.kind === "scalar") return change(node);
  if (node.kind === "list") {
    return { ...node, items: node.items.map((item) => mapScalars(item, change)) };
  }
  const entries = new Map(Array.from(node.entries, ([key, entry]) => {
    return [key, { ...entry, node: mapScalars(entry.node, change) }];
  }));
  return { ...node, entries };
}
