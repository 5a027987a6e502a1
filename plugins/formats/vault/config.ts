// Options of format vault.

import { z } from "zod";
import { duration, size } from "../../sdk/option.ts";

/** Its schema. */
export const config = z.strictObject({
  wait: duration.prefault("5s").describe(
    "How long a request waits for its response before it is an event of its own",
  ),
  max_open_requests: z.int().min(1).default(4096).describe(
    "Most requests that wait; when more come, the oldest is handed out as it is",
  ),
  max_open_bytes: size.prefault("16MiB").describe(
    "Most bytes of requests that wait; when more come, the oldest is handed out as it is",
  ),
  max_document_bytes: size.prefault("1MiB").describe(
    "Longest document that stands over several lines",
  ),
});

/** The options, checked. */
export type VaultConfig = z.output<typeof config>;
