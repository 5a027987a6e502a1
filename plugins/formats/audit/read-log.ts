// For this format's tests: a whole log through a new instance of the format.

import { Buffer } from "node:buffer";
import { testContext } from "../../sdk/conformance.ts";
import { RejectedInput } from "../../sdk/errors.ts";
import type { AuditEvent } from "../../sdk/event.ts";
import type { FormatSources } from "../../sdk/factory.ts";
import type { Decoded } from "../../sdk/format.ts";
import audit from "./index.ts";

/** What became of a log. */
export interface ReadLog {
  readonly events: AuditEvent[];
  /** Lines that were rejected, as latin1 text, with the reason. */
  readonly rejected: { readonly line: string; readonly reason: string }[];
}

/** A new instance with the default options, or others. */
export function newFormat(options: Record<string, unknown> = {}, sources: FormatSources = {}) {
  return audit.create(audit.config.parse(options), { ...testContext(), ...sources });
}

/** The events of an answer; this format answers with nothing else. */
export function eventsOf(decoded: Decoded): readonly AuditEvent[] {
  if (!("events" in decoded)) throw new Error("Expected events, got records");
  return decoded.events;
}

/** Splits a log into lines, without the last line's end. */
export function linesOf(log: Uint8Array): string[] {
  const lines = Buffer.from(log).toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Decodes lines (latin1) and flushes at the end. Any error but RejectedInput is thrown. */
export function readLines(lines: readonly string[], options?: Record<string, unknown>): ReadLog {
  const format = newFormat(options);
  const read: ReadLog = { events: [], rejected: [] };
  let offset = 0;
  for (const line of lines) {
    const frame = Buffer.from(line, "latin1");
    try {
      read.events.push(...eventsOf(format.decode(frame, { source: "log", offset })));
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      read.rejected.push({ line, reason: error.message });
    }
    offset += frame.length + 1;
  }
  read.events.push(...eventsOf(format.flush(Infinity)));
  return read;
}
