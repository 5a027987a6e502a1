// Receiver `auditd`: follows the Linux audit log across rotation and restarts. What the lines mean
// is the business of format `audit`.

import { defineReceiver } from "../../sdk/index.ts";
import { Follower } from "../../sdk/follow.ts";
import { config } from "./config.ts";

export default defineReceiver({
  type: "auditd",
  stability: "beta",
  summary: "Follows the Linux audit log that auditd writes",
  config,
  formats: () => [{ name: "audit" }],
  create: (options, context, intake) =>
    new Follower(
      {
        paths: [options.path],
        exclude: [],
        startAt: options.start_at ?? (context.once ? "beginning" : "end"),
        siblings: true,
        lineBytesMax: options.max_line_bytes,
        format: () => context.format("audit"),
      },
      context,
      intake,
    ),
});
