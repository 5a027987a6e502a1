// FaultyServer: a real HTTP server on 127.0.0.1 for tests of what sends to AWS. It answers as a
// function says, or through to another server, and misbehaves where a script says so.

import { Buffer } from "node:buffer";
import { createServer, request as send } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request, read to its end. */
export interface FaultyRequest {
  readonly method: string;
  /** As it came, with the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** A good answer; status 200 and no body by default. */
export interface FaultyAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/**
 * What happens instead of a good answer. With a status: that error, in JSON or XML as the request
 * wants it, and nothing was done. `silence`: nothing is done and nothing said. `reset`: nothing is
 * done and the connection breaks once the request is read; `reset in request`: after its first
 * bytes. `answer lost`, `answer cut`: it is done, but of the answer nothing or half arrives.
 * `partial`: the answering function is told to take only a part.
 */
export type Fault =
  | {
    readonly status: number;
    readonly code: string;
    readonly headers?: Readonly<Record<string, string>>;
  }
  | "silence"
  | "reset"
  | "reset in request"
  | "answer lost"
  | "answer cut"
  | "partial";

/** Does what a request asks for. `partial`: this time only a part, as the service would fail. */
export type Answering = (
  request: FaultyRequest,
  partial: boolean,
) => FaultyAnswer | Promise<FaultyAnswer>;

/** See above. */
export class FaultyServer {
  /** How many requests came, faulty ones too. */
  requests = 0;
  readonly #answering: Answering;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #script: Fault[] = [];
  #matches: (request: IncomingMessage) => boolean = () => true;
  #port = 0;

  constructor(answering: Answering) {
    this.#answering = answering;
    this.#server = createServer((request, response) => {
      // Who goes away in the middle of a request wants no answer.
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /** Listens on a free port; again after stop(), on the same one. */
  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Breaks all connections; new ones are refused. Safe to call twice. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Scheme, host and port. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The next requests that match meet these, one each; all others are answered well. */
  script(faults: readonly Fault[], matches?: (request: IncomingMessage) => boolean): void {
    this.#script = [...faults];
    this.#matches = matches ?? (() => true);
  }

  /** Faults that no request has met yet. */
  get pending(): number {
    return this.#script.length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const fault = this.#matches(request) ? this.#script.shift() : undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) {
      if (fault === "reset in request") return void request.socket.destroy();
      chunks.push(chunk);
    }
    if (fault === "silence") return;
    if (fault === "reset" || fault === "reset in request") return void request.socket.destroy();
    if (typeof fault === "object") return refuse(request, response, fault);
    const { method = "", url: path = "", headers } = request;
    const read = { method, path, headers, body: Buffer.concat(chunks) };
    const answer = await this.#answering(read, fault === "partial");
    if (fault === "answer lost") return void request.socket.destroy();
    const { status = 200, body = "" } = answer;
    const bytes = Buffer.from(body);
    // A HEAD names the length of what it does not send.
    response.writeHead(status, { "content-length": bytes.length, ...answer.headers });
    if (fault !== "answer cut") return void response.end(bytes);
    response.write(bytes.subarray(0, bytes.length >> 1), () => request.socket.destroy());
  }
}

/** Answers through to another server, such as moto's. */
export function through(origin: string): Answering {
  return ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const { connection: _, ...rest } = headers;
      const onward = send(`${origin}${path}`, { method, headers: rest, agent: false }, (answer) => {
        const chunks: Uint8Array[] = [];
        answer.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        answer.once("error", reject);
        answer.once("end", () => {
          const { connection: _, "transfer-encoding": __, ...kept } = answer.headers;
          const headers = kept as Record<string, string>;
          resolve({ status: answer.statusCode ?? 502, headers, body: Buffer.concat(chunks) });
        });
      });
      onward.once("error", reject);
      onward.end(body);
    });
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, headers }: Exclude<Fault, string>,
): void {
  const isJson = /json/.test(request.headers["content-type"] ?? "");
  const text = isJson
    ? JSON.stringify({ __type: code, message: "As the script says" })
    : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>No</Message></Error>`;
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? "" : text);
}
