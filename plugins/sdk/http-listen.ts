// Binds a server to an endpoint, with errors that an operator can act on.

import { lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { ConfigError } from "./errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "no such address on this machine",
  EACCES: "permission denied",
  ENOENT: "no such folder",
  ENOTFOUND: "host name cannot be resolved",
};

const NO_SOCKET = "what is there is no socket; name another path, or remove it";

/**
 * Resolves when the server listens. The socket that a process left behind when it died is replaced;
 * anything else that stands at its path, a file or a link, is left alone.
 * Throws ConfigError, for the option `endpoint`, where it cannot.
 */
export async function listenOn(server: Server, endpoint: Endpoint): Promise<void> {
  try {
    await listen(server, endpoint);
  } catch (error) {
    if (!("path" in endpoint) || codeOf(error) !== "EADDRINUSE") throw problem(endpoint, error);
    // Connecting to a file is refused as well.
    if (!await isSocket(endpoint.path)) throw problem(endpoint, error, NO_SOCKET);
    if (await isAlive(endpoint.path)) throw problem(endpoint, error);
    await unlink(endpoint.path).catch(() => {});
    await listen(server, endpoint).catch((again) => {
      throw problem(endpoint, again);
    });
  }
}

function listen(server: Server, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(error);
    server.once("error", failed);
    server.listen(endpoint, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function isSocket(path: string): Promise<boolean> {
  return lstat(path).then((found) => found.isSocket(), () => false);
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function problem(endpoint: Endpoint, error: unknown, why?: string): ConfigError {
  const reason = why ?? REASONS[codeOf(error)] ?? (codeOf(error) || String(error));
  const text = `Cannot listen on "${formatEndpoint(endpoint)}": ${reason}`;
  return new ConfigError([{ path: "endpoint", problem: text }], { cause: error });
}
