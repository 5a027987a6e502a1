// Files as text, for configurations and `${file:}` references: bounded, UTF-8, errors in words.

import { Buffer, isUtf8 } from "node:buffer";
import { notFoundReason } from "../../plugins/sdk/file-name.ts";
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";

/** A configuration is written by people; more is a mistaken name. */
export const SOURCE_BYTES_MAX = 1024 * 1024;

// What writes into a pipe (`<(…)` of a shell) may need a moment; an agent that reloads has no more.
const PIPE_MS = 1000;
const PIPE_PAUSE_MS = 10;

/** The file's text. Throws an Error whose message says, in a few words, why there is none. */
export function readText(path: string): string {
  try {
    return asText(readBytes(path));
  } catch (error) {
    throw new Error(reason(error, path), { cause: error });
  }
}

/** The bytes as text. Throws where they are none, or too many. */
export function asText(bytes: Buffer): string {
  if (bytes.length > SOURCE_BYTES_MAX) throw new Error(`larger than ${SOURCE_BYTES_MAX} bytes`);
  if (!isUtf8(bytes)) throw new Error("not UTF-8 text");
  return bytes.toString();
}

/** Never more than one byte above the limit: a pipe or a device does not tell its size. */
function readBytes(path: string): Buffer {
  // Opening a pipe that nobody writes into would hold up the whole process.
  const isPipe = statSync(path).isFIFO();
  const file = openSync(path, isPipe ? constants.O_RDONLY | constants.O_NONBLOCK : "r");
  try {
    const bytes = Buffer.alloc(SOURCE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      const room = bytes.subarray(length);
      read = isPipe ? readPipe(file, room, length === 0) : readSync(file, room);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** As readSync does, waiting for who writes; at its beginning, for somebody to come. */
function readPipe(file: number, room: Uint8Array, isBeginning: boolean): number {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PIPE_MS; waited += PIPE_PAUSE_MS) {
    try {
      const read = readSync(file, room);
      if (read > 0 || !isBeginning) return read;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    Atomics.wait(sleeper, 0, 0, PIPE_PAUSE_MS);
  }
  throw new Error("is a pipe into which nothing is written");
}

function reason(error: unknown, path: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return notFoundReason(path);
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "is a directory";
  return message;
}
