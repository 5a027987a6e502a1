// Bodies of HTTP requests: read within their bounds, then decompressed within the same ones.

import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate, inflateRaw } from "node:zlib";
import { comeAgain, type HttpResponse, plainAnswer } from "./http-message.ts";

/** A body that is not taken, with the answer that says so. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly answer: HttpResponse;

  constructor(answer: HttpResponse) {
    super(`Body refused with ${answer.status}`);
    this.answer = answer;
  }
}

/** Counts the bytes of all bodies that wait; shared by the requests of a server. */
export class BodyMemory {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes room; false, and none taken, where there is none. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What a body is read with. */
export interface BodyOptions {
  readonly bytesMax: number;
  readonly memory: BodyMemory;
  /** Ends the reading; the promise then rejects with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Reads a body as it comes. The room it takes in `memory` is the caller's to free; where it rejects
 * none is taken.
 */
export function readBody(message: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { bytesMax, memory, signal } = options;
  const tooLarge = () => new BodyError(plainAnswer(413, `Body is larger than ${bytesMax} bytes`));
  if (Number(message.headers["content-length"] ?? 0) > bytesMax) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (error?: unknown) => {
      message.off("data", onData).off("end", onEnd).off("error", onClose).off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      if (error === undefined) return resolve(Buffer.concat(chunks, length));
      memory.free(length);
      // What still comes is thrown away, so that the client gets to read the answer.
      message.on("error", () => {}).resume();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      if (length + chunk.length > bytesMax) return settle(tooLarge());
      if (!memory.take(chunk.length)) {
        return settle(new BodyError(comeAgain("Too many bodies wait to be taken")));
      }
      length += chunk.length;
      chunks.push(chunk);
    };
    const onEnd = () => settle();
    // Damaged framing, or the client has gone: then nobody reads the answer.
    const onClose = () => settle(new BodyError(plainAnswer(400, "Body ended too early")));
    const onAbort = () => settle(signal.reason);
    message.on("data", onData).on("end", onEnd).on("error", onClose).on("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

type Inflate = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const undo: Readonly<Record<"gzip" | "deflate" | "raw", Inflate>> = {
  gzip: promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip),
  deflate: promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate),
  raw: promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw),
};

/** The answer to a body whose content-encoding cannot be undone; undefined where it can. */
export function refuseEncoding(headers: IncomingHttpHeaders): HttpResponse | undefined {
  const encoding = headers["content-encoding"] ?? "";
  if (/^(?:identity|gzip|x-gzip|deflate|)$/i.test(encoding.trim())) return undefined;
  return plainAnswer(415, "Content-Encoding is not gzip, deflate or identity", {
    "accept-encoding": "gzip, deflate",
  });
}

/** Undoes a content-encoding that is not refused. Throws BodyError. */
export async function decodeBody(
  bytes: Buffer,
  encoding: string,
  bytesMax: number,
): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === "" || name === "identity" || bytes.length === 0) return bytes;
  const kind = name === "deflate" ? (isZlib(bytes) ? "deflate" : "raw") : "gzip";
  try {
    return await undo[kind](bytes, { maxOutputLength: bytesMax });
  } catch (error) {
    const isLarge = error instanceof Error && "code" in error &&
      error.code === "ERR_BUFFER_TOO_LARGE";
    throw new BodyError(
      isLarge
        ? plainAnswer(413, `Body is larger than ${bytesMax} bytes when decompressed`)
        : plainAnswer(400, `Body is no readable ${name}`),
    );
  }
}

/** HTTP's deflate is zlib's format; some senders leave zlib's head out. */
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 && (bytes[0]! * 256 + bytes[1]!) % 31 === 0;
}
