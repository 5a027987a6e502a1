// The agent's own log: every line is a record with the members of an OpenTelemetry log record,
// written to one stream, readable on a terminal and as JSON lines elsewhere. The OpenTelemetry Logs
// SDK comes in where records are also sent over OTLP (otlp-logs.ts): loading it for lines alone costs
// an idle agent more memory than its whole configuration does.

import type { Log, LogAttributes } from "../../plugins/sdk/index.ts";

/** The levels, least important first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What the log is written to: standard error, in the agent. */
export interface LogStream {
  write(text: string): unknown;
}

/** How to write. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly stream: LogStream;
  /** Readable lines; otherwise JSON lines. */
  readonly readable: boolean;
  /** Colours the level of readable lines. */
  readonly colour?: boolean;
}

/** The log of a process. */
export interface Logs {
  /** The log of one component, whose id stands in every line. */
  of(id: string): Log;
  /** The least important lines to write from now on. */
  setLevel(level: LogLevel): void;
  /** The newest lines as JSON, oldest first; long ones are cut. */
  recent(): readonly string[];
  /** Hands every record to `to` as well, those of `recent` first, until the function is called. */
  forward(to: (record: LogRecord) => void): () => void;
  /** Writes what is still on its way, and ends. */
  close(): Promise<void>;
}

/** A line before it is written. */
export interface LogRecord {
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly scope: string;
  readonly body: string;
  readonly attributes: LogAttributes;
}

/** OpenTelemetry's severity numbers. */
export const SEVERITY = { debug: 5, info: 9, warn: 13, error: 17 } as const;

const COLOUR: Readonly<Record<string, string>> = {
  debug: "\x1b[2m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};

// What is kept of the newest lines: at most a MiB, most often a tenth of it.
const RECENT_MAX = 256;
const RECENT_CHARS_MAX = 4096;

/** Opens the log. Lines below the level cost a comparison. */
export function createLogs({ level, stream, readable, colour = false }: LogOptions): Logs {
  let least = level;
  const format = readable ? (record: LogRecord) => readableLine(record, colour) : jsonLine;
  const recent: LogRecord[] = [];
  const others = new Set<(record: LogRecord) => void>();
  return {
    of(scope) {
      const write = (level: LogLevel) => (body: string, attributes: LogAttributes = {}) => {
        if (SEVERITY[level] < SEVERITY[least]) return;
        const record = { timeMs: Date.now(), level, scope, body, attributes };
        // At once: a line about a failure must be out before the process is.
        stream.write(format(record));
        recent.push(shortened(record));
        if (recent.length > RECENT_MAX) recent.shift();
        for (const other of others) other(record);
      };
      return {
        debug: write("debug"),
        info: write("info"),
        warn: write("warn"),
        error: write("error"),
      };
    },
    setLevel: (level) => void (least = level),
    recent: () => recent.map(jsonLine),
    forward(to) {
      for (const record of recent) to(record);
      others.add(to);
      return () => void others.delete(to);
    },
    close: () => Promise.resolve(),
  };
}

/** What is kept of a line must not grow with what came from outside. */
function shortened(record: LogRecord): LogRecord {
  const { body, attributes } = record;
  const cut = (text: string) => `${text.slice(0, RECENT_CHARS_MAX)}…`;
  const isLong = (value: unknown): value is string =>
    typeof value === "string" && value.length > RECENT_CHARS_MAX;
  const entries = Object.entries(attributes);
  if (!isLong(body) && !entries.some(([, value]) => isLong(value))) return record;
  return {
    ...record,
    body: isLong(body) ? cut(body) : body,
    attributes: Object.fromEntries(
      entries.map(([key, value]) => [key, isLong(value) ? cut(value) : value]),
    ),
  };
}

function readableLine(record: LogRecord, colour: boolean): string {
  const { level, scope, body } = record;
  const word = level.toUpperCase().padEnd(5);
  const paint = colour ? COLOUR[level] : undefined;
  const shown = paint === undefined ? word : `${paint}${word}\x1b[0m`;
  const attributes = Object.entries(record.attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quote(value) : value}`);
  const time = new Date(record.timeMs).toISOString().slice(11, 23);
  return `${time} ${shown} ${scope}: ${oneLine(body)}${attributes.join("")}\n`;
}

function jsonLine({ timeMs, level, scope, body, attributes }: LogRecord): string {
  const line = {
    time: new Date(timeMs).toISOString(),
    level,
    component: scope,
    message: body,
    ...(Object.keys(attributes).length > 0 && { attributes }),
  };
  return `${JSON.stringify(line)}\n`;
}

function quote(text: string): string {
  return /^[\w./:@%+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** What came from outside must neither end the line nor steer the terminal. */
function oneLine(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (char) => char === "\n" ? " " : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
