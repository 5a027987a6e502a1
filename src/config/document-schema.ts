// The JSON Schema of a whole configuration: the document's own parts, and every component's.

import {
  type ComponentFactory,
  type ComponentKind,
  duration,
  type ExporterFactory,
  size,
} from "../../plugins/sdk/index.ts";
import {
  agentOptions,
  BATCH_DEFAULTS,
  exporterOptions,
  pluginsOption,
  SECTIONS,
  serviceOptions,
} from "./document.ts";
import { type JsonSchema, toJsonSchema } from "./json-schema.ts";
import type { MapNode } from "./node.ts";
import type { Factories, ResolveDefaults } from "./resolve.ts";

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
      plugins: toJsonSchema(pluginsOption),
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

/**
 * A component's own options and, for an exporter, those every exporter has, with its own defaults of
 * a batch.
 */
export function componentSchema(factory: ComponentFactory): JsonSchema {
  const own = { description: factory.summary, ...toJsonSchema(factory.config) };
  if (factory.kind !== "exporter") return own;
  const common = Object.entries(toJsonSchema(exporterOptions).properties ?? {}).map((
    [name, option],
  ) => [name, name === "batch" ? withDefaults(option, factory) : option]);
  const properties = { ...own.properties, ...Object.fromEntries(common) };
  return { ...own, properties };
}

function withDefaults(batch: JsonSchema, factory: ExporterFactory): JsonSchema {
  const { maxRecords, maxBytes, maxAgeMs } = { ...BATCH_DEFAULTS, ...factory.batch };
  const defaults: Readonly<Record<string, unknown>> = {
    max_records: maxRecords,
    max_bytes: size.encode(maxBytes),
    max_age: duration.encode(maxAgeMs),
  };
  const properties = Object.entries(batch.properties ?? {}).map(([name, option]) => [
    name,
    { ...option, default: defaults[name] },
  ]);
  return { ...batch, properties: Object.fromEntries(properties) };
}

/** The schema of one configuration: each of its components by its id, as far as there are such. */
export async function schemaOf(
  root: MapNode,
  factories: Factories,
  { host, dataDir }: ResolveDefaults,
): Promise<JsonSchema> {
  const agent = toJsonSchema(agentOptions);
  const machine = {
    data_dir: { ...agent.properties?.data_dir, default: dataDir },
    host: { ...agent.properties?.host, default: host },
  };
  const components = async (kind: ComponentKind) => {
    const section = root.entries.get(`${kind}s`)?.node;
    const ids = section?.kind === "map" ? [...section.entries.keys()] : [];
    const schemas = await Promise.all(ids.map(async (id) => {
      const factory = await factories.load(kind, id.split("/", 1)[0]!);
      return [id, factory === undefined ? {} : { ...componentSchema(factory), default: {} }];
    }));
    return { properties: Object.fromEntries(schemas) as Record<string, JsonSchema> };
  };
  return {
    properties: {
      agent: { ...agent, properties: { ...agent.properties, ...machine }, default: {} },
      plugins: toJsonSchema(pluginsOption),
      receivers: await components("receiver"),
      processors: await components("processor"),
      exporters: await components("exporter"),
      extensions: await components("extension"),
      service: { ...toJsonSchema(serviceOptions), default: {} },
    },
  };
}
