// The JSON Schema of a whole configuration: the document's own parts, and every component's.

import type { ComponentFactory, ComponentKind } from "../../plugins/sdk/index.ts";
import { agentOptions, exporterOptions, SECTIONS, serviceOptions } from "./document.ts";
import { type JsonSchema, toJsonSchema } from "./json-schema.ts";

/** The schema of a configuration made of these components. */
export function documentSchema(factories: readonly ComponentFactory[]): JsonSchema {
  const components = (kind: ComponentKind) => ({
    type: "object",
    description: SECTIONS[`${kind}s` as keyof typeof SECTIONS],
    patternProperties: Object.fromEntries(
      factories.filter((factory) => factory.kind === kind).map((factory) => [
        `^${factory.type}(/[A-Za-z0-9][A-Za-z0-9_-]{0,63})?$`,
        { anyOf: [componentSchema(factory), { type: "null" }] },
      ]),
    ),
    additionalProperties: false,
  });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Cairn configuration",
    type: "object",
    properties: {
      agent: { description: SECTIONS.agent, ...toJsonSchema(agentOptions) },
      receivers: components("receiver"),
      processors: components("processor"),
      exporters: components("exporter"),
      extensions: components("extension"),
      service: { description: SECTIONS.service, ...toJsonSchema(serviceOptions) },
    },
    required: ["service"],
    additionalProperties: false,
  };
}

/** A component's own options and, for an exporter, those every exporter has. */
export function componentSchema(factory: ComponentFactory): JsonSchema {
  const own = { description: factory.summary, ...toJsonSchema(factory.config) };
  if (factory.kind !== "exporter") return own;
  const common = toJsonSchema(exporterOptions);
  return { ...own, properties: { ...own.properties, ...common.properties } };
}
