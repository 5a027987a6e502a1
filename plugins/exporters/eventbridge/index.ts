// Exporter eventbridge: records as events on a bus of Amazon EventBridge.

import { defineExporter } from "../../sdk/index.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { EventBridgeExporter } from "./put.ts";

export default defineExporter({
  type: "eventbridge",
  stability: "beta",
  summary: "Events on a bus of Amazon EventBridge, for rules to act on",
  config,
  // Rules are to act soon.
  batch: { maxAgeMs: 500 },
  check,
  create: (config, context) => new EventBridgeExporter(config, context),
});
