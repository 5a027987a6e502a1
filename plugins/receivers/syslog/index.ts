// Receiver `syslog`: listens for syslog messages over TCP, TLS, UDP or a unix socket. What they mean
// is the business of a format, `syslog` unless another is named.

import {
  type ComponentContext,
  ConfigError,
  defineReceiver,
  type Host,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { checkListening } from "../../sdk/check-listen.ts";
import { formatEndpoint } from "../../sdk/endpoint.ts";
import { settledOr } from "../../sdk/follow-wait.ts";
import { loadServerTls } from "../../sdk/tls.ts";
import { Allowances } from "./allowance.ts";
import { config, type SyslogConfig } from "./config.ts";
import { DatagramServer } from "./datagram-server.ts";
import { Inbox } from "./inbox.ts";
import { StreamServer } from "./stream-server.ts";

/** What the format is asked for with: the options that were written. */
function formatConfig({ mapping, timezone }: SyslogConfig): Record<string, unknown> {
  return {
    ...(mapping === undefined ? {} : { mapping }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

export default defineReceiver({
  type: "syslog",
  stability: "beta",
  summary: "Listens for syslog messages over TCP, TLS, UDP or a unix socket",
  config,
  formats: (options) => [{ name: options.format, config: formatConfig(options) }],
  check: (options, context) =>
    checkListening(options, context, "", options.protocol === "udp" ? "udp" : "tcp"),
  create: (options, context, intake) => new SyslogReceiver(options, context, intake),
});

type Listener = Pick<StreamServer, "listen" | "close">;

class SyslogReceiver implements Receiver {
  readonly #options: SyslogConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  #running: { readonly inbox: Inbox; readonly listener: Listener } | undefined;

  constructor(options: SyslogConfig, context: ComponentContext, intake: Intake) {
    this.#options = options;
    this.#context = context;
    this.#intake = intake;
  }

  async start(host: Host): Promise<void> {
    if (this.#running !== undefined) return;
    let address = "";
    const inbox = new Inbox(this.#intake, (failure) => {
      if (failure === undefined) host.report("running", `Listening on ${address}`);
      else host.report("degraded", failure);
    });
    const allowances = new Allowances(this.#options.max_messages_per_second);
    const listener = this.#options.protocol === "udp"
      ? this.#datagrams(host, inbox, allowances)
      : await this.#streams(inbox, allowances);
    address = await listener.listen();
    this.#running = { inbox, listener };
    host.report("running", `Listening on ${address}`);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    await running.listener.close(deadline);
    await settledOr(running.inbox.settled(), deadline);
    running.inbox.close();
  }

  async #streams(inbox: Inbox, allowances: Allowances): Promise<StreamServer> {
    const { id, clock, log } = this.#context;
    const options = this.#options;
    const tls = options.tls === undefined
      ? undefined
      : await loadServerTls(options.tls, `receivers.${id}.tls`);
    return new StreamServer({
      endpoint: options.endpoint,
      tls,
      connectionsMax: options.max_connections,
      handshakeMs: options.handshake_timeout,
      format: () => this.#format(),
      id,
      log,
    }, {
      inbox,
      allowances,
      frames: {
        framing: options.framing,
        frameBytesMax: options.max_frame_bytes,
        endsAtNul: options.protocol === "unix",
      },
      clock,
      idleMs: options.idle_timeout,
      frameMs: options.frame_timeout,
    });
  }

  #datagrams(host: Host, inbox: Inbox, allowances: Allowances): Listener {
    const { id, clock, runtime } = this.#context;
    const { endpoint, max_frame_bytes: messageBytesMax } = this.#options;
    if ("path" in endpoint) throw new Error("Cannot receive UDP on a path");
    const server = new DatagramServer({
      at: endpoint,
      runtime,
      inbox,
      allowances,
      format: this.#format(),
      messageBytesMax,
      clock,
      id,
      ignored: (reason) => this.#context.ignored(reason),
      failed: (error) => host.report("failed", `UDP socket is closed: ${error.message}`),
    });
    return {
      listen: () =>
        server.listen().catch((error) => {
          const reason = error instanceof Error ? error.message : String(error);
          const problem = `Cannot listen on "${formatEndpoint(endpoint)}": ${reason}`;
          throw new ConfigError([{ path: `receivers.${id}.endpoint`, problem }], { cause: error });
        }),
      close: (deadline) => server.close(deadline),
    };
  }

  #format() {
    return this.#context.format(this.#options.format, formatConfig(this.#options));
  }
}
