// One sender's connection: its bytes are cut into messages, read by a format of its own and put into
// the inbox. While the inbox is full, or the sender too fast, nothing more is read from the socket.

import type { Socket } from "node:net";
import type { Format } from "../../sdk/index.ts";
import { reasonOf } from "../../sdk/follow-batch.ts";
import { pause } from "../../sdk/follow-wait.ts";
import type { Allowance, Allowances } from "./allowance.ts";
import { type FrameOptions, FrameSplitter, type FrameTaker } from "./frames.ts";
import type { Inbox } from "./inbox.ts";

/** What every connection of a receiver shares. */
export interface ConnectionContext {
  readonly inbox: Inbox;
  readonly allowances: Allowances;
  readonly frames: FrameOptions;
  readonly clock: () => number;
  readonly idleMs: number;
  readonly frameMs: number;
}

/** Who a connection is from. */
export interface Sender {
  /** Its address; undefined for a local socket. */
  readonly peer: string | undefined;
  /** Its identity, that no other connection has had or will have. */
  readonly source: string;
}

/** See the top of the file. */
export class Connection implements FrameTaker {
  readonly #socket: Socket;
  readonly #sender: Sender;
  readonly #context: ConnectionContext;
  readonly #format: Format;
  readonly #splitter: FrameSplitter;
  readonly #allowance: Allowance;
  readonly #chunks: Uint8Array[] = [];
  readonly #gone = new AbortController();
  /** Resolves when all that came is in the inbox and nothing more will come. */
  readonly done: Promise<void>;
  #finish: () => void = () => {};
  #offset = 0;
  #isBusy = false;
  #isEnded = false;
  #receivedAt = 0;
  #nowMs = 0;
  /** When bytes came last, and when the unfinished frame began: on a steady clock. */
  #lastByteMs = performance.now();
  #frameStart: number | undefined;
  #frameSinceMs = 0;

  constructor(socket: Socket, sender: Sender, format: Format, context: ConnectionContext) {
    this.#socket = socket;
    this.#sender = sender;
    this.#format = format;
    this.#context = context;
    this.#splitter = new FrameSplitter(context.frames, this);
    this.#allowance = context.allowances.of(sender.peer ?? sender.source);
    this.done = new Promise((resolve) => this.#finish = resolve);
    socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    socket.on("end", () => this.#isEnded = true);
    socket.on("close", () => this.#closed());
    socket.on("error", () => {});
  }

  /** How long it has brought nothing; 0 while it waits for us. */
  idleMs(nowMs: number): number {
    return this.#isBusy ? 0 : nowMs - this.#lastByteMs;
  }

  /** Ends it at once, with what has come so far. */
  destroy(): void {
    this.#gone.abort();
    this.#socket.destroy();
  }

  /** Tells the sender that nothing more will be read; what it has sent still is. */
  close(): void {
    this.#socket.end();
  }

  /** Called about once a second: ends what takes too long, and flushes what waited in the format. */
  check(nowMs: number): void {
    if (this.#isBusy) return;
    if (this.#format.oldestPending() !== undefined) {
      this.#context.inbox.take(this.#format.flush(this.#context.clock()), 0);
    }
    const { unfinished } = this.#splitter;
    if (unfinished !== this.#frameStart) {
      this.#frameStart = unfinished;
      this.#frameSinceMs = nowMs;
    }
    const isLate = unfinished !== undefined &&
      nowMs - this.#frameSinceMs > this.#context.frameMs;
    if (isLate || nowMs - this.#lastByteMs > this.#context.idleMs) this.destroy();
  }

  frame(bytes: Uint8Array, offset: number): boolean {
    const { inbox, allowances } = this.#context;
    const { peer, source } = this.#sender;
    try {
      const at = { source, offset, receivedAt: this.#receivedAt, peer };
      inbox.take(this.#format.decode(bytes, at), bytes.length);
    } catch (error) {
      inbox.reject(bytes, `${source}:${offset}`, reasonOf(error));
    }
    return allowances.take(this.#allowance, this.#nowMs) && !inbox.isFull;
  }

  reject(bytes: Uint8Array, offset: number, reason: string): boolean {
    this.#context.inbox.reject(bytes, `${this.#sender.source}:${offset}`, reason);
    return !this.#context.inbox.isFull;
  }

  #read(bytes: Uint8Array): void {
    this.#lastByteMs = performance.now();
    this.#chunks.push(bytes);
    if (!this.#isBusy) this.#work();
  }

  /** Cuts what has come, at once as long as there is room. */
  #work(): void {
    while (this.#chunks.length > 0) {
      const bytes = this.#chunks[0]!;
      const at = this.#cut(bytes, 0);
      if (at < bytes.length || this.#waitMs() > 0 || this.#context.inbox.isFull) {
        this.#isBusy = true;
        this.#socket.pause();
        this.#continue(at).finally(() => this.#rest());
        return;
      }
      this.#next(bytes);
    }
    if (this.#splitter.isBroken) this.destroy();
  }

  async #continue(from: number): Promise<void> {
    let at = from;
    while (this.#chunks.length > 0) {
      const bytes = this.#chunks[0]!;
      await this.#context.inbox.room();
      const waitMs = this.#waitMs();
      if (waitMs > 0) await pause(waitMs, this.#gone.signal);
      if (at < bytes.length) at = this.#cut(bytes, at);
      if (at < bytes.length && !this.#gone.signal.aborted) continue;
      this.#next(bytes);
      at = 0;
    }
  }

  #rest(): void {
    this.#isBusy = false;
    this.#lastByteMs = performance.now();
    if (this.#socket.destroyed) this.#end();
    else if (this.#splitter.isBroken) this.destroy();
    else this.#socket.resume();
  }

  #cut(bytes: Uint8Array, from: number): number {
    this.#receivedAt = this.#context.clock();
    this.#nowMs = performance.now();
    return this.#splitter.feed(bytes, from, this.#offset);
  }

  #next(bytes: Uint8Array): void {
    this.#chunks.shift();
    this.#offset += bytes.length;
  }

  #waitMs(): number {
    return this.#context.allowances.waitMs(this.#allowance, performance.now());
  }

  #closed(): void {
    if (!this.#isBusy) this.#end();
  }

  #end(): void {
    this.#splitter.end(this.#isEnded && !this.#gone.signal.aborted);
    this.#context.inbox.take(this.#format.flush(Infinity), 0);
    this.#finish();
  }
}
