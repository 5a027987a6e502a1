// verifyQueue() and repairQueue(): every byte of a queue flipped, every file cut; what is said, what
// is kept, and that looking changes nothing.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import t from "tap";
import { errorCode } from "../../src/queue/files.ts";
import type { Files } from "../../src/queue/files.ts";
import { QueueLockedError, QueueVersionError } from "../../src/queue/queue.ts";
import { repairQueue } from "../../src/queue/repair.ts";
import { verifyQueue } from "../../src/queue/verify.ts";
import { viewQueue } from "../../src/queue/view.ts";
import {
  DIRECTORY,
  entries,
  makeSmall,
  openSmall,
  putImage,
  readAll,
  RECORDS,
  survivors,
  takeImage,
} from "./small-queue.ts";

/** Files that refuse every change. */
function readOnly(files: Files): Files {
  const refuse = () => Promise.reject(Object.assign(new Error("read-only"), { code: "EROFS" }));
  return {
    ...files,
    list: (folder) => files.list(folder),
    readFile: (path) => files.readFile(path),
    open: (path, mode) => mode === "read" ? files.open(path, mode) : refuse(),
    makeFolder: refuse,
    rename: refuse,
    remove: refuse,
    syncFolder: refuse,
  };
}

async function idsOf(files: Files): Promise<string[]> {
  const view = await viewQueue(files, DIRECTORY);
  const ids = [];
  for await (const { id } of view.records(1, view.next)) ids.push(id);
  return ids;
}

t.test("verifyQueue() finds nothing wrong in a whole queue, and writes nothing", async (t) => {
  const { image } = await makeSmall(true);
  const files = readOnly(await putImage(image));
  const report = await verifyQueue(files, DIRECTORY);
  t.same(report.problems, []);
  t.same(report.notes, []);
  t.match(report, {
    owner: undefined,
    next: RECORDS + 1,
    segments: [{ first: 1, header: "whole" }, { last: RECORDS, header: "whole" }],
    cursors: [{ name: "reader", lag: RECORDS, state: { position: 1 } }],
  });
  t.same(await idsOf(files), survivors([]));
});

t.test("repairQueue() keeps every whole frame, and the bytes, of every flipped byte", async (t) => {
  const { image, segments } = await makeSmall(true);
  const wrong: string[] = [];
  for (const { name, bytes, frames } of segments) {
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = flipped[at]! ^ (1 << (at % 8));
      const hit = frames.filter((frame) => at >= frame.offset && at < frame.offset + frame.bytes);
      const files = await putImage(image, { [name]: flipped });
      const before = await verifyQueue(readOnly(files), DIRECTORY);
      if (before.problems.length === 0) wrong.push(`${name}@${at} is not noticed`);
      const { copies, after } = await repairQueue(files, DIRECTORY);
      const copy = copies.length === 1 ? Buffer.from(await files.readFile(copies[0]!)) : undefined;
      if (copy?.equals(flipped) !== true) wrong.push(`${name}@${at} has no copy`);
      const bad = after.segments.some((each) => each.corrupt.length > 0 || each.header !== "whole");
      if (bad) wrong.push(`${name}@${at} is still corrupt`);
      const expected = survivors(hit).join();
      if ((await idsOf(files)).join() !== expected) wrong.push(`${name}@${at} lost more`);
      const queue = await openSmall(files);
      const read = await readAll(queue);
      await queue.close();
      if (read.ids.join() !== expected) wrong.push(`${name}@${at} opens with ${read.ids}`);
      if (read.lost !== RECORDS - read.ids.length) wrong.push(`${name}@${at} lost ${read.lost}`);
    }
  }
  t.same(wrong, []);
});

t.test("verifyQueue() tells a torn end from a lost one", async (t) => {
  const { image, segments } = await makeSmall(false);
  const last = segments[segments.length - 1]!;
  // Left by a crash: the process of that lock is gone.
  const torn = { [last.name]: last.bytes.subarray(0, -3), lock: undefined };
  const report = await verifyQueue(await putImage(image, torn), DIRECTORY);
  t.same(report.problems, []);
  t.match(report.notes, [/ends in \d+ torn bytes: a write that nobody was promised/]);

  const closed = await makeSmall(true);
  const lost = await verifyQueue(await putImage(closed.image, torn), DIRECTORY);
  t.match(lost.problems, [
    /is corrupt: \d+ bytes at \d+, 2 records lost/,
    /Records 8-9 are missing/,
  ]);
  const { done, after } = await repairQueue(await putImage(closed.image, torn), DIRECTORY);
  t.match(done, [/written anew without \d+ corrupt bytes at \d+: \d+ records? kept, 2 lost/]);
  t.match(after.problems, [/^Records 8-9 are missing/]);
});

t.test("verifyQueue() says no more of a loss that every cursor has counted", async (t) => {
  const { image, segments } = await makeSmall(true);
  const files = await putImage(image, { [segments[0]!.name]: undefined });
  const { missing } = await verifyQueue(files, DIRECTORY);
  t.same(missing, []);
  const hole = Buffer.from(segments[0]!.bytes);
  hole.fill(0, segments[0]!.frames[1]!.offset, segments[0]!.frames[1]!.offset + 40);
  const damaged = await putImage(image, { [segments[0]!.name]: hole });
  t.match(await repairQueue(damaged, DIRECTORY), { after: { missing: [[3, 3]] } });
  const queue = await openSmall(damaged);
  const cursor = await queue.cursor("reader");
  const { lost } = await cursor.read(1, { records: 9, bytes: 1e6 });
  t.equal(lost, 1);
  await cursor.save({ ...cursor.state(), position: 5, delivered: 3, lost: 1 });
  await queue.close();
  t.same((await verifyQueue(damaged, DIRECTORY)).problems, []);
});

t.test("repairQueue() puts cursor files aside that cannot be read", async (t) => {
  const { image } = await makeSmall(true);
  const name = [...image.keys()].find((each) => each.startsWith("cursors/"))!;
  const files = await putImage(image, { [name]: Buffer.from("nonsense") });
  t.match((await verifyQueue(files, DIRECTORY)).problems, [/Cannot read .*cursors.*: damaged/]);
  const { done, after } = await repairQueue(files, DIRECTORY);
  t.match(done, [/cursor "reader" begins at the oldest record again/]);
  t.same(after.problems, []);
  t.same(await files.readFile(join(DIRECTORY, `${name}.broken`)), Buffer.from("nonsense"));
});

t.test("repairQueue() leaves either segment, old or new, whenever it is interrupted", async (t) => {
  const { image, segments } = await makeSmall(true);
  const { name, bytes, frames } = segments[0]!;
  const flipped = Buffer.from(bytes);
  flipped[frames[1]!.offset + 50]! ^= 1;
  let interrupted = 0;
  for (let calls = 0;; calls++) {
    const files = await putImage(image, { [name]: flipped });
    let left = calls;
    const failing = (call: () => Promise<void>) => left-- > 0 ? call() : Promise.reject(FULL);
    const some: Files = {
      ...files,
      rename: (from, to) => failing(() => files.rename(from, to)),
      syncFolder: (path) => failing(() => files.syncFolder(path)),
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        const datasync = () => failing(() => file.datasync());
        return mode === "read" || path.endsWith("lock") ? file : { ...file, datasync };
      },
    };
    const repaired = await repairQueue(some, DIRECTORY).catch((error) => {
      if (errorCode(error) !== "ENOSPC") throw error;
    });
    t.same(await idsOf(files), survivors([frames[1]!]), `after ${calls} calls`);
    if (repaired !== undefined) break;
    interrupted++;
    t.match((await repairQueue(files, DIRECTORY)).after, { segments: [{ corrupt: [] }, {}] });
    const names = await files.list(DIRECTORY);
    t.notOk(names.some((each) => each.endsWith(".new")), "nothing half-made is left");
  }
  t.ok(interrupted >= 4, `${interrupted} places`);
});

const FULL = Object.assign(new Error("no space left"), { code: "ENOSPC" });

t.test("repairQueue() refuses a queue that is open, which verify and view read", async (t) => {
  const { image } = await makeSmall(true);
  const files = await putImage(image);
  const queue = await openSmall(files);
  await queue.append({ entries: entries(10, 12) });
  await t.rejects(repairQueue(files, DIRECTORY), QueueLockedError);
  t.match(await verifyQueue(readOnly(files), DIRECTORY), { owner: process.pid, problems: [] });
  t.equal((await idsOf(readOnly(files))).length, 12);
  await queue.close();
  t.same((await takeImage(files)).get("lock"), undefined);
});

t.test("verifyQueue() takes a segment that is just being begun for no damage", async (t) => {
  const { image } = await makeSmall(true);
  const files = await putImage(image, { lock: undefined });
  const path = join(DIRECTORY, "00000000000000000009.seg");
  const file = await files.open(path, "create");
  t.same((await verifyQueue(files, DIRECTORY)).problems, []);
  t.equal((await idsOf(files)).length, RECORDS);
  await file.write(Buffer.from("CAIRN"), 0);
  t.match((await verifyQueue(files, DIRECTORY)).problems, [/corrupt: nothing whole in it/]);
  const queue = await putImage(image, {});
  const open = await openSmall(queue);
  await (await queue.open(path, "create")).write(Buffer.from("CAIRN"), 0);
  t.same((await verifyQueue(queue, DIRECTORY)).problems, []);
  await open.close();
});

t.test("verify, view and repair refuse a queue of a newer version", async (t) => {
  const { image } = await makeSmall(true);
  const end = Buffer.from(String(Buffer.from(image.get("end.a")!)).replace("point 1 ", "point 9 "));
  const files = await putImage(image, { "end.a": end });
  await t.rejects(verifyQueue(files, DIRECTORY), QueueVersionError);
  await t.rejects(viewQueue(files, DIRECTORY), QueueVersionError);
  await t.rejects(repairQueue(files, DIRECTORY), QueueVersionError);
});
