// The agent's own log, through the OpenTelemetry Logs SDK: every line is a log record. Written to
// one stream, readable on a terminal and as JSON lines elsewhere.

import { SeverityNumber } from "@opentelemetry/api-logs";
import { LoggerProvider } from "@opentelemetry/sdk-logs";
import type { LogRecordProcessor, SdkLogRecord } from "@opentelemetry/sdk-logs";
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
  /** Writes what is still on its way, and ends. */
  close(): Promise<void>;
}

const SEVERITY = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
} as const;

const COLOUR: Readonly<Record<string, string>> = {
  debug: "\x1b[2m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};

/** Opens the log. Lines below the level cost a comparison. */
export function createLogs(options: LogOptions): Logs {
  const provider = new LoggerProvider({ processors: [lineWriter(options)] });
  const least = SEVERITY[options.level];
  return {
    of(id) {
      const logger = provider.getLogger(id);
      const write = (level: LogLevel) => (message: string, attributes?: LogAttributes) => {
        const severityNumber = SEVERITY[level];
        if (severityNumber < least) return;
        logger.emit({ severityNumber, severityText: level, body: message, attributes });
      };
      return {
        debug: write("debug"),
        info: write("info"),
        warn: write("warn"),
        error: write("error"),
      };
    },
    close: () => provider.shutdown(),
  };
}

/** Writes each record at once: a line about a failure must be out before the process is. */
function lineWriter({ stream, readable, colour = false }: LogOptions): LogRecordProcessor {
  const format = readable ? (record: SdkLogRecord) => readableLine(record, colour) : jsonLine;
  return {
    onEmit: (record) => void stream.write(format(record)),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

function timeOf(record: SdkLogRecord): string {
  const [seconds, nanoseconds] = record.hrTime;
  return new Date(seconds * 1000 + nanoseconds / 1e6).toISOString();
}

function readableLine(record: SdkLogRecord, colour: boolean): string {
  const level = record.severityText ?? "info";
  const word = level.toUpperCase().padEnd(5);
  const paint = colour ? COLOUR[level] : undefined;
  const shown = paint === undefined ? word : `${paint}${word}\x1b[0m`;
  const attributes = Object.entries(record.attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quote(value) : value}`);
  const { name } = record.instrumentationScope;
  const message = oneLine(String(record.body));
  return `${timeOf(record).slice(11, 23)} ${shown} ${name}: ${message}${attributes.join("")}\n`;
}

function jsonLine(record: SdkLogRecord): string {
  const { attributes } = record;
  const line = {
    time: timeOf(record),
    level: record.severityText,
    component: record.instrumentationScope.name,
    message: record.body,
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
