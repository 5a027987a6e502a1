// Exporter file: records as JSON lines in a file, each exactly once.

import { checkWritableFile } from "../../sdk/check-path.ts";
import { defineExporter } from "../../sdk/index.ts";
import { config } from "./config.ts";
import { FileExporter } from "./write.ts";

export default defineExporter({
  type: "file",
  stability: "beta",
  summary: "JSON lines in a local file, with rotation",
  config,
  // A batch costs one small durable write and one sync of the file, so few large ones are cheap.
  batch: { maxRecords: 5000, maxBytes: 4_194_304 },
  check: ({ path }) => checkWritableFile(path, "path"),
  create: (config, context) => new FileExporter(config, context),
});
