// Deadlines as every component of an agent shares them.

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startDeadline } from "../../src/agent/deadline.ts";

t.test("startDeadline() lets a hundred components listen without a warning", async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on("warning", note);
  t.teardown(() => process.off("warning", note));
  const { signal, cancel } = startDeadline(60_000);
  t.teardown(cancel);
  for (let i = 0; i < 100; i++) signal.addEventListener("abort", () => {});
  // Warnings come on the next tick.
  await sleep(0);
  t.same(warnings, []);
});

t.test("startDeadline() aborts after its time", async (t) => {
  const { signal } = startDeadline(1);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  t.match(signal.reason, { message: "the time to stop is over" });
});
