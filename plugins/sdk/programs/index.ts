// The programs whose messages stand in syslog and the journal: one parser each, found by the
// program's name. Transports (syslog, journald, files) hand their messages to describeProgram.

import type { AuditEvent } from "../event.ts";
import type { DescribeMessage, Ignored, ProgramMessage } from "./program-message.ts";
import { describeSshd } from "./sshd.ts";

export type { Ignored, ProgramMessage } from "./program-message.ts";

const NO_PARSER = "not audited: program without parser";

const PARSERS: ReadonlyMap<string, DescribeMessage> = new Map([
  ["sshd", describeSshd],
  ["sshd-session", describeSshd],
  ["sshd-auth", describeSshd],
]);

/**
 * The event a program's message tells of; undefined after `ignored` was called with the reason.
 * Never throws, whatever the message holds.
 */
export function describeProgram(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const parse = PARSERS.get(message.program);
  if (parse !== undefined) return parse(message, ignored);
  ignored(NO_PARSER);
  return undefined;
}
