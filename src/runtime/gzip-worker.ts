// The thread that gzips for `deno.ts`: bytes in, bytes out, both handed over. The memory of the input
// goes back with the answer, to be used again: garbage of this size would wait long for collection.

import { constants, deflateRawSync, gzipSync } from "node:zlib";

/** A whole gzip file, or blocks of raw deflate for a stream. */
export type GzipJob = "file" | "blocks";

interface Request {
  readonly id: number;
  readonly job: GzipJob;
  readonly level: number;
  readonly room: ArrayBuffer;
  /** How much of `room` is input. */
  readonly length: number;
}

/** What of a web worker's own side is used here; Node's types do not know it. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data: { id, job, level, room, length } }) => {
  try {
    const zipped = zip(new Uint8Array(room, 0, length), job, level);
    // A copy of its own: a result of zlib may share its buffer with others.
    const plain = new Uint8Array(zipped);
    scope.postMessage({ id, bytes: plain, room }, [plain.buffer, room]);
  } catch (error) {
    scope.postMessage({ id, error: String(error) });
  }
};

function zip(bytes: Uint8Array, job: GzipJob, level: number): Uint8Array {
  if (job === "file") return gzipSync(bytes, { level });
  return deflateRawSync(bytes, { level, finishFlush: constants.Z_SYNC_FLUSH });
}
