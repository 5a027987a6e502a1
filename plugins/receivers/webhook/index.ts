// Receiver `webhook`: takes what others post, in any format. A sender is answered when its events are
// durable; until then it keeps them.

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import { NO_BEARER, NO_CREDENTIALS, showsBearer } from "../../sdk/bearer.ts";
import { checkListening } from "../../sdk/check-listen.ts";
import { FollowBatch, makeDurable } from "../../sdk/follow-batch.ts";
import {
  comeAgain,
  type HttpHead,
  httpLimits,
  type HttpRequest,
  type HttpResponse,
  plainAnswer,
} from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import { Listening } from "../../sdk/listening.ts";
import {
  type ComponentContext,
  defineReceiver,
  type Format,
  type Host,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { config, type WebhookConfig } from "./config.ts";
import { isSigned, signaturesOf } from "./credentials.ts";
import { deliveryOf } from "./delivery.ts";
import { contentOf, framesOf } from "./frames.ts";

/** Bodies that are taken at once: each has one batch of at most 1,000 events on its way. */
const AT_ONCE = 4;

/** Parts of one body that are set aside each by itself: every one costs a disk sync. */
const REJECTS_MAX = 1000;

/** What the format is asked for with: its mapping, where there is one. */
const formatConfig = ({ mapping }: WebhookConfig) => mapping === undefined ? {} : { mapping };

export default defineReceiver({
  type: "webhook",
  stability: "beta",
  summary: "Takes what others post over HTTP, in any format",
  config,
  formats: (options) => [{ name: options.format, config: formatConfig(options) }],
  frames: ({ framing }, body) => framesOf(Buffer.from(body), framing),
  check: (options, context) => checkListening(options, context),
  create: (options, context, intake) => new WebhookReceiver(options, context, intake),
});

/** What has become of a body. */
interface Taken {
  accepted: number;
  rejected: number;
}

class WebhookReceiver implements Receiver {
  readonly #options: WebhookConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #server: HttpServer;
  readonly #signatures: ReturnType<typeof signaturesOf>;
  /** Formats that nobody uses now and in which nothing waits. */
  readonly #formats: Format[] = [];
  readonly #listening = new Listening();

  constructor(options: WebhookConfig, context: ComponentContext, intake: Intake) {
    this.#options = options;
    this.#context = context;
    this.#intake = intake;
    this.#signatures = signaturesOf(options);
    const { endpoint, tls } = options;
    const { log, clock } = context;
    this.#server = new HttpServer(
      {
        endpoint,
        tls,
        limits: httpLimits(options, AT_ONCE),
        log,
        clock,
        admit: (head) => this.#admit(head),
      },
      (request) => this.#handle(request),
    );
  }

  async start(host: Host): Promise<void> {
    await this.#server.start();
    this.#listening.begin(host, this.#server.address());
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#listening.end();
    await this.#server.stop(deadline);
  }

  #admit(head: HttpHead): HttpResponse | undefined {
    const { path, bearer_token: token } = this.#options;
    if (head.path !== path) return plainAnswer(404, "Nothing is taken at this path");
    if (head.method !== "POST" && head.method !== "PUT") {
      return plainAnswer(405, "Expected POST or PUT", { allow: "POST, PUT" });
    }
    if (token === undefined || showsBearer(head, token)) return undefined;
    this.#context.ignored(NO_CREDENTIALS);
    return NO_BEARER;
  }

  async #handle(request: HttpRequest): Promise<HttpResponse> {
    const { secret } = this.#options;
    if (secret !== undefined && !isSigned(request, this.#signatures, secret)) {
      this.#context.ignored(NO_CREDENTIALS);
      return plainAnswer(401, "No valid signature");
    }
    const format = this.#formats.pop() ??
      this.#context.format(this.#options.format, formatConfig(this.#options));
    let taken: Taken;
    try {
      taken = await this.#take(request, format);
    } catch (error) {
      // What waits in the format belongs to a body that comes again: it is not used any more.
      if (!request.signal.aborted) this.#listening.failed(error);
      return comeAgain("The events are not taken yet");
    }
    this.#formats.push(format);
    this.#listening.taken();
    const body = `${JSON.stringify(taken)}\n`;
    const isRefused = taken.accepted === 0 && taken.rejected > 0;
    return {
      status: isRefused ? 400 : 200,
      headers: { "content-type": "application/json" },
      body,
    };
  }

  /** Resolves when all of the body is durable, as events or set aside. */
  async #take(request: HttpRequest, format: Format): Promise<Taken> {
    const { framing, delivery_id_header: header, max_frame_bytes: bytesMax } = this.#options;
    const { signal } = request;
    const type = request.headers["content-type"];
    const body = contentOf(request.body, type);
    const source = deliveryOf(request, this.#context.id, header);
    const now = this.#context.clock();
    const taken = { accepted: 0, rejected: 0 };
    let batch = new FollowBatch(format, source, now);
    let firstBeyond: string | undefined;
    const send = async (full: FollowBatch) => {
      const { length } = full.rejects;
      taken.accepted += full.size - length;
      const beyond = full.rejects.splice(Math.max(0, REJECTS_MAX - taken.rejected));
      firstBeyond ??= beyond[0]?.reason;
      taken.rejected += length;
      await makeDurable(full, this.#intake, signal);
    };
    for (const { bytes, offset, isWhole } of framesOf(body, framing, type)) {
      const isLong = !isWhole && bytes.length > bytesMax;
      const hasRoom = isLong
        ? batch.reject(bytes, offset, `Is ${bytes.length} bytes long: the limit is ${bytesMax}`)
        : batch.line(bytes, offset);
      if (hasRoom) continue;
      await send(batch);
      batch = new FollowBatch(format, source, now);
      // A body of many frames must not keep others waiting.
      await setImmediate();
    }
    // Nothing may wait in memory for a body that is answered.
    batch.take(format.flush(Infinity));
    await send(batch);
    if (firstBeyond !== undefined) {
      const count = taken.rejected - REJECTS_MAX;
      const reason = `${count} more parts of the body cannot be read, the first: ${firstBeyond}`;
      await this.#intake.reject(request.body, reason, { id: `${source}:more`, signal });
    }
    return taken;
  }
}
