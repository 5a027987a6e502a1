// Receiver auditd: which files it finds, and that rotated ones are read in their order.

import { appendFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  compare,
  conformance,
  lineFormat,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
} from "../../sdk/conformance.ts";
import auditd from "./index.ts";

/** A log that is rotated, as auditd does it, before every fifth write. */
async function source(t: Test) {
  const path = join(t.testdir(), "audit.log");
  await writeFile(path, "");
  let number = 0;
  let writes = 0;
  return {
    config: { path, start_at: "beginning" },
    context: { format: lineFormat },
    write: async (count: number) => {
      if (++writes % 5 === 0) await rotate(path);
      const ids = Array.from({ length: count }, () => String(number++));
      await appendFile(path, ids.map((id) => `line ${id}\n`).join(""));
      return ids;
    },
    writeBad: async (noise: Uint8Array) => {
      await appendFile(path, Buffer.concat([noise, Buffer.from("\n")]));
    },
  };
}

async function rotate(path: string): Promise<void> {
  for (let number = 5; number > 0; number--) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(() => {});
  }
  await rename(path, `${path}.1`).catch(() => {});
}

t.test("auditd", async (t) => {
  await conformance(t, auditd, { minimal: {}, source });
});

t.test("auditd reads rotated files from the oldest on when it starts at the beginning", async (t) => {
  const log = await source(t);
  const expected: string[] = [];
  for (let write = 0; write < 23; write++) expected.push(...await log.write(3));
  const intake = recordingIntake();
  const context = testContext({ ...log.context, once: true });
  const receiver = auditd.create(auditd.config.parse({ path: log.config.path }), context, intake);
  await receiver.start(testHost());
  await receiver.drain?.();
  await stopInTime(t, receiver);
  t.same(intake.ids, expected, "in their order");
});

t.test("auditd begins with what is written after its start, and goes on there", async (t) => {
  const log = await source(t);
  await log.write(10);
  const intake = recordingIntake();
  const expected: string[] = [];
  for (let run = 0; run < 2; run++) {
    const config = auditd.config.parse({ path: log.config.path });
    const receiver = auditd.create(config, testContext(log.context), intake);
    await receiver.start(testHost());
    expected.push(...await log.write(3));
    await receiver.drain?.();
    await stopInTime(t, receiver);
    expected.push(...await log.write(2));
  }
  t.equal(compare(intake.ids, expected.slice(0, -2)), "");
});
