// Options of format syslog.

import { z } from "zod";
import { zoneOffset } from "../../sdk/mapping-time-zone.ts";

const zone = z.string().refine((name) => name === "local" || zoneOffset(name) !== undefined, {
  error: ({ input }) =>
    `Unknown time zone "${input}": expected local, UTC, +02:00 or a name as Europe/Berlin`,
});

/** Its schema. */
export const config = z.strictObject({
  timezone: zone.default("local").describe(
    "Zone of times that say none, as RFC 3164's: local (the agent's own), UTC, +02:00 or a name",
  ),
});
