// Exporter history: keeps the past days of management events, and of Insight events, where they can be
// looked up. A batch is in its log, on the disk, before it counts as delivered.

import { LRUCache } from "lru-cache";
import { eventHistoryService } from "../../sdk/event-history.ts";
import {
  type ComponentContext,
  defineExporter,
  type ExportBatch,
  type Exporter,
  type Host,
  type StoredRecord,
} from "../../sdk/index.ts";
import { diskError } from "../../sdk/disk-error.ts";
import { config, type HistoryConfig } from "./config.ts";
import { StoredHistory } from "./history.ts";
import { openHistory } from "./offline.ts";
import type { ReadCache } from "./segment.ts";
import { HistoryStore, StoreGoneError } from "./store.ts";
import { verifyHistory } from "./verify.ts";

const TEND_MS = 600_000;
// Columns of half a million events, or as much text; read again where there is more.
const CACHE_BYTES = 16 * 1024 * 1024;
// Each damage is told once, and of thousands a few say enough.
const TOLD_MAX = 100;
const DAY_MS = 86_400_000;

export default defineExporter({
  type: "history",
  stability: "beta",
  summary: "The past days of management events, to look up by any attribute",
  config,
  // Small enough that an event can be looked up within moments; on a busy host a batch is full at once.
  batch: { maxRecords: 5000, maxBytes: 4_194_304, maxAgeMs: 500 },
  create: (options, context) => new HistoryExporter(options, context),
  verify: verifyHistory,
  openHistory,
});

// AWS keeps what comes through channels in lakes alone; here it is looked up like the rest.
const CATEGORIES = new Set(["Management", "Insight", "ActivityAuditLog"]);

class HistoryExporter implements Exporter {
  readonly #config: HistoryConfig;
  readonly #context: ComponentContext;
  readonly #cache: ReadCache;
  readonly #told = new Set<string>();
  #store: HistoryStore | undefined;
  #host: Host | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: HistoryConfig, context: ComponentContext) {
    this.#config = options;
    this.#context = context;
    this.#cache = makeCache();
  }

  async start(host: Host): Promise<void> {
    this.#host = host;
    host.provide(
      eventHistoryService,
      new StoredHistory({
        exporter: this.#context.id,
        store: () => this.#opened(),
        cache: this.#cache,
        own: this.#context.agent,
      }),
    );
    this.#timer = setInterval(() => this.#tend(), TEND_MS);
    this.#timer.unref();
    await this.#tend();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#host = undefined;
    const store = this.#store;
    this.#store = undefined;
    await store?.close();
  }

  /** Data events are no part of an event history, nor what is already too old for it. */
  accepts({ category, time }: StoredRecord): boolean {
    if (!CATEGORIES.has(category)) return false;
    return time >= this.#context.clock() - this.#config.retention_days * DAY_MS;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      const store = this.#store ??= await this.#open();
      await store.append(batch);
    } catch (error) {
      if (error instanceof StoreGoneError) await this.#forget(error);
      throw diskError("write to history in", this.#context.directory, error);
    }
  }

  /** Opens what is not open yet, seals and drops what is due; told where that cannot be done. */
  async #tend(): Promise<void> {
    try {
      const store = this.#store ??= await this.#open();
      await store.tend();
    } catch (error) {
      const { message } = diskError("tend history in", this.#context.directory, error);
      this.#context.log.warn(message);
      this.#host?.report("degraded", message);
    }
  }

  #open(): Promise<HistoryStore> {
    const { directory, clock, log, runtime } = this.#context;
    return HistoryStore.open({
      directory,
      retentionDays: this.#config.retention_days,
      clock,
      log,
      gzip: runtime.gzip,
      cache: this.#cache,
      tell: (path, reason) => this.#tell(path, reason),
    });
  }

  #opened(): HistoryStore {
    if (this.#store !== undefined) return this.#store;
    throw new Error(`Cannot look up events: the history in "${this.#context.directory}" is closed`);
  }

  /** What was in the folder is gone with it; the next batch begins a new one. */
  async #forget(error: StoreGoneError): Promise<void> {
    this.#context.log.error(`History is lost: ${error.message}`);
    const store = this.#store;
    this.#store = undefined;
    await store?.close().catch(() => {});
  }

  #tell(path: string, reason: string): void {
    const message = `Cannot read "${path}": ${reason}: its events are missing from the history`;
    if (this.#told.has(message) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(message);
    this.#context.log.error(message);
    this.#host?.report("degraded", message);
  }
}

function makeCache(): ReadCache {
  return new LRUCache<string, Uint8Array | Uint32Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ byteLength }) => Math.max(1, byteLength),
  });
}
