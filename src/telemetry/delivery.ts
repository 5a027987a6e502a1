// The way of the agent's own metrics, log lines or spans to a receiver of OTLP: sends requests, and
// tells what fails, what is rejected and what was lost, each once and not with every request. Used by
// otlp-export.ts and push.ts.

import { type Log, RetryableError } from "../../plugins/sdk/index.ts";
import type { PartialSuccess } from "../../plugins/sdk/otlp/answer.ts";
import {
  openSender,
  OtlpFault,
  OtlpRefusal,
  type OtlpSender,
  type OtlpTarget,
  type Signal,
} from "../../plugins/sdk/otlp/sender.ts";

/** What deliveries are made of. */
export interface DeliveryOptions {
  readonly target: OtlpTarget;
  /** Of the agent, for the user agent. */
  readonly version: string;
  readonly clock: () => number;
  /** Must not lead back into this delivery. */
  readonly log: Log;
}

/** Why a request was not taken. */
export interface Failure {
  /** The same request may be taken later, without anybody's doing. */
  readonly isPassing: boolean;
  /** When the receiver wants it again, in milliseconds from now; 0 where it does not say. */
  readonly afterMs: number;
}

// What a receiver does not take is news again after so many requests that it took whole.
const WHOLE_MIN = 100;
const NOTHING = 0;
const WARNING = 1;
const REJECTION = 2;

/** Sends requests, one after the other. */
export class Delivery {
  readonly #sender: OtlpSender;
  readonly #what: string;
  readonly #log: Log;
  #lost = 0;
  #isFailing = false;
  /** The worst that was told of what was not taken whole, and for how many requests all was. */
  #told = NOTHING;
  #whole = 0;

  constructor(sender: OtlpSender, what: string, log: Log) {
    this.#sender = sender;
    this.#what = what;
    this.#log = log;
  }

  /** Undefined when the receiver has taken it; else what failed, which is told. Never rejects. */
  async send(body: Uint8Array, signal: AbortSignal): Promise<Failure | undefined> {
    try {
      const said = await this.#sender.send(body, signal);
      this.#worked();
      this.#tell(said);
      return undefined;
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Tells a failure, the first in a row. */
  failed(error: unknown): Failure {
    const isOwn = error instanceof RetryableError || error instanceof OtlpRefusal;
    if (!this.#isFailing) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(isOwn ? reason : `${this.#sender.action}: ${reason}`);
    }
    this.#isFailing = true;
    if (!(error instanceof RetryableError)) return { isPassing: false, afterMs: 0 };
    return { isPassing: !(error instanceof OtlpFault), afterMs: error.afterMs ?? 0 };
  }

  /** Counts what is given up; told with the next request that is taken. */
  lose(count: number): void {
    this.#lost += count;
  }

  close(): Promise<void> {
    return this.#sender.close();
  }

  #worked(): void {
    const [lost, what] = [this.#lost, this.#what];
    this.#lost = 0;
    if (lost > 0) this.#log.warn(`Some ${what} were never sent`, { lost });
    if (this.#isFailing) this.#log.info(`${what[0]!.toUpperCase()}${what.slice(1)} are sent again`);
    this.#isFailing = false;
  }

  #tell({ rejected, reason }: PartialSuccess): void {
    const found = rejected > 0 ? REJECTION : reason === "" ? NOTHING : WARNING;
    if (found === NOTHING) {
      if (++this.#whole >= WHOLE_MIN) this.#told = NOTHING;
      return;
    }
    this.#whole = 0;
    if (found <= this.#told) return;
    this.#told = found;
    const words = reason === "" ? "no reason is given" : reason;
    if (found === WARNING) this.#log.warn(`Receiver of ${this.#what} says: ${words}`);
    else this.#log.warn(`Receiver rejects some ${this.#what}: ${words}`, { rejected });
  }
}

/** Opens one. Throws ConfigError for certificates, named below `service.telemetry`. */
export async function openDelivery(
  signal: Signal,
  what: string,
  { target, version, clock, log }: DeliveryOptions,
): Promise<Delivery> {
  const tlsAt = `service.telemetry.${signal}.otlp.tls`;
  return new Delivery(
    await openSender({ signal, target, what, tlsAt, version, clock }),
    what,
    log,
  );
}
