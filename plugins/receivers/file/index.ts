// Receiver `file`: follows files that grow line by line, in any format.

import { defineReceiver } from "../../sdk/index.ts";
import { Follower } from "../../sdk/follow.ts";
import { config } from "./config.ts";

/** What a format is asked for with: its mapping, where there is one. */
const formatConfig = (mapping: unknown) => mapping === undefined ? {} : { mapping };

export default defineReceiver({
  type: "file",
  stability: "beta",
  summary: "Follows files line by line, in any format",
  config,
  formats: ({ format, mapping }) => [{ name: format, config: formatConfig(mapping) }],
  create: ({ path, exclude, format, mapping, start_at, max_line_bytes }, context, intake) =>
    new Follower(
      {
        paths: typeof path === "string" ? [path] : path,
        exclude,
        startAt: start_at ?? (context.once ? "beginning" : "end"),
        siblings: false,
        lineBytesMax: max_line_bytes,
        format: () => context.format(format, formatConfig(mapping)),
      },
      context,
      intake,
    ),
});
