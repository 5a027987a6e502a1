// Journal entries -> events: what programs say goes to the parsers in the SDK, the kernel's audit
// records to format `audit`, written as the audit log has them.

import type { AuditEvent, Format } from "../../sdk/index.ts";
import { describeProgram, type ProgramMessage } from "../../sdk/programs/index.ts";
import { type JournalFields, receivedTime, textOf } from "./entry.ts";
import { senderOf } from "./sender.ts";

const NO_MESSAGE = "not audited: entry without message";
const NO_PROGRAM = "not audited: entry without program";
const OTHER_SENDER = "not audited: program's name used by another executable";

/** What describing entries needs to know. */
export interface DescribeOptions {
  /** Host name of entries that are this agent's own; undefined: all are. */
  readonly ownHost: string | undefined;
  readonly ignored: (reason: string) => void;
}

/**
 * An audit record as a line of the audit log, with the node where it is not `ownHost`; undefined
 * for any other entry.
 */
export function auditLineOf(
  fields: JournalFields,
  ownHost: string | undefined,
): string | undefined {
  if (fields._TRANSPORT !== "audit") return undefined;
  const name = textOf(fields, "_AUDIT_TYPE_NAME");
  const serial = textOf(fields, "_AUDIT_ID");
  const micros = Number(textOf(fields, "_SOURCE_REALTIME_TIMESTAMP") ?? Number.NaN);
  const message = textOf(fields, "MESSAGE");
  if (name === undefined || serial === undefined || message === undefined) return undefined;
  if (!(micros > 0) || !message.startsWith(`${name} `)) return undefined;
  // A type that journald has no name for is AUDIT1334; auditd writes UNKNOWN[1334].
  const type = name.replace(/^AUDIT(\d{4})$/, "UNKNOWN[$1]");
  const seconds = Math.floor(micros / 1e6);
  const ms = String(Math.floor((micros % 1e6) / 1000)).padStart(3, "0");
  const host = ownHost === undefined ? undefined : textOf(fields, "_HOSTNAME");
  const node = host === undefined || host === ownHost || host.includes(" ") ? "" : `node=${host} `;
  return `${node}type=${type} msg=audit(${seconds}.${ms}:${serial}): ${
    message.slice(name.length + 1)
  }`;
}

/** The event of an entry that is no audit record; undefined after `ignored` was called. */
export function describeEntry(
  fields: JournalFields,
  id: string,
  identity: string,
  options: DescribeOptions,
): AuditEvent | undefined {
  const text = textOf(fields, "MESSAGE");
  const program = textOf(fields, "SYSLOG_IDENTIFIER") ?? textOf(fields, "_COMM");
  if (text === undefined || program === undefined) {
    options.ignored(text === undefined ? NO_MESSAGE : NO_PROGRAM);
    return undefined;
  }
  const message: { -readonly [K in keyof ProgramMessage]: ProgramMessage[K] } = {
    id,
    time: timeOf(fields, identity),
    program,
    text,
  };
  const uid = textOf(fields, "_UID");
  if (uid !== undefined) message.uid = uid;
  const pid = textOf(fields, "_PID") ?? textOf(fields, "SYSLOG_PID");
  if (pid !== undefined) message.pid = pid;
  const unit = textOf(fields, "_SYSTEMD_UNIT");
  if (unit !== undefined) message.unit = unit;
  if (options.ownHost !== undefined) {
    const host = textOf(fields, "_HOSTNAME");
    if (host !== undefined && host !== options.ownHost) message.host = host;
  }
  const known = knownFields(fields);
  if (known !== undefined) message.fields = known;
  const event = describeProgram(message, options.ignored);
  return event === undefined ? undefined : judged(event, fields, program, uid, options);
}

/** Leaves out what somebody else said under the program's name; marks what cannot be told. */
function judged(
  event: AuditEvent,
  fields: JournalFields,
  program: string,
  uid: string | undefined,
  options: DescribeOptions,
): AuditEvent | undefined {
  const sender = senderOf(program, uid, textOf(fields, "_EXE"));
  if (sender === "genuine") return event;
  if (sender === "other") {
    options.ignored(OTHER_SENDER);
    return undefined;
  }
  return { ...event, additional: { ...event.additional, senderUnverified: true } };
}

/** When it happened, as the sender's side has it; else when the journal got it. */
function timeOf(fields: JournalFields, identity: string): number {
  const source = Number(textOf(fields, "_SOURCE_REALTIME_TIMESTAMP") ?? Number.NaN);
  return source > 0 ? Math.floor(source / 1000) : receivedTime(fields, identity) ?? 0;
}

// What the parsers look at beside the text.
const KNOWN = [
  "_AUDIT_LOGINUID",
  "_AUDIT_SESSION",
  "UNIT",
  "USER_UNIT",
  "USER_ID",
  "SESSION_ID",
] as const;

function knownFields(fields: JournalFields): Record<string, string> | undefined {
  let known: Record<string, string> | undefined;
  for (const name of KNOWN) {
    if (fields[name] === undefined) continue;
    const text = textOf(fields, name);
    if (text !== undefined) (known ??= {})[name] = text;
  }
  return known;
}

const encoder = new TextEncoder();

/** Hands an audit record to its format; throws RejectedInput as that does. */
export function decodeAudit(
  line: string,
  format: Format,
  at: { readonly source: string; readonly offset: number; readonly receivedAt: number },
): readonly AuditEvent[] {
  const decoded = format.decode(encoder.encode(line), at);
  return "events" in decoded ? decoded.events : [];
}
