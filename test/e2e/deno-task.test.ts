// `deno task start` as users run it, with no more permissions than it names: replays the bundled log
// into a trail, answers `cairn status`, starts again after SIGKILL, and stops in order on Ctrl-C.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import type { AgentStatus } from "../../src/agent/status.ts";
import { root, runtimeName, startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const PATIENCE_MS = 60_000;
// The bundled log holds more events; the agent's own record of its start comes before them.
const BUNDLED_MIN = 50;

/** A checkout of its own: the permissions name folders below the current one, links resolved. */
function checkout(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn task "));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["src", "plugins", "config", "deno.json", "package.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** The task, in a process group of its own, as a terminal gives it one. */
function startTask(t: Test, folder: string) {
  const { CAIRN_DATA_DIR: _, ...env } = process.env;
  const child = spawn(process.execPath, ["task", "start"], {
    cwd: folder,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const signal = (name: NodeJS.Signals) => process.kill(-child.pid!, name);
  let stderr = "";
  child.stdout.resume();
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk);
  let isRunning = true;
  const exit = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      isRunning = false;
      resolve(code);
    });
  });
  t.teardown(() => isRunning && signal("SIGKILL"));
  return { exit, signal, said: () => stderr, isRunning: () => isRunning };
}

type Task = ReturnType<typeof startTask>;

async function status(folder: string): Promise<AgentStatus | undefined> {
  const args = ["status", "--json", "--data-dir", join(folder, "cairn-data")];
  const { code, stdout } = await startCairn(args).exit;
  return code === 0 ? JSON.parse(stdout) as AgentStatus : undefined;
}

/** The agent's status as soon as it runs and all it stored is delivered. */
async function delivered(folder: string, task: Task): Promise<AgentStatus> {
  const begin = performance.now();
  while (task.isRunning() && performance.now() - begin < PATIENCE_MS) {
    const found = await status(folder);
    const [pipeline] = found?.pipelines ?? [];
    const isDone = found?.state === "running" && pipeline !== undefined &&
      pipeline.counts.stored > BUNDLED_MIN && pipeline.exporters.every(({ queued }) =>
        queued === 0
      );
    if (isDone) return found;
  }
  throw new Error(`The task did not deliver: ${task.said()}`);
}

const skip = runtimeName === "node" ? "the task is Deno's, and runs in the Deno pass" : false;

t.test("deno task start records, survives SIGKILL and stops on Ctrl-C", { skip }, async (t) => {
  const folder = checkout(t);
  const data = join(folder, "cairn-data");
  const ids = () =>
    readTrail(join(data, "trail"), { own: true }).map(({ record }) => String(record.eventID));

  const first = startTask(t, folder);
  const before = await delivered(folder, first);
  t.equal(before.runtime, "deno");
  t.equal(before.pipelines[0]!.state, "running");
  const idsBefore = ids();
  t.equal(idsBefore.length, before.pipelines[0]!.counts.stored, "the trail holds the bundled log");
  process.kill(before.pid, "SIGKILL");
  t.not(await first.exit, 0);
  t.ok(existsSync(join(data, "queue/audit/lock")), "the dead agent left its lock");

  const second = startTask(t, folder);
  const after = await delivered(folder, second);
  t.not(after.pid, before.pid);
  second.signal("SIGINT");
  t.equal(await second.exit, 0, "Ctrl-C ends it in order") || t.comment(second.said());
  t.match(second.said(), /Stopping in order after SIGINT[^]*"Stopped"/);
  for (const { said } of [first, second]) t.notMatch(said(), /NotCapable|Requires \w+ access/);
  t.notOk(existsSync(join(data, "queue/audit/lock")));
  const idsAfter = ids();
  t.equal(new Set(idsAfter).size, idsAfter.length, "no record is there twice");
  t.same(idsBefore.filter((id) => !idsAfter.includes(id)), [], "no record has gone");
});
