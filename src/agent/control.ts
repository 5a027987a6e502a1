// How a running agent is asked: HTTP over a unix socket in data_dir, for its own user only.

import { existsSync } from "node:fs";
import { chmod, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Log } from "../../plugins/sdk/index.ts";
import { DataDirError } from "./data-dir.ts";

// An answer is small and local; an agent that needs longer is stuck.
const ANSWER_MS = 5000;

// What is asked names at most a few thousand things.
const QUESTION_BYTES_MAX = 1024 * 1024;

// A status of thousands of components is still far below this.
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

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

/** What a question brings along, beside its path. */
export interface Question {
  /** Sent by POST, as JSON. */
  readonly value?: unknown;
  /** How long the agent may be silent; five seconds by default. */
  readonly answerMs?: number;
}

/** A socket that answers. */
export interface ControlServer {
  close(): Promise<void>;
}

/** The agent answered that it cannot do what it was asked for. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  /** Of the error that the agent had. */
  readonly code: string | undefined;
  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
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

/**
 * Asks the agent behind the socket. Throws AgentNotRunningError where none listens, ControlError
 * where it answers with an error.
 */
export function askControl(path: string, route: string, question: Question = {}): Promise<unknown> {
  const { value, answerMs = ANSWER_MS } = question;
  const method = value === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const options = { socketPath: path, path: route, agent: false, method };
    const asking = request(options, (answer) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asking.destroy(new Error("the answer is too long"));
      });
      answer.on("error", reject);
      answer.on("end", () => {
        try {
          const content: unknown = JSON.parse(Buffer.concat(chunks).toString());
          if (answer.statusCode === 200) resolve(content);
          else reject(refusal(content, answer.statusCode));
        } catch (error) {
          reject(error);
        }
      });
    });
    asking.setTimeout(answerMs, () => {
      asking.destroy(new Error(`no answer within ${answerMs / 1000} s`));
    });
    asking.on("error", (error: NodeJS.ErrnoException) => reject(explain(error, path)));
    asking.end(value === undefined ? undefined : JSON.stringify(value));
  });
}

/**
 * Asks for what comes piece by piece, and gives it line by line until the agent ends it or `signal`
 * aborts. Throws as askControl does, and where the agent goes away meanwhile.
 */
export async function* followControl(
  path: string,
  route: string,
  value: unknown,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const options = { socketPath: path, path: route, agent: false, method: "POST" };
  const asking = request(options);
  const close = () => asking.destroy();
  signal.addEventListener("abort", close, { once: true });
  try {
    asking.setTimeout(ANSWER_MS, () => {
      asking.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`));
    });
    asking.end(JSON.stringify(value));
    const [answer] = await once(asking, "response") as [IncomingMessage];
    // From here on nothing may pass for hours.
    asking.setTimeout(0);
    let rest = "";
    for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      if (rest.length > ANSWER_BYTES_MAX) throw new Error("the answer is too long");
      if (answer.statusCode === 200) yield* lines;
    }
    if (answer.statusCode !== 200) throw refusal(JSON.parse(rest || "null"), answer.statusCode);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ControlError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ECONNRESET") {
      throw new AgentNotRunningError(`The agent behind "${path}" has ended`, { cause: error });
    }
    throw explain(error as NodeJS.ErrnoException, path);
  } finally {
    signal.removeEventListener("abort", close);
    asking.destroy();
  }
}

function refusal(content: unknown, status: number | undefined): ControlError {
  const { error, code } = (content ?? {}) as { error?: unknown; code?: unknown };
  if (status === 404) {
    return new ControlError(
      "Cannot ask the agent: it does not know the question; it is of another version",
      undefined,
    );
  }
  const text = typeof error === "string" ? error : `it answered ${status}`;
  return new ControlError(text, typeof code === "string" ? code : undefined);
}

function explain(error: NodeJS.ErrnoException, path: string): Error {
  if (error.code === "ENOENT" || error.code === "ECONNREFUSED") {
    const message = `No agent is running behind "${path}"${whyHidden(path)}`;
    return new AgentNotRunningError(message, { cause: error });
  }
  const denied = error.code === "EACCES" || error.code === "EPERM";
  const reason = denied ? "permission denied; run as the agent's user" : error.message;
  return new Error(`Cannot ask the agent behind "${path}": ${reason}`, { cause: error });
}

/** An agent goes on, and takes nothing in, where its data_dir is deleted: nobody finds it then. */
function whyHidden(path: string): string {
  return existsSync(dirname(path))
    ? ""
    : ": its folder is not there; an agent whose data_dir was deleted has to be ended by its process id";
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
