// One run of an HttpServer, from listen to close. Node's server reads the protocol; bounds, deadlines
// and the order of things are kept here, since the runtimes keep them differently.

import type { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { formatEndpoint } from "./endpoint.ts";
import { RetryableError } from "./errors.ts";
import { pause, settledOr } from "./follow-wait.ts";
import { writeAnswer } from "./http-answer.ts";
import { BodyError, BodyMemory, decodeBody, readBody, refuseEncoding } from "./http-body.ts";
import { HttpConnection } from "./http-connection.ts";
import { listenOn } from "./http-listen.ts";
import { comeAgain, type HttpHead, type HttpResponse, plainAnswer } from "./http-message.ts";
import type { HttpHandler, HttpServerOptions } from "./http-server.ts";
import { Refusals } from "./refusals.ts";
import { Slots } from "./slots.ts";
import type { ServerTls } from "./tls.ts";

/** Requests that a client may send before it has the answer to its first. */
const PIPELINED_MAX = 16;
/** How long a refused body is read and thrown away, so that the client comes to read the answer. */
const LINGER_MS = 1000;
/** How long the runtime may take to tell that all connections are closed. */
const CLOSE_MS = 100;

const STOPPING = comeAgain("The server stops");

/** See HttpServer. */
export class HttpListener {
  readonly #options: HttpServerOptions;
  readonly #handle: HttpHandler;
  readonly #server: Server | TlsServer;
  readonly #tls: ServerTls | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #slots: Slots;
  readonly #memory: BodyMemory;
  readonly #refusals: Refusals;
  /** One for each request; listeners on a signal of all of them would be too many for it. */
  readonly #underWay = new Set<AbortController>();
  #isStopping = false;
  #unfollow: () => void = () => {};
  #number = 0;
  #pending = 0;
  #onIdle: () => void = () => {};
  #lastFailure = "";

  constructor(options: HttpServerOptions, handle: HttpHandler, tls: ServerTls | undefined) {
    this.#options = options;
    this.#handle = handle;
    this.#tls = tls;
    this.#slots = new Slots(options.limits.handledMax);
    this.#memory = new BodyMemory(options.limits.waitingBytesMax);
    this.#refusals = new Refusals(options.log);
    const take = (message: IncomingMessage, response: ServerResponse) =>
      this.#request(message, response);
    this.#server = tls === undefined
      ? createServer(take)
      : createTlsServer({ ...tls.options, handshakeTimeout: options.limits.headerMs }, take);
    this.#prepare(this.#server);
  }

  #prepare(server: Server | TlsServer): void {
    // Deadlines are kept here, the same on both runtimes.
    server.keepAliveTimeout =
      server.headersTimeout =
      server.requestTimeout =
      server.timeout =
        0;
    server.on("connection", (socket: Socket) => this.#accept(socket));
    if (this.#tls !== undefined) {
      server.on("secureConnection", (socket: Socket) => this.#connect(socket));
      server.on("tlsClientError", (error: Error) => {
        if (!this.#isStopping) this.#refusals.failed("handshake", error);
      });
    }
    server.on("clientError", (_error: Error, socket: Socket) => {
      if (socket.writable && !this.#isBusy(socket)) {
        socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      }
      socket.destroy();
    });
    server.on("error", (error) => {
      if (server.listening) this.#refusals.failed("accept", error);
    });
  }

  async listen(): Promise<void> {
    await listenOn(this.#server, this.#options.endpoint);
    const { log, renewEveryMs } = this.#options;
    if (this.#tls === undefined) return;
    this.#unfollow = this.#tls.follow(this.#server as TlsServer, log, renewEveryMs);
  }

  address(): string {
    const bound = this.#server.address();
    if (bound === null) return "";
    if (typeof bound === "string") return formatEndpoint({ path: bound });
    return formatEndpoint({ host: bound.address, port: bound.port });
  }

  async close(deadline: AbortSignal): Promise<void> {
    this.#unfollow();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#isStopping = true;
    const reason = new Error("Stopped: the server stops");
    for (const request of this.#underWay) request.abort(reason);
    for (const connection of this.#connections.values()) {
      if (connection.pending === 0) connection.socket.destroy();
    }
    if (this.#pending > 0) {
      await settledOr(new Promise((resolve) => this.#onIdle = resolve), deadline);
    }
    for (const socket of this.#sockets) socket.destroy();
    await settledOr(closed, AbortSignal.timeout(CLOSE_MS));
  }

  #accept(socket: Socket): void {
    const { connectionsMax } = this.#options.limits;
    if (this.#sockets.size >= connectionsMax || this.#isStopping) {
      socket.destroy();
      if (!this.#isStopping) this.#refusals.full(connectionsMax);
      return;
    }
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    if (this.#tls === undefined) this.#connect(socket);
  }

  #connect(socket: Socket): void {
    if (socket.destroyed) return;
    const connection = new HttpConnection(socket, this.#options.clock(), ++this.#number);
    this.#connections.set(socket, connection);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => {});
    connection.deadline(this.#options.limits.headerMs, () => socket.destroy());
  }

  #isBusy(socket: Socket): boolean {
    return (this.#connections.get(socket)?.pending ?? 0) > 0;
  }

  #request(message: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(message.socket);
    if (connection === undefined || connection.pending >= PIPELINED_MAX) {
      message.socket.destroy();
      return;
    }
    connection.pending++;
    this.#pending++;
    message.on("error", () => {});
    response.on("error", () => {});
    // One after the other: a deadline is a connection's, and answers go out in this order anyway.
    connection.last = connection.last.then(() => this.#serve(connection, message, response))
      .catch((error) => {
        this.#options.log.error(`Cannot answer a request: ${String(error)}`);
        message.socket.destroy();
      }).finally(() => this.#served(connection));
  }

  #served(connection: HttpConnection): void {
    const { socket } = connection;
    if (--connection.pending === 0) {
      if (this.#isStopping) socket.destroy();
      else connection.deadline(this.#options.limits.idleMs, () => socket.destroy());
    }
    if (--this.#pending === 0) this.#onIdle();
  }

  /** Resolves when the answer is written or the client has gone. */
  async #serve(
    connection: HttpConnection,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const gone = new AbortController();
    const written = new Promise<void>((resolve) =>
      response.on("close", () => {
        gone.abort(new Error("Stopped: the client has gone"));
        resolve();
      })
    );
    this.#underWay.add(gone);
    try {
      const answer = await this.#answer(connection, message, gone.signal);
      if (response.destroyed || connection.socket.destroyed) return;
      if (!message.complete) await this.#linger(message, gone.signal);
      const keepAlive = message.complete && !this.#isStopping;
      await writeAnswer(response, answer, { keepAlive, waiting: this.#late(connection) });
    } catch (error) {
      if (!gone.signal.aborted) this.#tell(error);
    } finally {
      this.#underWay.delete(gone);
    }
    await written;
  }

  /** A client has to take an answer in; what it waits for is no fault of its own. */
  #late(connection: HttpConnection): (isWaiting: boolean) => void {
    return (isWaiting) => {
      if (!isWaiting) return connection.noDeadline();
      connection.deadline(this.#options.limits.bodyMs, () => connection.socket.destroy());
    };
  }

  async #answer(
    connection: HttpConnection,
    message: IncomingMessage,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    if (signal.aborted || this.#isStopping) return STOPPING;
    const head = readHead(message, connection);
    if (head === undefined) return plainAnswer(400, "Path does not begin with a slash");
    const own = (answer: HttpResponse) => this.#options.reword?.(answer, head) ?? answer;
    try {
      const refused = this.#options.admit?.(head);
      if (refused !== undefined) return refused;
      const unknown = refuseEncoding(message.headers);
      if (unknown !== undefined) return own(unknown);
      const raw = await this.#body(connection, message, signal);
      return await this.#handled(connection, head, raw, signal);
    } catch (error) {
      if (error instanceof BodyError) return own(error.answer);
      // Nobody is there to read it, or nobody will be.
      if (signal.aborted || message.destroyed && !message.complete) return own(STOPPING);
      if (error instanceof RetryableError) return own(comeAgain(error.message, error.afterMs));
      this.#tell(error);
      return own(plainAnswer(500, "The request could not be handled"));
    }
  }

  async #body(
    connection: HttpConnection,
    message: IncomingMessage,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const late = new AbortController();
    const { bodyMs, bodyBytesMax: bytesMax } = this.#options.limits;
    connection.deadline(bodyMs, () => {
      late.abort(new BodyError(plainAnswer(408, `Body took longer than ${bodyMs} ms`)));
    });
    const abort = () => late.abort(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      return await readBody(message, { bytesMax, memory: this.#memory, signal: late.signal });
    } finally {
      signal.removeEventListener("abort", abort);
      connection.noDeadline();
    }
  }

  async #handled(
    connection: HttpConnection,
    head: HttpHead,
    raw: Buffer,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    try {
      await this.#slots.take(signal);
    } catch (error) {
      this.#memory.free(raw.length);
      throw error;
    }
    try {
      const encoding = head.headers["content-encoding"] ?? "";
      const body = await decodeBody(raw, encoding, this.#options.limits.bodyBytesMax);
      return await this.#handle({ ...head, id: connection.nextRequest(), body, signal });
    } finally {
      this.#memory.free(raw.length);
      this.#slots.free();
    }
  }

  async #linger(message: IncomingMessage, signal: AbortSignal): Promise<void> {
    message.resume();
    const done = new AbortController();
    message.on("end", () => done.abort()).on("close", () => done.abort());
    await pause(LINGER_MS, AbortSignal.any([done.signal, signal]));
  }

  /** A mistake in a handler is told once, however often it is met. */
  #tell(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#lastFailure) return;
    this.#lastFailure = message;
    this.#options.log.error(`Cannot handle a request: ${message}`);
  }
}

function readHead(message: IncomingMessage, { peer }: HttpConnection): HttpHead | undefined {
  const { method = "", url = "", headers } = message;
  if (!url.startsWith("/")) return undefined;
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  return { method, path, query, headers, peer };
}
