// Options of format json.

import { z } from "zod";
import { mapping } from "../../sdk/mapping.ts";
import { mappingOption } from "../../sdk/mapping-option.ts";
import { size } from "../../sdk/option.ts";

/** The options of format json. */
export const config = z.strictObject({
  mapping: mappingOption(mapping).optional()
    .describe("What the objects' members mean; without it, the usual names are looked for"),
  max_bytes: size.prefault("1MiB").describe("Longest frame; a longer one is rejected"),
  max_depth: z.int().min(1).max(256).default(32)
    .describe("Deepest nesting of objects and lists; a deeper frame is rejected"),
});

/** The options, checked. */
export type JsonConfig = z.output<typeof config>;
