// Options of format osquery.

import { z } from "zod";

/** Its schema. */
export const config = z.strictObject({
  max_rows: z.int().min(0).max(10_000).default(100)
    .describe("Rows of a snapshot that are copied; what is beyond is counted"),
});

/** The checked options. */
export type OsqueryConfig = z.output<typeof config>;
