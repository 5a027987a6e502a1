// `cairn components`: what a configuration can be made of, out of the plugins' own schemas.

import { loadAll } from "../agent/registry.ts";
import { toJsonSchema } from "../config/json-schema.ts";
import { formatDefault, listOptions } from "../config/option-list.ts";
import type { ComponentFactory } from "../../plugins/sdk/index.ts";
import type { Command } from "./command.ts";
import { CONFIG_OPTIONS, knownFactories } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const components: Command = {
  name: "components",
  summary: "List what a configuration can be made of",
  description:
    "Lists every receiver, format, processor, exporter and extension with its options,\n" +
    "their defaults and one line of help each.",
  options: {
    ...CONFIG_OPTIONS,
    config: { ...CONFIG_OPTIONS.config, help: "Configuration whose own plugins are listed, too" },
    json: { type: "boolean", help: "Print the list as JSON, with each JSON Schema" },
  },
  async run(args, shell) {
    const known = await knownFactories(args, shell);
    if (known === undefined) return EXIT.configuration;
    const factories = await loadAll(known);
    if (args.flags.has("json")) {
      const list = factories.map(({ kind, type, stability, summary, config }) => ({
        kind,
        type,
        stability,
        summary,
        config: toJsonSchema(config),
      }));
      shell.out.write(`${JSON.stringify(list, null, 2)}\n`);
      return EXIT.ok;
    }
    const bold = (text: string) => shell.out.isColoured ? `\x1b[1m${text}\x1b[0m` : text;
    for (const factory of factories) shell.out.write(`${describe(factory, bold)}\n`);
    return EXIT.ok;
  },
};

function describe(factory: ComponentFactory, bold: (text: string) => string): string {
  const lines = [
    `${bold(`${factory.kind} ${factory.type}`)} (${factory.stability})`,
    `  ${factory.summary}`,
  ];
  for (const option of listOptions(toJsonSchema(factory.config))) {
    const value = option.required ? "required" : formatDefault(option);
    lines.push(`  ${option.path.join(".").padEnd(28)} ${value.padEnd(12)} ${option.help}`);
  }
  return `${lines.join("\n")}\n`;
}
