// Options of exporter otlp.

import { z } from "zod";
import { otlpTargetOptions } from "../../sdk/otlp/sender.ts";

/** The options of exporter otlp. How long a request may take is the common option `timeout`. */
export const config = z.strictObject({
  endpoint: otlpTargetOptions.endpoint,
  protocol: otlpTargetOptions.protocol,
  compression: z.enum(["none", "gzip"]).default("none")
    .describe("gzip sends about a fifth of the bytes, for more CPU time"),
  headers: otlpTargetOptions.headers,
  tls: otlpTargetOptions.tls,
});

/** The options, checked. */
export type OtlpConfig = z.output<typeof config>;
