// PgMessage -> AuditEvent: who, from where, in which session, around what audit.ts or session.ts
// found in the message.

import type { Actor, AuditEvent, FramePosition, Json, Resource } from "../../sdk/index.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { type EventDraft, frameId } from "../../sdk/json-frame.ts";
import { originAt } from "../../sdk/programs/action-event.ts";
import { AUDIT, readAudit } from "./audit.ts";
import type { Finding } from "./finding.ts";
import type { PgMessage } from "./message.ts";
import { readServer, type SessionFacts, type Sessions } from "./session.ts";

// Any user's function can write what looks like a message of the server; csvlog and jsonlog show it.
const RAISED = "not audited: message of a function";
const RAISE = /\bat RAISE\b/;

/** What describing needs beside the message. */
export interface Surroundings {
  readonly at: FramePosition;
  readonly sessions: Sessions;
  readonly statementMax: number;
}

/** Describes a message; a text in the answer says why it is no action. */
export function describe(message: PgMessage, around: Surroundings): AuditEvent | string {
  if (message.context !== undefined && RAISE.test(message.context)) return RAISED;
  const { sessions, statementMax } = around;
  const finding = message.text.startsWith(AUDIT)
    ? readAudit(message.text, statementMax)
    : readServer(message, sessions, statementMax);
  if (typeof finding === "string") return finding;
  const event = eventOf(message, finding, around.at, sessions.of(message));
  if (finding.action === "UserLogout") sessions.forget(message);
  return event;
}

function eventOf(
  message: PgMessage,
  finding: Finding,
  at: FramePosition,
  facts: SessionFacts | undefined,
): AuditEvent {
  const { database, session, line } = message;
  const time = message.time ?? at.receivedAt;
  if (time === undefined) {
    throw new RejectedInput("Has no time: log_line_prefix needs %m, or the receiver a clock");
  }
  const request = finding.request;
  if (database !== undefined && request.database === undefined) request.database = database;
  const event: EventDraft = {
    id: session !== undefined && line !== undefined ? `${session}:${line}` : frameId(at),
    time,
    service: "postgresql",
    action: finding.action,
    actor: actorOf(message, finding.actor),
    outcome: finding.outcome ?? { success: true },
    request,
    additional: additionalOf(message),
    readOnly: finding.readOnly ?? false,
    category: finding.category ?? "Management",
  };
  const host = message.host ?? facts?.host;
  const port = message.host === undefined ? facts?.port : message.port;
  const peer = host === "[local]" ? undefined : originAt(host, port);
  const { application } = message;
  if (peer !== undefined || application !== undefined || finding.tls !== undefined) {
    event.origin = {
      ...peer,
      ...(application !== undefined && { userAgent: application }),
      ...(finding.tls !== undefined && { tls: finding.tls }),
    };
  }
  const resources: Resource[] = finding.resource === undefined ? [] : [finding.resource];
  if (database !== undefined) resources.push({ type: "PostgreSQL::Database", name: database });
  if (resources.length > 0) event.resources = resources;
  if (finding.response !== undefined) event.response = finding.response;
  return event;
}

/** The role that logged in; SET ROLE is not in the log's lines. The server itself has none. */
function actorOf({ user, session, sessionStart }: PgMessage, found: Actor | undefined): Actor {
  const name = user ?? (found?.type === "user" ? found.name : undefined);
  if (name === undefined) return found ?? { type: "service", name: "postgresql" };
  if (session === undefined) return { type: "user", name };
  return {
    type: "user",
    name,
    session: sessionStart === undefined
      ? { id: session }
      : { id: session, createdAt: sessionStart },
  };
}

function additionalOf(message: PgMessage): Record<string, Json> {
  const { severity, pid, backend, transaction, state, line } = message;
  const additional: Record<string, Json> = { severity };
  if (pid !== undefined) additional.processId = pid;
  if (backend !== undefined) additional.backend = backend;
  if (line !== undefined) additional.sessionLine = line;
  if (transaction !== undefined && transaction !== "0") additional.transactionId = transaction;
  if (state !== undefined && state !== "00000") additional.sqlState = state;
  return additional;
}

/** The event that keeps the text of a record which was begun and never ended, or was misspelled. */
export function describeTorn(
  text: string,
  reason: string,
  time: number,
  at: FramePosition,
): AuditEvent {
  return {
    id: `${frameId(at)}:torn`,
    time,
    service: "postgresql",
    action: "WriteLogMessage",
    actor: { type: "service", name: "postgresql" },
    outcome: { success: true },
    additional: { unreadable: text, reason },
    readOnly: false,
    category: "Management",
  };
}
