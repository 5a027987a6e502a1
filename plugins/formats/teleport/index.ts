// Format teleport: Teleport's audit events, as its log files, event handler and API write them.

import { defineFormat } from "../../sdk/index.ts";
import { jsonFormat } from "../../sdk/json-format.ts";
import { config } from "./config.ts";
import { describeEvent } from "./describe.ts";

export default defineFormat({
  type: "teleport",
  stability: "beta",
  summary: "Teleport audit events, as JSON",
  config,
  create: (_config, { ignored }) => jsonFormat(describeEvent, ignored),
});
