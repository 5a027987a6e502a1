// The options of extension `health`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { duration } from "../../sdk/index.ts";

/** Its schema. */
export const config = z.strictObject({
  endpoint: endpoint.prefault("127.0.0.1:13133").describe(
    "Where to listen: address and port, or unix:// and the path of a socket",
  ),
  stalled_after: duration.prefault("5m").refine((ms) => ms > 0, "Expected more than nothing")
    .describe("How long an input or output with something to do may make no progress"),
});

/** The options, checked. */
export type HealthConfig = z.output<typeof config>;
