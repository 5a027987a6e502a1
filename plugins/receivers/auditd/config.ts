// The options of receiver `auditd`.

import { z } from "zod";
import { size } from "../../sdk/index.ts";

/** Its schema. */
export const config = z.strictObject({
  path: z.string().min(1).default("/var/log/audit/audit.log").describe(
    "The log that auditd writes; rotated files beside it (audit.log.1 …) are found by themselves",
  ),
  socket: z.string().min(1).optional().describe(
    "In place of the log: the socket of auditd's plugin af_unix, in its string or binary format",
  ),
  start_at: z.enum(["end", "beginning"]).optional().describe(
    "Where to begin at the first start: with what is written from now on, or with the oldest " +
      "rotated file; under --once the beginning when not set",
  ),
  max_line_bytes: size.prefault("256KiB").describe(
    "Longest line that is read; a longer one is set aside, cut at this length",
  ),
  report_gaps: z.boolean().default(true).describe(
    "Whether missing serials, which are events lost on their way, become an event themselves",
  ),
  lost_count: z.boolean().default(true).describe(
    "Whether the kernel's own count of dropped records is asked for (auditctl -s, as root), and " +
      "becomes an event when it has grown",
  ),
});

/** The checked options. */
export type AuditdConfig = z.output<typeof config>;
