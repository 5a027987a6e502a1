// One history: a queue with its receivers, exporters and dead letters, run on the simulated disk
// through several crashes, and checked after each of them. All chance comes from the seed.

import type { Cursor, CursorState, Plan } from "../../src/queue/cursor.ts";
import type { Files } from "../../src/queue/files.ts";
import { type Entry, Queue, QueueWriteError } from "../../src/queue/queue.ts";
import { recent } from "../queue/small-queue.ts";
import { check } from "./check.ts";
import { CALM, SimulatedDisk, type Weather } from "./disk.ts";
import { Random } from "./random.ts";
import { must, nextEvent, retried, World } from "./world.ts";

/** Wraps the disk's calls, to show that the histories notice a queue that leaves some out. */
export type Cheat = (files: Files) => Files;

/** The queue's folders in a history. */
export const FOLDERS = { queue: "/data/queue/audit", dead: "/data/dead-letters/audit" };

const EXPORTERS = ["trail/main", "lake"];
const RECEIVERS = ["auditd", "file/app"];

interface Rules {
  readonly overflow: "block" | "drop_oldest";
  readonly segmentBytesMax: number;
  readonly bytesMax: number;
}

/** A running process of a history. */
export interface Session {
  readonly random: Random;
  readonly world: World;
  readonly queue: Queue;
  readonly dead: Queue;
  /** Ids of the letters that are durable. */
  readonly letters: Set<string>;
}

/** Runs one history; throws where a promise was broken. */
export async function runHistory(seed: number, cheat: Cheat = (files) => files): Promise<void> {
  const random = new Random(seed);
  const disk = new SimulatedDisk(random);
  const world = new World();
  const drops = random.chance(0.25);
  const rules: Rules = {
    overflow: drops ? "drop_oldest" : "block",
    segmentBytesMax: random.pick([600, 1200, 4000]),
    bytesMax: drops ? 12_000 : 1 << 20,
  };
  for (let crashes = 1 + random.below(4); crashes > 0; crashes--) {
    await runSession(disk, world, random, rules, cheat, drawWeather(random));
  }
  const { files } = disk.start(CALM);
  const session = await open(files, world, random, rules);
  await check(session, drops);
  await close(session);
}

/** Closes; the disk may refuse to give the lock back, which the next process finds stale. */
async function close({ queue, dead }: Pick<Session, "queue" | "dead">): Promise<void> {
  for (const each of [queue, dead]) {
    await each.close().catch((error) => must(/simulated/.test(String(error)), () => String(error)));
  }
}

function drawWeather(random: Random): Weather {
  return {
    crashAfter: random.below(random.pick([60, 120, 250])),
    crash: random.chance(0.6) ? "power" : "kill",
    failure: random.pick([0, 0.05, 0.3]),
    // One more in a row on a read, and the queue rightly takes the disk for broken.
    failuresMax: 2,
    // An open takes some fifty calls: most failures are to meet a queue at work.
    failuresAfter: random.pick([0, 50, 70, 100]),
  };
}

async function runSession(
  disk: SimulatedDisk,
  world: World,
  random: Random,
  rules: Rules,
  cheat: Cheat,
  weather: Weather,
): Promise<void> {
  const { files, crashed } = disk.start(weather);
  let failure: unknown;
  const work = (async () => {
    const session = await openInTheEnd(cheat(files), world, random, rules);
    if (session === undefined) return;
    await check(session, rules.overflow === "drop_oldest");
    await Promise.all([
      ...RECEIVERS.map((receiver) => receive(session, receiver)),
      push(session),
      ...EXPORTERS.map((exporter) => exportAll(session, exporter)),
    ]);
    if (random.chance(0.3)) await close(session);
  })().catch((error) => failure = error);
  await Promise.race([work, crashed]);
  if (failure !== undefined) throw failure;
  // A session that outlived the weather ends now.
  disk.end(weather.crash);
}

/** Opens, again where the disk failed; undefined where the process has locked itself out. */
async function openInTheEnd(
  files: Files,
  world: World,
  random: Random,
  rules: Rules,
): Promise<Session | undefined> {
  for (let tries = 0; tries < 4; tries++) {
    try {
      return await open(files, world, random, rules);
    } catch (error) {
      must(/simulated|locked/.test(String(error)), () => `Queue.open: ${String(error)}`);
    }
  }
  return undefined;
}

async function open(files: Files, world: World, random: Random, rules: Rules): Promise<Session> {
  const common = { files, clock: () => 1_760_000_000_000, retryMs: 0 };
  const queue = await Queue.open({
    ...common,
    ...rules,
    directory: FOLDERS.queue,
    onDrop: ({ count }) => world.dropped += count,
  });
  try {
    const dead = await Queue.open({ ...common, directory: FOLDERS.dead });
    const letters = new Set((await recent(dead, 1000)).map(({ id }) => id));
    return { random, world, queue, dead, letters };
  } catch (error) {
    await queue.close().catch(() => {});
    throw error;
  }
}

function entry(id: string): Entry {
  return {
    id,
    time: 1_760_000_000_000,
    accountId: "111122223333",
    region: id.length % 2 === 0 ? "eu-central-1" : "us-east-1",
    category: "Management",
    bytes: new TextEncoder().encode(
      JSON.stringify({ eventID: id, pad: "x".repeat(id.length * 7) }),
    ),
  };
}

/** A receiver: goes on from its stored position, keeps what was not taken. */
async function receive({ queue, random, world }: Session, receiver: string): Promise<void> {
  let next = nextEvent(queue.position(receiver));
  for (let batches = 4 + random.below(8); batches > 0; batches--) {
    const length = random.below(5);
    const ids = Array.from({ length }, (_, i) => `${receiver}#${next + i}`);
    const filtered = random.below(2);
    try {
      const { first } = await queue.append({
        entries: ids.map(entry),
        receiver,
        position: { next: next + length, [`file${next % 3}`]: next % 2 === 0 ? null : next },
        counts: { received: length + filtered, filtered },
      });
      ids.forEach((id, i) => world.acknowledged.set(first + i, id));
      next += length;
      world.promised.set(receiver, next);
    } catch (error) {
      must(error instanceof QueueWriteError, () => `append: ${String(error)}`);
    }
  }
}

/** A sender without a position: it hears whether its event was taken, or never. */
async function push({ queue, random, world }: Session): Promise<void> {
  for (let events = random.below(16); events > 0; events--) {
    const id = `push#${world.pushes.size}`;
    const attempt = { fate: "pending" as const, sequence: 0 };
    world.pushes.set(id, attempt);
    try {
      const { first } = await queue.append({ entries: [entry(id)], counts: { received: 1 } });
      world.acknowledged.set(first, id);
      world.pushes.set(id, { fate: "acknowledged", sequence: first });
    } catch (error) {
      must(error instanceof QueueWriteError, () => `push: ${String(error)}`);
      world.pushes.set(id, { fate: "rejected", sequence: 0 });
    }
  }
}

/** An exporter's deliver loop: plan, deliver, set some aside, commit. */
async function exportAll(session: Session, name: string): Promise<void> {
  const { queue, random, world } = session;
  const cursor = await retried(() => queue.cursor(name));
  const memory = world.exporter(name);
  if (memory.possible.length === 0) memory.possible.push(cursor.state());
  for (let rounds = 2 + random.below(6); rounds > 0; rounds--) {
    const state = cursor.state();
    const plan = state.plan ?? await makePlan(session, cursor);
    if (plan !== undefined) await finishPlan(session, cursor, plan);
    await turns(random.below(12));
  }
}

async function makePlan(session: Session, cursor: Cursor): Promise<Plan | undefined> {
  const { random } = session;
  const state = cursor.state();
  const limit = { records: 1 + random.below(6), bytes: random.pick([300, 10_000]) };
  const read = await retried(() => cursor.read(state.position, limit));
  if (read.next === state.position) return undefined;
  const plan = { first: state.position, last: read.next - 1, at: 1000 + random.below(1000) };
  await save(session, cursor, { ...state, plan });
  return plan;
}

async function finishPlan(session: Session, cursor: Cursor, plan: Plan): Promise<void> {
  const { random, world } = session;
  const state = cursor.state();
  const records = [];
  let lost = 0;
  for (let next = plan.first; next <= plan.last;) {
    const limit = { records: plan.last - next + 1, bytes: random.pick([200, 10_000]) };
    const read = await retried(() => cursor.read(next, limit));
    const inside = read.records.filter((record) => record.sequence <= plan.last);
    records.push(...inside);
    lost += Math.min(read.next, plan.last + 1) - next - inside.length;
    next = read.next;
  }
  if (lost === 0) world.deliver(cursor.name, plan, records.map((record) => record.id));
  const bad = records.filter((record) => record.sequence % 11 === 0);
  for (const record of bad) await setAside(session, `${cursor.name}/${record.sequence}`);
  const { plan: _done, ...books } = state;
  await save(session, cursor, {
    ...books,
    position: plan.last + 1,
    delivered: state.delivered + records.length - bad.length,
    deadLettered: state.deadLettered + bad.length,
    lost: state.lost + lost,
  });
}

/** Keeps a dead letter, once for each id. */
async function setAside({ dead, letters }: Session, id: string): Promise<void> {
  if (letters.has(id)) return;
  await retried(() => dead.append({ entries: [entry(id)] }));
  letters.add(id);
}

async function save(session: Session, cursor: Cursor, state: CursorState): Promise<void> {
  const memory = session.world.exporter(cursor.name);
  memory.possible.push(state);
  await retried(() => cursor.save(state));
  memory.possible = [state];
}

async function turns(count: number): Promise<void> {
  for (; count > 0; count--) await Promise.resolve();
}
