// The options of a component as a flat list, for `cairn components` and the reference.

import type { JsonSchema } from "./json-schema.ts";

/** One option. */
export interface OptionLine {
  /** Its keys from the component's own map down. */
  readonly path: readonly string[];
  readonly help: string;
  /** It has no default and must be written. */
  readonly required: boolean;
  /** What holds where it is not written; undefined where nothing does. */
  readonly default?: unknown;
  /** What may be written: `text`, `block | drop_oldest` … */
  readonly kind: string;
  readonly examples: readonly unknown[];
  /** It only holds other options, which follow. */
  readonly isMap: boolean;
}

/** All options of a schema, outer before inner. */
export function listOptions(
  schema: JsonSchema,
  above: readonly string[] = [],
): readonly OptionLine[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => {
    const path = [...above, name];
    const map = mapOf(option);
    const line: OptionLine = {
      path,
      help: option.description ?? "",
      required: required.has(name),
      default: option.default,
      kind: kindOf(option),
      examples: option.examples ?? [],
      isMap: map !== undefined,
    };
    return map !== undefined ? [line, ...listOptions(map, path)] : [line];
  });
}

/** The map that an option is; of several forms, the one that holds by default. */
function mapOf(option: JsonSchema): JsonSchema | undefined {
  if (Array.isArray(option.default)) return undefined;
  if (option.properties !== undefined) return option;
  const isMap = typeof option.default === "object" && option.default !== null;
  return isMap ? option.anyOf?.find(({ properties }) => properties !== undefined) : undefined;
}

/** The default as one would write it; empty where there is none. */
export function formatDefault(option: OptionLine): string {
  if (option.isMap || option.default === undefined) return "";
  return typeof option.default === "string" && option.default !== ""
    ? option.default
    : JSON.stringify(option.default);
}

function kindOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  const branches = [...schema.anyOf ?? [], ...schema.oneOf ?? []];
  if (branches.length > 0) return [...new Set(branches.map(kindOf))].join(" | ");
  if (schema.type === "array") return "list";
  if (schema.type === "object") return "map";
  if (schema.type === "string") return "text";
  return typeof schema.type === "string" ? schema.type : "any";
}
