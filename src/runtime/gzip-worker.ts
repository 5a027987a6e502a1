// The thread that gzips for `deno.ts`: bytes in, bytes out, both handed over.

import { parentPort } from "node:worker_threads";
import { gzipSync } from "node:zlib";

interface Request {
  readonly id: number;
  readonly level: number;
  readonly bytes: Uint8Array;
}

parentPort?.on("message", ({ id, level, bytes }: Request) => {
  try {
    const zipped = gzipSync(bytes, { level });
    // A copy of its own: a result of zlib may share its buffer with others.
    const plain = new Uint8Array(zipped);
    parentPort?.postMessage({ id, bytes: plain }, [plain.buffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: String(error) });
  }
});
