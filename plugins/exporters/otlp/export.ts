// OtlpExporter: batches go out as requests, and a request that is refused is cut in halves until the
// records that are at fault stand alone.

import {
  type AgentIdentity,
  type ComponentContext,
  type ExportBatch,
  type Exporter,
  type StoredRecord,
} from "../../sdk/index.ts";
import { ExportProgress } from "../../sdk/export-progress.ts";
import type { OtlpConfig } from "./config.ts";
import type { Codec } from "./encode.ts";
import { OtlpRefusal, type OtlpSender, type SenderContext } from "./sender.ts";

/** Sends records to a receiver of OTLP. */
export class OtlpExporter implements Exporter {
  readonly #config: OtlpConfig;
  readonly #context: ComponentContext;
  readonly #agent: AgentIdentity;
  readonly #progress = new ExportProgress();
  #sender: OtlpSender | undefined;
  #codec: Codec | undefined;
  #warned = "";

  constructor(config: OtlpConfig, context: ComponentContext) {
    this.#config = config;
    this.#context = context;
    this.#agent = context.agent;
  }

  async start(): Promise<void> {
    await (await this.#open()).start();
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
    const codec = this.#codec ??= await this.#load();
    const { action } = this.#sending();
    try {
      const { rejected, reason } = codec.answer(
        await sender.send(codec.request(records, plannedAt), signal),
      );
      if (rejected === 0) {
        this.#warn(reason);
        for (const record of records) this.#progress.taken(record);
        return;
      }
      const which = rejected < records.length
        ? "; which they are is not told, so all of the request are set aside"
        : "";
      const message = `${action}: ${rejected} of ${records.length} rejected: ${reason}${which}`;
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
    if (this.#sender !== undefined) return this.#sender;
    const context = this.#sending();
    this.#sender = this.#config.protocol === "grpc"
      ? new (await import("./grpc.ts")).GrpcSender(this.#config, context)
      : new (await import("./http.ts")).HttpSender(this.#config, context);
    return this.#sender;
  }

  async #load(): Promise<Codec> {
    const { Codec } = await import("./encode.ts");
    return new Codec(this.#config.protocol, this.#agent);
  }

  #sending(): SenderContext {
    const { clock, runtime } = this.#context;
    return {
      action: `Cannot send records to "${this.#config.endpoint}"`,
      version: this.#agent.version,
      clock,
      gzip: runtime.gzip,
    };
  }
}
