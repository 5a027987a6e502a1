// `cairn validate`: all problems of a configuration at once, without starting anything.

import type { Command } from "./command.ts";
import { CONFIG_OPTIONS, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const validate: Command = {
  name: "validate",
  summary: "Check a configuration and tell every problem",
  description:
    "Checks a configuration as `cairn run` would read it, and prints every problem as\n" +
    "file:line:column: path: problem. Starts nothing, writes nothing.",
  options: CONFIG_OPTIONS,
  async run(args, shell) {
    const resolution = await readConfiguration(args, shell);
    printProblems(resolution, shell);
    if (resolution.config === undefined) return EXIT.configuration;
    const { pipelines, receivers, exporters } = resolution.config;
    const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
    const parts = [
      count(pipelines.length, "pipeline"),
      count(receivers.size, "receiver"),
      count(exporters.size, "exporter"),
    ];
    shell.out.write(`Configuration is valid: ${parts.join(", ")}\n`);
    return EXIT.ok;
  },
};
