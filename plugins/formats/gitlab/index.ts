// Format gitlab: GitLab's audit events (audit_json.log and streams), and its logs of requests
// (production_json.log, api_json.log). audit.ts and access.ts describe the two kinds.

import { defineFormat } from "../../sdk/index.ts";
import { jsonFormat } from "../../sdk/json-format.ts";
import { describeAccess, isAccess } from "./access.ts";
import { describeAudit, isAudit } from "./audit.ts";
import { config } from "./config.ts";

export default defineFormat({
  type: "gitlab",
  stability: "beta",
  summary: "GitLab audit events, as logged and as streamed, and its logs of requests",
  config,
  create: (_config, { ignored }) =>
    jsonFormat((root, at, index) => {
      if (isAudit(root)) return describeAudit(root, at, index);
      if (isAccess(root)) return describeAccess(root, at, index);
      return "no GitLab event: neither audit event nor request";
    }, ignored),
});
