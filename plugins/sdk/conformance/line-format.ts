// The smallest format: `line NAME` is an event of that name, everything else is unreadable.

import { RejectedInput } from "../errors.ts";
import type { Format } from "../format.ts";
import { NOTHING } from "../format.ts";
import { aboutLine } from "./line-event.ts";

const PREFIX = new TextEncoder().encode("line ");

/** Makes one. */
export function lineFormat(): Format {
  const decoder = new TextDecoder();
  return {
    decode: (frame) => {
      for (let i = 0; i < PREFIX.length; i++) {
        if (frame[i] !== PREFIX[i]) throw new RejectedInput('Line does not begin with "line "');
      }
      return { events: [aboutLine(decoder.decode(frame.subarray(PREFIX.length)))] };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  };
}
