// The thread that gzips for `deno.ts`: bytes in, bytes out, both handed over.

import { gzipSync } from "node:zlib";

interface Request {
  readonly id: number;
  readonly level: number;
  readonly bytes: Uint8Array;
}

/** What of a web worker's own side is used here; Node's types do not know it. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data: { id, level, bytes } }) => {
  try {
    const zipped = gzipSync(bytes, { level });
    // A copy of its own: a result of zlib may share its buffer with others.
    const plain = new Uint8Array(zipped);
    scope.postMessage({ id, bytes: plain }, [plain.buffer]);
  } catch (error) {
    scope.postMessage({ id, error: String(error) });
  }
};
