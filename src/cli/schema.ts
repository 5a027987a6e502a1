// `cairn schema`: the configuration's JSON Schema, for editors, and the generated reference.

import { loadAll } from "../agent/registry.ts";
import { documentSchema } from "../config/document-schema.ts";
import { writeReference } from "../config/reference.ts";
import type { Command } from "./command.ts";
import { CONFIG_OPTIONS, knownFactories } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const schema: Command = {
  name: "schema",
  summary: "Print the JSON Schema of the configuration",
  description: "Prints the JSON Schema of the whole configuration, for editors and other tools.\n" +
    "With --reference, prints a YAML file that shows every option instead.",
  options: {
    ...CONFIG_OPTIONS,
    config: { ...CONFIG_OPTIONS.config, help: "Configuration whose own plugins are in it, too" },
    reference: { type: "boolean", help: "Print config/reference.yaml" },
  },
  async run(args, shell) {
    const known = await knownFactories(args, shell);
    if (known === undefined) return EXIT.configuration;
    const factories = await loadAll(known);
    shell.out.write(
      args.flags.has("reference")
        ? writeReference(factories)
        : `${JSON.stringify(documentSchema(factories), null, 2)}\n`,
    );
    return EXIT.ok;
  },
};
