// SocketReceiver: connects to the socket of auditd's plugin af_unix, and again whenever that ends.
// The socket keeps nothing for one who is away: what is missed shows as a gap in the serials, so
// what the format has learned of them is the position.

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { Delivery, FollowBatch } from "../../sdk/follow-batch.ts";
import { pause, settledOr } from "../../sdk/follow-wait.ts";
import type { ComponentContext, Format, Host, Intake, Receiver } from "../../sdk/index.ts";
import type { AuditdConfig } from "./config.ts";
import { FrameSplitter } from "./frames.ts";

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 5000;
/** How often groups that wait are looked at. */
const FLUSH_MS = 250;

/** See the top of the file. */
export class SocketReceiver implements Receiver {
  readonly #options: AuditdConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #format: () => Format;
  #run: SocketRun | undefined;

  constructor(
    options: AuditdConfig,
    context: ComponentContext,
    intake: Intake,
    format: () => Format,
  ) {
    this.#options = options;
    this.#context = context;
    this.#intake = intake;
    this.#format = format;
  }

  async start(host: Host): Promise<void> {
    if (this.#run !== undefined) return;
    const format = this.#format();
    format.recall?.(this.#intake.position() ?? {});
    this.#run = new SocketRun(this.#options, this.#context, this.#intake, format, host);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    await run?.stop(deadline);
  }
}

/** From start to stop. */
class SocketRun {
  readonly #path: string;
  readonly #frameBytesMax: number;
  readonly #context: ComponentContext;
  readonly #format: Format;
  readonly #host: Host;
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #delivery: Delivery;
  readonly #loop: Promise<void>;
  #socket: Socket | undefined;
  #state = "";

  constructor(
    options: AuditdConfig,
    context: ComponentContext,
    intake: Intake,
    format: Format,
    host: Host,
  ) {
    this.#path = options.socket!;
    this.#frameBytesMax = options.max_line_bytes;
    this.#context = context;
    this.#format = format;
    this.#host = host;
    this.#delivery = new Delivery(intake, this.#abort.signal, (failure) => {
      this.#report(failure === undefined ? "running" : "degraded", failure);
    });
    this.#loop = this.#connectAgain().catch(() => {});
  }

  /** What has come is delivered until the deadline: the daemon does not send it again. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    this.#socket?.destroy();
    await settledOr(this.#loop.then(() => this.#delivery.settled()), deadline);
    this.#abort.abort(new Error("Stopped"));
  }

  async #connectAgain(): Promise<void> {
    const { signal } = this.#stopping;
    for (let waitMs = RETRY_FIRST_MS; !signal.aborted;) {
      const connected = this.#context.clock();
      let problem = "auditd has closed it";
      let isRead = false;
      try {
        isRead = await this.#read(`${this.#path}:${connected}`);
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) return;
      this.#report("waiting", `Cannot read socket "${this.#path}": ${problem}`);
      waitMs = isRead ? RETRY_FIRST_MS : Math.min(waitMs * 2, RETRY_MAX_MS);
      await pause(waitMs, signal);
    }
  }

  /** Reads one connection to its end; answers whether anything came. */
  async #read(source: string): Promise<boolean> {
    const socket = this.#socket = connect(this.#path);
    socket.once("connect", () => this.#report("running"));
    const frames = new FrameSplitter(this.#frameBytesMax);
    let carry: Uint8Array = new Uint8Array(0);
    let base = 0;
    let work: Promise<void> = Promise.resolve();
    const next = (step: () => Promise<void>) => {
      work = work.then(step);
      work.catch((error) => socket.destroy(error));
    };
    const timer = setInterval(() => {
      if (this.#format.oldestPending() !== undefined) next(() => this.#flush(source));
    }, FLUSH_MS);
    socket.on("data", (chunk: Uint8Array) => {
      socket.pause();
      next(async () => {
        const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
        const used = await this.#take(frames, source, bytes, base);
        carry = bytes.slice(used);
        base += used;
        socket.resume();
      });
    });
    try {
      await ended(socket);
    } finally {
      clearInterval(timer);
      socket.destroy();
      await work.catch(() => {});
    }
    await this.#finish(source, carry, base);
    return base > 0;
  }

  async #take(
    frames: FrameSplitter,
    source: string,
    bytes: Uint8Array,
    base: number,
  ): Promise<number> {
    let at = 0;
    for (let isFull = true; isFull;) {
      const batch = new FollowBatch(this.#format, source, this.#context.clock());
      try {
        at = frames.split(bytes, at, base, batch);
      } finally {
        await this.#send(batch);
      }
      isFull = batch.isFull;
    }
    return at;
  }

  /** The connection has ended: nothing more comes for what waits. */
  async #finish(source: string, rest: Uint8Array, base: number): Promise<void> {
    const batch = new FollowBatch(this.#format, source, this.#context.clock());
    if (rest.length > 0) batch.reject(rest, base, "Cut line: the connection has ended inside it");
    batch.take(this.#format.flush(Infinity));
    await this.#send(batch);
  }

  async #flush(source: string): Promise<void> {
    const now = this.#context.clock();
    const batch = new FollowBatch(this.#format, source, now);
    batch.take(this.#format.flush(now));
    await this.#send(batch);
  }

  async #send(batch: FollowBatch): Promise<void> {
    const learned = this.#format.learned?.();
    if (learned !== undefined) batch.position = learned;
    if (batch.size > 0 || batch.position !== undefined) await this.#delivery.send(batch);
  }

  #report(state: "running" | "waiting" | "degraded", reason?: string): void {
    const now = `${state} ${reason}`;
    if (now === this.#state || this.#stopping.signal.aborted) return;
    this.#state = now;
    this.#host.report(state, reason);
  }
}

/** Resolves when a socket has closed; rejects with what ended it, if that was a failure. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => resolve());
  });
}
