// Exporter otlp: records as log records of OpenTelemetry, to a Collector or whatever takes OTLP.

import { defineExporter } from "../../sdk/index.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { OtlpExporter } from "./export.ts";

export default defineExporter({
  type: "otlp",
  stability: "beta",
  summary: "Log records to a receiver of OTLP, over HTTP or gRPC",
  config,
  // gRPC servers take 4 MiB by default, and records grow by their attributes.
  batch: { maxRecords: 1000, maxBytes: 2 * 1024 * 1024, maxAgeMs: 1000 },
  check,
  create: (config, context) => new OtlpExporter(config, context),
});
