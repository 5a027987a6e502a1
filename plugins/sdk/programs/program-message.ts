// What a log transport (syslog, journald) knows about one message of a program. The parsers of this
// folder make an AuditEvent of it, whichever way it came.

import type { AuditEvent } from "../event.ts";

/** One message of a program, its header taken off. */
export interface ProgramMessage {
  /** The transport's identity of it; becomes the event's id. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The program's name without path and `[pid]`: `sshd`, `CRON`, `systemd-logind`. */
  readonly program: string;
  readonly pid?: string;
  /** The message itself. */
  readonly text: string;
  /** The machine it came from; left out where that is the agent's own. */
  readonly host?: string;
  /** The sending process's uid, where the transport vouches for it. */
  readonly uid?: string;
  /** The systemd unit it ran in, where the transport knows it. */
  readonly unit?: string;
  /** Fields beside the text: the journal's, or the parameters of RFC 5424 structured data. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** Told why a message becomes no event: one of a small fixed set of reasons. */
export type Ignored = (reason: string) => void;

/** A parser of one program: the event, or undefined after `ignored` was called. Never throws. */
export type DescribeMessage = (
  message: ProgramMessage,
  ignored: Ignored,
) => AuditEvent | undefined;
