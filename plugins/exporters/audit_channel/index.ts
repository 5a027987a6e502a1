// Exporter audit_channel: records as events of a CloudTrail Lake channel.

import { defineExporter } from "../../sdk/index.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { AuditChannelExporter } from "./put.ts";

export default defineExporter({
  type: "audit_channel",
  stability: "beta",
  summary: "Events in a channel of AWS CloudTrail Lake, through PutAuditEvents",
  config,
  check,
  create: (config, context) => new AuditChannelExporter(config, context),
});
