// The part of conformance() that holds for every component: starting, stopping, its deadline, and
// nothing left open.

import { readdir, readlink } from "node:fs/promises";
import process from "node:process";
import type { Test } from "tap";
import type { Component } from "../component.ts";
import { testHost } from "./context.ts";
import { until } from "./until.ts";

/** Longest a component may take to stop once its deadline has aborted. */
const GRACE_MS = 1000;

/** Stops, and fails the test when that takes longer than the deadline and a grace. */
export async function stopInTime(t: Test, component: Component, deadlineMs = 5000): Promise<void> {
  const begin = performance.now();
  let late = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      late = true;
      resolve();
    }, deadlineMs + GRACE_MS);
  });
  const deadline = new AbortController();
  const abort = setTimeout(
    () => deadline.abort(new Error("Stopped: the deadline passed")),
    deadlineMs,
  );
  try {
    await Promise.race([component.stop(deadline.signal), limit]);
  } finally {
    clearTimeout(timer);
    clearTimeout(abort);
  }
  const took = Math.round(performance.now() - begin);
  t.notOk(late, `stop() ends within its deadline of ${deadlineMs} ms (took ${took} ms)`);
}

/** Every component: start and stop, twice, and in the orders that a host may use. */
export async function checkLifecycle(
  t: Test,
  make: () => Component | Promise<Component>,
): Promise<void> {
  await t.test("stop() is safe without start(), and twice", async (t) => {
    const component = await make();
    await stopInTime(t, component);
    await stopInTime(t, component);
  });

  await t.test("start() may follow stop()", async (t) => {
    const component = await make();
    for (let round = 0; round < 2; round++) {
      const host = testHost();
      await component.start(host);
      await stopInTime(t, component);
      await stopInTime(t, component);
      const failed = host.reports.filter((report) => report.state === "failed");
      t.same(failed, [], "reports no failure");
    }
  });

  await t.test("stop() leaves no handle open", async (t) => {
    // One run first, so that what a runtime opens once and keeps is not counted; and another look
    // where something is left, since a runtime opens things when it likes: a leak leaks each time.
    await run(t, await make());
    let left = await leftOpen(t, await make());
    for (let looks = 1; left !== "" && looks < LOOKS; looks++) {
      left = await leftOpen(t, await make());
    }
    t.equal(left, "", "no file, socket, timer or watcher stays open");
  });
}

const LOOKS = 3;

async function run(t: Test, component: Component): Promise<void> {
  await component.start(testHost());
  await stopInTime(t, component);
}

/** What one run of a component leaves open; open files are only listed on Linux. */
async function leftOpen(t: Test, component: Component): Promise<string> {
  const [files, handles] = [await openFiles(), activeHandles()];
  await run(t, component);
  const look = async () =>
    surplus([...await openFiles(), ...activeHandles()], [...files, ...handles]);
  await until(async () => await look() === "", "everything closed after stop()", 2000)
    .catch(() => {});
  return await look();
}

/** What keeps Node's event loop alive, without this test's own calls. Deno answers nothing. */
function activeHandles(): string[] {
  if (process.versions.deno !== undefined) return [];
  const ours = new Set(["FSReqCallback", "FSReqPromise", "PipeWrap", "TTYWrap", "Immediate"]);
  return process.getActiveResourcesInfo().filter((name) => !ours.has(name));
}

/** Open files and sockets of this process; none where the system does not list them. */
async function openFiles(): Promise<string[]> {
  const fds = await readdir("/proc/self/fd").catch(() => []);
  const targets = await Promise.all(
    fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => undefined)),
  );
  // The listing itself, and what the runtime keeps for its loop, are not the component's.
  return targets.filter((target): target is string =>
    target !== undefined && !/^anon_inode:|^pipe:|^\/proc\//.test(target)
  );
}

/** What `after` holds more of than `before`, as text. */
function surplus(after: readonly string[], before: readonly string[]): string {
  const left = [...before];
  return after.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  }).join(", ");
}
