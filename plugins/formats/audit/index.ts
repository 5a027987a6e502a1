// Format `audit`: lines of the Linux audit log to AuditEvents. parse.ts reads a line, assemble.ts
// puts the lines of an event together, describe.ts says what happened.

import { Buffer, isAscii } from "node:buffer";
import { RejectedInput } from "../../sdk/errors.ts";
import type { AuditEvent } from "../../sdk/event.ts";
import { defineFormat } from "../../sdk/factory.ts";
import type { FormatContext } from "../../sdk/factory.ts";
import { NOTHING } from "../../sdk/format.ts";
import type { Decoded, Format, FramePosition } from "../../sdk/format.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { Assembler } from "./assemble.ts";
import type { Group } from "./assemble.ts";
import { config } from "./config.ts";
import type { AuditConfig } from "./config.ts";
import { describeEvent } from "./describe.ts";
import type { Describing } from "./describe.ts";
import { Members } from "./members.ts";
import { RecordParser } from "./parse.ts";
import { Serials } from "./serials.ts";
import { Sessions } from "./sessions.ts";
import { SyscallNames } from "./syscalls.ts";

const NO_EVENTS: readonly AuditEvent[] = [];
const BLANK = /^\s*$/;

class AuditFormat implements Format {
  readonly #lineBytesMax: number;
  readonly #assembler: Assembler;
  readonly #parser = new RecordParser();
  readonly #sessions = new Sessions();
  readonly #serials: Serials | undefined;
  readonly #using: Describing;

  constructor(options: AuditConfig, { agent, accounts }: FormatContext) {
    this.#lineBytesMax = options.max_line_bytes;
    this.#assembler = new Assembler({
      waitMs: options.wait,
      groupsMax: options.max_open_events,
      groupBytesMax: options.max_event_bytes,
      bytesMax: options.max_open_bytes,
    });
    this.#serials = options.report_gaps ? new Serials(options.wait) : undefined;
    this.#using = {
      sessions: this.#sessions,
      accounts,
      host: agent.host,
      names: new SyscallNames(),
      members: new Members(),
    };
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
    const groups = this.#assembler.add(record, length, at);
    // Not when its event is complete: what the login program tells next comes before that.
    if (record.type === "LOGIN") this.#sessions.open(record);
    return this.#events(groups, this.#serials?.saw(record) ?? NO_EVENTS);
  }

  flush(nowMs: number): Decoded {
    const gaps = nowMs === Infinity ? this.#serials?.flush() : undefined;
    return this.#events(this.#assembler.flush(nowMs), gaps ?? NO_EVENTS);
  }

  oldestPending(): FramePosition | undefined {
    return this.#assembler.oldestPending();
  }

  learned(): JsonObject | undefined {
    const changes: Record<string, Json> = {};
    this.#sessions.addChanges(changes);
    this.#serials?.addChanges(changes, this.#assembler.open());
    for (const _ in changes) return changes;
    return undefined;
  }

  recall(learned: JsonObject): void {
    for (const key in learned) {
      this.#sessions.recall(key, learned[key]);
      this.#serials?.recall(key, learned[key]);
    }
  }

  #events(groups: readonly Group[], gaps: readonly AuditEvent[]): Decoded {
    if (groups.length === 0 && gaps.length === 0) return NOTHING;
    const events: AuditEvent[] = [...gaps];
    for (const group of groups) events.push(describeEvent(group, this.#using));
    return { events };
  }
}

export default defineFormat({
  type: "audit",
  stability: "beta",
  summary: "Linux audit log (auditd), raw and enriched: one event per action",
  config,
  create: (options, context) => new AuditFormat(options, context),
});
