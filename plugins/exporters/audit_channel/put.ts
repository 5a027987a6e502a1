// The audit_channel exporter's work: a batch as calls of PutAuditEvents, several at a time, and what
// became of each event.

import { Buffer } from "node:buffer";
import { failureOf } from "../../sdk/aws/aws-error.ts";
import { readJson } from "../../sdk/aws/json-call.ts";
import { awsConnection, type ConnectionContext } from "../../sdk/aws/option.ts";
import { AwsClient, type AwsConnection } from "../../sdk/aws/request.ts";
import { awsEndpoint } from "../../sdk/aws/s3.ts";
import { ExportProgress } from "../../sdk/export-progress.ts";
import type {
  ExportBatch,
  Exporter,
  Json,
  JsonObject,
  Log,
  StoredRecord,
} from "../../sdk/index.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { type ChannelEvent, channelEvent, Unfit } from "./channel-event.ts";
import type { AuditChannelConfig } from "./config.ts";

/** Calls at a time: events of a channel have no order that could suffer. */
const CONCURRENCY = 4;
/** Limits of one call. */
const EVENTS_MAX = 100;
const CALL_BYTES_MAX = 1_000_000;
const FRAME = { begin: '{"auditEvents":[', end: "]}" };
/** Errors of events that say what the event is: another try ends the same way. */
const REFUSED = new Set([
  "FieldTooLong",
  "FieldNotFound",
  "InvalidChecksum",
  "InvalidData",
  "InvalidRecipient",
  "InvalidEventSource",
]);

/** What the exporter takes from its context. */
export type PutContext = ConnectionContext & { readonly log: Log };

/** Sends events to one channel. */
export class AuditChannelExporter implements Exporter {
  readonly #config: AuditChannelConfig;
  readonly #client: AwsClient;
  readonly #origin: string;
  readonly #accountId: string;
  readonly #log: Log;
  readonly #progress = new ExportProgress();
  /** Fields that were left out and told. */
  readonly #omitted = new Set<string>();

  constructor(config: AuditChannelConfig, context: PutContext) {
    const connection = channelConnection(config, context);
    this.#config = config;
    this.#client = new AwsClient("cloudtrail-data", connection);
    this.#origin = new URL(
      config.endpoint ?? awsEndpoint("cloudtrail-data", connection.region),
    ).origin;
    this.#accountId = config.channel_arn.split(":")[4] ?? "";
    this.#log = context.log;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#client.close();
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const calls = this.#calls(this.#progress.begin(batch));
    const failures: unknown[] = [];
    const worker = async () => {
      for (let next = calls.next(); !next.done && failures.length === 0; next = calls.next()) {
        await this.#put(next.value, signal).catch((error) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    if (failures.length > 0) throw failures[0];
    this.#progress.settle();
  }

  /** Divides records into calls, lazily. An id stands in a call once. */
  *#calls(records: Iterable<StoredRecord>): Generator<readonly ChannelEvent[], void> {
    let events: ChannelEvent[] = [];
    const ids = new Set<string>();
    let bytes = 0;
    for (const record of records) {
      const event = channelEvent(record, this.#accountId, this.#omitting);
      if (event instanceof Unfit) {
        this.#progress.refused(record, event.code, `${this.#action}: ${event.reason}`);
        continue;
      }
      const isFull = events.length === EVENTS_MAX || bytes + event.bytes > CALL_BYTES_MAX;
      if (events.length > 0 && (isFull || ids.has(event.id))) {
        yield events;
        events = [];
        ids.clear();
        bytes = 0;
      }
      events.push(event);
      ids.add(event.id);
      bytes += event.bytes + 1;
    }
    if (events.length > 0) yield events;
  }

  async #put(events: readonly ChannelEvent[], signal: AbortSignal): Promise<void> {
    const { channel_arn: channelArn, external_id: externalId } = this.#config;
    let output: JsonObject;
    try {
      const { body } = await this.#client.send({
        action: this.#action,
        method: "POST",
        origin: this.#origin,
        path: "/PutAuditEvents",
        query: { channelArn, ...(externalId === undefined ? {} : { externalId }) },
        headers: { "content-type": "application/json" },
        // Encoded once, for the signature and for the wire.
        body: Buffer.from(FRAME.begin + events.map(({ text }) => text).join(",") + FRAME.end),
        signal,
      });
      output = await readJson(body, this.#action, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return await this.#divide(events, error, signal);
    }
    this.#read(events, output);
  }

  /** A call that is refused as it stands: half at a time, down to the one event it means. */
  async #divide(
    events: readonly ChannelEvent[],
    error: Error,
    signal: AbortSignal,
  ): Promise<void> {
    const [only] = events;
    if (events.length === 1 && only !== undefined) {
      return this.#progress.refused(only.record, failureOf(error)?.code ?? "", error.message);
    }
    const half = events.length >> 1;
    await this.#put(events.slice(0, half), signal);
    await this.#put(events.slice(half), signal);
  }

  #read(events: readonly ChannelEvent[], output: JsonObject): void {
    const byId = new Map(events.map((event) => [event.id, event.record]));
    const take = (result: JsonObject) => {
      const record = typeof result.id === "string" ? byId.get(result.id) : undefined;
      if (record !== undefined) byId.delete(result.id as string);
      return record;
    };
    for (const result of list(output.successful)) {
      const record = take(result);
      if (record !== undefined) this.#progress.taken(record);
    }
    for (const result of list(output.failed)) {
      const record = take(result);
      if (record === undefined) continue;
      const { errorCode, errorMessage } = result;
      const code = typeof errorCode === "string" ? errorCode : "Unknown";
      const said = typeof errorMessage === "string" ? `: ${errorMessage.slice(0, 500)}` : "";
      const reason = `${this.#action}: ${code}${said}`;
      if (REFUSED.has(code)) this.#progress.refused(record, code, reason);
      else this.#progress.failed(code, reason);
    }
    if (byId.size > 0) {
      this.#progress.failed("NoAnswer", `${this.#action}: the answer does not name every event`);
    }
  }

  readonly #omitting = (field: string): void => {
    if (this.#omitted.has(field) || this.#omitted.size === 100) return;
    this.#omitted.add(field);
    this.#log.warn(
      `Records have a field that a channel has no room for, it is left out there: ${field}`,
    );
  };

  get #action(): string {
    return `Cannot put events into channel "${this.#config.channel_arn}"`;
  }
}

/** How the channel is asked: in its own region, unless the configuration says another. */
export function channelConnection(
  config: AuditChannelConfig,
  context: ConnectionContext,
): AwsConnection {
  const { region = config.channel_arn.split(":")[3], role_external_id: external_id } = config;
  return awsConnection({ ...config, region, external_id }, context);
}

/** The call itself is at fault, not who sends it or when. */
function isRefusal(error: unknown): error is Error {
  const failure = failureOf(error);
  return failure?.status === 413 || failure?.code === "ValidationException" ||
    failure?.code === "SerializationException";
}

function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
