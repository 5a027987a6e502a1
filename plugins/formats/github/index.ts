// Format github: GitHub's audit log (streams, exports, Enterprise Server's syslog) and the payloads of
// its webhooks. unwrap.ts finds the entry, audit.ts and payload.ts describe the two kinds.

import { defineFormat, NOTHING } from "../../sdk/index.ts";
import { jsonFormat } from "../../sdk/json-format.ts";
import { describeEntry, isEntry } from "./audit.ts";
import { config } from "./config.ts";
import { describePayload, isPayload } from "./payload.ts";
import { entryText, unwrap } from "./unwrap.ts";

export default defineFormat({
  type: "github",
  stability: "beta",
  summary: "GitHub audit log entries and webhook payloads",
  config,
  create(_config, { ignored }) {
    const format = jsonFormat((root, at, index) => {
      const entry = unwrap(root);
      if (isEntry(entry)) return describeEntry(entry, at, index);
      if (isPayload(entry)) return describePayload(entry, at, index);
      return "no GitHub event: neither audit entry nor webhook payload";
    }, ignored);
    return {
      decode: (frame, at) => {
        const text = entryText(frame);
        if (text !== undefined) return format.decode(text, at);
        ignored("no GitHub event: another program's line");
        return NOTHING;
      },
      flush: format.flush,
      oldestPending: format.oldestPending,
    };
  },
});
