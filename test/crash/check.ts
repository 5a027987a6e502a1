// What must hold whenever a queue has been opened after a crash.

import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { recent } from "../queue/small-queue.ts";
import type { Session } from "./history.ts";
import { must, nextEvent, retried, type World } from "./world.ts";

/** Throws where a promise was broken. `drops`: the queue may drop its oldest records. */
export async function check(session: Session, drops: boolean): Promise<void> {
  const { queue, dead, world } = session;
  for (const each of [queue, dead]) {
    const { lostRecords, corruptFrames } = each.recovery;
    // A segment or checkpoint whose writing was interrupted may be garbage, and is set aside; what
    // cursors say then is checked below.
    const messages = each.recovery.messages.filter((text) =>
      !/nothing whole in it|Cannot cut the end|\.[ab]": damaged/.test(text)
    );
    must(
      lostRecords === 0 && corruptFrames === 0 && messages.length === 0,
      () => `recovery found damage after a mere crash: ${JSON.stringify(each.recovery)}`,
    );
  }
  const records = await retried(() => recent(queue, queue.nextSequence()));
  checkRecords(queue, records, world);
  checkReceivers(queue, records, world, drops);
  checkPushes(records, world);
  checkBooks(queue);
  await checkCursors(session);
  const letters = (await retried(() => recent(dead, 1000))).map(({ id }) => id);
  must(new Set(letters).size === letters.length, () => `a dead letter is there twice: ${letters}`);
}

function checkRecords(queue: Queue, records: readonly StoredRecord[], world: World): void {
  const { oldestSequence, nextSequence } = queue.stats();
  must(
    records.length === nextSequence - oldestSequence,
    () => `${records.length} records between ${oldestSequence} and ${nextSequence}`,
  );
  records.forEach((record, i) => {
    must(record.sequence === oldestSequence + i, () => `record ${i} is ${record.sequence}`);
    must(record.record.eventID === record.id, () => `bytes of ${record.sequence} are not its own`);
    const acknowledged = world.acknowledged.get(record.sequence);
    must(
      acknowledged === undefined || acknowledged === record.id,
      () => `${record.sequence} was acknowledged as ${acknowledged}, is ${record.id}`,
    );
    // What was read once is there for good: exporters may have it.
    world.acknowledged.set(record.sequence, record.id);
  });
  for (const sequence of world.acknowledged.keys()) {
    must(sequence < nextSequence, () => `acknowledged record ${sequence} has gone`);
  }
}

function checkReceivers(
  queue: Queue,
  records: readonly StoredRecord[],
  world: World,
  drops: boolean,
): void {
  const next = new Map<string, number>();
  for (const { id } of records) {
    const [receiver, number] = id.split("#");
    if (receiver === "push") continue;
    const expected = next.get(receiver!);
    must(
      expected === undefined || expected === Number(number),
      () => `${id} comes where ${receiver}#${expected} should`,
    );
    next.set(receiver!, Number(number) + 1);
  }
  for (const [receiver, promised] of world.promised) {
    const stored = nextEvent(queue.position(receiver));
    must(stored >= promised, () => `position of ${receiver} is ${stored}, promised ${promised}`);
    const behind = next.get(receiver);
    must(
      behind === undefined || behind === stored,
      () => `position of ${receiver} is ${stored}, its records end before ${behind}`,
    );
  }
  if (drops) return;
  const { oldestSequence } = queue.stats();
  for (const [sequence, id] of world.acknowledged) {
    if (sequence < oldestSequence) continue;
    must(records[sequence - oldestSequence]?.id === id, () => `${id} is not at ${sequence}`);
  }
}

function checkPushes(records: readonly StoredRecord[], world: World): void {
  const seen = new Map<string, number>();
  for (const { id } of records) seen.set(id, (seen.get(id) ?? 0) + 1);
  for (const [id, { fate }] of world.pushes) {
    const times = seen.get(id) ?? 0;
    must(times <= 1, () => `${id} is there ${times} times`);
    must(fate !== "rejected" || times === 0, () => `${id} was rejected and is there`);
  }
}

function checkBooks(queue: Queue): void {
  const { received, filtered, duplicate, rejected, stored } = queue.counts();
  must(
    received === filtered + duplicate + rejected + stored,
    () => `the books do not balance: ${JSON.stringify(queue.counts())}`,
  );
}

async function checkCursors({ queue, world }: Session): Promise<void> {
  for (const [name, memory] of world.exporters) {
    if (memory.possible.length === 0) continue;
    const cursor = await retried(() => queue.cursor(name));
    const found = JSON.stringify(cursor.state());
    const possible = memory.possible.map((state) => JSON.stringify(state));
    must(
      possible.includes(found),
      () => `cursor "${name}" is ${found}, saved were ${possible.join(" then ")}`,
    );
    memory.possible = [cursor.state()];
    const { position, delivered, deadLettered, excluded, lost } = cursor.state();
    must(
      delivered + deadLettered + excluded + lost + queue.nextSequence() - position ===
        queue.counts().stored,
      () => `the books of "${name}" do not balance: ${found}`,
    );
  }
}
