// How a running agent is asked: HTTP over a unix socket in data_dir, for its own user only.

import { chmod, unlink } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { DataDirError } from "./data-dir.ts";

// An answer is small and local; an agent that needs longer is stuck.
const ANSWER_MS = 5000;

// A status of thousands of components is still far below this.
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** What can be asked: a path and what it answers. */
export type ControlRoutes = Readonly<Record<string, () => unknown>>;

/** A socket that answers. */
export interface ControlServer {
  close(): Promise<void>;
}

/** There is no running agent behind the socket. */
export class AgentNotRunningError extends Error {
  override readonly name = "AgentNotRunningError";
  readonly code = "CAIRN_NOT_RUNNING";
}

/**
 * Serves the routes. A socket that a dead agent left behind is replaced; a living agent behind it
 * is a DataDirError.
 */
export async function serveControl(path: string, routes: ControlRoutes): Promise<ControlServer> {
  const server = createServer((incoming, answer) => {
    const route = incoming.method === "GET" ? routes[incoming.url ?? ""] : undefined;
    const body = JSON.stringify(route === undefined ? { error: "No such route" } : route());
    answer.writeHead(route === undefined ? 404 : 200, { "content-type": "application/json" });
    answer.end(body);
  });
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    const owner = await findOwner(path);
    if (owner !== undefined) {
      throw new DataDirError(
        `${owner} answers on "${path}": stop it first, or set another agent.data_dir`,
      );
    }
    await unlink(path);
    await listen(server, path);
  }
  await chmod(path, 0o600);
  return { close: () => close(server) };
}

/** Asks the agent behind the socket. Throws AgentNotRunningError where none listens. */
export function askControl(path: string, route: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: path, path: route, agent: false }, (answer) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asking.destroy(new Error("the answer is too long"));
      });
      answer.on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`Cannot ask the agent: it answered ${answer.statusCode}`));
      });
    });
    asking.setTimeout(ANSWER_MS, () => {
      asking.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`));
    });
    asking.on("error", (error: NodeJS.ErrnoException) => reject(explain(error, path)));
    asking.end();
  });
}

function explain(error: NodeJS.ErrnoException, path: string): Error {
  if (error.code === "ENOENT" || error.code === "ECONNREFUSED") {
    return new AgentNotRunningError(`No agent is running behind "${path}"`, { cause: error });
  }
  const denied = error.code === "EACCES" || error.code === "EPERM";
  const reason = denied ? "permission denied; run as the agent's user" : error.message;
  return new Error(`Cannot ask the agent behind "${path}": ${reason}`, { cause: error });
}

/** Who holds the socket; undefined where nobody does. */
async function findOwner(path: string): Promise<string | undefined> {
  try {
    const { pid } = await askControl(path, "/status") as { readonly pid?: unknown };
    return `Another agent, process ${pid},`;
  } catch (error) {
    return error instanceof AgentNotRunningError ? undefined : "Another agent";
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
