// The commands there are; each is loaded when it is called.

import type { Command } from "./command.ts";

/** By name, in the order `cairn --help` lists them. */
export const COMMANDS: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>
> = {
  run: {
    summary: "Capture, store and deliver until told to stop",
    load: async () => (await import("./run.ts")).run,
  },
  validate: {
    summary: "Check a configuration and tell every problem",
    load: async () => (await import("./validate.ts")).validate,
  },
  "print-config": {
    summary: "Print the configuration that all sources add up to",
    load: async () => (await import("./print-config.ts")).printConfig,
  },
  test: {
    summary: "Run golden tests of a configuration: raw input in, expected records out",
    load: async () => (await import("./test.ts")).test,
  },
  status: {
    summary: "Ask the running agent how it is doing",
    load: async () => (await import("./status.ts")).status,
  },
  components: {
    summary: "List what a configuration can be made of",
    load: async () => (await import("./components.ts")).components,
  },
  schema: {
    summary: "Print the JSON Schema of the configuration",
    load: async () => (await import("./schema.ts")).schema,
  },
};
