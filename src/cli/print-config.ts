// `cairn print-config`: the configuration as it holds after all sources are laid over each other,
// without its secrets.

import { createRegistry } from "../agent/registry.ts";
import { fillDefaults } from "../config/defaults.ts";
import { schemaOf } from "../config/document-schema.ts";
import { printTree } from "../config/print.ts";
import { redact } from "../config/redact.ts";
import type { Command } from "./command.ts";
import { CONFIG_OPTIONS, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const printConfig: Command = {
  name: "print-config",
  summary: "Print the configuration that all sources add up to",
  description:
    "Prints the configuration that `cairn run` would use, as YAML: every --config and --set\n" +
    "laid over each other, references filled in, secrets as [secret].",
  options: {
    ...CONFIG_OPTIONS,
    defaults: { type: "boolean", help: "With the defaults of everything that is not written" },
    origin: { type: "boolean", help: "With the source and line of each value, as comments" },
  },
  async run(args, shell) {
    const { tree, factories = createRegistry(), ...resolution } = await readConfiguration(
      args,
      shell,
    );
    printProblems(resolution, shell);
    if (tree === undefined) return EXIT.configuration;
    const schema = await schemaOf(tree.root, factories, tree.defaults);
    const whole = args.flags.has("defaults") ? fillDefaults(tree.root, schema) : tree.root;
    const text = printTree(redact(whole, schema), { origin: args.flags.has("origin") });
    shell.out.write(text);
    return resolution.config === undefined ? EXIT.configuration : EXIT.ok;
  },
};
