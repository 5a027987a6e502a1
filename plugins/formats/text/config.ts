// Options of format text.

import { z } from "zod";
import { complete, mappingFields } from "../../sdk/mapping.ts";
import { mappingOption } from "../../sdk/mapping-option.ts";
import { pattern } from "../../sdk/mapping-pattern.ts";
import { size } from "../../sdk/option.ts";

/** The mapping of format text: what a line looks like, and what its parts mean. */
const textMapping = z.strictObject({
  pattern: z.union([pattern, z.array(pattern).min(1).max(64)]).optional()
    .describe("Regular expression with named groups, or several: the first that matches counts"),
  on_mismatch: z.enum(["reject", "skip"]).default("reject")
    .describe("What becomes of a line no pattern matches: a dead letter, or passed over"),
  ...mappingFields,
}).check((ctx) => complete(ctx.value, ctx));

/** A checked mapping of format text. */
export type TextMapping = z.output<typeof textMapping>;

/** The options of format text. */
export const config = z.strictObject({
  mapping: mappingOption(textMapping).describe("What a line looks like, and what its parts mean"),
  max_bytes: size.prefault("256KiB").describe("Longest frame; a longer one is rejected"),
});
