// The queue's limits and a disk that refuses: who waits, what goes, and what is never there twice.

import { readdirSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Files } from "../../src/queue/files.ts";
import { type Dropped, Queue, type QueueState } from "../../src/queue/queue.ts";
import { CALM } from "../crash/disk.ts";
import { calmDisk, entries, openSmall, readAll } from "./small-queue.ts";

/** Files whose calls on segments fail as told. */
function failing(
  files: Files,
  fail: { on: "write" | "datasync" | "create"; code: string; times: number; partly?: number },
): Files {
  const refuse = (on: string) => {
    if (fail.on !== on || fail.times <= 0) return;
    fail.times--;
    throw Object.assign(new Error(`${fail.code}: told so`), { code: fail.code });
  };
  return {
    ...files,
    open: async (path, mode) => {
      if (path.endsWith(".seg") && mode === "create") refuse("create");
      const file = await files.open(path, mode);
      if (!path.endsWith(".seg")) return file;
      return {
        ...file,
        write: async (bytes, at) => {
          if (fail.on === "write" && fail.times > 0) {
            await file.write(bytes.subarray(0, fail.partly ?? 40), at);
          }
          refuse("write");
          await file.write(bytes, at);
        },
        datasync: async () => {
          refuse("datasync");
          await file.datasync();
        },
      };
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 10_000) throw new Error("the condition never came true");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function fill(queue: Queue, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) await queue.append({ entries: entries(i, i) });
}

t.test("overflow block: appends wait until a cursor has made room, in order", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { bytesMax: 8000, retryMs: 5 });
  const cursor = await queue.cursor("a");
  let done = 0;
  const appends = Array.from(
    { length: 40 },
    (_, i) =>
      queue.append({ entries: entries(i + 1, i + 1) }).then(({ first }) => {
        done++;
        t.equal(first, i + 1);
      }),
  );
  // One append in a commit of its own, so that the limit is met on the way.
  await until(() => queue.stats().blocked || done === 40);
  const stored = queue.nextSequence() - 1;
  if (stored < 40) t.ok(queue.stats().blocked);
  t.ok(queue.stats().bytes <= 8000);
  for (let position = 1; done < 40;) {
    position = queue.nextSequence();
    await cursor.save({ ...cursor.state(), position, delivered: position - 1 });
    await until(() => queue.nextSequence() > position || done === 40);
  }
  await Promise.all(appends);
  t.equal(queue.counts().stored, 40);
  t.notOk(queue.stats().blocked);
});

t.test("keptRecords stay after every cursor has passed them, until their room is needed", async (t) => {
  const { files } = calmDisk();
  const options = { keptRecords: 20, segmentBytesMax: 800, bytesMax: 8000 };
  const queue = await openSmall(files, options);
  const cursor = await queue.cursor("a");
  const pass = () => {
    const position = queue.nextSequence();
    return cursor.save({ ...cursor.state(), position, delivered: position - 1 });
  };
  const held = () => queue.nextSequence() - queue.stats().oldestSequence;
  for (let i = 1; i <= 40; i++) {
    await queue.append({ entries: entries(i, i) });
    await pass();
    t.ok(held() >= Math.min(i, 4), `${held()} of ${i} records`);
    // A segment more than an eighth of max_bytes at most.
    t.ok(queue.stats().bytes <= 1000 + 800, `${queue.stats().bytes} bytes`);
  }
  // What nobody needs is no reason to wait, or to count anything as dropped.
  const large = { ...entries(41, 41)[0]!, bytes: new Uint8Array(5700) };
  await queue.append({ entries: [large] });
  t.notOk(queue.stats().blocked);
  t.equal(queue.counts().stored, 41);
  await queue.close();
});

t.test("overflow block: waiting ends with the signal, and with close()", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { bytesMax: 3000, retryMs: 60_000 });
  await queue.cursor("dead");
  const large = { ...entries(1, 1)[0]!, bytes: new Uint8Array(1500) };
  await queue.append({ entries: [large] });
  const abort = new AbortController();
  const aborted = queue.append({ entries: [large], signal: abort.signal });
  const waiting = queue.append({ entries: [large] });
  await until(() => queue.stats().blocked);
  abort.abort(new Error("the deadline has passed"));
  await t.rejects(aborted, /the deadline has passed/);
  const closed = queue.close();
  await t.rejects(waiting, { code: "CAIRN_QUEUE_CLOSED" });
  await closed;
  const again = await openSmall(files);
  t.equal(again.counts().stored, 1);
});

t.test("overflow drop_oldest: whole segments go, counted exactly for each cursor", async (t) => {
  const { files } = calmDisk();
  const drops: Dropped[] = [];
  const queue = await openSmall(files, {
    bytesMax: 6000,
    segmentBytesMax: 600,
    overflow: "drop_oldest",
    onDrop: (dropped) => drops.push(dropped),
  });
  const fast = await queue.cursor("fast");
  await queue.cursor("dead");
  await fill(queue, 1, 3);
  await fast.save({ ...fast.state(), position: 4, delivered: 3 });
  await fill(queue, 4, 60);
  const { oldestSequence, nextSequence, bytes } = queue.stats();
  t.equal(nextSequence, 61);
  t.ok(bytes <= 6000);
  t.ok(oldestSequence > 4);
  t.equal(drops.reduce((sum, drop) => sum + drop.count, 0), oldestSequence - 1);
  t.match(drops[0], { first: 1, reason: "max_bytes", exporters: ["dead"] });
  t.match(drops.at(-1), { last: oldestSequence - 1, exporters: ["fast", "dead"] });
  const read = await readAll(queue, "dead");
  t.equal(read.lost, oldestSequence - 1);
  t.equal(read.ids.length + read.lost, 60);
  const rest = await fast.read(4, { records: 100, bytes: 1e6 });
  t.equal(rest.lost, oldestSequence - 4);
});

t.test("ageMsMax drops what is too old, whatever the policy, also from the last segment", async (t) => {
  const { files } = calmDisk();
  let now = 1_000_000;
  const drops: Dropped[] = [];
  const queue = await openSmall(files, {
    clock: () => now,
    ageMsMax: 1000,
    onDrop: (dropped) => drops.push(dropped),
  });
  await queue.cursor("dead");
  await fill(queue, 1, 2);
  now += 900;
  await fill(queue, 3, 3);
  t.strictSame(drops, []);
  now += 1001;
  await fill(queue, 4, 4);
  t.match(drops, [{ first: 1, last: 3, count: 3, reason: "max_age", exporters: ["dead"] }]);
  t.strictSame((await readAll(queue)).ids, ["r4"]);
  await queue.close();
});

t.test("freeDiskBytesMin: appends wait until the disk has room again", async (t) => {
  const { disk, files } = calmDisk();
  disk.free = 1_000_000;
  const queue = await openSmall(files, { freeDiskBytesMin: 900_000, retryMs: 1 });
  await fill(queue, 1, 1);
  disk.free = 800_000;
  // Free space is asked for again after 8 MiB: enough is written here to come to that.
  const large = { ...entries(1, 1)[0]!, bytes: new Uint8Array(9 * 1024 * 1024) };
  const waiting = queue.append({ entries: [large] });
  await until(() => queue.stats().blocked);
  disk.free = 1 << 30;
  t.strictSame(await waiting, { first: 2, last: 2 });
});

t.test("a full disk with overflow block: the append waits and is there once", async (t) => {
  const { files } = calmDisk();
  const fail = { on: "write" as const, code: "ENOSPC", times: 3 };
  const queue = await openSmall(failing(files, fail), { retryMs: 1 });
  fail.times = 0;
  await fill(queue, 1, 2);
  fail.times = 3;
  const waiting = queue.append({ entries: entries(3, 3) });
  await until(() => queue.stats().blocked || fail.times === 0);
  t.strictSame(await waiting, { first: 3, last: 3 });
  t.equal(queue.stats().problem, undefined);
  await queue.close();
  const again = await openSmall(files);
  t.strictSame((await readAll(again)).ids, ["r1", "r2", "r3"]);
  t.match(again.recovery, { tornBytes: 0, corruptFrames: 0 });
});

t.test("a full disk with overflow drop_oldest: the oldest goes, else the append is refused", async (t) => {
  const { files } = calmDisk();
  const drops: Dropped[] = [];
  const fail = { on: "write" as const, code: "ENOSPC", times: 0 };
  const queue = await openSmall(failing(files, fail), {
    overflow: "drop_oldest",
    segmentBytesMax: 300,
    onDrop: (dropped) => drops.push(dropped),
  });
  await queue.cursor("dead");
  await fill(queue, 1, 4);
  fail.times = 1;
  await fill(queue, 5, 5);
  t.match(drops, [{ first: 1, reason: "disk_full" }]);
  t.equal((await readAll(queue)).ids.at(-1), "r5");
});

for (const on of ["write", "datasync"] as const) {
  t.test(`a refused append is not there after a kill, though ${on} failed when all was written`, async (t) => {
    const { disk, files } = calmDisk();
    const fail = { on, code: "EIO", times: 0, partly: Number.POSITIVE_INFINITY };
    const queue = await openSmall(failing(files, fail));
    await fill(queue, 1, 1);
    fail.times = 1;
    await t.rejects(queue.append({ entries: entries(2, 2) }), { code: "CAIRN_QUEUE_WRITE" });
    disk.end("kill");
    const again = await openSmall(disk.start(CALM).files);
    t.strictSame((await readAll(again)).ids, ["r1"]);
  });
}

for (const on of ["write", "datasync", "create"] as const) {
  t.test(`an append refused because ${on} failed may come again and is there once`, async (t) => {
    const { files } = calmDisk();
    const fail = { on, code: "EIO", times: 0 };
    const queue = await openSmall(failing(files, fail), { segmentBytesMax: 500 });
    await fill(queue, 1, 1);
    for (let i = 2; i <= 6; i++) {
      fail.times = 1;
      const before = fail.times;
      const append = () =>
        queue.append({ entries: entries(i, i), receiver: "r", position: { next: i + 1 } });
      const refused = await append().then(() => false, (error) => {
        t.match(error, { name: "QueueWriteError", code: "CAIRN_QUEUE_WRITE", message: /EIO/ });
        return true;
      });
      if (before > fail.times && on !== "create") t.ok(refused, "the failure was told");
      if (!refused) continue;
      t.strictSame(queue.position("r"), i === 2 ? undefined : { next: i });
      await append();
    }
    await queue.close();
    const again = await openSmall(files);
    t.strictSame((await readAll(again)).ids, ["r1", "r2", "r3", "r4", "r5", "r6"]);
    t.strictSame(again.position("r"), { next: 7 });
    t.equal(again.recovery.lostRecords, 0);
  });
}

t.test("an append larger than the whole queue may hold is refused, not waited for", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { bytesMax: 5000 });
  const large = { ...entries(1, 1)[0]!, bytes: new Uint8Array(6000) };
  await t.rejects(queue.append({ entries: [large] }), { code: "CAIRN_QUEUE_FULL" });
  await fill(queue, 1, 1);
  await (await queue.cursor("a")).save({
    ...(await queue.cursor("a")).state(),
    position: 2,
    delivered: 1,
  });
  await t.rejects(queue.append({ entries: [large] }), { code: "CAIRN_QUEUE_FULL" });
});

t.test("free space that nobody can tell holds no append up, and is said", async (t) => {
  const { files } = calmDisk();
  let refused = true;
  const states: QueueState[] = [];
  const queue = await openSmall({
    ...files,
    freeBytes: (path) => {
      if (refused) throw new Error("Requires sys access to statfs");
      return files.freeBytes(path);
    },
  }, { freeDiskBytesMin: 1000, onState: (state) => states.push(state) });
  await fill(queue, 1, 3);
  t.equal(queue.counts().stored, 3);
  t.match(queue.stats(), { blocked: false, problem: /statfs; going on without .*min_free_disk/ });
  t.same(states, [{ blocked: false, problem: queue.stats().problem }], "said once");
  refused = false;
  // It is asked for again after some MiB.
  const large = { ...entries(4, 4)[0]!, bytes: new Uint8Array(9 * 1024 * 1024) };
  await queue.append({ entries: [large] });
  t.equal(queue.stats().problem, undefined);
  t.same(states[1], { blocked: false, problem: undefined });
  await queue.close();
});

t.test("a segment deleted under the queue takes nothing more; a new one does", async (t) => {
  const directory = join(t.testdir(), "queue");
  const queue = await Queue.open({ directory, clock: Date.now, retryMs: 1 });
  await queue.append({ entries: entries(1, 2) });
  for (const name of readdirSync(directory)) {
    if (name.endsWith(".seg")) unlinkSync(join(directory, name));
  }
  t.same(await queue.append({ entries: entries(3, 4) }), { first: 3, last: 4 });
  await queue.close();
  const again = await Queue.open({ directory, clock: Date.now });
  const { records, lost } = await readAll(again);
  t.same(records.map(({ id }) => id), ["r3", "r4"], "all that was acknowledged after it");
  t.equal(lost, 2, "what was deleted is counted");
  await again.close();
});

t.test("a folder deleted under the queue: appends are refused, and told why", async (t) => {
  const directory = join(t.testdir(), "queue");
  const queue = await Queue.open({ directory, clock: Date.now, retryMs: 1 });
  await queue.append({ entries: entries(1, 2) });
  rmSync(directory, { recursive: true });
  await t.rejects(
    queue.append({ entries: entries(3, 3) }),
    /Cannot append to queue .*deleted or moved away under it; put it back/,
  );
  t.match(queue.stats().problem, /deleted or moved away/);
  await queue.close();
});

t.test("onState tells why appends wait, and when they no longer do", async (t) => {
  const { disk, files } = calmDisk();
  disk.free = 5000;
  const states: QueueState[] = [];
  const options = { freeDiskBytesMin: 10_000, retryMs: 1 };
  const queue = await openSmall(files, { ...options, onState: (state) => states.push(state) });
  const abort = new AbortController();
  const aborted = queue.append({ entries: entries(1, 1), signal: abort.signal });
  await until(() => queue.stats().blocked);
  t.match(states.at(-1), { blocked: true, problem: /min_free_disk is 10kB/ });
  abort.abort(new Error("gone"));
  await t.rejects(aborted, /gone/);
  await until(() => !queue.stats().blocked);
  t.same(states.at(-1), { blocked: false, problem: undefined }, "nobody waits any more");
  const append = queue.append({ entries: entries(1, 1) });
  await until(() => queue.stats().blocked);
  const told = states.length;
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(states.length, told, "not told with each attempt");
  disk.free = 1 << 30;
  await append;
  t.same(states.at(-1), { blocked: false, problem: undefined });
  await queue.close();
});
