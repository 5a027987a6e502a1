// The part of conformance() about a plugin's configuration: strict, described, with defaults that
// the schema itself accepts.

import type { Test } from "tap";
import { z } from "zod";
import type { ComponentFactory } from "../factory.ts";

/** Checks the factory's names and its schema; `minimal` is the shortest valid configuration. */
export async function checkConfiguration(
  t: Test,
  factory: ComponentFactory,
  minimal: Readonly<Record<string, unknown>>,
): Promise<void> {
  await t.test("the factory says what it is", async (t) => {
    t.match(factory.type, /^[a-z][a-z0-9_]*$/, "type is lower_snake_case");
    t.match(factory.summary, /^[A-Z].*[^.]$/s, "summary is one line without a full stop");
    t.notMatch(factory.summary, /\n/, "summary is one line");
  });

  await t.test("the configuration's defaults are valid", async (t) => {
    const first = factory.config.safeParse(minimal);
    t.ok(first.success, first.error?.message ?? "the minimal configuration is accepted");
    if (!first.success) return;
    const second = factory.config.safeParse(z.encode(factory.config, first.data));
    t.ok(second.success, second.error?.message ?? "the defaults written out are accepted");
    t.same(second.data, first.data, "and mean the same");
  });

  await t.test("the configuration refuses unknown keys", async (t) => {
    const answer = factory.config.safeParse({ ...minimal, no_such_option: 1 });
    t.equal(answer.success, false);
  });

  await t.test("every option has a description", async (t) => {
    const schema = z.toJSONSchema(factory.config, { io: "input", unrepresentable: "any" });
    t.same(faults(schema as JsonSchema, factory.type), []);
  });
}

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

function faults(schema: JsonSchema, path: string): string[] {
  const found: string[] = [];
  if (schema.properties !== undefined && schema.additionalProperties !== false) {
    found.push(`${path}: accepts unknown keys`);
  }
  for (const [name, option] of Object.entries(schema.properties ?? {})) {
    if (!option.description) found.push(`${path}.${name}: has no description`);
    found.push(...faults(option, `${path}.${name}`));
  }
  for (const part of [schema.anyOf, schema.oneOf, schema.allOf]) {
    for (const choice of part ?? []) found.push(...faults(choice, path));
  }
  if (schema.items !== undefined) found.push(...faults(schema.items, `${path}[]`));
  if (typeof schema.additionalProperties === "object") {
    found.push(...faults(schema.additionalProperties, `${path}.*`));
  }
  return found;
}
