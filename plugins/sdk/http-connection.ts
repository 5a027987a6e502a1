// One connection of an HttpServer: its deadline, how many requests are under way, who is there.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { HttpCertificate, HttpPeer } from "./http-message.ts";

/** A connection as the server keeps it. */
export class HttpConnection {
  readonly socket: Socket;
  /** Unlike that of any other connection. */
  readonly id: string;
  readonly peer: HttpPeer;
  /** Requests that are not answered yet. */
  pending = 0;
  /** Settles, without an error, when the last of them is. */
  last: Promise<void> = Promise.resolve();
  #requests = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, now: number, number: number) {
    this.socket = socket;
    const { remoteAddress: address = "", remotePort: port = 0 } = socket;
    const certificate = certificateOf(socket);
    this.peer = { address, port, ...(certificate !== undefined && { certificate }) };
    this.id = `${address}:${port}/${now}/${number}`;
    socket.on("close", () => clearTimeout(this.#timer));
  }

  /** The id of the next request. */
  nextRequest(): string {
    return `${this.id}/${++this.#requests}`;
  }

  /** Calls `late` after the time, unless another deadline is set or the connection closed before. */
  deadline(ms: number, late: () => void): void {
    clearTimeout(this.#timer);
    if (!this.socket.destroyed) this.#timer = setTimeout(late, ms);
  }

  /** No deadline for now. */
  noDeadline(): void {
    clearTimeout(this.#timer);
  }
}

function certificateOf(socket: Socket): HttpCertificate | undefined {
  const { authorized, getPeerCertificate } = socket as TLSSocket;
  if (!authorized || typeof getPeerCertificate !== "function") return undefined;
  const found = (socket as TLSSocket).getPeerCertificate();
  if (found?.subject === undefined) return undefined;
  return {
    commonName: text(found.subject.CN),
    organization: text(found.subject.O),
    fingerprint: found.fingerprint256,
  };
}

/** A part of a name can be there several times. */
function text(part: string | readonly string[] | undefined): string {
  return typeof part === "string" ? part : part?.join(",") ?? "";
}
