// The deadline of a stop, which every component waits for.

import process from "node:process";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import { startDeadline } from "../../src/agent/deadline.ts";

t.test("startDeadline() gives a signal that many components may listen to", async (t) => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  t.teardown(() => process.off("warning", warn));
  const { signal, cancel } = startDeadline(60_000);
  for (let part = 0; part < 100; part++) signal.addEventListener("abort", () => {});
  await setImmediate();
  cancel();
  t.same(warnings, []);
});
