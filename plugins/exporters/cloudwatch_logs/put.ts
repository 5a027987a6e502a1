// The cloudwatch_logs exporter's work: a batch as requests of PutLogEvents, one stream after the
// other, and what became of each event.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { awsConnection } from "../../sdk/aws/option.ts";
import { ExportProgress } from "../../sdk/export-progress.ts";
import type {
  ComponentContext,
  ExportBatch,
  Exporter,
  Json,
  StoredRecord,
} from "../../sdk/index.ts";
import type { CloudWatchLogsConfig } from "./config.ts";
import {
  chronological,
  type LogEvent,
  readRejected,
  requests,
  writeRequest,
} from "./log-events.ts";
import { LogGroup } from "./log-group.ts";
import { compileStreamName } from "./stream-name.ts";

/** Writes log events to the streams of one group. */
export class CloudWatchLogsExporter implements Exporter {
  readonly #config: CloudWatchLogsConfig;
  readonly #clock: () => number;
  readonly #group: LogGroup;
  readonly #streamOf: (accountId: string) => string;
  readonly #progress = new ExportProgress();

  constructor(config: CloudWatchLogsConfig, context: Pick<ComponentContext, "agent" | "clock">) {
    const connection = awsConnection(config, context);
    this.#config = config;
    this.#clock = context.clock;
    this.#group = new LogGroup(config, connection);
    const { agent: { host } } = context;
    this.#streamOf = compileStreamName(config.log_stream_name, { host, region: connection.region });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#group.close();
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const left = this.#progress.begin(batch);
    for (const [stream, records] of this.#byStream(left)) {
      for (const events of requests(chronological(this.#dated(records)))) {
        await this.#put(stream, events, signal);
      }
    }
    this.#progress.settle();
  }

  #byStream(records: readonly StoredRecord[]): ReadonlyMap<string, StoredRecord[]> {
    const { max_event_size: bytesMax } = this.#config;
    const streams = new Map<string, StoredRecord[]>();
    for (const record of records) {
      if (record.bytes.length > bytesMax) {
        const reason = `Record is larger than a log event may be: ${bytesMax} bytes`;
        this.#progress.refused(record, "CAIRN_CLOUDWATCH_LOGS_TOO_LARGE", reason);
        continue;
      }
      const name = this.#streamOf(record.accountId);
      const known = streams.get(name);
      if (known === undefined) streams.set(name, [record]);
      else known.push(record);
    }
    return streams;
  }

  #dated(records: readonly StoredRecord[]): LogEvent[] {
    const isEvent = this.#config.timestamp === "event";
    const now = this.#clock();
    // A time before 1970 has a whole request refused; so it is merely too old.
    const timeOf = (record: StoredRecord) => isEvent ? Math.max(0, record.time) : now;
    return records.map((record) => ({ record, timestamp: timeOf(record) }));
  }

  async #put(stream: string, events: readonly LogEvent[], signal: AbortSignal): Promise<void> {
    let info: Json | undefined;
    try {
      const text = writeRequest(this.#config.log_group_name, stream, events);
      info = (await this.#group.put(stream, text, signal)).rejectedLogEventsInfo;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return await this.#divide(stream, events, error, signal);
    }
    const { from, to } = readRejected(info, events.length);
    for (let i = from; i < to; i++) this.#progress.taken(events[i]!.record);
    const rest = [...events.slice(0, from), ...events.slice(to)];
    if (rest.length > 0) await this.#putRejected(stream, rest, from > 0, signal);
  }

  /** Events whose time is not taken go under that of delivery; that one is wrong only with the clock. */
  async #putRejected(
    stream: string,
    events: readonly LogEvent[],
    areOld: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const now = this.#clock();
    if (this.#config.timestamp === "event" && events.some(({ timestamp }) => timestamp !== now)) {
      return await this.#put(
        stream,
        events.map(({ record }) => ({ record, timestamp: now })),
        signal,
      );
    }
    const which = areOld ? "too old" : "too new";
    const reason =
      `${this.#group.action(stream)}: log events of now are ${which}; check the clock ` +
      "of this machine and the retention of the log group";
    this.#progress.failed("CAIRN_CLOUDWATCH_LOGS_TIME", reason);
  }

  /** A service that takes less than was thought: half at a time, down to the one event it means. */
  async #divide(
    stream: string,
    events: readonly LogEvent[],
    error: Error,
    signal: AbortSignal,
  ): Promise<void> {
    if (events.length === 1) {
      const code = "CAIRN_CLOUDWATCH_LOGS_TOO_LARGE";
      return this.#progress.refused(events[0]!.record, code, error.message);
    }
    const half = events.length >> 1;
    await this.#put(stream, events.slice(0, half), signal);
    await this.#put(stream, events.slice(half), signal);
  }
}

function isTooLarge(error: unknown): error is Error {
  const failure = failureOf(error);
  if (failure === undefined) return false;
  return failure.status === 413 ||
    (failure.code === "InvalidParameterException" && /too large/i.test(failure.message));
}
