// The history of a data_dir whose agent does not run: read, and nothing else.

import { LRUCache } from "lru-cache";
import type { EventHistory, HistoryPlace } from "../../sdk/event-history.ts";
import { StoredHistory } from "./history.ts";
import { HistoryStore } from "./store.ts";

const CACHE_BYTES = 64 * 1024 * 1024;
// Retention is the agent's to enforce: what is there is shown.
const RETENTION_DAYS = 36_500;

/** Opens the history in a folder for reading; changes nothing there. Rejects where there is none. */
export async function openHistory(place: HistoryPlace): Promise<EventHistory> {
  const { directory, clock, own, tell } = place;
  const cache = new LRUCache<string, Uint8Array | Uint32Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ byteLength }) => Math.max(1, byteLength),
  });
  const store = await HistoryStore.open({
    directory,
    retentionDays: RETENTION_DAYS,
    clock,
    log: { info: () => {}, error: () => {} },
    gzip: () => Promise.reject(new Error("The history is only read")),
    cache,
    tell: (path, reason) => tell(`Cannot read "${path}": ${reason}`),
    isReadOnly: true,
  });
  return new StoredHistory({ store: () => store, cache, own });
}
