// Options of format k8s_audit.

import { z } from "zod";
import { duration, size } from "../../sdk/option.ts";

/** Its schema. */
export const config = z.strictObject({
  cluster: z.string().min(1).optional().describe(
    "Name of the cluster, which the records then have as their host; without it, the agent's",
  ),
  request_objects: z.boolean().default(true).describe(
    "Whether what was asked for is copied, where the audit policy has it; never what secrets, " +
      "config maps and tokens hold, nor the values of environment variables",
  ),
  wait: duration.prefault("1m").describe(
    "How long a request that was only received waits for its answer, to be one record with it",
  ),
  max_waiting: z.int().min(1).max(65_536).default(4096).describe(
    "Requests that may wait; at one more the oldest is told without its answer",
  ),
  max_bytes: size.prefault("32MiB").describe("Longest frame; a longer one is rejected"),
  max_depth: z.int().min(8).max(256).default(100).describe(
    "Deepest nesting of objects and lists; schemas of custom resources nest deep",
  ),
});

/** The options, checked. */
export type K8sConfig = z.output<typeof config>;
