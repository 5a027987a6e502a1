// A gRPC server of unary methods over bytes, with the bounds and the TLS of HttpServer. grpc-js, which
// is loaded when the first server starts, speaks the protocol on connections that are accepted here.

import { Buffer } from "node:buffer";
import type * as Grpc from "@grpc/grpc-js";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Log } from "./component.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { settledOr } from "./follow-wait.ts";
import { BodyMemory } from "./http-body.ts";
import { listenOn } from "./http-listen.ts";
import type { HttpLimits } from "./http-message.ts";
import { Refusals } from "./refusals.ts";
import { Slots } from "./slots.ts";
import { loadServerTls, type ServerTlsConfig } from "./tls.ts";

/** What a server is made with. */
export interface GrpcServerOptions {
  readonly endpoint: Endpoint;
  /** Without it, plain HTTP/2. */
  readonly tls?: ServerTlsConfig | undefined;
  /** As for HttpServer; the header's deadline is that of the TLS handshake. */
  readonly limits: HttpLimits;
  readonly log: Log;
  /** The answer to a call that there is no room for now. */
  readonly busy: GrpcFailure;
}

/** An answer that is an error. */
export interface GrpcFailure {
  readonly code: number;
  readonly message: string;
  /** A google.rpc.Status, for what a code and a message cannot say. */
  readonly details?: Buffer;
}

/** A call as a method sees it. */
export interface GrpcCall {
  readonly message: Buffer;
  /** Aborts when the client has gone or the server is to stop. */
  readonly signal: AbortSignal;
}

/** Answers a call with a message or a failure. Where it throws, the code is INTERNAL. */
export type GrpcMethod = (call: GrpcCall) => Promise<Buffer | GrpcFailure>;

/** Calls of one connection whose message is under way or being handled. */
const STREAMS_MAX = 32;
/** Calls of all connections whose message is not there yet: each may hold one of the largest. */
const ARRIVING_MAX = 256;
/** How long connections may take to close. */
const GIVE_UP_MS = 100;
const DEADLINE_EXCEEDED = 4;
const INTERNAL = 13;

/** The module as CommonJS exports it. */
type GrpcJs = Omit<typeof Grpc, "default">;
type UnaryCall = Grpc.ServerUnaryCall<Buffer, Buffer>;

/** A server that can be started and stopped, again and again. `methods` are by their full path. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #methods: Readonly<Record<string, GrpcMethod>>;
  #run: GrpcRun | undefined;

  constructor(options: GrpcServerOptions, methods: Readonly<Record<string, GrpcMethod>>) {
    this.#options = options;
    this.#methods = methods;
  }

  /** Resolves when it listens. Throws ConfigError for certificates or an endpoint it cannot use. */
  async start(): Promise<void> {
    if (this.#run !== undefined) return;
    const run = new GrpcRun(this.#options);
    this.#run = run;
    try {
      await run.listen(this.#methods);
    } catch (error) {
      this.#run = undefined;
      throw error;
    }
  }

  /** Where it listens, with the port it was given; empty when it does not. */
  address(): string {
    return this.#run?.address() ?? "";
  }

  /**
   * Takes no more calls, lets those that are being handled end, and closes every connection, at the
   * latest when the deadline aborts.
   */
  async stop(deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    await run?.close(deadline);
  }
}

/** One run of a server, from listen to close. */
class GrpcRun {
  readonly #options: GrpcServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #stopping = new AbortController();
  readonly #slots: Slots;
  readonly #memory: BodyMemory;
  readonly #refusals: Refusals;
  readonly #handled = new Set<Promise<void>>();
  #listener: Server | TlsServer | undefined;
  #grpc: Grpc.Server | undefined;
  #unfollow: () => void = () => {};
  #arriving = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.limits.handledMax);
    this.#memory = new BodyMemory(options.limits.waitingBytesMax);
    this.#refusals = new Refusals(options.log);
  }

  async listen(methods: Readonly<Record<string, GrpcMethod>>): Promise<void> {
    const { tls, limits, log, endpoint } = this.#options;
    const loaded = tls === undefined ? undefined : await loadServerTls(tls);
    const grpc = await loadGrpc();
    const server = new grpc.Server({
      "grpc.max_receive_message_length": limits.bodyBytesMax,
      "grpc.max_concurrent_streams": STREAMS_MAX,
      "grpc.max_connection_idle_ms": limits.idleMs,
      "grpc.enable_channelz": 0,
      interceptors: [(_method, call) => this.#watchArrival(grpc, call)],
    });
    const pass = (bytes: Buffer) => bytes;
    for (const [path, method] of Object.entries(methods)) {
      const answer: Grpc.handleUnaryCall<Buffer, Buffer> = (call, callback) => {
        const done = this.#answer(grpc, method, call, callback);
        this.#handled.add(done);
        done.finally(() => this.#handled.delete(done));
      };
      server.register(path, answer, pass, pass, "unary");
    }
    const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    const inject = (socket: Socket) => injector.injectConnection(socket);
    const listener = loaded === undefined ? createServer(inject) : createTlsServer(
      { ...loaded.options, handshakeTimeout: limits.headerMs, ALPNProtocols: ["h2"] },
      inject,
    );
    listener.prependListener("connection", (socket: Socket) => this.#accept(socket));
    await listenOn(listener, endpoint);
    listener.on("error", (error) => this.#refusals.failed("accept", error));
    listener.on("tlsClientError", (error: Error) => {
      if (!this.#stopping.signal.aborted) this.#refusals.failed("handshake", error);
    });
    if (loaded !== undefined) this.#unfollow = loaded.follow(listener as TlsServer, log);
    this.#listener = listener;
    this.#grpc = server;
  }

  address(): string {
    const bound = this.#listener?.address() ?? null;
    if (bound === null) return "";
    if (typeof bound === "string") return formatEndpoint({ path: bound });
    return formatEndpoint({ host: bound.address, port: bound.port });
  }

  async close(deadline: AbortSignal): Promise<void> {
    this.#unfollow();
    const closed = new Promise<void>((resolve) => {
      if (this.#listener === undefined) resolve();
      else this.#listener.close(() => resolve());
    });
    this.#stopping.abort(new Error("Stopped: the server stops"));
    await settledOr(Promise.all(this.#handled).then(() => {}), deadline);
    // The last answers are written before their connections close, and these before the protocol
    // ends: on Deno a GOAWAY to a client of the same process has been seen to end the process.
    await new Promise((resolve) => setImmediate(resolve));
    const gone = [...this.#sockets].map((socket) =>
      new Promise<void>((resolve) => socket.once("close", () => resolve()).end())
    );
    await settledSoon(Promise.all(gone).then(() => {}));
    for (const socket of this.#sockets) socket.destroy();
    this.#grpc?.forceShutdown();
    await settledSoon(closed);
  }

  #accept(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#sockets.size >= this.#options.limits.connectionsMax) {
      socket.destroy();
      this.#refusals.full(this.#options.limits.connectionsMax);
      return;
    }
    this.#sockets.add(socket);
    // A session is not told of every client that has gone, nor of one that never says a word.
    let read = 0;
    const silent = setInterval(() => {
      if (socket.bytesRead === read) socket.destroy();
      read = socket.bytesRead;
    }, this.#options.limits.idleMs);
    socket.on("close", () => {
      clearInterval(silent);
      this.#sockets.delete(socket);
    });
  }

  /** Bounds how many messages are on their way, and how long each may take. */
  #watchArrival(grpc: GrpcJs, call: Grpc.ServerInterceptingCallInterface) {
    const { bodyMs } = this.#options.limits;
    let late: ReturnType<typeof setTimeout> | undefined;
    const arrived = () => {
      if (late === undefined) return;
      clearTimeout(late);
      late = undefined;
      this.#arriving--;
    };
    const watched = new grpc.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            if (this.#arriving >= ARRIVING_MAX) {
              return call.sendStatus(statusOf(grpc, this.#options.busy));
            }
            this.#arriving++;
            late = setTimeout(() => {
              arrived();
              const message = `Message took longer than ${bodyMs} ms`;
              call.sendStatus(statusOf(grpc, { code: DEADLINE_EXCEEDED, message }));
            }, bodyMs);
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => {
            arrived();
            pass(message);
          },
          onCancel: arrived,
        }),
    });
    return watched;
  }

  async #answer(
    grpc: GrpcJs,
    method: GrpcMethod,
    call: UnaryCall,
    callback: Grpc.sendUnaryData<Buffer>,
  ): Promise<void> {
    const { log, busy } = this.#options;
    const gone = new AbortController();
    const stop = () => gone.abort(this.#stopping.signal.reason);
    call.on("cancelled", () => gone.abort(new Error("Stopped: the client has gone")));
    this.#stopping.signal.addEventListener("abort", stop);
    let answer: Buffer | GrpcFailure;
    try {
      if (this.#stopping.signal.aborted) stop();
      answer = await this.#handle(method, { message: call.request, signal: gone.signal });
    } catch (error) {
      if (!gone.signal.aborted) log.error(`Cannot handle a call: ${String(error)}`);
      answer = gone.signal.aborted
        ? busy
        : { code: INTERNAL, message: "The call could not be handled" };
    }
    this.#stopping.signal.removeEventListener("abort", stop);
    if (answer instanceof Uint8Array) callback(null, answer);
    else callback(statusOf(grpc, answer));
  }

  async #handle(method: GrpcMethod, call: GrpcCall): Promise<Buffer | GrpcFailure> {
    const { length } = call.message;
    if (!this.#memory.take(length)) return this.#options.busy;
    try {
      await this.#slots.take(call.signal);
      try {
        return await method(call);
      } finally {
        this.#slots.free();
      }
    } finally {
      this.#memory.free(length);
    }
  }
}

/** Waits a short time, with a timer that keeps the process: AbortSignal.timeout() would not. */
async function settledSoon(promise: Promise<void>): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), GIVE_UP_MS);
  await settledOr(promise, late.signal);
  clearTimeout(timer);
}

function statusOf(grpc: GrpcJs, { code, message, details }: GrpcFailure) {
  const metadata = new grpc.Metadata();
  if (details !== undefined) metadata.set("grpc-status-details-bin", details);
  return { code, details: message, metadata };
}

/** CommonJS, whose exports are its default on both runtimes. */
async function loadGrpc(): Promise<GrpcJs> {
  return (await import("@grpc/grpc-js")).default;
}
