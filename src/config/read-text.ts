// Files as text, for configurations and `${file:}` references: bounded, UTF-8, errors in words.

import { Buffer, isUtf8 } from "node:buffer";
import { notFoundReason } from "../../plugins/sdk/file-name.ts";
import { closeSync, openSync, readSync } from "node:fs";

/** A configuration is written by people; more is a mistaken name. */
export const SOURCE_BYTES_MAX = 1024 * 1024;

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
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(SOURCE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function reason(error: unknown, path: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return notFoundReason(path);
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "is a directory";
  return message;
}
