// Format json: one JSON object a frame, made into an event by a mapping.

import { defineFormat, NOTHING } from "../../sdk/index.ts";
import { parseObject } from "../../sdk/json-object.ts";
import { createMapper, mapping } from "../../sdk/mapping.ts";
import { config } from "./config.ts";
import { DEFAULT_MAPPING } from "./default-mapping.ts";

export default defineFormat({
  type: "json",
  stability: "beta",
  summary: "JSON objects, one a frame, with a mapping",
  config,
  create(config, { ignored }) {
    const map = createMapper(config.mapping?.compiled ?? mapping.parse(DEFAULT_MAPPING), ignored);
    const limits = { bytesMax: config.max_bytes, depthMax: config.max_depth };
    return {
      decode(frame, at) {
        const parsed = parseObject(frame, limits);
        if (parsed === undefined) {
          ignored("blank frame");
          return NOTHING;
        }
        const { root, ambiguous } = parsed;
        const extra = ambiguous === undefined ? undefined : { _raw: ambiguous };
        const event = map({ root, bytes: frame, at, extra });
        return event === undefined ? NOTHING : { events: [event] };
      },
      flush: () => NOTHING,
      oldestPending: () => undefined,
    };
  },
});
