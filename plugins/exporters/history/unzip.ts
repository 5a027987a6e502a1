// Blocks and columns undone. Of this size that is a fraction of a millisecond, less than handing them to
// another thread costs.

import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";

// What is damaged may say that it is anything.
const ROOM_BYTES_MAX = 4 * 1024 * 1024;
const ROOM_BYTES_MIN = 64;

/** What was gzipped, one file of less than 4 GiB. Throws where it is damaged. */
export function unzip(bytes: Uint8Array): Uint8Array {
  // Gzip ends with the length of what is in it. Room for all of it at once saves two thirds.
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = end.length < 4 ? 0 : end.readUInt32LE(end.length - 4);
  const chunkSize = Math.min(Math.max(length + 1, ROOM_BYTES_MIN), ROOM_BYTES_MAX);
  return gunzipSync(bytes, { chunkSize });
}
