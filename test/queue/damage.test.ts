// Promise P9. Damage to a queue's files: every byte, every length, and the files a person may lose
// or leave.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import t from "tap";
import type { FrameHeader } from "../../src/queue/frame.ts";
import type { Quarantined } from "../../src/queue/quarantine.ts";
import { packHeader } from "../../src/queue/segment.ts";
import {
  calmDisk,
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

function records(frames: readonly FrameHeader[]): number {
  return frames.reduce((sum, frame) => sum + frame.count, 0);
}

t.test("P9: Queue.open() survives every flipped byte of a segment and counts the loss", async (t) => {
  const { image, segments } = await makeSmall(true);
  t.equal(segments.length, 2);
  let places = 0;
  const wrong: string[] = [];
  for (const { name, bytes, frames } of segments) {
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = flipped[at]! ^ (1 << (at % 8));
      const hit = frames.filter((frame) => at >= frame.offset && at < frame.offset + frame.bytes);
      const found: Quarantined[] = [];
      const files = await putImage(image, { [name]: flipped });
      const queue = await openSmall(files, { onQuarantine: (each) => found.push(each) });
      const read = await readAll(queue);
      const { received, stored } = queue.counts();
      const right = read.ids.join() === survivors(hit).join() && read.lost === records(hit) &&
        stored === RECORDS && received === RECORDS && found.length === hit.length &&
        found.every((each) => each.copy !== undefined && each.lost === records(hit));
      if (!right) wrong.push(`${name} at ${at}: ${JSON.stringify({ read, found })}`);
      await queue.close();
      places++;
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
  t.ok(places > 1000, `${places} places`);
});

t.test("Queue.open() survives every length of every segment and counts the loss", async (t) => {
  const { image, segments } = await makeSmall(true);
  const wrong: string[] = [];
  for (const { name, bytes, frames } of segments) {
    for (let length = 0; length < bytes.length; length++) {
      const gone = frames.filter((frame) => frame.offset + frame.bytes > length);
      const files = await putImage(image, { [name]: bytes.subarray(0, length) });
      const queue = await openSmall(files);
      const read = await readAll(queue);
      const right = read.ids.join() === survivors(gone).join() && read.lost === records(gone) &&
        queue.counts().stored === RECORDS;
      if (!right) wrong.push(`${name} of ${length}: ${JSON.stringify(read)}`);
      await queue.append({ entries: entries(99, 99) });
      if ((await readAll(queue)).ids.at(-1) !== "r99") wrong.push(`${name} of ${length}: append`);
      await queue.close();
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
});

t.test("recover() cuts a torn tail that nobody was promised and keeps every whole frame", async (t) => {
  const { image, segments } = await makeSmall(false);
  const { name, bytes, frames } = segments[1]!;
  const last = frames.at(-1)!;
  for (let length = last.offset + 1; length < bytes.length; length++) {
    const files = await putImage(image, { [name]: bytes.subarray(0, length), lock: undefined });
    const queue = await openSmall(files);
    t.equal(queue.nextSequence(), last.sequence);
    t.match(queue.recovery, { tornBytes: length - last.offset, lostRecords: 0, corruptFrames: 0 });
    t.strictSame(queue.position("auditd"), { offset: last.sequence });
    await queue.close();
    if (length > last.offset + 40) break;
  }
});

t.test("recover() does not give a sequence out again that a cursor has passed", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files);
  await queue.append({ entries: entries(1, 3) });
  const cursor = await queue.cursor("reader");
  const books = { delivered: 3, deadLettered: 0, excluded: 0, lost: 0 };
  await cursor.save({ position: 4, ...books });
  const image = await takeImage(files);
  const name = [...image.keys()].find((each) => each.endsWith(".seg"))!;
  const again = await openSmall(
    await putImage(image, { [name]: image.get(name)!.subarray(0, -1), lock: undefined }),
  );
  t.equal(again.nextSequence(), 4);
  t.equal(again.recovery.lostRecords, 3);
  t.strictSame(await again.append({ entries: entries(4, 4) }), { first: 4, last: 4 });
  t.strictSame((await readAll(again)).ids, ["r4"]);
});

t.test("a missing segment is counted as lost and the others are read", async (t) => {
  const { image, segments } = await makeSmall(true);
  const queue = await openSmall(await putImage(image, { [segments[0]!.name]: undefined }));
  const gone = segments[0]!.frames;
  const read = await readAll(queue);
  t.strictSame(read.ids, survivors(gone));
  t.equal(read.lost, records(gone));
});

t.test("odd names and empty or foreign files do not stop the start and are reported", async (t) => {
  const { image } = await makeSmall(true);
  const odd = new Map(image);
  odd.set("notes.txt", Buffer.from("hello"));
  odd.set("00000000000000000000.seg", Buffer.from("zero"));
  odd.set("00000000000000000077.seg", Buffer.from("garbage"));
  odd.set("00000000000000000078.seg", Buffer.alloc(0));
  odd.set("cursors/%E0%A4%A.a", Buffer.from("x"));
  const files = await putImage(odd);
  const queue = await openSmall(files);
  t.equal((await readAll(queue)).ids.length, RECORDS);
  const messages = queue.recovery.messages.join("\n");
  for (
    const name of [
      "notes.txt",
      "00000000000000000000.seg",
      "00000000000000000077.seg",
      "%E0%A4%A.a",
    ]
  ) {
    t.match(messages, name);
  }
  const names = await files.list(DIRECTORY);
  t.ok(names.includes("00000000000000000077.seg.broken"));
  t.ok(names.includes("notes.txt"), "not ours, left alone");
  await queue.append({ entries: entries(10, 10) });
  t.ok((await files.list(DIRECTORY)).includes("00000000000000000079.seg"));
});

t.test("a cursor goes on from the copy before when its newest file is damaged", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files);
  await queue.append({ entries: entries(1, 5) });
  const cursor = await queue.cursor("trail/main");
  const plan = { first: 1, last: 3, at: 17, excluded: [[2, 2]] as const };
  await cursor.save({ ...cursor.state(), plan });
  const books = { delivered: 2, deadLettered: 0, excluded: 1, lost: 0 };
  await cursor.save({ position: 4, ...books });
  await queue.close();
  const image = await takeImage(files);
  const newest = ["a", "b"].map((each) => `cursors/trail%2Fmain.${each}`)
    .find((name) => Buffer.from(image.get(name)!).includes('"position":4'))!;
  for (let at = 0; at < image.get(newest)!.length; at++) {
    const bytes = Buffer.from(image.get(newest)!);
    bytes[at] = bytes[at]! ^ 0x10;
    const opened = await putImage(image, { [newest]: bytes });
    const again = await openSmall(opened);
    const state = (await again.cursor("trail/main")).state();
    // Bytes behind the content do not count.
    if (state.position === 4) continue;
    t.strictSame(state.plan, plan);
    t.match(
      again.recovery.messages.join(),
      /cursor "trail\/main" goes on from its other file, at 1/,
    );
    t.ok((await opened.list(join(DIRECTORY, "cursors"))).includes(`${newest.slice(8)}.broken`));
    await again.close();
  }
});

t.test("a cursor whose files are both damaged begins at the oldest record and says so", async (t) => {
  const { image } = await makeSmall(true);
  const garbage = Buffer.from("garbage");
  const files = await putImage(image, { "cursors/reader.a": garbage });
  const queue = await openSmall(files);
  t.match(queue.recovery.messages.join(), /cursor "reader" begins at the oldest record again/);
  t.match((await queue.cursor("reader")).state(), { position: 1, excluded: 0 });
});

t.test("Queue.open() refuses a newer version, names both, and changes nothing", async (t) => {
  const { image, segments } = await makeSmall(true);
  const { name, bytes } = segments[0]!;
  const newer = Buffer.from(bytes);
  const block = packHeader({ base: 1, at: 1_760_000_000_000, totals: [0, 0, 0, 0], positions: [] });
  const copy = block.subarray(0, block.length / 2);
  copy.writeUInt32BE(2, 12);
  const { crc32 } = await import("node:zlib");
  copy.writeUInt32BE(crc32(copy.subarray(12)), 8);
  copy.copy(newer);
  const files = await putImage(image, { [name]: newer });
  await t.rejects(openSmall(files), {
    name: "QueueVersionError",
    message: /seg" has format version 2, this Cairn reads up to version 1/,
  });
  const before = await takeImage(await putImage(image, { [name]: newer }));
  t.strictSame([...await takeImage(files)], [...before]);
});
