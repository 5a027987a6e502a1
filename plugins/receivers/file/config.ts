// The options of receiver `file`.

import { z } from "zod";
import { size } from "../../sdk/index.ts";

const pattern = z.string().min(1);

/** Its schema. */
export const config = z.strictObject({
  path: z.union([pattern, z.array(pattern).min(1)]).describe(
    "File, or pattern with *, ?, **, [a-z] and {a,b}; or a list of them",
  ),
  exclude: z.array(pattern).default([]).describe("Patterns of files to leave out"),
  format: z.string().min(1).describe("Name of the format that the lines have")
    .meta({ examples: ["json"] }),
  mapping: z.record(z.string(), z.unknown()).optional().describe(
    "Where in a line the facts of an event stand; passed to the format as its mapping",
  ),
  timezone: z.string().optional().describe(
    "Zone of times that say none, for formats that ask; passed to the format as its timezone",
  ),
  format_options: z.record(z.string(), z.unknown()).default({}).describe(
    "Other options of the format, as its page tells them",
  ),
  start_at: z.enum(["end", "beginning"]).optional().describe(
    "Where to begin with the files of the first start: with what is written from now on, or with " +
      "what they hold; under --once the beginning when not set. Later files are always read whole",
  ),
  max_line_bytes: size.prefault("256KiB").describe(
    "Longest line that is read; a longer one is set aside, cut at this length",
  ),
});

/** The checked options. */
export type FileConfig = z.output<typeof config>;
