// The eventbridge exporter's work: a batch as requests of PutEvents, several at a time, and what
// became of each entry.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import { awsConnection, type ConnectionContext } from "../../sdk/aws/option.ts";
import { AwsClient } from "../../sdk/aws/request.ts";
import { awsEndpoint } from "../../sdk/aws/s3.ts";
import { ExportProgress } from "../../sdk/export-progress.ts";
import {
  type ExportBatch,
  type Exporter,
  type Json,
  type JsonObject,
  RetryableError,
  type StoredRecord,
} from "../../sdk/index.ts";
import type { EventBridgeConfig } from "./config.ts";
import { type Entry, EntryWriter, envelope, requests } from "./entry.ts";

/** Requests at a time: events of a bus have no order that could suffer. */
const CONCURRENCY = 4;

/** Errors of entries that say what the entry is: another try ends the same way. */
const REFUSED = new Set(["MalformedDetail", "InvalidArgument", "RedactionFailure"]);

/** Sends events to one bus. */
export class EventBridgeExporter implements Exporter {
  readonly #config: EventBridgeConfig;
  readonly #client: AwsClient;
  readonly #origin: string;
  readonly #writer: EntryWriter;
  readonly #progress = new ExportProgress();

  constructor(config: EventBridgeConfig, context: ConnectionContext) {
    const { source, event_bus_name: bus, max_request_size: bytesMax } = config;
    const connection = busConnection(config, context);
    this.#config = config;
    this.#client = new AwsClient("events", connection);
    this.#origin = busOrigin(config, connection.region);
    this.#writer = new EntryWriter({ source, bus, bytesMax });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#client.close();
  }

  /** Whether the event matches the pattern, as a rule of the bus would have it. */
  accepts(record: StoredRecord): boolean {
    const { event_pattern: pattern, source } = this.#config;
    return pattern === undefined || pattern.matches(envelope(record, source));
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const { max_request_size: bytesMax } = this.#config;
    const left = this.#progress.begin(batch);
    const tooLarge = (record: StoredRecord) =>
      this.#progress.refused(
        record,
        "CAIRN_EVENTBRIDGE_TOO_LARGE",
        `Record is larger than an event may be: ${bytesMax} bytes with its source and detail type`,
      );
    const work = requests(left, this.#writer, bytesMax, tooLarge);
    const failures: unknown[] = [];
    const worker = async () => {
      for (let next = work.next(); !next.done && failures.length === 0; next = work.next()) {
        await this.#put(next.value, signal).catch((error) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    if (failures.length > 0) throw failures[0];
    this.#progress.settle();
  }

  async #put(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    const { endpoint_id: endpoint } = this.#config;
    const list = entries.map(({ text }) => text).join(",");
    const id = endpoint === undefined ? "" : `,"EndpointId":${JSON.stringify(endpoint)}`;
    let output: JsonObject;
    try {
      output = await callJson(this.#client, {
        action: this.#action,
        version: "1.1",
        target: "AWSEvents.PutEvents",
        origin: this.#origin,
        input: `{"Entries":[${list}]${id}}`,
        signal,
      });
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return await this.#divide(entries, error, signal);
    }
    this.#read(entries, output.Entries);
  }

  get #action(): string {
    return `Cannot put events on bus "${this.#config.event_bus_name}"`;
  }

  /** A bus that takes less than was thought: half at a time, down to the one entry it means. */
  async #divide(entries: readonly Entry[], error: Error, signal: AbortSignal): Promise<void> {
    if (entries.length === 1) {
      this.#progress.refused(entries[0]!.record, "CAIRN_EVENTBRIDGE_TOO_LARGE", error.message);
      return;
    }
    const half = entries.length >> 1;
    await this.#put(entries.slice(0, half), signal);
    await this.#put(entries.slice(half), signal);
  }

  /** The results stand in the order of the entries. */
  #read(entries: readonly Entry[], results: Json | undefined): void {
    if (!Array.isArray(results) || results.length !== entries.length) {
      throw new RetryableError(`${this.#action}: the answer does not say what became of each`);
    }
    for (const [i, { record }] of entries.entries()) {
      const { ErrorCode: code, ErrorMessage: said } = (results[i] ?? {}) as JsonObject;
      if (typeof code !== "string" || code === "") {
        this.#progress.taken(record);
        continue;
      }
      const reason = `${this.#action}: ${code}${typeof said === "string" ? `: ${said}` : ""}`;
      if (REFUSED.has(code)) this.#progress.refused(record, code, reason);
      else this.#progress.failed(code, reason);
    }
  }
}

/** How the bus is asked: signed for all regions where the endpoint is global. */
export function busConnection(config: EventBridgeConfig, context: ConnectionContext) {
  const connection = awsConnection(config, context);
  const [, , , region = connection.region] = config.event_bus_name.split(":");
  if (config.endpoint_id !== undefined) return { ...connection, region: "*" };
  return config.region === undefined ? { ...connection, region } : connection;
}

/** Where the bus is asked. */
export function busOrigin(
  { endpoint, endpoint_id: id }: EventBridgeConfig,
  region: string,
): string {
  if (endpoint !== undefined) return new URL(endpoint).origin;
  return id === undefined
    ? awsEndpoint("events", region)
    : `https://${id}.endpoint.events.amazonaws.com`;
}

function isTooLarge(error: unknown): error is RetryableError {
  const failure = failureOf(error);
  if (failure === undefined) return false;
  return failure.status === 413 ||
    (failure.code === "ValidationException" && /\bsize\b|too large/i.test(failure.message));
}
