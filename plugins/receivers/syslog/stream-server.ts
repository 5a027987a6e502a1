// The listener for streams: TCP, TLS and unix sockets. Bounds how many connections there are and how
// long they may do nothing, and ends them in order when the receiver stops.

import { chmod } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Format, Log } from "../../sdk/index.ts";
import { type Endpoint, formatEndpoint } from "../../sdk/endpoint.ts";
import { pause, settledOr } from "../../sdk/follow-wait.ts";
import { listenOn } from "../../sdk/http-listen.ts";
import { Refusals } from "../../sdk/refusals.ts";
import type { ServerTls } from "../../sdk/tls.ts";
import { Connection, type ConnectionContext } from "./connection.ts";

/** How to listen. */
export interface StreamServerOptions {
  readonly endpoint: Endpoint;
  readonly tls: ServerTls | undefined;
  readonly connectionsMax: number;
  readonly handshakeMs: number;
  /** Makes the format of one connection. */
  readonly format: () => Format;
  /** Begins the identity of every connection. */
  readonly id: string;
  readonly log: Log;
  /** A connection that is idle for so long makes room for a new one; default a minute. */
  readonly evictMs?: number;
}

const CHECK_EVERY_MS = 1000;
const EVICT_MS = 60_000;
/** A sender that has brought nothing for so long after it was told of the end has nothing left. */
const QUIET_MS = 250;
const QUIET_LOOK_MS = 20;
/** How long the runtime may take to tell that all is closed. */
const CLOSE_MS = 100;
const KEEP_ALIVE_MS = 60_000;

/** See the top of the file. */
export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #context: ConnectionContext;
  readonly #server: Server | TlsServer;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  /** Those whose handshake is not done, by address and port, the oldest first. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #refusals: Refusals;
  #check: ReturnType<typeof setInterval> | undefined;
  #unfollow: () => void = () => {};
  #number = 0;
  #isStopping = false;

  constructor(options: StreamServerOptions, context: ConnectionContext) {
    this.#options = options;
    this.#context = context;
    this.#refusals = new Refusals(options.log);
    const { tls, handshakeMs: handshakeTimeout } = options;
    this.#server = tls === undefined
      ? createServer()
      : createTlsServer({ ...tls.options, handshakeTimeout });
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("secureConnection", (socket: Socket) => this.#connect(socket));
    this.#server.on("tlsClientError", (error: Error, socket: Socket) => {
      // A handshake that took too long would go on.
      socket.destroy();
      if (!this.#isStopping) this.#refusals.failed("handshake", error);
    });
    this.#server.on("error", (error: Error) => {
      if (this.#server.listening) this.#refusals.failed("accept", error);
    });
  }

  /** Resolves with where it listens. Throws ConfigError where it cannot. */
  async listen(): Promise<string> {
    const { endpoint, tls, log } = this.#options;
    await listenOn(this.#server, endpoint);
    // As /dev/log: whoever may reach the folder may log.
    if ("path" in endpoint) await chmod(endpoint.path, 0o666);
    this.#unfollow = tls?.follow(this.#server as TlsServer, log) ?? (() => {});
    this.#check = setInterval(() => {
      const nowMs = performance.now();
      for (const connection of this.#connections) connection.check(nowMs);
    }, CHECK_EVERY_MS);
    this.#check.unref();
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") return formatEndpoint(endpoint);
    return formatEndpoint({ host: bound.address, port: bound.port });
  }

  /** Reads what senders have on the way, until they have closed or are quiet. */
  async close(deadline: AbortSignal): Promise<void> {
    this.#isStopping = true;
    this.#unfollow();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.close();
    while (this.#connections.size > 0 && !deadline.aborted) {
      for (const connection of this.#connections) {
        if (connection.idleMs(performance.now()) > QUIET_MS) connection.destroy();
      }
      await pause(QUIET_LOOK_MS, deadline);
    }
    clearInterval(this.#check);
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await settledOr(closed, AbortSignal.any([deadline, AbortSignal.timeout(CLOSE_MS)]));
  }

  #accept(socket: Socket): void {
    if (this.#isStopping || (this.#isFull() && !this.#evict())) {
      socket.destroy();
      if (!this.#isStopping) this.#refusals.full(this.#options.connectionsMax);
      return;
    }
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    if (this.#options.tls === undefined) return this.#connect(socket);
    const peer = portOf(socket);
    this.#handshakes.set(peer, socket);
    socket.on("close", () => {
      if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
    });
  }

  #isFull(): boolean {
    return this.#sockets.size >= this.#options.connectionsMax;
  }

  /**
   * Makes room: ends the oldest handshake, which an honest sender has done in no time, or else the
   * connection that has been idle longest, if that is long.
   */
  #evict(): boolean {
    for (const [peer, socket] of this.#handshakes) {
      this.#handshakes.delete(peer);
      socket.destroy();
      return true;
    }
    const nowMs = performance.now();
    let longest: Connection | undefined;
    let idleMs = this.#options.evictMs ?? EVICT_MS;
    for (const connection of this.#connections) {
      if (connection.idleMs(nowMs) <= idleMs) continue;
      idleMs = connection.idleMs(nowMs);
      longest = connection;
    }
    longest?.destroy();
    return longest !== undefined;
  }

  #connect(socket: Socket): void {
    if (socket.destroyed) return;
    this.#handshakes.delete(portOf(socket));
    const { id, format } = this.#options;
    const peer = addressOf(socket);
    const port = socket.remotePort === undefined ? "" : `:${socket.remotePort}`;
    const source = `${id}/${peer ?? "local"}${port}/${this.#context.clock()}.${++this.#number}`;
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const connection = new Connection(socket, { peer, source }, format(), this.#context);
    this.#connections.add(connection);
    connection.done.then(() => this.#connections.delete(connection));
    if (this.#isStopping) connection.close();
  }
}

/** Who it is from, the same for a TLS socket and the one below it. */
function portOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** An IPv4 address on an IPv6 socket is that IPv4 address to everybody else. */
function addressOf(socket: Socket): string | undefined {
  const address = socket.remoteAddress;
  return address?.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}
