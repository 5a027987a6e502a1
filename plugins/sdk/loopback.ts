// What only this machine reaches, and requests that were meant for it: the rule for servers that ask
// nobody for credentials. A page in a browser may be led to them under another name (DNS rebinding).

import type { Endpoint } from "./endpoint.ts";
import type { HttpHead } from "./http-message.ts";

/** Whether only this machine reaches an endpoint. */
export function isLocal(at: Endpoint): boolean {
  return "path" in at || isLoopback(at.host);
}

/** Whether a host's name or address stands for this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Whether a request names this machine as its host, or came through a unix socket. */
export function isForThisMachine({ headers, peer }: Pick<HttpHead, "headers" | "peer">): boolean {
  if (peer.address === "") return true;
  const host = (headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isLoopback(host.toLowerCase());
}
