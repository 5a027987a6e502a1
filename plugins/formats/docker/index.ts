// Format docker: events of a container engine (Docker, Podman), as its API streams them or as the
// text of `docker events`. read.ts reads one, describe.ts says what happened.

import { Buffer, isUtf8 } from "node:buffer";
import { defineFormat, NOTHING, RejectedInput } from "../../sdk/index.ts";
import { JSON_LIMITS, parseJsonFrame } from "../../sdk/json-frame.ts";
import { config } from "./config.ts";
import { describe } from "./describe.ts";
import { fromJson, fromText } from "./read.ts";

const OPEN_BRACE = 0x7b;

function textOf(frame: Uint8Array): string {
  if (!isUtf8(frame)) throw new RejectedInput("Is not UTF-8");
  return Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString("utf8");
}

export default defineFormat({
  type: "docker",
  stability: "beta",
  summary: "Events of Docker and Podman, JSON or text: one event per action",
  config,
  create: ({ max_labels }, context) => ({
    decode(frame, at) {
      const event = frame[0] === OPEN_BRACE
        ? fromJson(parseJsonFrame(frame, JSON_LIMITS), at)
        : fromText(textOf(frame));
      if (event.verb.startsWith("health_status")) {
        context.ignored("no action: container health check");
        return NOTHING;
      }
      return { events: [describe(event, at, max_labels)] };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});
