// Asking a running agent, over the unix socket in its data_dir.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

// An answer is small and local; an agent that needs longer is stuck.
const ANSWER_MS = 5000;

// A status of thousands of components is still far below this.
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** What a question brings along, beside its path. */
export interface Question {
  /** Sent by POST, as JSON. */
  readonly value?: unknown;
  /** How long the agent may be silent; five seconds by default. */
  readonly answerMs?: number;
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
