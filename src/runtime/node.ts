// Node: zlib's asynchronous calls run on libuv's pool of threads.

import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { nodeDatagrams } from "../../plugins/sdk/datagrams.ts";
import type { Runtime } from "../../plugins/sdk/index.ts";

const gzipOnPool = promisify(gzip);

/** What Node does its own way. */
export function createNodeRuntime(): Runtime {
  return {
    name: "node",
    gzip: (chunks, level = 6) => {
      const joined = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      // One large output block: the default of 16 KiB copies a log file's worth many times.
      const chunkSize = Math.max(16 * 1024, Math.ceil(joined.length / 4));
      return gzipOnPool(joined, { level, chunkSize });
    },
    datagrams: nodeDatagrams,
  };
}
