// The options of format `otlp`.

import { z } from "zod";

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({
  only_events: z.boolean().default(false).describe(
    "Leave out, counted, log records without an event name; otherwise each becomes an event",
  ),
});
