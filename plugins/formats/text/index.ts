// Format text: one line a frame, taken apart by regular expressions, made into an event by a mapping.

import { Buffer, isUtf8 } from "node:buffer";
import { defineFormat, type JsonObject, NOTHING, RejectedInput } from "../../sdk/index.ts";
import { createMapper } from "../../sdk/mapping.ts";
import type { Pattern } from "../../sdk/mapping-pattern.ts";
import { config } from "./config.ts";

export default defineFormat({
  type: "text",
  stability: "beta",
  summary: "Lines of text, taken apart by regular expressions with named groups, with a mapping",
  config,
  create({ mapping: { compiled }, max_bytes: bytesMax }, { ignored }) {
    const { pattern, on_mismatch, ...mapping } = compiled;
    const patterns = pattern === undefined ? [] : [pattern].flat();
    const map = createMapper(mapping, ignored);
    return {
      decode(frame, at) {
        const line = lineOf(frame, bytesMax);
        if (line.trim() === "") {
          ignored("blank frame");
          return NOTHING;
        }
        const root = groupsOf(patterns, line);
        if (root === undefined) {
          if (on_mismatch === "reject") {
            throw new RejectedInput("Matches no pattern of the mapping");
          }
          ignored("no pattern of the mapping matches");
          return NOTHING;
        }
        const event = map({ root, bytes: frame, at });
        return event === undefined ? NOTHING : { events: [event] };
      },
      flush: () => NOTHING,
      oldestPending: () => undefined,
    };
  },
});

function lineOf(frame: Uint8Array, bytesMax: number): string {
  if (frame.length > bytesMax) {
    throw new RejectedInput(`Is ${frame.length} bytes long: the limit is ${bytesMax}`);
  }
  if (!isUtf8(frame)) throw new RejectedInput("Is not UTF-8");
  const bom = frame[0] === 0xef && frame[1] === 0xbb && frame[2] === 0xbf;
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    .toString("utf8", bom ? 3 : 0);
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** The line and its named groups, as the object that paths read. */
function groupsOf(patterns: readonly Pattern[], line: string): JsonObject | undefined {
  if (patterns.length === 0) return { line };
  for (const pattern of patterns) {
    const groups = pattern.match(line);
    if (groups !== undefined) return { line, ...groups };
  }
  return undefined;
}
