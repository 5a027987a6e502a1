// How a running agent is asked: HTTP over a unix socket in data_dir, for its own user only.

import { chmod, unlink } from "node:fs/promises";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Log } from "../../plugins/sdk/index.ts";
import { AgentNotRunningError, askControl } from "./ask-control.ts";
import { DataDirError } from "./data-dir.ts";

// What is asked names at most a few thousand things.
const QUESTION_BYTES_MAX = 1024 * 1024;

/**
 * What can be asked: a method, a path, and what it answers. `POST` carries a JSON value; `asking`
 * aborts when nobody waits for the answer any more. What a route throws is told to who asked. An
 * iterable is answered text by text, as far as the asker reads.
 */
export type ControlRoutes = Readonly<
  Record<
    `${"GET" | "POST"} /${string}`,
    (value: unknown, asking: AbortSignal) => unknown
  >
>;

/** A socket that answers. */
export interface ControlServer {
  close(): Promise<void>;
}

/**
 * Serves the routes. A socket that a dead agent left behind is replaced; a living agent behind it
 * is a DataDirError.
 */
export async function serveControl(path: string, routes: ControlRoutes): Promise<ControlServer> {
  const server = createServer((incoming, answer) => {
    answerTo(incoming, answer, routes).catch((error: unknown) => {
      // The asker left, or sent what cannot be read; the agent itself goes on.
      answer.destroy(error instanceof Error ? error : undefined);
    });
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

/** Serves the routes; where the file system holds no sockets the log says so, and nothing is served. */
export async function openControl(
  path: string,
  routes: ControlRoutes,
  log: Log,
): Promise<ControlServer | undefined> {
  try {
    return await serveControl(path, routes);
  } catch (error) {
    if (error instanceof DataDirError) throw error;
    // Capturing goes before answering.
    log.warn(`Cannot listen on "${path}": cairn status will not work: ${error}`);
    return undefined;
  }
}

async function answerTo(
  incoming: IncomingMessage,
  answer: ServerResponse,
  routes: ControlRoutes,
): Promise<void> {
  const name = `${incoming.method} ${incoming.url}`;
  const route = Object.hasOwn(routes, name) ? routes[name as keyof ControlRoutes] : undefined;
  const reply = (status: number, body: unknown) => {
    answer.writeHead(status, { "content-type": "application/json" });
    answer.end(JSON.stringify(body));
  };
  if (route === undefined) return reply(404, { error: "No such route" });
  const asking = new AbortController();
  answer.once("close", () => asking.abort(new Error("Nobody waits for the answer")));
  try {
    const value = incoming.method === "POST" ? await readQuestion(incoming) : undefined;
    const result = await route(value, asking.signal) ?? null;
    if (isIterable(result)) await stream(result, answer, asking.signal);
    else reply(200, result);
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    const text = error instanceof Error ? error.message : String(error);
    reply(500, { error: text, ...(typeof code === "string" ? { code } : {}) });
  }
}

function isIterable(result: unknown): result is AsyncIterable<string> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

async function stream(
  texts: AsyncIterable<string>,
  answer: ServerResponse,
  asking: AbortSignal,
): Promise<void> {
  answer.writeHead(200, { "content-type": "application/x-ndjson" });
  // At once: who asked knows from it that the agent does as it was asked.
  answer.flushHeaders();
  for await (const text of texts) {
    if (answer.write(text) || asking.aborted) continue;
    await once(answer, "drain", { signal: asking }).catch(() => undefined);
  }
  answer.end();
}

async function readQuestion(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > QUESTION_BYTES_MAX) throw new Error("The question is too long");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
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
