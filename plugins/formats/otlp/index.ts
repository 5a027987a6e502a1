// Format `otlp`: OTLP's JSON, one request a frame, as the Collector's file exporter writes it. Records
// mean the same as those that receiver `otlp` takes.

import type { AuditEvent, Decoded, Format } from "../../sdk/index.ts";
import { defineFormat, type FramePosition, NOTHING, RejectedInput } from "../../sdk/index.ts";
import { frameId, JSON_LIMITS } from "../../sdk/json-frame.ts";
import { decodeJson } from "../../sdk/otlp/decode-json.ts";
import { Interpreter } from "../../sdk/otlp/interpret.ts";
import { config } from "./config.ts";

export default defineFormat({
  type: "otlp",
  stability: "beta",
  summary: "OTLP logs in JSON, one request a line",
  config,
  create: (options, context) => new OtlpFormat(options.only_events, context.ignored),
});

/** What waits because an answer holds events or records, but a frame held both. */
interface Waiting {
  readonly at: FramePosition;
  readonly decoded: Decoded;
}

class OtlpFormat implements Format {
  readonly #onlyEvents: boolean;
  readonly #ignored: (reason: string, count?: number) => void;
  readonly #interpreter = new Interpreter();
  #waiting: Waiting | undefined;

  constructor(onlyEvents: boolean, ignored: (reason: string, count?: number) => void) {
    this.#onlyEvents = onlyEvents;
    this.#ignored = ignored;
  }

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    const logs = decodeJson(frame, JSON_LIMITS.bytesMax);
    if (logs === undefined) {
      this.#ignored("no logs: traces, metrics or profiles");
      return NOTHING;
    }
    const events: AuditEvent[] = [];
    const records: Uint8Array[] = [];
    const ignored: string[] = [];
    const interpreted = this.#interpreter.interpret(logs, {
      request: frame,
      idOf: (index) => frameId(at, index),
      receivedAt: at.receivedAt,
      onlyEvents: this.#onlyEvents,
    });
    for (const item of interpreted) {
      if ("event" in item) events.push(item.event);
      else if ("text" in item) records.push(item.text);
      else if ("ignored" in item) ignored.push(item.ignored);
      // A frame is kept as a whole, and so it is set aside as a whole.
      else throw new RejectedInput(`Log record ${item.index}: ${item.reason}`);
    }
    for (const reason of ignored) this.#ignored(reason);
    return this.#answer(events, records, at);
  }

  /**
   * An answer holds events or records. Of a frame with both, one kind waits, and goes out first
   * with the next frame: so never more than one frame waits.
   */
  #answer(
    events: readonly AuditEvent[],
    records: readonly Uint8Array[],
    at: FramePosition,
  ): Decoded {
    const before = this.flush();
    if ("records" in before) {
      if (events.length > 0) this.#waiting = { at, decoded: { events } };
      return { records: [...before.records, ...records] };
    }
    if (records.length === 0) return { events: [...before.events, ...events] };
    if (before.events.length === 0 && events.length === 0) return { records };
    this.#waiting = { at, decoded: { records } };
    return { events: [...before.events, ...events] };
  }

  flush(): Decoded {
    const { decoded } = this.#waiting ?? { decoded: NOTHING };
    this.#waiting = undefined;
    return decoded;
  }

  oldestPending(): FramePosition | undefined {
    return this.#waiting?.at;
  }
}
