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
  reload: {
    summary: "Have the running agent read its configuration again",
    load: async () => (await import("./reload.ts")).reload,
  },
  status: {
    summary: "Ask the running agent how it is doing",
    load: async () => (await import("./status.ts")).status,
  },
  tap: {
    summary: "Watch records pass through the running agent",
    load: async () => (await import("./tap.ts")).tap,
  },
  "support-bundle": {
    summary: "Gather what is needed to find out what is wrong",
    load: async () => (await import("./support-bundle.ts")).supportBundle,
  },
  history: {
    summary: "Look up what happened, by any attribute",
    load: async () => (await import("./history.ts")).history,
  },
  "queue ls": {
    summary: "List queues: segments, records, how far each exporter is",
    load: async () => (await import("./queue-ls.ts")).queueLs,
  },
  "queue show": {
    summary: "Show records by sequence, range or eventID",
    load: async () => (await import("./queue-show.ts")).queueShow,
  },
  "queue dump": {
    summary: "Print the records of a queue, one a line",
    load: async () => (await import("./queue-dump.ts")).queueDump,
  },
  "queue verify": {
    summary: "Check every byte of queues and dead letters",
    load: async () => (await import("./queue-verify.ts")).queueVerify,
  },
  "queue repair": {
    summary: "Mend damaged queues; keeps a copy of what was there",
    load: async () => (await import("./queue-repair.ts")).queueRepair,
  },
  verify: {
    summary: "Check delivered files against their signed digests",
    load: async () => (await import("./verify.ts")).verify,
  },
  "dead-letters ls": {
    summary: "List what was set aside, and why",
    load: async () => (await import("./dead-letters-ls.ts")).deadLettersLs,
  },
  "dead-letters show": {
    summary: "Show dead letters with their input",
    load: async () => (await import("./dead-letters-show.ts")).deadLettersShow,
  },
  "dead-letters replay": {
    summary: "Hand dead letters in again",
    load: async () => (await import("./dead-letters-replay.ts")).deadLettersReplay,
  },
  "dead-letters purge": {
    summary: "Let dead letters go for ever",
    load: async () => (await import("./dead-letters-purge.ts")).deadLettersPurge,
  },
  "channel put": {
    summary: "Hand audit events to a channel of the running agent",
    load: async () => (await import("./channel-put.ts")).channelPut,
  },
  "plugin new": {
    summary: "Write a plugin's folder to begin with",
    load: async () => (await import("./plugin-new.ts")).pluginNew,
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
