// zod schemas as JSON Schema: for `cairn schema`, for the reference and for "did you mean".

import { z } from "zod";

/** The members of JSON Schema that are looked at here. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly [keyword: string]: unknown;
}

/** What may be written (the schema's input side), without the dialect's address. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    reused: "inline",
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = (zodSchema as z.core.$ZodType)._zod;
      if (def.type !== "default") return;
      // A default is kept as the value it means; shown is what one would write: 5s, not 5000.
      const { innerType, defaultValue } = def as z.core.$ZodDefaultDef;
      const written = z.safeEncode(innerType, defaultValue);
      if (written.success) jsonSchema.default = written.data;
    },
  });
  return rest as JsonSchema;
}

/** The options known at a path below the schema; none where any name is right. */
export function optionNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let level = branches(toJsonSchema(schema));
  for (const key of path) level = below(level, key).level;
  return level.flatMap((branch) => Object.keys(branch.properties ?? {}));
}

/** One place of a schema: all that may hold there. */
export type SchemaLevel = readonly JsonSchema[];

/** What may stand under a key or index; `declared`: some schema has an option of that name. */
export function below(
  level: SchemaLevel,
  key: PropertyKey,
): { readonly level: SchemaLevel; readonly declared: boolean } {
  let declared = false;
  const next = level.flatMap((branch) => {
    const own = typeof key === "number" ? branch.items : property(branch, String(key));
    declared ||= own !== undefined;
    const found = own ?? branch.additionalProperties;
    return typeof found === "object" ? branches(found) : [];
  });
  return { level: next, declared };
}

function property({ properties }: JsonSchema, name: string): JsonSchema | undefined {
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** The schema and those it consists of. */
export function branches(schema: JsonSchema): SchemaLevel {
  const inner = [...schema.anyOf ?? [], ...schema.oneOf ?? [], ...schema.allOf ?? []];
  return [schema, ...inner.flatMap(branches)];
}
