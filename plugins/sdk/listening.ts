// What a receiver that listens tells its host: where, and whether senders are told to come again.

import type { Host } from "./component.ts";

/** Between start and stop of one receiver. */
export class Listening {
  #host: Host | undefined;
  #address = "";
  #isFailing = false;

  /** It listens now. */
  begin(host: Host, address: string): void {
    this.#host = host;
    this.#address = address;
    this.#running();
  }

  /** Events were not taken. */
  failed(error: unknown): void {
    this.#isFailing = true;
    const message = error instanceof Error ? error.message : String(error);
    this.#host?.report("degraded", `Cannot take events, senders are to come again: ${message}`);
  }

  /** Events were taken. */
  taken(): void {
    if (!this.#isFailing) return;
    this.#running();
  }

  end(): void {
    this.#host = undefined;
  }

  #running(): void {
    this.#isFailing = false;
    this.#host?.report("running", `Listening on ${this.#address}`);
  }
}
