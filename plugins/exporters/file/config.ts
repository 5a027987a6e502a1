// Options of exporter file.

import { z } from "zod";
import { duration, size } from "../../sdk/option.ts";

/** The options of exporter file. */
export const config = z.strictObject({
  path: z.string().min(1).describe("File that records are appended to, one JSON text a line"),
  rotation: z.strictObject({
    max_bytes: size.optional().describe("A batch that would pass this size begins a new file"),
    max_age: duration.optional().describe("A file this old is followed by a new one"),
    max_files: z.int().min(1).optional()
      .describe("Rotated files that are kept; the oldest are deleted. All, if left out"),
  }).refine(
    ({ max_bytes, max_age, max_files }) => max_files === undefined || (max_bytes ?? max_age),
    { path: ["max_files"], error: "Needs max_bytes or max_age: without them nothing is rotated" },
  ).prefault({}).describe("When a file is put aside, as NAME-TIME-FIRST.EXT; never by default"),
});

/** The options, checked. */
export type FileConfig = z.output<typeof config>;
