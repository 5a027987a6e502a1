// The memory that cursors read into: lent until it is let go, and never seen to hold other bytes.

import t from "tap";
import { Queue } from "../../src/queue/queue.ts";

const RECORDS = 40;
const TEXT_BYTES = 100_000;
const LIMIT = { records: 4, bytes: Number.MAX_SAFE_INTEGER };

async function filled(directory: string): Promise<Queue> {
  const queue = await Queue.open({
    directory,
    segmentBytesMax: 2 ** 20,
    bytesMax: 2 ** 30,
    freeDiskBytesMin: 0,
    overflow: "block",
    clock: () => 1000,
  });
  for (let i = 1; i <= RECORDS; i++) {
    const bytes = new Uint8Array(TEXT_BYTES + i).fill(64 + i);
    const common = { time: i, accountId: "111122223333", region: "r", category: "Management" };
    await queue.append({ entries: [{ id: `id-${i}`, ...common, bytes }] });
  }
  return queue;
}

t.test("release() takes back what stands before it: views are empty, not changed", async (t) => {
  const queue = await filled(t.testdir());
  const cursor = await queue.cursor("a");
  const views: Uint8Array[] = [];
  for (let next = 1; next <= RECORDS;) {
    const read = await cursor.read(next, LIMIT);
    for (const { bytes, sequence } of read.records) {
      t.equal(bytes.length, TEXT_BYTES + sequence);
      t.ok(bytes.every((byte) => byte === 64 + sequence), `record ${sequence} is itself`);
      views.push(bytes);
    }
    next = read.next;
    // One read is still held, as a batch under way is.
    cursor.release(next - LIMIT.records);
    for (const [i, bytes] of views.entries()) {
      const sequence = i + 1;
      if (bytes.length === 0) t.ok(sequence < next - LIMIT.records, `${sequence} was let go`);
      else t.ok(bytes.every((byte) => byte === 64 + sequence), `${sequence} is still itself`);
    }
  }
  t.ok(views.filter((bytes) => bytes.length === 0).length > RECORDS / 2, "most were taken back");
  await queue.close();
});

t.test("read() answers what was let go when it is asked for it again", async (t) => {
  const queue = await filled(t.testdir());
  const cursor = await queue.cursor("a");
  await cursor.read(1, { records: RECORDS, bytes: Number.MAX_SAFE_INTEGER });
  cursor.release(RECORDS + 1);
  const { records } = await cursor.read(5, LIMIT);
  t.strictSame(records.map(({ sequence }) => sequence), [5, 6, 7, 8]);
  for (const { bytes, sequence } of records) {
    t.equal(bytes.length, TEXT_BYTES + sequence);
    t.ok(bytes.every((byte) => byte === 64 + sequence));
  }
  await queue.close();
});
