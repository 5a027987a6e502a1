// Options of format pgaudit.

import { z } from "zod";
import { zoneOffset } from "../../sdk/mapping-time-zone.ts";
import { duration, size } from "../../sdk/option.ts";
import { compilePrefix } from "./prefix.ts";

const prefix = z.string().refine((text) => typeof compilePrefix(text) !== "string", {
  error: ({ input }) => String(compilePrefix(String(input))),
});

/** PostgreSQL's own default, Debian's, and none: what a client shows. */
const PREFIXES = ["%m [%p] ", "%m [%p] %q%u@%d ", ""];

/** Its schema. */
export const config = z.strictObject({
  log_destination: z.enum(["auto", "csvlog", "jsonlog", "stderr"]).default("auto").describe(
    "Form of the log, as PostgreSQL calls it; auto looks at each line",
  ),
  log_line_prefix: z.union([prefix, z.array(prefix).min(1).max(8)]).default(PREFIXES).describe(
    "The server's log_line_prefix for stderr, or several to try; usual ones when not set",
  ),
  timezone: z.string().optional().refine(
    (name) => name === undefined || zoneOffset(name) !== undefined,
    { error: 'Unknown time zone: expected UTC, "+02:00" or a name as Europe/Berlin' },
  ).describe("The server's log_timezone, where its times carry a name such as CET"),
  max_statement: size.prefault("8KiB").describe("Characters of a statement that are copied"),
  max_record_bytes: size.prefault("1MiB").describe("Longest record over several lines"),
  wait: duration.prefault("2s").describe("How long a record waits for its other lines"),
});

/** The checked options. */
export type PgauditConfig = z.output<typeof config>;
