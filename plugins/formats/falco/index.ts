// Format falco: alerts of Falco (json_output: true) from its file, its HTTP output or falcosidekick.

import { defineFormat } from "../../sdk/index.ts";
import { jsonFormat } from "../../sdk/json-format.ts";
import { config } from "./config.ts";
import { describe } from "./describe.ts";

export default defineFormat({
  type: "falco",
  stability: "beta",
  summary: "Alerts of Falco as JSON: one event per alert, named for its rule",
  config,
  create: (_config, { agent, ignored }) =>
    jsonFormat((root, at, index) => describe(root, at, index, agent.host), ignored),
});
