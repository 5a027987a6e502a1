// The audit webhook: the API server posts lists of events and is answered when they are durable. One
// list after the other is taken, since the stages of a request may stand in two of them.

import { Buffer } from "node:buffer";
import { NO_BEARER, NO_CREDENTIALS, showsBearer } from "../../sdk/bearer.ts";
import type { Endpoint } from "../../sdk/endpoint.ts";
import { FollowBatch, makeDurable, NO_LINES } from "../../sdk/follow-batch.ts";
import {
  comeAgain,
  type HttpHead,
  httpLimits,
  type HttpRequest,
  type HttpResponse,
  plainAnswer,
} from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import type {
  AuditEvent,
  ComponentContext,
  Format,
  Host,
  Intake,
  Receiver,
} from "../../sdk/index.ts";
import { parseJson } from "../../sdk/json-object.ts";
import { Listening } from "../../sdk/listening.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { Slots } from "../../sdk/slots.ts";
import { formatConfig, type K8sAuditConfig } from "./config.ts";
import { HeldReceipts, type Settled } from "./held.ts";

/** Where the webhook listens if nothing is said. */
export const DEFAULT_ENDPOINT: Endpoint = { host: "127.0.0.1", port: 9443 };
/** Events in one call of the intake; the API server sends 400 by default. */
const EVENTS_AT_ONCE = 2000;
/** A longer list with a bad item is set aside whole: one by one would keep others waiting for long. */
const ITEMS_MAX = 100_000;
/** The server bounds a body's bytes; an item that nests too deep is refused by itself. */
const UNBOUNDED = { bytesMax: Infinity, depthMax: Infinity };
/** How often what is held is looked at, as a part of the time that it may wait. */
const LOOKS = 4;

/** Takes what an API server posts. */
export class WebhookReceiver implements Receiver {
  readonly #options: K8sAuditConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #server: HttpServer;
  readonly #listening = new Listening();
  readonly #turn = new Slots(1);
  #format: Format | undefined;
  #held = HeldReceipts.of(undefined, 0);
  #stopping = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: K8sAuditConfig, context: ComponentContext, intake: Intake) {
    this.#options = options;
    this.#context = context;
    this.#intake = intake;
    const { log, clock } = context;
    const { endpoint = DEFAULT_ENDPOINT, tls } = options;
    const admit = (head: HttpHead) => this.#admit(head);
    this.#server = new HttpServer(
      { endpoint, tls, limits: httpLimits(options), log, clock, admit },
      (request) => this.#handle(request),
    );
  }

  async start(host: Host): Promise<void> {
    if (this.#timer !== undefined) return;
    this.#held = HeldReceipts.of(this.#intake.position(), this.#context.clock());
    this.#format = undefined;
    this.#stopping = new AbortController();
    await this.#server.start();
    this.#listening.begin(host, this.#server.address());
    this.#timer = setInterval(() => this.#tellDue(), this.#options.wait / LOOKS + 1);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopping.abort(new Error("Stopped: the receiver stops"));
    this.#listening.end();
    await this.#server.stop(deadline);
  }

  #admit(head: HttpHead): HttpResponse | undefined {
    if (head.method !== "POST") return plainAnswer(405, "Expected POST", { allow: "POST" });
    const { bearer_token: token } = this.#options;
    if (token === undefined || showsBearer(head, token)) return undefined;
    this.#context.ignored(NO_CREDENTIALS);
    return NO_BEARER;
  }

  async #handle({ id, body, signal }: HttpRequest): Promise<HttpResponse> {
    if (body.length === 0) return plainAnswer(400, "Expected a list of audit events");
    await this.#turn.take(signal);
    try {
      const batch = this.#decode(body, `${this.#context.id} ${id}`);
      const isRefused = batch.events.length === 0 && batch.rejects.length > 0;
      await this.#take(batch, this.#held.settle(batch.events, this.#context.clock()), signal);
      return isRefused ? plainAnswer(400, "Is no list of audit events") : { status: 200 };
    } catch (error) {
      // It knows of events that will come again.
      this.#format = undefined;
      if (!signal.aborted) this.#listening.failed(error);
      return comeAgain("The events are not taken yet");
    } finally {
      this.#turn.free();
    }
  }

  /** A list is one frame. One bad item would have it set aside whole, so then each is a frame. */
  #decode(body: Buffer, source: string): FollowBatch {
    const format = this.#format ??= this.#context.format("k8s_audit", formatConfig(this.#options));
    const now = this.#context.clock();
    let batch = new FollowBatch(format, source, now);
    batch.line(body, 0);
    const items = batch.rejects.length > 0 ? itemsOf(body) : [];
    if (items.length > 0) batch = new FollowBatch(format, source, now);
    for (const [index, item] of items.entries()) batch.line(item, index);
    batch.take(format.flush(Infinity));
    return batch;
  }

  async #take(batch: FollowBatch, settled: Settled, signal: AbortSignal): Promise<void> {
    const events: AuditEvent[] = [...settled.events];
    while (events.length > EVENTS_AT_ONCE) {
      await this.#intake.events(events.slice(0, EVENTS_AT_ONCE), { signal });
      events.splice(0, EVENTS_AT_ONCE);
    }
    batch.events = events;
    batch.position = settled.position;
    await makeDurable(batch, this.#intake, signal);
    this.#held.apply(settled);
    this.#listening.taken();
  }

  /** Tells what has waited long enough; what fails is tried again at the next look. */
  async #tellDue(): Promise<void> {
    const { signal } = this.#stopping;
    if (this.#held.size === 0) return;
    try {
      await this.#turn.take(signal);
    } catch {
      return;
    }
    try {
      const due = this.#held.due(this.#context.clock(), this.#options.wait);
      if (due.removed.length === 0) return;
      const batch = new FollowBatch(NO_LINES, "", 0);
      await this.#take(batch, due, signal);
    } catch (error) {
      if (!signal.aborted) this.#listening.failed(error);
    } finally {
      this.#turn.free();
    }
  }
}

/** The items of a list that can be read as JSON at all, each written by itself. */
function itemsOf(body: Buffer): readonly Buffer[] {
  try {
    // Bounded in what it holds, as the format's own look at it was.
    const root = parseJson(Buffer.from(body.toString()), UNBOUNDED)?.root;
    if (!isObject(root) || !Array.isArray(root.items)) return [];
    if (root.items.length > ITEMS_MAX) return [];
    return root.items.map((item) => Buffer.from(JSON.stringify(item)));
  } catch {
    // No JSON, or nested deeper than can be written.
    return [];
  }
}
