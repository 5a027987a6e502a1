// Options of the format.

import { z } from "zod";
import { duration, size } from "../../sdk/option.ts";

/** Options of the format `audit`. */
export const config = z.strictObject({
  max_line_bytes: size.prefault("64KiB").describe(
    "Longest line taken; the kernel writes at most 8,970 bytes, the daemon adds names to them",
  ),
  max_event_bytes: size.prefault("1MiB").describe(
    "Most bytes the lines of one event may have; only a command line comes near",
  ),
  max_open_bytes: size.prefault("16MiB").describe(
    "Most bytes of all lines that may wait; beyond, the oldest event is handed out as it is",
  ),
  max_open_events: z.int().min(1).max(65_536).default(1024).describe(
    "Events that may wait for more of their lines; at one more the oldest is handed out as it is",
  ),
  report_gaps: z.boolean().default(false).describe(
    "Whether missing serials become an event; only where the log holds all that the kernel wrote",
  ),
  wait: duration.prefault("2s").describe(
    "How long an event waits for lines; auditd and libaudit take two seconds as well",
  ),
});

/** The checked options. */
export type AuditConfig = z.output<typeof config>;
