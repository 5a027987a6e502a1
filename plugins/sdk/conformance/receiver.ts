// The part of conformance() for receivers: backpressure, exactly once over restarts, bad input.

import type { Test } from "tap";
import type { ComponentContext, Receiver } from "../component.ts";
import type { ReceiverFactory } from "../factory.ts";
import { testContext, testHost } from "./context.ts";
import { checkLifecycle, stopInTime } from "./lifecycle.ts";
import { type RecordingIntake, recordingIntake } from "./recording-intake.ts";
import { randomBytes, seededRandom, until } from "./until.ts";

/** A source that the test can write to, and the configuration that reads it from its beginning. */
export interface ReceiverSource {
  /** As it stands in the YAML. */
  readonly config: unknown;
  /** Members of the context, such as `format`. */
  readonly context?: Partial<ComponentContext>;
  /** Adds well-formed input; resolves with the ids (or eventIDs) that have to come out. */
  write(count: number): Promise<readonly string[]>;
  /** Adds unreadable input that holds these bytes and cannot be taken for anything else. */
  writeBad(noise: Uint8Array): Promise<void>;
}

/** What conformance() needs to know about a receiver. */
export interface ReceiverConformance {
  /** The shortest valid configuration. */
  readonly minimal: Readonly<Record<string, unknown>>;
  /** Makes a source of its own for one test. */
  source(t: Test): Promise<ReceiverSource>;
  /** Why it has no position to resume from, for one whose senders keep what is not answered. */
  readonly noPosition?: string;
  /** Why no input can be unreadable; `writeBad` is then not called. */
  readonly noBadInput?: string;
  /** Input written while the intake does not answer; default 20,000. */
  readonly backlog?: number;
  /** Most events that may wait inside unanswered calls; default 4,096. */
  readonly outstandingItemsMax?: number;
}

const OUTSTANDING_CALLS_MAX = 16;
const BACKLOG = 20_000;
const OUTSTANDING_ITEMS_MAX = 4096;

function create(
  t: Test,
  factory: ReceiverFactory,
  source: ReceiverSource,
  intake: RecordingIntake,
): Receiver {
  const context = testContext({ id: factory.type, ...source.context });
  const receiver = factory.create(factory.config.parse(source.config), context, intake);
  // A failed test must not leave it running.
  t.teardown(() => receiver.stop(AbortSignal.abort(new Error("Stopped: the test is over"))));
  return receiver;
}

/** All of it. */
export async function checkReceiver(
  t: Test,
  factory: ReceiverFactory,
  options: ReceiverConformance,
): Promise<void> {
  await checkLifecycle(
    t,
    async () => create(t, factory, await options.source(t), recordingIntake()),
  );
  await checkBackpressure(t, factory, options);
  await checkBlockedStop(t, factory, options);
  await checkRestart(t, factory, options);
  await checkBadInput(t, factory, options);
}

async function checkBackpressure(
  t: Test,
  factory: ReceiverFactory,
  options: ReceiverConformance,
): Promise<void> {
  await t.test("it stops reading while the intake does not answer", async (t) => {
    const source = await options.source(t);
    const intake = recordingIntake();
    const receiver = create(t, factory, source, intake);
    intake.block();
    await receiver.start(testHost());
    // Not awaited: a sender may be held back, which is what backpressure is.
    const written = source.write(options.backlog ?? BACKLOG);
    await until(() => intake.outstanding > 0, "a first call to the intake");
    await settled(() => intake.calls);
    t.ok(intake.outstanding <= OUTSTANDING_CALLS_MAX, `${intake.outstanding} calls wait`);
    const most = options.outstandingItemsMax ?? OUTSTANDING_ITEMS_MAX;
    t.ok(intake.outstandingItems <= most, `${intake.outstandingItems} events wait, of ${most}`);
    intake.unblock();
    const expected = await written;
    await until(
      () => intake.ids.length >= expected.length,
      `all ${expected.length} events (${intake.ids.length} came)`,
    );
    await stopInTime(t, receiver);
    t.equal(compare(intake.ids, expected), "", "every event came once");
  });
}

async function checkBlockedStop(
  t: Test,
  factory: ReceiverFactory,
  options: ReceiverConformance,
): Promise<void> {
  for (const deaf of [false, true]) {
    const how = deaf ? "never answers" : "waits for room";
    await t.test(`stop() ends within its deadline while the intake ${how}`, async (t) => {
      const source = await options.source(t);
      const intake = recordingIntake();
      const receiver = create(t, factory, source, intake);
      intake.block({ deaf });
      await receiver.start(testHost());
      const written = source.write(10).catch(() => []);
      await until(() => intake.outstanding > 0, "a first call to the intake");
      await stopInTime(t, receiver, 300);
      intake.unblock();
      await written;
    });
  }
}

async function checkRestart(
  t: Test,
  factory: ReceiverFactory,
  options: ReceiverConformance,
): Promise<void> {
  const name = "each event comes exactly once over stops, crashes and failing intake calls";
  const skip = options.noPosition ?? false;
  await t.test(name, { skip }, async (t) => {
    const random = seededRandom(7);
    const source = await options.source(t);
    const expected: string[] = [];
    let intake = recordingIntake();
    let receiver = create(t, factory, source, intake);
    await receiver.start(testHost());
    for (let round = 0; round < 12; round++) {
      if (random() < 0.5) intake.failNext(1);
      expected.push(...await source.write(1 + Math.floor(random() * 60)));
      const target = expected.length - Math.floor(random() * 30);
      await until(() => intake.ids.length >= target, `${target} events before the restart`);
      [receiver, intake] = await restart(t, factory, source, receiver, intake, random() < 0.5);
    }
    await until(
      () => intake.ids.length >= expected.length,
      `all ${expected.length} events (${intake.ids.length} came)`,
    );
    await settled(() => intake.calls);
    await stopInTime(t, receiver);
    t.equal(compare(intake.ids, expected), "", "nothing lost, nothing repeated");
  });
}

async function restart(
  t: Test,
  factory: ReceiverFactory,
  source: ReceiverSource,
  receiver: Receiver,
  intake: RecordingIntake,
  crash: boolean,
): Promise<[Receiver, RecordingIntake]> {
  let next = intake;
  if (crash) next = intake.crash();
  await stopInTime(t, receiver, crash ? 50 : 5000);
  const follower = create(t, factory, source, next);
  await follower.start(testHost());
  return [follower, next];
}

async function checkBadInput(
  t: Test,
  factory: ReceiverFactory,
  options: ReceiverConformance,
): Promise<void> {
  const name = "unreadable input is set aside and the next event is read";
  await t.test(name, { skip: options.noBadInput ?? false }, async (t) => {
    const random = seededRandom(11);
    const source = await options.source(t);
    const intake = recordingIntake();
    const receiver = create(t, factory, source, intake);
    const host = testHost();
    await receiver.start(host);
    const expected: string[] = [];
    for (let round = 0; round < 10; round++) {
      await source.writeBad(randomBytes(random, 1 + Math.floor(random() * 4096)));
      expected.push(...await source.write(3));
    }
    await until(() => intake.ids.length >= expected.length, "the events between the noise");
    await until(() => intake.rejects.length > 0, "the noise among the rejects");
    await stopInTime(t, receiver);
    t.equal(compare(intake.ids, expected), "", "every good event came once");
    t.ok(intake.rejects.every(({ reason }) => reason.length > 0), "every reject says why");
    t.ok(intake.rejects.every(({ raw }) => raw.length > 0), "every reject has its bytes");
    t.notOk(host.reports.some(({ state }) => state === "failed"), "the receiver did not fail");
  });
}

/** Resolves when a count has stood still for a while: the one thing that cannot be waited for. */
async function settled(count: () => number): Promise<void> {
  for (let still = 0, last = count(); still < 10; still++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (count() === last) continue;
    last = count();
    still = 0;
  }
}

/** Says what is missing, repeated or invented, in a line; empty when nothing is. */
export function compare(found: readonly string[], expected: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1);
  const wanted = new Set(expected);
  const missing = expected.filter((id) => !counts.has(id));
  const repeated = [...counts].filter(([, count]) => count > 1).map(([id]) => id);
  const invented = [...counts.keys()].filter((id) => !wanted.has(id));
  const say = (what: string, ids: readonly string[]) =>
    ids.length === 0 ? [] : [`${ids.length} ${what} (${ids.slice(0, 3).join(", ")})`];
  return [...say("missing", missing), ...say("repeated", repeated), ...say("invented", invented)]
    .join(", ");
}
