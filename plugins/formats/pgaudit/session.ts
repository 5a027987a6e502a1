// What the server itself logs of sessions: connections, logins, refusals, ends; statements it denied;
// its own start, stop and configuration -> the parts of an event, or why it is none.

import type { Json, Outcome } from "../../sdk/index.ts";
import { failure } from "../../sdk/http-status.ts";
import { isSecretName, NOT_COPIED } from "../../sdk/json-secrets.ts";
import { ruleOf } from "./actions.ts";
import type { Finding } from "./finding.ts";
import type { PgMessage } from "./message.ts";
import { statementWithoutSecrets } from "./statement.ts";

const PART = "no action: part of another message";
const RECEIVED = "no action: connection received";
const TOLD = "no action: told with the login";
const OTHER = "not audited: message of the server";

/** Longer messages are none of those below. */
const CHARACTERS_MAX = 2048;
const SESSIONS_MAX = 4096;
const PARTS: ReadonlySet<string> = new Set([
  "DETAIL",
  "HINT",
  "QUERY",
  "CONTEXT",
  "LOCATION",
  "STATEMENT",
  "BACKTRACE",
]);

const CONNECTED = /^connection received: host=(\S+)(?: port=(\d{1,5}))?$/;
const AUTHENTICATED = /^connection authenticated: (?:identity|user)="(.*)" method=(\S+)/s;
const AUTHORIZED =
  /^(replication )?connection authorized: user=(.+?)(?: database=(.+?))?(?: application_name=(.*?))?(?: SSL enabled \(protocol=([^,]+), cipher=([^,]+),[^)]*\))?(?: GSS \([^)]*\))?$/s;
const ENDED =
  /^disconnection: session time: (\S+) user=(.+?) database=(.+?) host=(\S+)(?: port=(\d+))?$/s;
const DENIED = /^(?:permission denied (?:for|to) |must be (?:owner of|superuser|able to)\b)/;
const NEEDS = /^(?:\S+ ){0,2}?authentication failed for user "(.*)"$/s;
const REFUSED =
  /^(?:no pg_hba\.conf entry for|pg_hba\.conf rejects) .*host "([^"]*)", user "([^"]*)"/s;
const NO_ROLE = /^role "(.*)" (does not exist|is not permitted to log in)$/s;
const FULL = /^(?:too many connections|sorry, too many clients|remaining connection slots)/;
const CHANGED = /^parameter "([^"]{1,128})" changed to "(.*)"$/s;

/** What earlier messages of a session told, for those that do not tell it again. */
export interface SessionFacts {
  host?: string | undefined;
  port?: string | undefined;
  identity?: string | undefined;
  method?: string | undefined;
}

/** The sessions that are open, the latest ones only. */
export class Sessions {
  readonly #open = new Map<string, SessionFacts>();

  /** What is known of a message's session. */
  of({ session, pid }: PgMessage): SessionFacts | undefined {
    return this.#open.get(session ?? pid ?? "");
  }

  /** Learns from a message. */
  learn({ session, pid }: PgMessage, facts: SessionFacts): void {
    const key = session ?? pid;
    if (key === undefined) return;
    const known = this.#open.get(key);
    if (known !== undefined) Object.assign(known, facts);
    else {
      this.#open.set(key, facts);
      if (this.#open.size > SESSIONS_MAX) this.#open.delete(this.#open.keys().next().value!);
    }
  }

  /** A session has ended, or its number was given to a new one. */
  forget({ session, pid }: PgMessage): void {
    this.#open.delete(session ?? pid ?? "");
  }
}

/** Reads a message that is not pgaudit's; a text in the answer says why it is no action. */
export function readServer(
  message: PgMessage,
  sessions: Sessions,
  statementMax: number,
): Finding | string {
  const { severity, text } = message;
  if (PARTS.has(severity)) return PART;
  if (text.length > CHARACTERS_MAX) return OTHER;
  if (severity === "FATAL") return refusal(message);
  if (severity === "ERROR") return denial(message, statementMax);
  if (severity !== "LOG") return OTHER;
  if (text.startsWith("connection ") || text.startsWith("replication connection ")) {
    return connection(message, sessions);
  }
  if (text.startsWith("disconnection: ")) return end(text);
  return message.user === undefined ? server(text) : OTHER;
}

function connection(message: PgMessage, sessions: Sessions): Finding | string {
  const { text } = message;
  const connected = CONNECTED.exec(text);
  if (connected !== null) {
    sessions.forget(message);
    sessions.learn(message, { host: connected[1], port: connected[2] });
    return RECEIVED;
  }
  const authenticated = AUTHENTICATED.exec(text);
  if (authenticated !== null) {
    sessions.learn(message, { identity: authenticated[1], method: authenticated[2] });
    return TOLD;
  }
  const match = AUTHORIZED.exec(text);
  if (match === null) return OTHER;
  const [, replication, user = "", database, application, version, cipherSuite] = match;
  const facts = sessions.of(message);
  const request = present({
    database: database ?? message.database,
    application: application ?? message.application,
    authenticationMethod: facts?.method,
    identity: facts?.identity,
  });
  if (replication !== undefined) request.replication = true;
  const finding: Finding = { action: "UserLogin", actor: { type: "user", name: user }, request };
  return version === undefined || cipherSuite === undefined
    ? finding
    : { ...finding, tls: { version, cipherSuite } };
}

function end(text: string): Finding | string {
  const match = ENDED.exec(text);
  if (match === null) return OTHER;
  const [, sessionTime, user = "", database = ""] = match;
  return {
    action: "UserLogout",
    actor: { type: "user", name: user },
    request: present({ database, sessionTime }),
  };
}

/** A FATAL before the session began is a login that failed. */
function refusal({ text, state, user }: PgMessage): Finding | string {
  const refused = REFUSED.exec(text);
  const role = NO_ROLE.exec(text);
  const name = NEEDS.exec(text)?.[1] ?? refused?.[2] ?? role?.[1] ?? user;
  let outcome: Outcome;
  if (refused !== null || role?.[2]?.startsWith("is not") || DENIED.test(text)) {
    outcome = failure("AccessDenied", text);
  } else if (NEEDS.test(text) || role !== null || state?.startsWith("28")) {
    outcome = failure("AuthenticationFailed", text);
  } else if (/^database ".*" does not exist$/s.test(text)) outcome = failure("NotFound", text);
  else if (FULL.test(text)) outcome = failure("TooManyRequests", text);
  else return OTHER;
  return {
    action: "UserLogin",
    outcome,
    actor: name === undefined ? { type: "user" } : { type: "user", name },
    request: {},
  };
}

/** An ERROR is an action where somebody was not allowed what they asked for. */
function denial({ text, state, tag, query }: PgMessage, statementMax: number): Finding | string {
  if (state === undefined ? !DENIED.test(text) : state !== "42501") return OTHER;
  const command = tag !== undefined && /^[A-Z][A-Z ]{1,62}$/.test(tag) ? tag : "";
  const statement = query === undefined ? "" : statementWithoutSecrets(query, statementMax);
  const kind = /^(?:CREATE|ALTER|DROP|GRANT|REVOKE)\b/.test(command) ? "DDL" : "WRITE";
  const rule = command === ""
    ? { action: "ExecuteStatement", readOnly: false, category: "Data" as const }
    : ruleOf(command === "SELECT" ? "READ" : kind, command, "", statement);
  return {
    ...rule,
    outcome: failure("AccessDenied", text),
    request: present({ command, statement }),
  };
}

/** What the server says of itself; whoever could make it say so has no session here. */
function server(text: string): Finding | string {
  if (text === "database system is ready to accept connections") {
    return { action: "StartService", request: {} };
  }
  const stop = /^received (\w+) shutdown request$/.exec(text);
  if (stop !== null) return { action: "StopService", request: { mode: stop[1]! } };
  if (text === "received SIGHUP, reloading configuration files") {
    return { action: "ReloadConfiguration", request: {} };
  }
  const changed = CHANGED.exec(text);
  if (changed === null) return OTHER;
  const [, parameter = "", value = ""] = changed;
  const shown = isSecretName(parameter) || /password/i.test(value) ? NOT_COPIED : value;
  return { action: "UpdateConfiguration", request: { parameter, value: shown } };
}

/** The members that say something. */
function present(all: Record<string, string | undefined>): Record<string, Json> {
  const kept: Record<string, Json> = {};
  for (const name of Object.keys(all)) {
    const value = all[name];
    if (value !== undefined && value !== "") kept[name] = value;
  }
  return kept;
}
