// What one receiver passed on: each call counted by how it ended.

import t from "tap";
import type { Intake } from "../../plugins/sdk/index.ts";
import { countIntake } from "../../src/agent/counted-intake.ts";
import { event } from "./plugins.ts";

t.test("countIntake() counts what is durable, set aside and refused, once it is known", async (t) => {
  const full = new Error("The queue is full");
  const queue: { failure?: Error } = {};
  let settle = () => {};
  const settled = new Promise<void>((resolve) => settle = resolve);
  const end = async () => {
    if (queue.failure !== undefined) throw queue.failure;
    await settled;
  };
  const inner: Intake = { events: end, records: end, reject: end, position: () => ({ at: 7 }) };
  const { intake, counts } = countIntake(inner);
  const taken = Promise.all([
    intake.events([event("1"), event("2")]),
    intake.records([new Uint8Array(1)]),
    intake.reject(new Uint8Array(1), "Is noise"),
  ]);
  t.same(counts(), { accepted: 0, rejected: 0, refused: 0 }, "nothing before it is durable");
  settle();
  await taken;
  queue.failure = full;
  await t.rejects(intake.events([event("3"), event("4")]), full);
  await t.rejects(intake.reject(new Uint8Array(1), "Is noise"), full);
  t.same(counts(), { accepted: 3, rejected: 1, refused: 3 });
  t.same(intake.position(), { at: 7 });
});
