// A mapping as one option of a format. It is checked and compiled once, when the configuration is
// read; what is kept of it there is the operator's own text, so it can be printed and compared.

import { z } from "zod";
import { isRecord, pass } from "./mapping-value.ts";

/** A checked mapping, as it stands in the configuration. */
export class CheckedMapping<T> {
  readonly source: unknown;
  readonly #compiled: T;

  constructor(source: unknown, compiled: T) {
    this.source = source;
    this.#compiled = compiled;
  }

  /** What the schema made of it. */
  get compiled(): T {
    return this.#compiled;
  }
}

/** Makes the option of a mapping's schema: `mapping`, or one that a format built of its fields. */
export function mappingOption<S extends z.ZodType>(
  schema: S,
): z.ZodType<CheckedMapping<z.output<S>>, unknown> {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    reused: "inline",
  });
  return z.codec(z.unknown().meta(shape), z.custom<CheckedMapping<z.output<S>>>(), {
    decode(source, ctx) {
      const parsed = schema.safeParse(source);
      if (parsed.success) return new CheckedMapping(source, parsed.data);
      pass(isRecord(source) ? parsed.error : undefined, ctx, source, "a mapping");
      return z.NEVER;
    },
    encode: ({ source }) => source,
  });
}
