// The options of receiver `cloudtrail`.

import { z } from "zod";
import { duration } from "../../sdk/option.ts";

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({
  path: z.string().min(1)
    .describe("Folder (with all folders below it), file, or glob of CloudTrail log files"),
  rescan: duration.prefault("30s")
    .describe("How often the folders are looked through, beside being watched"),
  settle: duration.prefault("2s")
    .describe("How long a file that is not compressed must have stayed the same to be read"),
  incomplete_timeout: duration.prefault("10m")
    .describe("How long a file that breaks off is waited for before its rest is set aside"),
});

/** What the operator wrote, defaults filled in. */
export type CloudTrailConfig = z.output<typeof config>;
