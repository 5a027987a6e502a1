// Promises P1 to P3, P5 and P9. The crash model: thousands of histories on a simulated disk, each
// from its own seed, half of them on each runtime. CAIRN_CRASH_SEED=n replays one on both;
// CAIRN_SOAK=1 runs forty times as many, all of them on each.

import process from "node:process";
import { Worker } from "node:worker_threads";
import t from "tap";
import type { Files } from "../../src/queue/files.ts";
import { type Cheat, runHistory } from "./history.ts";
import type { Order, Outcome } from "./worker.ts";

const REPLAY = process.env.CAIRN_CRASH_SEED;
// Ten thousand different ones on Node and Deno together; all the chance in one is its seed's.
const HISTORIES = process.env.CAIRN_SOAK ? 200_000 : 5_000;
const FIRST = process.env.CAIRN_SOAK || !("Deno" in globalThis) ? 1 : 1 + HISTORIES;
// Enough to understand a defect; the rest would say the same.
const FAILURES_SHOWN = 5;
// Half a minute is usual; a loaded machine and the long version take more.
const TIMEOUT_MS = process.env.CAIRN_SOAK ? 3_600_000 : 280_000;
// A cheat is found within the first dozens; this bounds the search where one is not.
const CHEAT_HISTORIES = 2000;

t.setTimeout(TIMEOUT_MS);

function runInWorker(order: Order): Promise<Outcome> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: order });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

t.test("P1, P3, P9: the queue keeps every promise through crashes and failing disks", async (t) => {
  t.setTimeout(TIMEOUT_MS);
  const first = Number(REPLAY ?? FIRST);
  const last = REPLAY === undefined ? FIRST + HISTORIES - 1 : first;
  const { histories, failures } = await runInWorker({ first, last, failuresMax: FAILURES_SHOWN });
  for (const { seed, error } of failures) t.fail(`CAIRN_CRASH_SEED=${seed}: ${error}`);
  t.equal(histories, last - first + 1, `${histories} histories, seeds ${first} to ${last}`);
});

// What longer runs found once: a sync that succeeds after one that failed says nothing of what was
// lost between (11635), and a removed name may come back (the others).
const FOUND = [11_635, 17_454, 20_678, 24_258];

t.test("histories that once broke a promise keep it", async (t) => {
  for (const seed of FOUND) await t.resolves(runHistory(seed), `CAIRN_CRASH_SEED=${seed}`);
});

const CHEATS: Readonly<Record<string, Cheat>> = {
  "skips fdatasync": (files) => ({
    ...files,
    open: async (path, mode) => ({ ...await files.open(path, mode), datasync: async () => {} }),
  }),
  "acknowledges before fdatasync returned": (files) => ({
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      return {
        ...file,
        datasync: async () => {
          file.datasync().catch(() => {});
        },
      };
    },
  }),
  "skips fsync of folders": (files) => ({ ...files, syncFolder: async () => {} }),
  "does not sync its cursors": (files: Files) => ({
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      return path.includes("/cursors/") ? { ...file, datasync: async () => {} } : file;
    },
  }),
};

for (const [name, cheat] of Object.entries(CHEATS)) {
  t.test(
    `the crash model finds out a queue that ${name}`,
    { skip: REPLAY !== undefined },
    async (t) => {
      let found: unknown;
      for (let seed = 1; seed <= CHEAT_HISTORIES && found === undefined; seed++) {
        await runHistory(seed, cheat).catch((error) => found = error);
      }
      t.ok(found instanceof Error, String(found));
    },
  );
}
