// Extension `health`: answers probes over HTTP. `/live` while the process answers at all, `/ready`
// while events are taken in, `/` while everything is well, with how each component is doing.

import { checkListening } from "../../sdk/check-listen.ts";
import {
  type AgentHealth,
  type AgentStatusService,
  agentStatusService,
  type ComponentContext,
  defineExtension,
  type Extension,
  type Host,
} from "../../sdk/index.ts";
import {
  type HttpHead,
  type HttpResponse,
  pageLimits,
  plainAnswer,
} from "../../sdk/http-message.ts";
import { HttpServer } from "../../sdk/http-server.ts";
import { config, type HealthConfig } from "./config.ts";
import { type Fault, Faults } from "./faults.ts";

// Looked at this often within `stalled_after`, and at the latest after so long: a probe may be rare.
const LOOKS = 10;
const LOOK_MS_MAX = 10_000;

const PATHS = new Set(["/", "/live", "/ready"]);

export default defineExtension({
  type: "health",
  stability: "beta",
  summary: "Answers probes: live, ready, and how each component is doing",
  config,
  check: (options, context) => checkListening(options, context),
  create: (options, context) => new HealthExtension(options, context),
});

class HealthExtension implements Extension {
  readonly #options: HealthConfig;
  readonly #context: ComponentContext;
  readonly #server: HttpServer;
  #agent: AgentStatusService | undefined;
  #faults: Faults;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: HealthConfig, context: ComponentContext) {
    this.#options = options;
    this.#context = context;
    this.#faults = new Faults(options.stalled_after);
    const { log, clock } = context;
    const { endpoint } = options;
    this.#server = new HttpServer(
      { endpoint, limits: pageLimits, log, clock, admit },
      async ({ path }) => this.#answer(path),
    );
  }

  async start(host: Host): Promise<void> {
    this.#agent = host.find(agentStatusService)[0];
    this.#faults = new Faults(this.#options.stalled_after);
    await this.#server.start();
    const everyMs = Math.min(LOOK_MS_MAX, Math.ceil(this.#options.stalled_after / LOOKS));
    this.#timer ??= setInterval(() => this.#look(), everyMs);
    this.#timer.unref();
    host.report("running", `Listening on ${this.#server.address()}`);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#server.stop(deadline);
  }

  #look(): { readonly agent: AgentHealth; readonly faults: readonly Fault[] } {
    const agent = this.#agent!.status();
    return { agent, faults: this.#faults.look(agent, this.#context.clock()) };
  }

  #answer(path: string): HttpResponse {
    if (path === "/live") return plainAnswer(200, "live");
    const { agent, faults } = this.#look();
    const isRunning = agent.state === "running";
    const faultsHere = path === "/" ? faults : faults.filter(({ side }) => side !== "output");
    const isWell = isRunning && faultsHere.length === 0;
    const status = isWell ? 200 : 503;
    if (path === "/") return { status, headers: JSON_TEXT, body: page(agent, faults) };
    if (isWell) return plainAnswer(status, "ready");
    const lines = faultsHere.map(({ what, reason }) => `${what}: ${reason}`);
    return plainAnswer(status, [...isRunning ? [] : [agent.state], ...lines].join("\n"));
  }
}

const JSON_TEXT = { "content-type": "application/json" };

function admit({ method, path }: HttpHead): HttpResponse | undefined {
  if (!PATHS.has(path)) return plainAnswer(404, "Known here: /, /live, /ready");
  if (method === "GET" || method === "HEAD") return undefined;
  return plainAnswer(405, "Expected GET or HEAD", { allow: "GET, HEAD" });
}

function page({ state, components, pipelines }: AgentHealth, faults: readonly Fault[]): string {
  const status = state !== "running" ? state : faults.length === 0 ? "ok" : "faulty";
  const timed = <T extends { readonly since: number }>(part: T) => ({
    ...part,
    since: new Date(part.since).toISOString(),
  });
  const text = JSON.stringify({
    status,
    faults: faults.map(timed),
    components: components.map(({ kind, id, pipeline, state, reason, since }) =>
      timed({ kind, id, pipeline, state, reason, since })
    ),
    pipelines: pipelines.map(({ name, queue, exporters }) => ({
      name,
      blocked: queue.blocked,
      exporters: exporters.map(({ id, state, queued }) => ({ id, state, queued })),
    })),
  });
  return `${text}\n`;
}
