// The crash model: thousands of histories on a simulated disk, each from its own seed.
// CAIRN_CRASH_SEED=n replays one; CAIRN_SOAK=1 runs twenty times as many.

import process from "node:process";
import t from "tap";
import type { Files } from "../../src/queue/files.ts";
import { type Cheat, runHistory } from "./history.ts";

const REPLAY = process.env.CAIRN_CRASH_SEED;
const HISTORIES = process.env.CAIRN_SOAK ? 200_000 : 10_000;
// Enough to understand a defect; the rest would say the same.
const FAILURES_SHOWN = 5;
// Half a minute is usual; a loaded machine and the long version take more.
const TIMEOUT_MS = process.env.CAIRN_SOAK ? 3_600_000 : 280_000;
// A cheat is found within the first dozens; this bounds the search where one is not.
const CHEAT_HISTORIES = 2000;

t.test("the queue keeps every promise through crashes and failing disks", async (t) => {
  if (REPLAY !== undefined) {
    await runHistory(Number(REPLAY));
    t.pass(`history ${REPLAY} keeps every promise`);
    return;
  }
  t.setTimeout(TIMEOUT_MS);
  let failures = 0;
  for (let seed = 1; seed <= HISTORIES && failures < FAILURES_SHOWN; seed++) {
    try {
      await runHistory(seed);
    } catch (error) {
      failures++;
      t.fail(`CAIRN_CRASH_SEED=${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  t.equal(failures, 0, `${HISTORIES} histories`);
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
