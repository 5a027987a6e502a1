// OtlpExporter: batches go out as requests, and a request that is refused is cut in halves until the
// records that are at fault stand alone.

import {
  type ComponentContext,
  type ExportBatch,
  type Exporter,
  type StoredRecord,
} from "../../sdk/index.ts";
import { ExportProgress } from "../../sdk/export-progress.ts";
import { openSender, OtlpRefusal, type OtlpSender } from "../../sdk/otlp/sender.ts";
import type { OtlpConfig } from "./config.ts";
import { envelopeOf, logFields } from "./log-record.ts";
import { type LogFields, ProtobufWriter } from "./protobuf.ts";

/** Writes a request; the same arguments give the same bytes. */
type Encode = (logs: readonly LogFields[]) => Uint8Array;

/** Sends records to a receiver of OTLP. */
export class OtlpExporter implements Exporter {
  readonly #config: OtlpConfig;
  readonly #context: ComponentContext;
  readonly #progress = new ExportProgress();
  #sender: OtlpSender | undefined;
  #encode: Encode | undefined;
  #warned = "";

  constructor(config: OtlpConfig, context: ComponentContext) {
    this.#config = config;
    this.#context = context;
  }

  async start(): Promise<void> {
    await this.#open();
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const sender = await this.#open();
    const records = this.#progress.begin(batch);
    if (records.length > 0) await this.#send(sender, records, batch.plannedAt, signal);
    this.#progress.settle();
  }

  async stop(): Promise<void> {
    await this.#sender?.close();
  }

  /** Sends records until each is taken or refused. */
  async #send(
    sender: OtlpSender,
    records: readonly StoredRecord[],
    plannedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const encode = this.#encode ??= await this.#load();
    try {
      const body = encode(records.map((record) => logFields(record, plannedAt)));
      const { rejected, reason } = await sender.send(body, signal);
      if (rejected === 0) {
        this.#warn(reason);
        for (const record of records) this.#progress.taken(record);
        return;
      }
      const which = rejected < records.length
        ? "; which they are is not told, so all of the request are set aside"
        : "";
      const counts = `${rejected} of ${records.length} rejected`;
      const message = `${sender.action}: ${counts}: ${reason}${which}`;
      for (const record of records) this.#progress.refused(record, "PartialSuccess", message);
    } catch (error) {
      if (!(error instanceof OtlpRefusal)) throw error;
      const [only] = records;
      if (records.length === 1 && only !== undefined) {
        return this.#progress.refused(only, error.code, error.message);
      }
      const half = records.length >> 1;
      await this.#send(sender, records.slice(0, half), plannedAt, signal);
      await this.#send(sender, records.slice(half), plannedAt, signal);
    }
  }

  /** A receiver may take everything and still have something to say; each once. */
  #warn(reason: string): void {
    if (reason === this.#warned) return;
    this.#warned = reason;
    if (reason !== "") {
      this.#context.log.warn(`Receiver "${this.#config.endpoint}" says: ${reason}`);
    }
  }

  async #open(): Promise<OtlpSender> {
    const { clock, runtime: { gzip } } = this.#context;
    return this.#sender ??= await openSender({
      signal: "logs",
      target: this.#config,
      what: "records",
      version: this.#context.agent.version,
      clock,
      ...(this.#config.compression === "gzip" ? { gzip } : {}),
    });
  }

  async #load(): Promise<Encode> {
    const envelope = envelopeOf(this.#context.agent);
    if (this.#config.protocol === "http/json") {
      const { jsonRequest } = await import("./json.ts");
      return (logs) => jsonRequest(logs, envelope);
    }
    const writer = new ProtobufWriter(envelope);
    return (logs) => writer.request(logs);
  }
}
