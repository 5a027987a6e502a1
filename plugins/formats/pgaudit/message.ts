// A message of PostgreSQL's log, from any of its three forms: the columns of csvlog, the members of
// jsonlog, or a line of stderr -> PgMessage.

import { type JsonObject, RejectedInput } from "../../sdk/index.ts";
import { textIn } from "../../sdk/json-frame.ts";
import { zoneOffset } from "../../sdk/mapping-time-zone.ts";
import type { Head } from "./prefix.ts";

/** What the log says, whatever its form. */
export interface PgMessage {
  /** Milliseconds since the epoch; undefined where the prefix tells none. */
  readonly time: number | undefined;
  readonly user: string | undefined;
  readonly database: string | undefined;
  readonly pid: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly session: string | undefined;
  /** Number of the message in its session. */
  readonly line: string | undefined;
  readonly tag: string | undefined;
  readonly sessionStart: number | undefined;
  readonly transaction: string | undefined;
  readonly severity: string;
  readonly state: string | undefined;
  readonly text: string;
  readonly context: string | undefined;
  /** The statement that failed. */
  readonly query: string | undefined;
  readonly application: string | undefined;
  readonly backend: string | undefined;
}

/** Columns of csvlog: 23 up to PostgreSQL 12, 24 in 13, 26 since 14. */
const COLUMNS_MIN = 23;
const COLUMNS_MAX = 40;

/** Reads the columns of csvlog. */
export function fromColumns(columns: readonly string[], zones: Zones): PgMessage {
  if (columns.length < COLUMNS_MIN || columns.length > COLUMNS_MAX) {
    throw new RejectedInput(`Has ${columns.length} columns: csvlog has 23 or more`);
  }
  const text = (index: number) => columns[index] || undefined;
  const [host, port] = splitAddress(text(4));
  return {
    time: zones.time(columns[0]!),
    user: text(1),
    database: text(2),
    pid: text(3),
    host,
    port,
    session: text(5),
    line: text(6),
    tag: text(7),
    sessionStart: text(8) === undefined ? undefined : zones.time(columns[8]!),
    transaction: text(10),
    severity: columns[11]!,
    state: text(12),
    text: columns[13]!,
    context: text(18),
    query: text(19),
    application: text(22),
    backend: text(23),
  };
}

/** Reads the members of jsonlog. */
export function fromMembers(root: JsonObject, zones: Zones): PgMessage {
  const timestamp = textIn(root, "timestamp");
  const severity = textIn(root, "error_severity");
  if (timestamp === undefined || severity === undefined) {
    throw new RejectedInput('Has no "timestamp" or no "error_severity"');
  }
  const start = textIn(root, "session_start");
  return {
    time: zones.time(timestamp),
    user: textIn(root, "user"),
    database: textIn(root, "dbname"),
    pid: textIn(root, "pid"),
    host: textIn(root, "remote_host"),
    port: textIn(root, "remote_port"),
    session: textIn(root, "session_id"),
    line: textIn(root, "line_num"),
    tag: textIn(root, "ps"),
    sessionStart: start === undefined ? undefined : zones.time(start),
    transaction: textIn(root, "txid"),
    severity,
    state: textIn(root, "state_code"),
    text: textIn(root, "message") ?? "",
    context: textIn(root, "context"),
    query: textIn(root, "statement"),
    application: textIn(root, "application_name"),
    backend: textIn(root, "backend_type"),
  };
}

/** Reads a line of stderr, or several joined, whose head is known. */
export function fromLine({ fields, severity }: Head, text: string, zones: Zones): PgMessage {
  const { time, sessionStart } = fields;
  return {
    time: time === undefined ? undefined : zones.time(time),
    user: fields.user,
    database: fields.database,
    pid: fields.pid,
    host: fields.host,
    port: fields.port,
    session: fields.session,
    line: fields.line,
    tag: fields.tag,
    sessionStart: sessionStart === undefined ? undefined : zones.time(sessionStart),
    transaction: undefined,
    severity,
    state: fields.state,
    text,
    context: undefined,
    query: undefined,
    application: fields.application,
    backend: fields.backend,
  };
}

/** `127.0.0.1:36410`, `[local]` or `::1:36410` -> host and port. */
function splitAddress(from: string | undefined): [string | undefined, string | undefined] {
  if (from === undefined || from === "[local]") return [from, undefined];
  const colon = from.lastIndexOf(":");
  return colon < 0 ? [from, undefined] : [from.slice(0, colon), from.slice(colon + 1)];
}

const MOMENT = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))? (\S{1,40})$/;
const EPOCH = /^\d{1,12}\.\d{3}$/;
const OFFSET = /^([+-])(\d\d)(?::?(\d\d))?$/;

/** Reads the log's times, whose zone is a name that only its server knows. */
export class Zones {
  readonly #named: ((localMs: number) => number) | undefined;

  constructor(timezone: string | undefined) {
    this.#named = timezone === undefined ? undefined : zoneOffset(timezone);
  }

  /** Milliseconds since the epoch. Throws RejectedInput for what is no time. */
  time(text: string): number {
    const match = MOMENT.exec(text);
    if (match === null) {
      if (EPOCH.test(text)) return Math.round(Number(text) * 1000);
      throw new RejectedInput(`Cannot read time ${JSON.stringify(text.slice(0, 64))}`);
    }
    const [, date, clock, fraction = "", zone = ""] = match;
    const local = Date.parse(`${date}T${clock}Z`);
    if (Number.isNaN(local)) throw new RejectedInput(`Cannot read time "${text}"`);
    const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
    return local + ms - this.#offset(zone, local);
  }

  #offset(zone: string, local: number): number {
    if (zone === "UTC" || zone === "GMT" || zone === "Z") return 0;
    const fixed = OFFSET.exec(zone);
    if (fixed !== null) {
      const [, sign, hours, minutes = "0"] = fixed;
      const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
      return sign === "-" ? -ms : ms;
    }
    if (this.#named !== undefined) return this.#named(local);
    throw new RejectedInput(
      `Unknown time zone "${zone}": set timezone to the server's log_timezone`,
    );
  }
}
