// Promises P1 to P3. What the queue promises its users: appends, positions, books, cursors, lock.
// On the real disk where that is what is meant, else on the simulated one.

import { spawnSync } from "node:child_process";
import { Buffer } from "node:buffer";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import t from "tap";
import { type Files, realFiles } from "../../src/queue/files.ts";
import { Queue } from "../../src/queue/queue.ts";
import { calmDisk, DIRECTORY, entries, entry, openSmall, readAll } from "./small-queue.ts";
import { framesOf, recent } from "./small-queue.ts";
import { unpack } from "./message-pack.ts";
import { findHeader } from "../../src/queue/segment.ts";

function openReal(directory: string): Promise<Queue> {
  return Queue.open({ directory, clock: Date.now });
}

t.test("Queue.append() gives sequences from 1 and keeps records byte for byte", async (t) => {
  const directory = join(t.testdir(), "deep", "down", "queue");
  const queue = await openReal(directory);
  t.strictSame(await queue.append({ entries: entries(1, 3) }), { first: 1, last: 3 });
  t.strictSame(await queue.append({ entries: [] }), { first: 4, last: 3 });
  const other = { ...entry("r4"), region: "us-east-1", category: "Data", time: 5 };
  t.strictSame(await queue.append({ entries: [other] }), { first: 4, last: 4 });
  await queue.close();
  const again = await openReal(directory);
  const { records, lost } = await readAll(again);
  t.equal(lost, 0);
  t.match(records[3]!, { ...other, bytes: Buffer.from(other.bytes), sequence: 4 });
  t.strictSame(records[0]!.record, { eventID: "r1", name: "Zoë" });
  t.equal(records[0]!.record, records[0]!.record, "parsed once");
  t.strictSame(again.recovery.messages, []);
  await again.close();
});

t.test("Queue.position() merges by top-level key, null removes, and survives segments", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { segmentBytesMax: 300 });
  t.equal(queue.position("file"), undefined);
  const proto = JSON.parse('{"__proto__":{"x":1}}');
  const moves = [
    { a: { offset: 1, inode: [1, null] }, b: 1.5, gone: "x" },
    { b: undefined, gone: null, c: "Zoë" },
    { a: { offset: 2 }, ...proto },
  ];
  for (const position of moves) {
    await queue.append({ entries: entries(1, 2), receiver: "file", position });
    await queue.append({ entries: [], receiver: "other", position: { n: 1 } });
  }
  const expected = { a: { offset: 2 }, b: 1.5, c: "Zoë", ...proto };
  t.strictSame(queue.position("file"), expected);
  t.ok(queue.stats().segments > 2);
  await queue.close();
  const again = await openSmall(files);
  t.strictSame(again.position("file"), expected);
  t.strictSame(again.position("other"), { n: 1 });
});

t.test("Queue.counts() adds up over frames, segments and restarts", async (t) => {
  const { files } = calmDisk();
  let queue = await openSmall(files, { segmentBytesMax: 300 });
  for (let i = 0; i < 4; i++) {
    const counts = { received: 6, filtered: 1, duplicate: 1, rejected: 1 };
    await queue.append({ entries: entries(1, 3), counts });
  }
  await queue.append({ entries: [], counts: { received: 2, rejected: 2 } });
  const expected = { received: 26, filtered: 4, duplicate: 4, rejected: 6, stored: 12 };
  t.strictSame(queue.counts(), expected);
  await queue.close();
  queue = await openSmall(files);
  t.strictSame(queue.counts(), expected);
});

t.test("appends that arrive during a sync share the next one, in order", async (t) => {
  const { files } = calmDisk();
  let syncs = 0;
  const counted: Files = {
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      if (!path.endsWith(".seg")) return file;
      return { ...file, datasync: () => (syncs++, file.datasync()) };
    },
  };
  const queue = await openSmall(counted);
  await queue.append({ entries: entries(0, 0) });
  syncs = 0;
  const appends = Array.from({ length: 50 }, (_, i) => queue.append({ entries: entries(i, i) }));
  const ranges = await Promise.all(appends);
  t.strictSame(ranges.map((range) => range.first), ranges.map((_, i) => i + 2));
  t.ok(syncs <= 2, `${syncs} syncs for 50 appends`);
});

t.test("Queue.append() rejects what it cannot store and stores the rest", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files);
  const huge = { ...entry("huge"), bytes: new Uint8Array(65 * 1024 * 1024) };
  await t.rejects(queue.append({ entries: [huge] }), { code: "CAIRN_QUEUE_FULL" });
  await t.rejects(queue.append({ entries: [], position: { a: 1 } }), /no receiver is named/);
  await t.rejects(
    queue.append({ entries: [], signal: AbortSignal.abort(new Error("late")) }),
    /late/,
  );
  t.strictSame(await queue.append({ entries: entries(1, 1) }), { first: 1, last: 1 });
  await queue.close();
  await t.rejects(queue.append({ entries: [] }), { code: "CAIRN_QUEUE_CLOSED" });
  await queue.close();
});

t.test("a cursor's state survives, its books must add up, and it never moves back", async (t) => {
  const { files } = calmDisk();
  let queue = await openSmall(files);
  await queue.append({ entries: entries(1, 9) });
  let cursor = await queue.cursor("s3/a b");
  t.equal(await queue.cursor("s3/a b"), cursor, "one object for one name");
  const state = {
    position: 5,
    delivered: 2,
    deadLettered: 1,
    excluded: 1,
    lost: 0,
    plan: { first: 5, last: 7, at: 12, excluded: [[6, 6]] as const },
  };
  await cursor.save(state);
  await t.rejects(cursor.save({ ...state, position: 6 }), /not the 5 records before it/);
  await t.rejects(cursor.save({ ...state, position: 4, delivered: 1 }), /moves backwards/);
  await t.rejects(cursor.save({ ...state, position: 11, delivered: 8 }), RangeError);
  await queue.close();
  queue = await openSmall(files);
  cursor = await queue.cursor("s3/a b");
  t.strictSame(cursor.state(), state);
  t.strictSame(queue.cursors(), ["s3/a b"]);
});

t.test("Cursor.read() may end inside a frame, go back, and answers a record above the limit", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { segmentBytesMax: 400 });
  await queue.append({ entries: entries(1, 5) });
  await queue.append({ entries: entries(6, 9) });
  const cursor = await queue.cursor("a");
  const ids = async (from: number, records: number, bytes = 10_000) => {
    const read = await cursor.read(from, { records, bytes });
    t.equal(read.next, from + read.records.length);
    return read.records.map((record) => record.sequence);
  };
  t.strictSame(await ids(1, 2), [1, 2]);
  t.strictSame(await ids(3, 4), [3, 4, 5, 6]);
  t.strictSame(await ids(2, 2), [2, 3]);
  t.strictSame(await ids(7, 10), [7, 8, 9]);
  t.strictSame(await ids(1, 10, 1), [1]);
  t.strictSame(await ids(10, 10), []);
  await queue.append({ entries: entries(10, 10) });
  t.strictSame(await ids(10, 10), [10]);
});

t.test("cursors read at once and independently while records are appended", async (t) => {
  const queue = await openReal(join(t.testdir(), "queue"));
  const total = 600;
  const follow = async (name: string, step: number) => {
    const cursor = await queue.cursor(name);
    const seen: string[] = [];
    let next = 1;
    while (next <= total) {
      await cursor.wait(next, AbortSignal.timeout(20_000));
      const read = await cursor.read(next, { records: step, bytes: 1e6 });
      seen.push(...read.records.map((record) => record.id));
      next = read.next;
      await cursor.save({ ...cursor.state(), position: next, delivered: next - 1 });
    }
    return seen;
  };
  const followers = [follow("a", 7), follow("b", 50), follow("c", 1000)];
  for (let i = 0; i < total; i += 20) await queue.append({ entries: entries(i, i + 19) });
  const expected = entries(0, total - 1).map((each) => each.id);
  for (const seen of await Promise.all(followers)) t.strictSame(seen, expected);
  await queue.close();
});

t.test("Cursor.wait() ends with its signal", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files);
  const cursor = await queue.cursor("a");
  const abort = new AbortController();
  const waiting = cursor.wait(1, abort.signal);
  abort.abort(new Error("stopped"));
  await t.rejects(waiting, /stopped/);
});

t.test("a segment goes when every cursor has passed it, and not before", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { segmentBytesMax: 300 });
  const a = await queue.cursor("a");
  const b = await queue.cursor("b");
  for (let i = 1; i <= 6; i++) await queue.append({ entries: entries(i, i) });
  const before = queue.stats().segments;
  t.ok(before > 2);
  await a.save({ ...a.state(), position: 7, delivered: 6 });
  t.equal(queue.stats().segments, before);
  await queue.retainCursors(["a"]);
  t.equal(queue.stats().segments, 1);
  t.strictSame(queue.cursors(), ["a"]);
  t.equal(b.name, "b");
  const late = await queue.cursor("late");
  const { position, excluded } = late.state();
  t.equal(position, queue.stats().oldestSequence);
  t.equal(excluded, position - 1, "what has gone was never its own");
});

t.test("eachRecent() visits the newest records, oldest first", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files, { segmentBytesMax: 300 });
  for (let i = 1; i <= 6; i++) await queue.append({ entries: entries(2 * i, 2 * i + 1) });
  t.strictSame((await recent(queue, 3)).map(({ id }) => id), ["r11", "r12", "r13"]);
  t.equal((await recent(queue, 100)).length, 12);
  t.strictSame((await recent(queue, 1)).map((record) => record.sequence), [12]);
});

t.test("one queue folder has one owner, named in the error", async (t) => {
  const directory = join(t.testdir(), "queue");
  const queue = await openReal(directory);
  await t.rejects(openReal(directory), {
    name: "QueueLockedError",
    message: `Cannot open queue "${directory}": locked by process ${process.pid}`,
    pid: process.pid,
  });
  await queue.close();
  await (await openReal(directory)).close();
});

t.test("a lock is taken over from a process that has died or another one with its number", async (t) => {
  const directory = join(t.testdir(), "queue");
  mkdirSync(directory);
  const dead = spawnSync("true").pid;
  const stale = [
    JSON.stringify({ pid: dead, incarnation: "boot/1" }),
    JSON.stringify({ pid: process.pid, incarnation: "boot/1" }),
    JSON.stringify({ pid: process.ppid, incarnation: "boot/1" }),
    "",
    "\0\0\0",
  ];
  for (const content of stale) {
    writeFileSync(join(directory, "lock"), content);
    const opened = await Promise.allSettled([openReal(directory), openReal(directory)]);
    const queues = opened.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    t.equal(queues.length, 1, `one of two takes over from ${JSON.stringify(content)}`);
    for (const queue of queues) await queue.close();
    t.strictSame(readdirSync(directory).filter((name) => name.startsWith("lock")), []);
  }
});

t.test("Queue.open() says what to do about a folder that it cannot use", async (t) => {
  const directory = t.testdir({ file: "in the way" });
  await t.rejects(openReal(join(directory, "file", "queue")), /Cannot open queue .*choose another/);
  for (const code of ["EROFS", "ENOSPC", "EACCES"]) {
    const refusing: Files = {
      ...realFiles,
      makeFolder: () => Promise.reject(Object.assign(new Error(code), { code })),
    };
    const options = { directory, clock: Date.now, files: refusing };
    await t.rejects(Queue.open(options), /Cannot open queue ".*": E[A-Z]+; [a-z]/, code);
  }
});

t.test("frames and headers are plain MessagePack that any reader reads", async (t) => {
  const { files } = calmDisk();
  const queue = await openSmall(files);
  await queue.append({
    entries: entries(1, 2),
    receiver: "auditd",
    position: { offset: 7 },
    counts: { received: 3, filtered: 1 },
  });
  const path = join(DIRECTORY, "00000000000000000001.seg");
  const bytes = Buffer.from(await files.readFile(path));
  const { start } = (await findHeader(await files.open(path, "read"), path, bytes.length))!;
  t.match(unpack(bytes.subarray(20)), { codec: "msgpack", base: 1, positions: [] });
  const [frame] = framesOf(bytes, 1, start);
  const { id, time, bytes: json } = entry("r1");
  t.match(unpack(bytes.subarray(frame!.offset + 32)), {
    at: 1_760_000_000_000,
    totals: [3, 1, 0, 0],
    positions: [["auditd", '{"offset":7}']],
    routes: [["111122223333", "eu-central-1", "Management"]],
    entries: [[id, time, 0, Buffer.from(json)], ["r2", time, 0, Buffer.from(entry("r2").bytes)]],
  });
});

t.test("python's msgpack reads a frame, where there is one", async (t) => {
  const directory = join(t.testdir(), "queue");
  const queue = await openReal(directory);
  await queue.append({ entries: entries(1, 2), counts: { received: 2 } });
  await queue.close();
  const script = `
import sys
try: import msgpack
except ImportError:
    try: from pip._vendor import msgpack
    except ImportError: sys.exit(77)
data = open(sys.argv[1], "rb").read()
at = data.index(bytes.fromhex("f743524e"))
length = int.from_bytes(data[at + 8:at + 12], "big")
frame = msgpack.unpackb(data[at + 32:at + 32 + length])
print(frame["totals"], [entry[0] for entry in frame["entries"]], frame["entries"][0][3].decode())`;
  const path = join(directory, "00000000000000000001.seg");
  t.ok(readFileSync(path).length > 0);
  const python = spawnSync("python3", ["-c", script, path], { encoding: "utf8" });
  if (python.error !== undefined || python.status === 77) {
    t.comment("SKIP: no python3 with msgpack here");
    return;
  }
  t.equal(python.stdout.trim(), `[2, 0, 0, 0] ['r1', 'r2'] {"eventID":"r1","name":"Zoë"}`);
});
