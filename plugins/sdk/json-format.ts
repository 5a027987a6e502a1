// A format whose frames are read one by one: an object, a list of objects or an object a line, each
// described by itself. Nothing waits for more.

import type { AuditEvent } from "./event.ts";
import { type Format, type FramePosition, NOTHING } from "./format.ts";
import type { JsonObject } from "./json.ts";
import { parseJsonFrames } from "./json-frame.ts";

/**
 * Describes one object; `index` is its place among the objects of the frame. Answers with the event,
 * or with the reason of a few words for which the object is left out. Throws RejectedInput.
 */
export type Describe = (root: JsonObject, at: FramePosition, index: number) => AuditEvent | string;

/** Makes the format; what is left out is counted by its reason. */
export function jsonFormat(describe: Describe, ignored: (reason: string) => void): Format {
  return {
    decode(frame, at) {
      const roots = parseJsonFrames(frame);
      const events: AuditEvent[] = [];
      const left: string[] = [];
      for (let index = 0; index < roots.length; index++) {
        const described = describe(roots[index]!, at, index);
        if (typeof described === "string") left.push(described);
        else events.push(described);
      }
      // Only now: a frame that is rejected as a whole counts as that alone.
      for (const reason of left) ignored(reason);
      return { events };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  };
}
