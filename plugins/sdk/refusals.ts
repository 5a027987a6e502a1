// Tells which connections a server refused, and why: once a minute for each kind of trouble, since
// whoever is refused comes again. Used by the servers of HTTP, gRPC and streams.

import type { Log } from "./component.ts";

/** What a connection was refused for: no room, no TLS, or the system would not hand it over. */
export type RefusalKind = "full" | "handshake" | "accept";

const TELL_EVERY_MS = 60_000;

/** The refusals of one server. */
export class Refusals {
  readonly #log: Log;
  readonly #told = new Map<RefusalKind, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** No room: every one of so many connections is in use. */
  full(connectionsMax: number): void {
    this.#tell("full", `all ${connectionsMax} are in use`);
  }

  /** An error of the handshake, or of accepting. */
  failed(kind: "handshake" | "accept", error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    this.#tell(kind, kind === "handshake" ? code ?? error.message : error.message);
  }

  #tell(kind: RefusalKind, reason: string): void {
    const nowMs = performance.now();
    const last = this.#told.get(kind);
    if (last !== undefined && nowMs - last < TELL_EVERY_MS) return;
    this.#told.set(kind, nowMs);
    this.#log.warn(`Refused a connection: ${reason}`);
  }
}
