// Writes an answer of an HttpServer: whole, or piece by piece as the client takes it in.

import type { ServerResponse } from "node:http";
import type { HttpResponse } from "./http-message.ts";

/** How an answer is written. */
export interface AnswerWriting {
  /** Whether the connection may serve another request. */
  readonly keepAlive: boolean;
  /** Called with true when the client is waited for, and with false when it goes on. */
  readonly waiting: (isWaiting: boolean) => void;
}

/**
 * Resolves when all is handed to the runtime. Rejects where the pieces of a body fail; the client
 * then sees that the body is not whole.
 */
export async function writeAnswer(
  response: ServerResponse,
  { status, headers = {}, body = "" }: HttpResponse,
  { keepAlive, waiting }: AnswerWriting,
): Promise<void> {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (!keepAlive) response.setHeader("connection", "close");
  response.statusCode = status;
  if (typeof body === "object" && Symbol.asyncIterator in body) {
    return await writePieces(response, body, waiting);
  }
  const hasBody = status !== 204 && status !== 304;
  if (hasBody) {
    const length = typeof body === "string" ? new TextEncoder().encode(body).length : body.length;
    response.setHeader("content-length", length);
  }
  waiting(true);
  response.end(hasBody ? body : undefined);
}

async function writePieces(
  response: ServerResponse,
  pieces: AsyncIterable<string | Uint8Array>,
  waiting: AnswerWriting["waiting"],
): Promise<void> {
  const gone = new Promise<void>((resolve) => response.once("close", resolve));
  try {
    for await (const piece of pieces) {
      if (response.destroyed) return;
      if (response.write(piece)) continue;
      waiting(true);
      await Promise.race([gone, new Promise((resolve) => response.once("drain", resolve))]);
      waiting(false);
    }
  } catch (error) {
    response.destroy();
    throw error;
  }
  waiting(true);
  response.end();
}
