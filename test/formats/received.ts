// What only a receiver reads, as formats, so that it stands in the same tables: entries of the
// journal, and OTLP in Protocol Buffers. A frame is what one read or one request would bring.

import { z } from "zod";
import { describeEntry } from "../../plugins/receivers/journald/describe.ts";
import { identityOf, type JournalFields, textOf } from "../../plugins/receivers/journald/entry.ts";
import { ExportReader } from "../../plugins/receivers/journald/parse-export.ts";
import { JsonReader } from "../../plugins/receivers/journald/parse-json.ts";
import {
  type AuditEvent,
  defineFormat,
  type Format,
  type FormatContext,
  type FramePosition,
  NOTHING,
  RejectedInput,
} from "../../plugins/sdk/index.ts";
import { frameId } from "../../plugins/sdk/json-frame.ts";
import { decodeProtobuf } from "../../plugins/sdk/otlp/decode-protobuf.ts";
import { Interpreter } from "../../plugins/sdk/otlp/interpret.ts";

const ENTRY_BYTES_MAX = 256 * 1024;

const common = {
  stability: "stable",
  summary: "Made for a test",
  config: z.strictObject({}),
} as const;

function decoder(decode: (frame: Uint8Array, at: FramePosition) => AuditEvent[]): Format {
  return {
    decode: (frame, at) => ({ events: decode(frame, at) }),
    flush: () => NOTHING,
    oldestPending: () => undefined,
  };
}

function journalEvents(frame: Uint8Array, { ignored }: FormatContext): AuditEvent[] {
  const events: AuditEvent[] = [];
  let entries = 0;
  let refused: string | undefined;
  const taker = {
    entry: (fields: JournalFields) => {
      entries++;
      const cursor = textOf(fields, "__CURSOR");
      const identity = cursor === undefined ? undefined : identityOf(cursor);
      if (cursor === undefined || identity === undefined) throw new RejectedInput("Has no cursor");
      const event = describeEntry(fields, identity, identity, { ownHost: undefined, ignored });
      if (event !== undefined) events.push(event);
    },
    reject: (_raw: Uint8Array, _offset: number, reason: string) => {
      refused = reason;
    },
  };
  const isJson = frame[0] === 0x7b || frame[0] === 0x5b;
  const reader = isJson ? new JsonReader(ENTRY_BYTES_MAX) : new ExportReader(ENTRY_BYTES_MAX);
  reader.push(frame, taker);
  reader.push(new Uint8Array([0x0a]), taker);
  reader.finish(taker);
  if (refused !== undefined && events.length === 0) throw new RejectedInput(refused);
  // The receiver waits for the rest of an entry that is cut off.
  if (entries === 0) ignored("waits for more");
  return events;
}

/** Entries of the journal, as JSON lines, a JSON list or in export format. */
export const journald = defineFormat({
  type: "journald",
  ...common,
  create: (_config, context) => decoder((frame) => journalEvents(frame, context)),
});

/** OTLP requests in Protocol Buffers. */
export const otlpProtobuf = defineFormat({
  type: "otlp_protobuf",
  ...common,
  create(_config, { ignored }) {
    const interpreter = new Interpreter();
    return decoder((frame, at) => {
      const events: AuditEvent[] = [];
      const options = {
        request: frame,
        idOf: (index: number) => frameId(at, index),
        receivedAt: at.receivedAt,
        onlyEvents: false,
      };
      for (const item of interpreter.interpret(decodeProtobuf(frame), options)) {
        if ("event" in item) events.push(item.event);
        else if ("ignored" in item) ignored(item.ignored);
        else if ("reason" in item) throw new RejectedInput(item.reason);
      }
      if (events.length === 0) ignored("request without log records");
      return events;
    });
  },
});
