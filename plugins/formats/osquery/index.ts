// Format osquery: the results log of osqueryd (event, snapshot and batch form), what it posts to a
// server, and its status log.

import { type AuditEvent, defineFormat, NOTHING } from "../../sdk/index.ts";
import { parseJsonFrames } from "../../sdk/json-frame.ts";
import { config } from "./config.ts";
import { describe, STATUS } from "./describe.ts";

// The status log that osqueryd writes to files is glog's: `I1122 10:00:00.000000 1234 file.cpp:56] …`,
// after a head of three lines.
const GLOG = /^(?:[IWEF]\d{4} \d\d:|Log file created at:|Running on machine:|Log line format:)/;
const HEAD_BYTES = 24;
const OPEN_BRACE = 0x7b;

export default defineFormat({
  type: "osquery",
  stability: "beta",
  summary: "Results of osquery: rows that came or went, snapshots, and what tables of events tell",
  config,
  create: ({ max_rows }, { agent, ignored }) => ({
    decode(frame, at) {
      const isText = frame[0] !== OPEN_BRACE;
      if (isText && GLOG.test(new TextDecoder().decode(frame.subarray(0, HEAD_BYTES)))) {
        ignored(STATUS);
        return NOTHING;
      }
      const roots = parseJsonFrames(frame);
      const events: AuditEvent[] = [];
      const left: string[] = [];
      const around = {
        at,
        host: agent.host,
        rowsMax: max_rows,
        ignored: (reason: string) => left.push(reason),
      };
      for (const root of roots) describe(root, around, events);
      // Only now: a frame that is rejected as a whole counts as that alone.
      for (const reason of left) ignored(reason);
      return { events };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});
