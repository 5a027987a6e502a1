// Exporter debug: records on the terminal, as they come.

import process from "node:process";
import { defineExporter } from "../../sdk/index.ts";
import { config } from "./config.ts";
import { DebugExporter } from "./print.ts";

export default defineExporter({
  type: "debug",
  stability: "stable",
  summary: "Records on the terminal, one line each or as indented JSON",
  config,
  // Whoever watches wants to see a record when it comes.
  batch: { maxRecords: 256, maxAgeMs: 100 },
  create: (config, context) => new DebugExporter(config, context, process[config.output]),
});
