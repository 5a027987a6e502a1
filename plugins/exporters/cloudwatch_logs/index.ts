// Exporter cloudwatch_logs: records as log events in a log group of Amazon CloudWatch Logs.

import { defineExporter } from "../../sdk/index.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { CloudWatchLogsExporter } from "./put.ts";

export default defineExporter({
  type: "cloudwatch_logs",
  stability: "beta",
  summary: "Log events in a log group of Amazon CloudWatch Logs, as CloudTrail writes them",
  config,
  check,
  create: (config, context) => new CloudWatchLogsExporter(config, context),
});
