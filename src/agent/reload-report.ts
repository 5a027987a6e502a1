// How a reload of the configuration ended: what `cairn reload` prints, `cairn status` shows and the
// record ReloadConfiguration tells.

import { z } from "zod";

/** Who asked for it: a signal, `cairn reload`, or a source that has changed. */
export type ReloadTrigger = "signal" | "command" | "change";

const lines = z.array(z.string()).readonly();

/** The report, as it travels over the control socket. */
export const reloadReport = z.object({
  /** When it was done, in milliseconds since the epoch. */
  at: z.number(),
  durationMs: z.number(),
  trigger: z.enum(["signal", "command", "change"]),
  /**
   * applied: the new configuration runs; unchanged: it says the same; refused: it has problems, and
   * nothing was touched; failed: a part of it could not start, and the old one runs again.
   */
  outcome: z.enum(["applied", "unchanged", "refused", "failed"]),
  /** As `cairn validate` prints them. */
  problems: lines,
  warnings: lines,
  /** What was started, stopped and restarted. */
  changes: lines,
  /** SHA-256 of the configuration before and after: of what `cairn print-config` prints. */
  from: z.string().optional(),
  to: z.string().optional(),
});

/** The report. */
export type ReloadReport = z.output<typeof reloadReport>;

/** The report in one line. */
export function summarizeReload({ outcome, changes, problems }: ReloadReport): string {
  if (outcome === "applied") return `Configuration reloaded: ${changes.join("; ") || "no part"}`;
  if (outcome === "unchanged") return "Configuration reloaded: nothing has changed";
  const goesOn = "the agent goes on with the one it has";
  const verb = outcome === "refused" ? "is refused" : "could not be applied";
  return `Configuration ${verb}, ${goesOn}: ${problems.join("; ")}`;
}
