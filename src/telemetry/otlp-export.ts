// What the OpenTelemetry SDK hands over, sent to an OTLP receiver until it is taken: the exporter
// behind the batch processors of logs and of spans. A receiver that is down costs what no longer fits
// the bounded batch queue, which is counted and told, and nothing else.

import type { Delivery } from "./delivery.ts";

/** Most that waits to be sent, of records or spans: one that comes beyond is lost. */
export const WAITING_MAX = 2048;

/** The batch processors' options: the exporter itself bounds its time, by trying again. */
export const BATCH = {
  maxQueueSize: WAITING_MAX,
  maxExportBatchSize: 512,
  scheduledDelayMillis: 1000,
  exportTimeoutMillis: 2 ** 31 - 1,
} as const;

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 30_000;
// The last request must not hold up an agent that stops.
const LAST_MS = 2000;

/** What an export is made of. */
export interface OtlpExportOptions<Item> {
  readonly delivery: Delivery;
  readonly serialize: (items: Item[]) => Uint8Array | undefined;
}

/** One of the SDK's exporters, and the door before its queue. */
export class OtlpExport<Item> {
  readonly #options: OtlpExportOptions<Item>;
  readonly #stopping = new AbortController();
  readonly #giveUp = new AbortController();
  #waiting = 0;

  constructor(options: OtlpExportOptions<Item>) {
    this.#options = options;
  }

  /** Whether one more may be handed to the SDK; where not, it is counted as lost. */
  admit(): boolean {
    if (this.#waiting >= WAITING_MAX) {
      this.#options.delivery.lose(1);
      return false;
    }
    this.#waiting++;
    return true;
  }

  /** Called by the SDK, with one batch at a time. */
  export(items: Item[], done: (result: { code: 0 }) => void): void {
    this.#send(items).finally(() => {
      this.#waiting -= items.length;
      // What failed is told already: the SDK's own way would be a global handler.
      done({ code: 0 });
    });
  }

  /** Called by the SDK: everything is on its way as it is. */
  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  /** Called by the SDK at its end. */
  shutdown(): Promise<void> {
    return this.#options.delivery.close();
  }

  /** From now on nothing is tried twice, and all of it for a moment only. */
  stopping(deadline: AbortSignal): void {
    this.#stopping.abort();
    const giveUp = () => this.#giveUp.abort(new Error("the agent stops"));
    AbortSignal.any([deadline, AbortSignal.timeout(LAST_MS)])
      .addEventListener("abort", giveUp, { once: true });
    if (deadline.aborted) giveUp();
  }

  async #send(items: Item[]): Promise<void> {
    const { delivery, serialize } = this.#options;
    const body = serialize(items);
    if (body === undefined) return;
    for (let waitMs = RETRY_MS_FIRST;; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      const failure = await delivery.send(body, this.#giveUp.signal);
      if (failure === undefined) return;
      const { isPassing, afterMs } = failure;
      if (!isPassing || this.#stopping.signal.aborted) return delivery.lose(items.length);
      await pause(Math.max(waitMs, Math.min(afterMs, RETRY_MS_MAX)), this.#stopping.signal);
    }
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    timer.unref();
    stop.addEventListener("abort", end, { once: true });
  });
}
