// Receiver `file`: follows files that grow line by line, in any format.

import { defineReceiver } from "../../sdk/index.ts";
import { checkReadable } from "../../sdk/check-path.ts";
import { Follower } from "../../sdk/follow.ts";
import { config, type FileConfig } from "./config.ts";

/** What a format is asked for with: the options that were written. */
function formatConfig({ mapping, timezone }: FileConfig): Record<string, unknown> {
  return {
    ...(mapping === undefined ? {} : { mapping }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

export default defineReceiver({
  type: "file",
  stability: "beta",
  summary: "Follows files line by line, in any format",
  config,
  formats: (options) => [
    { name: options.format, config: formatConfig(options), under: "format_options" },
  ],
  check: async ({ path }) =>
    (await Promise.all([path].flat().map((one) => checkReadable(one, "path")))).flat(),
  create: (options, context, intake) =>
    new Follower(
      {
        paths: typeof options.path === "string" ? [options.path] : options.path,
        exclude: options.exclude,
        startAt: options.start_at ?? (context.once ? "beginning" : "end"),
        siblings: false,
        lineBytesMax: options.max_line_bytes,
        format: () =>
          context.format(options.format, { ...formatConfig(options), ...options.format_options }),
      },
      context,
      intake,
    ),
});
