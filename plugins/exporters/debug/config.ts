// Options of exporter debug.

import { z } from "zod";

/** The options of exporter debug. */
export const config = z.strictObject({
  verbosity: z.enum(["basic", "detailed"]).default("basic")
    .describe("One line a record, or the whole record as indented JSON"),
  output: z.enum(["stdout", "stderr"]).default("stdout").describe("Where to"),
  color: z.enum(["auto", "always", "never"]).default("auto")
    .describe("Colours; auto means on a terminal, unless NO_COLOR is set"),
});

/** The options, checked. */
export type DebugConfig = z.output<typeof config>;
