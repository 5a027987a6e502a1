// Options of exporter history.

import { z } from "zod";

/** The options of exporter history. */
export const config = z.strictObject({
  retention_days: z.int().min(1).max(3653).default(90)
    .describe("How many days are kept; older ones are deleted, a whole day at a time"),
});

/** The options, checked. */
export type HistoryConfig = z.output<typeof config>;
