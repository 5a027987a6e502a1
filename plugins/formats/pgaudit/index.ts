// Format pgaudit: PostgreSQL's log, in any of its forms, with what pgaudit writes to it. lines.ts
// makes messages of lines, describe.ts says what happened.

import { Buffer, isUtf8 } from "node:buffer";
import {
  type AuditEvent,
  type Decoded,
  defineFormat,
  type Format,
  type FormatContext,
  type FramePosition,
  NOTHING,
} from "../../sdk/index.ts";
import { config, type PgauditConfig } from "./config.ts";
import { describe, describeTorn } from "./describe.ts";
import { Lines, type MessageTaker } from "./lines.ts";
import type { PgMessage } from "./message.ts";
import { Sessions } from "./session.ts";
import { statementWithoutSecrets } from "./statement.ts";

class PgauditFormat implements Format, MessageTaker {
  readonly #statementMax: number;
  readonly #lines: Lines;
  readonly #sessions = new Sessions();
  readonly #ignored: FormatContext["ignored"];
  #events: AuditEvent[] = [];

  constructor(config: PgauditConfig, { ignored }: FormatContext) {
    this.#statementMax = config.max_statement;
    this.#lines = new Lines(config, this);
    this.#ignored = ignored;
  }

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    if (frame.length === 0) return NOTHING;
    this.#lines.add(textOf(frame), at);
    return this.#taken();
  }

  flush(nowMs: number): Decoded {
    this.#lines.flush(nowMs);
    return this.#taken();
  }

  oldestPending(): FramePosition | undefined {
    return this.#lines.oldestPending;
  }

  message(message: PgMessage, at: FramePosition): void {
    const around = { at, sessions: this.#sessions, statementMax: this.#statementMax };
    const described = describe(message, around);
    if (typeof described === "string") this.#ignored(described);
    else this.#events.push(described);
  }

  torn(text: string, reason: string, time: number, at: FramePosition): void {
    const shown = statementWithoutSecrets(text, this.#statementMax);
    this.#events.push(describeTorn(shown, reason, time, at));
  }

  ignored(reason: string): void {
    this.#ignored(reason);
  }

  #taken(): Decoded {
    if (this.#events.length === 0) return NOTHING;
    const events = this.#events;
    this.#events = [];
    return { events };
  }
}

/** Databases of other encodings write theirs to the log: such bytes stand as `\xHH`. */
function textOf(frame: Uint8Array): string {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return bytes.toString("latin1").replace(
    /[\x80-\xff]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16)}`,
  );
}

export default defineFormat({
  type: "pgaudit",
  stability: "beta",
  summary: "PostgreSQL's log with pgaudit (csvlog, jsonlog, stderr): statements and sessions",
  config,
  create: (config, context) => new PgauditFormat(config, context),
});
