// Extension `api`: CloudTrail's own API, so that programs made for CloudTrail work on the agent. Reaches
// trails, channels, the event history and the lake through the services that they provide.

import { checkListening } from "../../sdk/check-listen.ts";
import { httpLimits } from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import {
  type ComponentContext,
  defineExtension,
  type Extension,
  type Host,
} from "../../sdk/index.ts";
import { type ApiConfig, config } from "./config.ts";
import { PageTokens } from "./page-token.ts";
import { ApiServer } from "./serve.ts";
import { reword } from "./wire.ts";

/** Calls that are answered at once: those that wait for room in a queue must not be all. */
const AT_ONCE = 64;

export default defineExtension({
  type: "api",
  stability: "beta",
  summary: "Speaks CloudTrail's API: look up events, describe trails, put audit events",
  config,
  check: (options, context) => checkListening(options, context),
  create: (options, context) => new ApiExtension(options, context),
});

class ApiExtension implements Extension {
  readonly #options: ApiConfig;
  readonly #context: ComponentContext;
  readonly #server: HttpServer;
  #api: ApiServer | undefined;

  constructor(options: ApiConfig, context: ComponentContext) {
    this.#options = options;
    this.#context = context;
    const { log, clock } = context;
    const { endpoint, tls } = options;
    this.#server = new HttpServer(
      {
        endpoint,
        tls,
        limits: httpLimits(options, AT_ONCE),
        log,
        clock,
        admit: (head) => this.#api!.admit(head),
        reword,
      },
      (request) => this.#api!.answer(request),
    );
  }

  async start(host: Host): Promise<void> {
    const tokens = await PageTokens.open(this.#context.state);
    this.#api = new ApiServer(this.#options, this.#context, host, tokens);
    await this.#server.start();
    host.report("running", `Listening on ${this.#server.address()}`);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#server.stop(deadline);
  }
}
