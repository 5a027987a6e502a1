// The follower with real files: rotation under a writing process, restarts, and whatever else
// happens to a file.

import { spawn } from "node:child_process";
import { appendFile, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import {
  compare,
  lineFormat,
  type RecordingIntake,
  recordingIntake,
  seededRandom,
  stopInTime,
  testContext,
  testHost,
  until,
} from "./conformance.ts";
import { Follower, type FollowOptions } from "./follow.ts";

function follower(path: string, intake: RecordingIntake, options: Partial<FollowOptions> = {}) {
  const all: FollowOptions = {
    paths: [path],
    exclude: [],
    startAt: "beginning",
    siblings: true,
    lineBytesMax: 1024,
    format: lineFormat,
    ...options,
  };
  return new Follower(all, testContext(), intake);
}

/** Follows, does something, drains and stops. */
async function during(
  t: Test,
  path: string,
  intake: RecordingIntake,
  act: () => Promise<void> = async () => {},
): Promise<void> {
  const one = follower(path, intake);
  await one.start(testHost());
  await act();
  await one.drain();
  await stopInTime(t, one);
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => String(from + i));
const text = (ids: readonly string[]) => ids.map((id) => `line ${id}\n`).join("");

// Writes lines as fast as it can and rotates its file by itself after so many, as auditd does.
const WRITER = `
const fs = require("node:fs");
const [path, count, every, how] = process.argv.slice(1);
let fd = fs.openSync(path, "a");
for (let i = 0; i < Number(count); i++) {
  if (i > 0 && i % Number(every) === 0) {
    for (let n = 60; n > 0; n--) {
      if (fs.existsSync(path + "." + n)) fs.renameSync(path + "." + n, path + "." + (n + 1));
    }
    if (how === "rename") {
      fs.renameSync(path, path + ".1");
      fs.closeSync(fd);
      fd = fs.openSync(path, "a");
    } else {
      fs.copyFileSync(path, path + ".1");
      fs.ftruncateSync(fd, 0);
    }
  }
  fs.writeSync(fd, "line " + i + "\\n");
  if (i % 100 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);
}
`;

function write(path: string, count: number, every: number, how: string): Promise<number | null> {
  const script = process.versions.deno === undefined ? ["-e", WRITER] : ["eval", DENO + WRITER];
  const args = [...script, ...process.versions.deno ? ["--"] : []];
  const child = spawn(process.execPath, [...args, path, String(count), String(every), how], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve) => child.on("close", resolve));
}

// The same script as a module.
const DENO = `import process from "node:process"; import { createRequire } from "node:module";
const require = createRequire(import.meta.url); process.argv.splice(2, process.argv[2] === "--" ? 1 : 0);
process.argv.splice(1, 1);
`;

for (const how of ["rename", "copytruncate"]) {
  t.test(`follow() reads every line once while a process writes and rotates by ${how}`, async (t) => {
    const path = join(t.testdir(), "a.log");
    await writeFile(path, text(["-1", "-2", "-3", "-4", "-5"]));
    const random = seededRandom(how.length);
    let intake = recordingIntake();
    let one = follower(path, intake);
    await one.start(testHost());
    await until(() => intake.ids.length === 5, "the first lines");
    let ended = false;
    const writing = write(path, 20_000, 1500, how).then((code) => {
      ended = true;
      t.equal(code, 0, "the writer wrote all");
    });
    while (!ended) {
      const target = intake.calls + 1 + Math.floor(random() * 5);
      await until(() => ended || intake.calls >= target, "some calls");
      if (random() < 0.3) intake.failNext(1);
      const crash = random() < 0.5;
      const next = crash ? intake.crash() : intake;
      await stopInTime(t, one, crash ? 20 : 5000);
      intake = next;
      one = follower(path, intake);
      await one.start(testHost());
    }
    await writing;
    await one.drain();
    await stopInTime(t, one);
    t.equal(compare(intake.ids.slice(5), numbers(0, 20_000)), "", "nothing lost, nothing repeated");
  });
}

t.test("follow() goes on where it was when files were rotated twice meanwhile", async (t) => {
  const path = join(t.testdir(), "a.log");
  const intake = recordingIntake();
  await writeFile(path, text(numbers(0, 5)));
  await during(t, path, intake);
  await appendFile(path, text(numbers(5, 7)));
  await rename(path, `${path}.2`);
  await writeFile(`${path}.1`, text(numbers(7, 9)));
  await writeFile(path, text(numbers(9, 12)));
  await during(t, path, intake);
  t.same(intake.ids, numbers(0, 12), "in their order");
});

t.test("follow() reads a file anew that was truncated or rewritten meanwhile", async (t) => {
  const path = join(t.testdir(), "a.log");
  const intake = recordingIntake();
  await writeFile(path, text(numbers(0, 50)));
  await during(t, path, intake);
  await truncate(path);
  await appendFile(path, text(numbers(50, 60)));
  await during(t, path, intake);
  await truncate(path);
  await appendFile(path, text(numbers(60, 200)));
  await during(t, path, intake);
  t.same(intake.ids, numbers(0, 200));
});

t.test("follow() takes a last line without an end once", async (t) => {
  const path = join(t.testdir(), "a.log");
  const intake = recordingIntake();
  await writeFile(path, "line 0\nline 1");
  await during(t, path, intake);
  t.same(intake.ids, ["0", "1"]);
  await appendFile(path, "\nline 2\n");
  await during(t, path, intake);
  await during(t, path, intake);
  t.same(intake.ids, ["0", "1", "2"]);
});

t.test("follow() says what is in the way and reads on when it is gone", async (t) => {
  const folder = join(t.testdir(), "logs");
  const path = join(folder, "a.log");
  const intake = recordingIntake();
  const host = testHost();
  const one = follower(path, intake);
  await one.start(host);
  t.match(host.reports.at(-1), { state: "waiting", reason: /a\.log": no such file/ });
  await mkdir(path, { recursive: true });
  await until(() => /is a directory/.test(host.reports.at(-1)?.reason ?? ""), "the directory");
  t.equal(host.reports.at(-1)?.state, "degraded");
  await rm(path, { recursive: true });
  await symlink(path, path);
  await until(() => /symbolic links/.test(host.reports.at(-1)?.reason ?? ""), "the loop");
  await rm(path);
  await writeFile(path, text(["0"]));
  await until(() => intake.ids.length === 1, "the first line");
  await rm(folder, { recursive: true });
  await until(() => host.reports.at(-1)?.state === "waiting", "the loss of the folder");
  await mkdir(folder);
  await writeFile(join(folder, "real.log"), text(["1"]));
  await symlink(join(folder, "real.log"), path);
  await until(() => intake.ids.length === 2, "the line behind a link");
  await stopInTime(t, one);
  t.same(intake.ids, ["0", "1"]);
  t.equal(host.reports.at(-1)?.state, "running");
});
