// Receiver `otlp`: log records of OpenTelemetry SDKs and Collectors, over HTTP and gRPC. A sender has
// its answer when its records are durable. What they mean is in the SDK, shared with format `otlp`.

import {
  type ComponentContext,
  defineReceiver,
  type Host,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { checkListening } from "../../sdk/check-listen.ts";
import { GrpcServer } from "../../sdk/grpc-server.ts";
import { httpLimits } from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import { config, type OtlpConfig } from "./config.ts";
import { answerGrpc, BUSY, EXPORT } from "./grpc.ts";
import { admit, answerHttp, reword } from "./http.ts";
import { Taker } from "./take.ts";

/** Requests of each protocol that are taken at once; more wait. */
const AT_ONCE = 4;

export default defineReceiver({
  type: "otlp",
  stability: "beta",
  summary: "Log records of OpenTelemetry, over HTTP and gRPC",
  config,
  check: async ({ protocols }, context) => {
    const servers = Object.entries(protocols).map(([name, server]) =>
      server === undefined ? [] : checkListening(server, context, `protocols.${name}.`)
    );
    return (await Promise.all(servers)).flat();
  },
  create: (options, context, intake) => new OtlpReceiver(options, context, intake),
});

class OtlpReceiver implements Receiver {
  readonly #servers: (readonly [string, HttpServer | GrpcServer])[] = [];
  #host: Host | undefined;
  #isFailing = false;

  constructor(options: OtlpConfig, context: ComponentContext, intake: Intake) {
    const { http, grpc } = options.protocols;
    const { log, clock } = context;
    const limits = httpLimits(options, AT_ONCE);
    const taker = new Taker(options, context, intake);
    const onOutcome = (failure?: unknown) => this.#report(failure);
    if (http !== undefined) {
      const server = new HttpServer(
        { ...http, limits, log, clock, admit, reword },
        (request) => answerHttp(taker, request, onOutcome),
      );
      this.#servers.push(["http", server]);
    }
    if (grpc !== undefined) {
      const server = new GrpcServer({ ...grpc, limits, log, busy: BUSY }, {
        [EXPORT]: (call) => answerGrpc(taker, call, onOutcome),
      });
      this.#servers.push(["grpc", server]);
    }
  }

  async start(host: Host): Promise<void> {
    this.#host = host;
    try {
      for (const [, server] of this.#servers) await server.start();
    } catch (error) {
      await this.stop(AbortSignal.abort());
      throw error;
    }
    this.#running();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#host = undefined;
    await Promise.all(this.#servers.map(([, server]) => server.stop(deadline)));
  }

  #running(): void {
    const listening = this.#servers.map(([name, server]) => `${server.address()} (${name})`);
    this.#host?.report("running", `Listening on ${listening.join(" and ")}`);
  }

  /** Tells the host when requests cannot be taken, and when they can again. */
  #report(failure: unknown): void {
    if (failure === undefined) {
      if (!this.#isFailing) return;
      this.#isFailing = false;
      return this.#running();
    }
    this.#isFailing = true;
    const message = failure instanceof Error ? failure.message : String(failure);
    this.#host?.report("degraded", `Cannot take logs, senders are to come again: ${message}`);
  }
}
