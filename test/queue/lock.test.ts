// One owner for each queue folder, between real processes of Node and of Deno with no more
// permissions than `deno task start` has: while the owner lives, after SIGKILL, and when several
// start at once.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { type Files, realFiles } from "../../src/queue/files.ts";
import { Queue } from "../../src/queue/queue.ts";
import { root, runtimeName } from "../e2e/cairn.ts";

type Kind = "node" | "deno";
const KINDS: readonly Kind[] = ["node", "deno"];
const ROUNDS = 3;

interface Holder {
  readonly child: ChildProcess;
  /** `open`, or why not. */
  readonly answer: string;
}

/** The permissions of the task, for a process that runs in `folder`. */
function taskPermissions(folder: string): string[] {
  const { tasks } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")) as {
    tasks: { start: string };
  };
  return tasks.start.split(/[\s'"]+/).filter((word) => /^--(allow|no-prompt)/.test(word))
    .map((word) => word.replace("$PWD", folder));
}

function commandOf(kind: Kind, folder: string): string[] {
  if (kind === "node") {
    const node = runtimeName === "node" ? process.execPath : "node";
    return [node, join(root, "dist/test/queue/lock-holder.js")];
  }
  const deno = runtimeName === "deno" ? process.execPath : join(root, "node_modules/deno/deno");
  const config = ["--config", join(root, "deno.json")];
  const script = join(root, "test/queue/lock-holder.ts");
  return [deno, "run", ...config, ...taskPermissions(folder), script];
}

/** Starts a process that opens the queue below `folder`; resolves when it has said how that went. */
async function hold(t: Test, kind: Kind, folder: string): Promise<Holder> {
  const [program, ...args] = commandOf(kind, folder);
  const child = spawn(program!, [...args, "./cairn-data/queue"], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  const [answer] = await once(createInterface({ input: child.stdout }), "line") as [string];
  return { child, answer };
}

async function ended({ child }: Holder, how: "SIGKILL" | "end"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  if (how === "end") child.stdin?.end();
  else child.kill(how);
  await exit;
}

function temporary(t: Test): { folder: string; queue: string } {
  const folder = mkdtempSync(join(tmpdir(), "cairn-lock-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // Made beforehand: to make names durable above it the processes have no permission.
  mkdirSync(join(folder, "cairn-data"));
  return { folder, queue: join(folder, "cairn-data/queue") };
}

for (const owner of KINDS) {
  for (const other of KINDS) {
    t.test(`${other} stays out while ${owner} lives, and takes over after SIGKILL`, async (t) => {
      const { folder, queue } = temporary(t);
      const first = await hold(t, owner, folder);
      t.equal(first.answer, "open");
      const second = await hold(t, other, folder);
      t.match(second.answer, `locked by process ${first.child.pid}`);
      await ended(second, "end");
      await ended(first, "SIGKILL");
      t.ok(existsSync(join(queue, "lock")), "the dead owner left its lock");
      let third = await hold(t, other, folder);
      if (owner === "node" && other === "deno") {
        // Whether a process of Node lives, these permissions do not tell.
        t.match(
          third.answer,
          /locked by process \d+; if that is no Cairn process, remove ".*lock"/,
        );
        rmSync(join(queue, "lock"));
        third = await hold(t, other, folder);
      }
      t.equal(third.answer, "open");
      t.match((await hold(t, owner, folder)).answer, `locked by process ${third.child.pid}`);
      await ended(third, "end");
      t.strictSame(readdirSync(queue).filter((name) => name.startsWith("lock")), []);
    });
  }
}

t.test("of several that start at once after SIGKILL, one opens the queue", async (t) => {
  const { folder, queue } = temporary(t);
  let last = await hold(t, "deno", folder);
  for (let round = 1; round <= ROUNDS; round++) {
    await ended(last, "SIGKILL");
    // No Node: what it leaves behind, the next round's Deno could not judge.
    const kinds: Kind[] = round === ROUNDS ? ["deno", "node", "deno", "node"] : ["deno", "deno"];
    const starters = await Promise.all(kinds.map((kind) => hold(t, kind, folder)));
    const open = starters.filter(({ answer }) => answer === "open");
    t.equal(open.length, 1, "one of them opens it");
    for (const { answer } of starters) t.match(answer, /^open$|: locked by /);
    last = open[0]!;
  }
  await ended(last, "end");
  t.strictSame(readdirSync(queue).filter((name) => name.startsWith("lock")), []);
});

/** Files without /proc, and with an advisory lock that does as told. */
function advisory(lockFolder: NonNullable<Files["lockFolder"]>): Files {
  return {
    ...realFiles,
    lockFolder,
    readFile: (path) => {
      if (path.startsWith("/proc/")) return Promise.reject(new Error("not permitted"));
      return realFiles.readFile(path);
    },
  };
}

t.test("an owner with an advisory lock has died when the lock can be had", async (t) => {
  const directory = join(t.testdir(), "queue");
  mkdirSync(directory);
  let held = 0;
  const files = advisory(() => {
    held++;
    return Promise.resolve(() => held--);
  });
  const open = () => Queue.open({ directory, clock: Date.now, files });
  // The parent lives: after a restart of the machine any process may have the number.
  writeFileSync(join(directory, "lock"), JSON.stringify({ pid: process.ppid, advisory: true }));
  const queue = await open();
  t.match(JSON.parse(readFileSync(join(directory, "lock"), "utf8")), {
    pid: process.pid,
    advisory: true,
  });
  await queue.close();
  t.equal(held, 0, "close() gives the advisory lock back");
  writeFileSync(join(directory, "lock"), JSON.stringify({ pid: process.ppid }));
  await t.rejects(open(), { name: "QueueLockedError", pid: process.ppid });
  t.equal(held, 0, "and so does an open() that fails");
});

t.test("an advisory lock that another holds keeps the queue closed", async (t) => {
  const directory = join(t.testdir(), "queue");
  const files = advisory(() => Promise.resolve(undefined));
  await t.rejects(Queue.open({ directory, clock: Date.now, files, retryMs: 0 }), {
    name: "QueueLockedError",
    message: `Cannot open queue "${directory}": locked by another process`,
  });
});

t.test("where the disk knows no advisory locks, process ids have to do", async (t) => {
  const directory = join(t.testdir(), "queue");
  const files = advisory(() => Promise.reject(new Error("not supported")));
  const queue = await Queue.open({ directory, clock: Date.now, files });
  t.match(JSON.parse(readFileSync(join(directory, "lock"), "utf8")), { advisory: false });
  await t.rejects(Queue.open({ directory, clock: Date.now, files }), {
    name: "QueueLockedError",
    pid: process.pid,
  });
  await queue.close();
});
