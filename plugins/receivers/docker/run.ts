// One run of receiver docker, from start to stop: connects, reads events line by line, hands on what
// is new, and connects again from where it got to whenever the engine goes away.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type {
  AuditEvent,
  ComponentContext,
  Format,
  FramePosition,
  Host,
  Intake,
} from "../../sdk/index.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { LineSplitter, type LineTaker } from "../../sdk/lines.ts";
import { pause, settledOr } from "../../sdk/follow-wait.ts";
import { type DockerReceiverConfig, type EngineEndpoint, parseEngine } from "./config.ts";
import { type EventStream, openEvents, tellFailure } from "./engine.ts";
import { Seen } from "./seen.ts";

/** One call to the intake holds at most so many. */
const BATCH_MAX = 512;
const RETRY_FIRST_MS = 250;
const SOURCE = "docker";

interface Rejection {
  readonly raw: Uint8Array;
  readonly reason: string;
  readonly id: string;
}

/** See the top of the file. */
export class DockerRun implements LineTaker {
  readonly #config: DockerReceiverConfig;
  readonly #endpoint: EngineEndpoint;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #host: Host;
  readonly #format: Format;
  readonly #seen: Seen;
  readonly #abort = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #events: AuditEvent[] = [];
  #rejections: Rejection[] = [];
  /** Set until a connection shows that it begins where the last one ended. */
  #unproven = false;
  /** Identity of the line before: with a line's own bytes it is what a dead letter is known by. */
  #before = "";

  constructor(
    config: DockerReceiverConfig,
    context: ComponentContext,
    intake: Intake,
    host: Host,
  ) {
    this.#config = config;
    this.#endpoint = parseEngine(config.endpoint)!;
    this.#context = context;
    this.#intake = intake;
    this.#host = host;
    this.#format = context.format("docker", { max_labels: config.max_labels });
    const fromNow = (config.start_at ?? (context.once ? "beginning" : "end")) === "end";
    const begin = fromNow ? context.clock() : undefined;
    this.#seen = new Seen(config.overlap, intake.position(), begin);
  }

  /** Begins; never rejects: an engine that is not there yet may come. */
  start(): void {
    this.#loop = this.#run();
    // Waited for in drain() and stop().
    this.#loop.catch(() => {});
  }

  /** Under --once: resolves when all that the engine knew is durable, rejects where it is away. */
  drain(): Promise<void> {
    return this.#loop;
  }

  /** Ends the connection, and whatever waits for the intake. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#abort.abort(new Error("Stopped"));
    await settledOr(this.#loop, deadline);
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    // The place to begin is durable before anything is missed: the next start goes on from here.
    if (this.#intake.position() === undefined) await this.#deliver(true);
    const firstMs = Math.min(RETRY_FIRST_MS, this.#config.reconnect_max);
    for (let waitMs = firstMs; !signal.aborted;) {
      let reason = "connection closed";
      try {
        await this.#connect(() => waitMs = firstMs);
        if (this.#context.once) return;
      } catch (error) {
        if (signal.aborted) return;
        reason = tellFailure(error);
        if (this.#context.once) throw new Error(this.#away(reason), { cause: error });
      }
      if (signal.aborted) return;
      this.#host.report("degraded", this.#away(reason));
      await pause(waitMs, signal);
      waitMs = Math.min(waitMs * 2, this.#config.reconnect_max);
    }
  }

  #away(reason: string): string {
    return `Cannot read events of "${this.#endpoint.text}": ${reason}`;
  }

  async #connect(connected: () => void): Promise<void> {
    const { signal } = this.#abort;
    const now = this.#context.clock();
    const range = {
      since: this.#seen.since(now),
      until: this.#context.once ? now : undefined,
    };
    const stream = await openEvents(this.#endpoint, this.#config.tls, range, signal);
    try {
      connected();
      this.#unproven = this.#seen.any;
      this.#host.report("running", `Connected to "${this.#endpoint.text}"`);
      this.#context.log.info(`Connected to "${this.#endpoint.text}"`);
      await this.#read(stream);
    } finally {
      await stream.close();
    }
  }

  async #read({ chunks }: EventStream): Promise<void> {
    const splitter = new LineSplitter(this.#config.max_event_bytes);
    let rest: Uint8Array = new Uint8Array(0);
    for await (const chunk of chunks) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      do {
        at = splitter.split(bytes, at, 0, this);
        // Not reading on while this waits is what holds the engine back.
      } while (await this.#deliver() && at < bytes.length);
      rest = bytes.subarray(at);
    }
    // A connection that broke in the middle of a line brings that line again.
    if (this.#context.once && rest.length > 0) this.line(rest);
    await this.#deliver();
  }

  /** Takes one line of the stream; false when the batch is full. */
  line(bytes: Uint8Array): boolean {
    const at: FramePosition = { source: SOURCE, offset: 0, receivedAt: this.#context.clock() };
    try {
      const decoded = this.#format.decode(bytes, at);
      for (const event of "events" in decoded ? decoded.events : []) this.#take(event);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      return this.reject(bytes, 0, error.message);
    }
    return this.#hasRoom();
  }

  /** Sets bytes aside that are no line; false when the batch is full. */
  reject(raw: Uint8Array, _offset: number, reason: string): boolean {
    this.#before = hash("sha256", Buffer.concat([Buffer.from(this.#before), raw]), "hex");
    this.#rejections.push({ raw, reason, id: `${SOURCE}:${this.#before}` });
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    return this.#events.length + this.#rejections.length < BATCH_MAX;
  }

  #take(event: AuditEvent): void {
    const last = this.#seen.latest;
    this.#before = event.id;
    const fresh = this.#seen.add(event);
    // What is older than the latest may be one of more than are kept: it proves nothing.
    if (this.#unproven && fresh && event.time > last) this.#tellGap(last, event);
    if (!fresh || event.time > last) this.#unproven = false;
    if (fresh) this.#events.push(event);
  }

  /** The engine answered from where we were, and did not begin with what we knew. */
  #tellGap(lastMs: number, { id, time }: AuditEvent): void {
    const [from, to] = [new Date(lastMs).toISOString(), new Date(time).toISOString()];
    this.#context.log.error(
      `Cannot tell what happened between ${from} and ${to}: "${this.#endpoint.text}" has ` +
        "forgotten its last event, since it was restarted or had too many others",
    );
    this.#events.push({
      id: `gap:${lastMs}:${id}`,
      time,
      service: "docker",
      action: "LoseEvents",
      actor: { type: "service", name: "docker" },
      outcome: { success: true },
      additional: { from, to, endpoint: this.#endpoint.text },
      readOnly: false,
      category: "Management",
    });
  }

  /** Resolves when all that was taken is durable; tries as long as it takes. True where it was any. */
  async #deliver(always = false): Promise<boolean> {
    if (this.#events.length + this.#rejections.length === 0 && !always) return false;
    const { signal } = this.#abort;
    let failed = false;
    for (let waitMs = RETRY_FIRST_MS;; waitMs = Math.min(waitMs * 2, this.#config.reconnect_max)) {
      signal.throwIfAborted();
      try {
        await this.#attempt(signal);
        if (failed) this.#host.report("running", "Events are stored again");
        return true;
      } catch (error) {
        signal.throwIfAborted();
        failed = true;
        this.#host.report("degraded", `Cannot store events: ${tellFailure(error)}`);
      }
      await pause(waitMs, signal);
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    for (let first = this.#rejections[0]; first !== undefined; first = this.#rejections[0]) {
      await this.#intake.reject(first.raw, first.reason, { id: first.id, signal });
      this.#rejections.shift();
    }
    await this.#intake.events(this.#events, { position: this.#seen.position(), signal });
    this.#events = [];
  }
}
