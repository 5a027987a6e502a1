// Extension `console`: a page in the browser that shows who did what, and how the agent is doing.
// Reaches histories and trails through the services that they provide; it changes nothing.

import { checkListening } from "../../sdk/check-listen.ts";
import { type HttpLimits, httpLimits } from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import {
  type ComponentContext,
  defineExtension,
  type Extension,
  type Host,
} from "../../sdk/index.ts";
import { config, type ConsoleConfig } from "./config.ts";
import { secured } from "./guard.ts";
import { PageFiles } from "./page-files.ts";
import { ConsoleServer } from "./serve.ts";

// Requests of a browser that looks something up have none.
const BODY_BYTES_MAX = 1024;

export default defineExtension({
  type: "console",
  stability: "beta",
  summary: "A page in the browser: who did what, and how the agent is doing",
  config,
  check: (options, context) => checkListening(options, context),
  create: (options, context) => new ConsoleExtension(options, context),
});

class ConsoleExtension implements Extension {
  readonly #options: ConsoleConfig;
  readonly #context: ComponentContext;
  readonly #server: HttpServer;
  #console: ConsoleServer | undefined;

  constructor(options: ConsoleConfig, context: ComponentContext) {
    this.#options = options;
    this.#context = context;
    const { log, clock } = context;
    const { endpoint, tls } = options;
    this.#server = new HttpServer(
      {
        endpoint,
        tls,
        limits: limitsOf(options),
        log,
        clock,
        admit: (head) => this.#console!.admit(head),
        reword: secured,
      },
      (request) => this.#console!.answer(request),
    );
  }

  async start(host: Host): Promise<void> {
    const files = await PageFiles.read();
    this.#console = new ConsoleServer(this.#options, this.#context, host, files);
    await this.#server.start();
    host.report("running", `Listening on ${this.#server.address()}`);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#server.stop(deadline);
  }
}

function limitsOf(options: ConsoleConfig): HttpLimits {
  return { ...httpLimits({ ...options, max_body_bytes: BODY_BYTES_MAX }) };
}
