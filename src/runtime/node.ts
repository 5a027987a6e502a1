// Node: zlib's asynchronous calls run on libuv's pool of threads.

import { promisify } from "node:util";
import { constants, deflateRaw, gzip } from "node:zlib";
import { nodeDatagrams } from "../../plugins/sdk/datagrams.ts";
import type { Runtime } from "../../plugins/sdk/index.ts";

const gzipOnPool = promisify(gzip);
const deflateOnPool = promisify(deflateRaw);

/** What Node does its own way. */
export function createNodeRuntime(): Runtime {
  return {
    name: "node",
    gzip: (chunks, level = 6) => {
      const joined = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      return gzipOnPool(joined, { level, chunkSize: chunkSize(joined) });
    },
    deflate: (piece, level) => {
      const finishFlush = constants.Z_SYNC_FLUSH;
      return deflateOnPool(piece, { level, finishFlush, chunkSize: chunkSize(piece) });
    },
    datagrams: nodeDatagrams,
  };
}

/** One large output block: the default of 16 KiB copies a log file's worth many times. */
function chunkSize({ length }: Uint8Array): number {
  return Math.max(16 * 1024, Math.ceil(length / 4));
}
