// The listener for UDP. There is no way to hold a sender back: what comes while the inbox is full
// waits here up to a limit, beyond which it is dropped, and that is counted.

import type { Format, Runtime } from "../../sdk/index.ts";
import type { DatagramSocket } from "../../sdk/datagrams.ts";
import { reasonOf } from "../../sdk/follow-batch.ts";
import { settledOr } from "../../sdk/follow-wait.ts";
import type { Allowances } from "./allowance.ts";
import type { Inbox } from "./inbox.ts";

/** How to listen. */
export interface DatagramServerOptions {
  readonly at: { readonly host: string; readonly port: number };
  readonly runtime: Runtime;
  readonly inbox: Inbox;
  readonly allowances: Allowances;
  readonly format: Format;
  readonly messageBytesMax: number;
  readonly clock: () => number;
  /** Begins the identity of every message. */
  readonly id: string;
  /** Told of what is dropped. */
  readonly ignored: (reason: string) => void;
  readonly failed: (error: Error) => void;
}

/** What waits while the inbox is full: a burst of a second or so. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** What a message costs beyond its bytes. */
const MESSAGE_COST_BYTES = 200;
const FLUSH_EVERY_MS = 1000;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly peer: string;
  readonly number: number;
  readonly receivedAt: number;
}

/** See the top of the file. */
export class DatagramServer {
  readonly #options: DatagramServerOptions;
  readonly #source: string;
  #socket: DatagramSocket | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #drain: Promise<void> | undefined;
  #flush: ReturnType<typeof setInterval> | undefined;
  #number = 0;

  constructor(options: DatagramServerOptions) {
    this.#options = options;
    this.#source = `${options.id}/udp/${options.clock()}`;
  }

  /** Resolves with where it listens. */
  async listen(): Promise<string> {
    const { at, runtime, failed, format, clock, inbox } = this.#options;
    this.#socket = await runtime.datagrams(at, {
      message: (bytes, peer) => this.#message(bytes, peer),
      failed,
    });
    this.#flush = setInterval(() => {
      if (format.oldestPending() !== undefined) inbox.take(format.flush(clock()), 0);
    }, FLUSH_EVERY_MS);
    this.#flush.unref();
    return this.#socket.address;
  }

  /** Takes in what has arrived. */
  async close(deadline: AbortSignal): Promise<void> {
    this.#socket?.close();
    clearInterval(this.#flush);
    await settledOr(this.#drain ?? Promise.resolve(), deadline);
    this.#options.inbox.take(this.#options.format.flush(Infinity), 0);
  }

  #message(bytes: Uint8Array, peer: string): void {
    const { allowances, ignored, inbox, clock } = this.#options;
    const message = { bytes, peer, number: this.#number++, receivedAt: clock() };
    if (!allowances.take(allowances.of(peer), performance.now())) {
      ignored("refused: sender is too fast");
    } else if (this.#drain === undefined && !inbox.isFull) this.#take(message);
    else if (this.#waitingBytes + bytes.length + MESSAGE_COST_BYTES > WAITING_BYTES_MAX) {
      ignored("refused: no room");
    } else {
      this.#waiting.push(message);
      this.#waitingBytes += bytes.length + MESSAGE_COST_BYTES;
      this.#drain ??= this.#drainWaiting();
    }
  }

  async #drainWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting;
      this.#waiting = [];
      for (const message of some) {
        if (this.#options.inbox.isFull) await this.#options.inbox.room();
        this.#waitingBytes -= message.bytes.length + MESSAGE_COST_BYTES;
        this.#take(message);
      }
    }
    this.#drain = undefined;
  }

  #take({ bytes, peer, number: offset, receivedAt }: Waiting): void {
    const { inbox, format, messageBytesMax } = this.#options;
    const source = this.#source;
    const id = `${source}:${offset}`;
    if (bytes.length > messageBytesMax) {
      const head = bytes.subarray(0, messageBytesMax);
      return inbox.reject(head, id, `Message is longer than ${messageBytesMax} bytes`);
    }
    try {
      const address = peer.startsWith("::ffff:") ? peer.slice("::ffff:".length) : peer;
      const at = { source, offset, receivedAt, peer: address };
      inbox.take(format.decode(bytes, at), bytes.length);
    } catch (error) {
      inbox.reject(bytes, id, reasonOf(error));
    }
  }
}
