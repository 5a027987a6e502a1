// Format `audit`: lines of the Linux audit log to AuditEvents. parse.ts reads a line, assemble.ts
// puts the lines of an event together, describe.ts says what happened.

import { Buffer, isAscii } from "node:buffer";
import { RejectedInput } from "../../sdk/errors.ts";
import type { AuditEvent } from "../../sdk/event.ts";
import { defineFormat } from "../../sdk/factory.ts";
import { NOTHING } from "../../sdk/format.ts";
import type { Decoded, Format, FramePosition } from "../../sdk/format.ts";
import { Assembler } from "./assemble.ts";
import type { Group } from "./assemble.ts";
import { config } from "./config.ts";
import type { AuditConfig } from "./config.ts";
import { describeEvent } from "./describe.ts";
import { Members } from "./members.ts";
import { RecordParser } from "./parse.ts";
import { SyscallNames } from "./syscalls.ts";

const BLANK = /^\s*$/;

class AuditFormat implements Format {
  readonly #lineBytesMax: number;
  readonly #assembler: Assembler;
  readonly #parser = new RecordParser();
  readonly #names = new SyscallNames();
  readonly #members = new Members();

  constructor(options: AuditConfig) {
    this.#lineBytesMax = options.max_line_bytes;
    this.#assembler = new Assembler({
      waitMs: options.wait,
      groupsMax: options.max_open_events,
      groupBytesMax: options.max_event_bytes,
      bytesMax: options.max_open_bytes,
    });
  }

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    const { length } = frame;
    if (length > this.#lineBytesMax) {
      throw new RejectedInput(
        `Line too long: ${length} bytes, max_line_bytes is ${this.#lineBytesMax}`,
      );
    }
    // latin1 keeps every byte as one character: nothing is lost before the fields are known.
    const bytes = Buffer.isBuffer(frame)
      ? frame
      : Buffer.from(frame.buffer, frame.byteOffset, length);
    if (bytes.includes(0)) throw new RejectedInput("Binary line: holds a byte 0");
    const line = bytes.toString("latin1");
    if (BLANK.test(line)) return NOTHING;
    const record = this.#parser.parse(line, isAscii(bytes));
    return this.#events(this.#assembler.add(record, length, at));
  }

  flush(nowMs: number): Decoded {
    return this.#events(this.#assembler.flush(nowMs));
  }

  oldestPending(): FramePosition | undefined {
    return this.#assembler.oldestPending();
  }

  #events(groups: readonly Group[]): Decoded {
    if (groups.length === 0) return NOTHING;
    const events: AuditEvent[] = [];
    for (const group of groups) events.push(describeEvent(group, this.#names, this.#members));
    return { events };
  }
}

export default defineFormat({
  type: "audit",
  stability: "beta",
  summary: "Linux audit log (auditd), raw and enriched: one event per action",
  config,
  create: (options) => new AuditFormat(options),
});
