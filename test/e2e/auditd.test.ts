// Kernel audit through a real auditd, its log and its socket at once: the agent is killed in the
// middle and started again. Of the log each event comes once; what the socket did not keep is told
// by the serials that are missing. Needs root, auditd, and a kernel that nobody else audits.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { runtimeName, startCairn } from "./cairn.ts";

const ACTIONS = 60;
// Both runtimes run this file, and the kernel has one audit daemon.
const LOCK = join(tmpdir(), "cairn-kernel-audit.lock");

/** Why there is no kernel audit to be had here; a missing program is no excuse in CI. */
function missing(): string | undefined {
  if (process.getuid?.() !== 0) return "kernel audit needs root";
  const programs = ["/usr/sbin/auditd", "/usr/sbin/auditctl"];
  const absent = programs.filter((path) => !existsSync(path));
  if (absent.length > 0) {
    if (process.env.CI) throw new Error(`Cannot test auditd: no ${absent.join(", ")}`);
    return `no ${absent.join(", ")}: apt-get install auditd`;
  }
  const status = spawnSync("auditctl", ["-s"], { encoding: "utf8" });
  if (status.status !== 0) return `the kernel refuses audit: ${status.stderr.trim()}`;
  return undefined;
}

async function lock(t: Test): Promise<void> {
  const take = () => {
    try {
      mkdirSync(LOCK);
      writeFileSync(join(LOCK, "pid"), String(process.pid));
      return true;
    } catch {
      // Left by a process that was killed.
      const pid = existsSync(join(LOCK, "pid")) ? Number(readFileSync(join(LOCK, "pid"))) : 0;
      if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(LOCK, { recursive: true, force: true });
      return false;
    }
  };
  await until(take, `the lock "${LOCK}"`, 60_000);
  t.teardown(() => rmSync(LOCK, { recursive: true, force: true }));
}

function auditctl(...words: string[]): string {
  return execFileSync("auditctl", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

/** A daemon with a log and a socket of its own, and a rule for one program. */
async function startDaemon(t: Test, folder: string, socketFormat: string): Promise<ChildProcess> {
  const etc = join(folder, "etc");
  for (const path of [etc, join(etc, "plugins.d"), join(folder, "log")]) mkdirSync(path, 0o700);
  const ignored = ["space_left", "admin_space_left", "disk_full", "disk_error"];
  writeFileSync(
    join(etc, "auditd.conf"),
    `local_events = yes\nwrite_logs = yes\nlog_file = ${folder}/log/audit.log\nlog_format = RAW
flush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 8\nnum_logs = 2\nmax_log_file_action = ROTATE
name_format = none\nspace_left = 75\nadmin_space_left = 50\nplugin_dir = ${etc}/plugins.d\n` +
      ignored.map((name) => `${name}_action = IGNORE\n`).join(""),
    { mode: 0o600 },
  );
  writeFileSync(
    join(etc, "plugins.d/af_unix.conf"),
    `active = yes\ndirection = out\npath = builtin_af_unix\ntype = builtin
args = 0640 ${folder}/socket\nformat = ${socketFormat}\n`,
    { mode: 0o600 },
  );
  copyFileSync("/usr/bin/true", join(folder, "act"));
  chmodSync(join(folder, "act"), 0o755);
  const daemon = spawn("/usr/sbin/auditd", ["-n", "-c", etc], { stdio: "ignore" });
  const ended = new Promise((done) => daemon.once("exit", done));
  t.teardown(async () => {
    for (const words of [["-D"], ["-e", "0"]]) spawnSync("auditctl", words);
    daemon.kill("SIGTERM");
    await ended;
  });
  await until(() => existsSync(`${folder}/socket`), "auditd's socket");
  auditctl("-e", "1");
  auditctl("-a", "always,exit", "-F", "arch=b64", "-S", "execve", "-F", `path=${folder}/act`);
  return daemon;
}

function configuration(folder: string): string {
  const path = join(folder, "cairn.yaml");
  const out = (name: string) => `{ path: ${folder}/${name}.jsonl, batch: { max_age: 20ms } }`;
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers:
  auditd: { path: ${folder}/log/audit.log, start_at: beginning }
  auditd/socket: { socket: ${folder}/socket }
exporters: { file/log: ${out("log")}, file/socket: ${out("socket")} }
service:
  pipelines:
    log: { receivers: [auditd], exporters: [file/log] }
    socket: { receivers: [auditd/socket], exporters: [file/socket] }
`,
  );
  return path;
}

interface Delivered {
  readonly eventID: string;
  readonly eventName: string;
  readonly requestParameters?: { readonly arguments?: readonly string[] };
  readonly additionalEventData: { readonly count?: number };
}

function read(folder: string, name: string): Delivered[] {
  const path = join(folder, `${name}.jsonl`);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Delivered);
}

/** The numbers of the actions that were delivered, as often as they were. */
function actions(delivered: readonly Delivered[], folder: string): number[] {
  return delivered.map(({ requestParameters }) => requestParameters?.arguments ?? [])
    .filter((words) => words[0] === `${folder}/act`).map((words) => Number(words[1]));
}

const skip = missing();
if (skip !== undefined) console.log(`# SKIPPED, kernel audit is not tested: ${skip}`);

// One form for each runtime: a run takes seconds, and both forms are read everywhere else.
const socketFormat = runtimeName === "node" ? "binary" : "string";
t.test(`auditd, ${socketFormat} socket, kill -9: nothing repeated, nothing missing`, {
  skip: skip ?? false,
  timeout: 120_000,
}, async (t) => {
  await lock(t);
  const folder = mkdtempSync(join(tmpdir(), "cairn-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  await startDaemon(t, folder, socketFormat);
  const config = configuration(folder);
  let done = 0;
  const act = (count: number) => {
    for (const end = done + count; done < end; done++) {
      spawnSync(join(folder, "act"), [String(done)]);
    }
  };
  const came = (name: string, count: number) => async () =>
    new Set(actions(read(folder, name), folder)).size >= count;

  const first = startCairn(["run", "--config", config]);
  await first.said(/Running/);
  act(ACTIONS);
  await until(came("socket", ACTIONS / 2), "half of the actions");
  act(ACTIONS / 2);
  first.kill("SIGKILL");
  act(ACTIONS);
  await first.exit;
  const second = startCairn(["run", "--config", config]);
  await second.said(/Running/);
  act(ACTIONS);
  await until(came("log", done), "every action from the log");
  await until(
    () => actions(read(folder, "socket"), folder).includes(done - 1),
    "the last action from the socket",
  );
  // A number is missing for two seconds before it is missed.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  auditctl("-m", "the end of the gap");
  // An event that came, though not whole, came under its own id. Before the first that came there
  // was no connection, and so no number to miss.
  const missed = () => {
    const ids = new Set(read(folder, "socket").map(({ eventID }) => eventID));
    const log = read(folder, "log").filter((one) => actions([one], folder).length > 0);
    const begin = log.findIndex(({ eventID }) => ids.has(eventID));
    return log.slice(begin).filter(({ eventID }) => !ids.has(eventID)).length;
  };
  const told = () =>
    read(folder, "socket").filter((one) => one.eventName === "LoseEvents")
      .reduce((sum, one) => sum + (one.additionalEventData.count ?? 0), 0);
  const isTold = () => told() > 0 && told() >= missed();
  await until(isTold, "the records of what the socket has lost");
  second.kill("SIGTERM");
  t.equal((await second.exit).code, 0);

  const log = read(folder, "log");
  const numbers = Array.from({ length: done }, (_, i) => i);
  t.strictSame(actions(log, folder).sort((a, b) => a - b), numbers, "of the log each once");
  t.equal(new Set(log.map(({ eventID }) => eventID)).size, log.length, "no eventID twice");
  const gaps = log.filter(({ eventName }) => eventName === "LoseEvents");
  t.strictSame(gaps, [], "no serial is missing in the log");
  const found = actions(read(folder, "socket"), folder);
  t.equal(new Set(found).size, found.length, "of the socket none twice");
  t.ok(isTold(), `${missed()} missing, ${told()} told`);
  t.ok(found.length < done, "the socket did lose some, or nothing was tested");
});
