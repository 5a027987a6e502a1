// `cairn schema`: the configuration's JSON Schema, for editors, and the generated reference.

import { createRegistry, loadAll } from "../agent/registry.ts";
import { documentSchema } from "../config/document-schema.ts";
import { writeReference } from "../config/reference.ts";
import type { Command } from "./command.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const schema: Command = {
  name: "schema",
  summary: "Print the JSON Schema of the configuration",
  description: "Prints the JSON Schema of the whole configuration, for editors and other tools.\n" +
    "With --reference, prints a YAML file that shows every option instead.",
  options: {
    reference: { type: "boolean", help: "Print config/reference.yaml" },
  },
  async run(args, shell) {
    const factories = await loadAll(createRegistry());
    shell.out.write(
      args.flags.has("reference")
        ? writeReference(factories)
        : `${JSON.stringify(documentSchema(factories), null, 2)}\n`,
    );
    return EXIT.ok;
  },
};
