// Receiver journald: the contract, on exported files and on real journals that journalctl reads; what
// it does when entries, files or journalctl itself are missing; and who is believed to have spoken.

import { execFileSync } from "node:child_process";
import { appendFile, copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import {
  conformance,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import type { ComponentContext, Intake } from "../../sdk/index.ts";
import audit from "../../formats/audit/index.ts";
import journald from "./index.ts";
import { senderOf } from "./sender.ts";

const BOOT = "b=00000000000000000000000000000abc";
const START_US = 1_767_225_600_000_000;

/** The nth entry's cursor without what numbers it in its file. */
function identity(number: number): string {
  const time = (START_US + number * 1000).toString(16);
  return `${BOOT};m=${(number * 1000).toString(16)};t=${time};x=${number.toString(16)}`;
}

function entry(number: number, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    __CURSOR: `s=1;i=${number};${identity(number)}`,
    __REALTIME_TIMESTAMP: `${START_US + number * 1000}`,
    _TRANSPORT: "syslog",
    SYSLOG_IDENTIFIER: "sshd",
    _HOSTNAME: "web-01",
    MESSAGE: `Accepted password for user${number} from 192.0.2.7 port 4711 ssh2`,
    ...more,
  });
}

/** The nth entry for systemd-journal-remote. */
function exported(number: number): string {
  const micros = START_US + number * 1000;
  return `__REALTIME_TIMESTAMP=${micros}\n__MONOTONIC_TIMESTAMP=${number * 1000}\n` +
    `_BOOT_ID=00000000000000000000000000000abc\n_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=sshd\n` +
    `_UID=0\n_SYSTEMD_UNIT=${number % 2 === 0 ? "ssh" : "other"}.service\n` +
    `MESSAGE=Accepted password for user${number} from 192.0.2.7 port 4711 ssh2\n\n`;
}

const REMOTE = ["/lib/systemd/systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote"]
  .find(existsSync);
const skip = REMOTE === undefined ? "no systemd-journal-remote here" : false;
if (skip && process.env.CI) throw new Error("Cannot test journals: no systemd-journal-remote");

function makeJournal(path: string, first: number, last: number): void {
  let input = "";
  for (let number = first; number <= last; number++) input += exported(number);
  execFileSync(REMOTE!, [`--output=${path}`, "-"], { input, stdio: ["pipe", "ignore", "ignore"] });
}

function formats(members: Partial<ComponentContext> = {}) {
  const context = testContext({
    format: () => audit.create(audit.config.parse({}), context),
    ...members,
  });
  return context;
}

/** A receiver that a failing test does not leave running. */
function create(t: Test, config: unknown, context: ComponentContext, intake: Intake) {
  const receiver = journald.create(journald.config.parse(config), context, intake);
  t.teardown(() => receiver.stop(AbortSignal.abort(new Error("Stopped: the test is over"))));
  return receiver;
}

/** One run to the end, as under --once. */
async function readOnce(t: Test, config: unknown, intake = recordingIntake()) {
  const context = formats({ once: true });
  const receiver = create(t, config, context, intake);
  const host = testHost();
  await receiver.start(host);
  const outcome = await receiver.drain!().then(() => "", (error: Error) => error.message);
  await stopInTime(t, receiver);
  return { intake, context, host, outcome };
}

function users(intake: ReturnType<typeof recordingIntake>): unknown[] {
  return intake.takenEvents.map((event) => event.request?.userName);
}

t.test("journald", async (t) => {
  await conformance(t, journald, {
    minimal: {},
    source: async (t: Test) => {
      const path = join(t.testdir(), "journal.json");
      // The first bytes say what a file is.
      await writeFile(path, "[\n");
      let number = 0;
      return {
        config: { files: [path], start_at: "beginning" },
        context: { format: () => audit.create(audit.config.parse({}), formats()) },
        write: async (count: number) => {
          const numbers = Array.from({ length: count }, () => number++);
          await appendFile(path, numbers.map((id) => `${entry(id)}\n`).join(""));
          return numbers.map(identity);
        },
        writeBad: async (noise: Uint8Array) => {
          await appendFile(path, Buffer.concat([noise, Buffer.from("\n")]));
        },
      };
    },
  });
});

const TESTDATA = join(dirname(fileURLToPath(import.meta.url)), "testdata");

t.test("journald reads an entry as the same event from JSON, export and journal", async (t) => {
  const json = await readOnce(t, { files: [join(TESTDATA, "entries.jsonl")] });
  const exports = await readOnce(t, { files: [join(TESTDATA, "export.bin")] });
  const text = await readFile(join(TESTDATA, "entries.jsonl"), "utf8");
  const entries = text.trimEnd().split("\n").length;
  for (const { intake, context } of [json, exports]) {
    const ignored = Object.values(context.ignoredCounts).reduce((sum, count) => sum + count, 0);
    // Three events of the kernel are made of two records each.
    t.equal(intake.takenEvents.length + ignored + 3, entries, "every entry is accounted for");
    t.strictSame(intake.rejects, []);
  }
  t.strictSame(exports.intake.takenEvents, json.intake.takenEvents);
  t.equal(new Set(json.intake.ids).size, json.intake.ids.length, "no two share an id");
  t.equal(json.context.ignoredCounts["not audited: program's name used by another executable"], 1);
  if (skip) return t.comment(skip);
  const path = join(t.testdir(), "copy.journal");
  execFileSync(REMOTE!, [`--output=${path}`, join(TESTDATA, "export.bin")], { stdio: "ignore" });
  const journal = await readOnce(t, { files: [path] });
  t.strictSame(journal.intake.takenEvents, json.intake.takenEvents);
});

t.test("journald tells of the actions that were done while it was captured", async (t) => {
  const { intake } = await readOnce(t, {
    files: [join(TESTDATA, "entries.jsonl")],
    audit_records: false,
  });
  const found = intake.takenEvents.map(({ service, action, outcome, request }) =>
    `${service} ${action} ${request?.userName ?? request?.groupName ?? ""} ${outcome.success}`
  );
  const done = [
    ...["useradd CreateUser alice true", "useradd CreateUser bob true"],
    ...["groupadd CreateGroup deploy true", "usermod AddUserToGroup alice true"],
    ...["gpasswd AddUserToGroup bob true", "gpasswd RemoveUserFromGroup bob true"],
    ...["chpasswd ChangePassword alice true", "usermod LockUser bob true"],
    ...["usermod UnlockUser bob true", "chage UpdateUser bob true"],
    ...["sshd UserLogin alice true", "sshd UserLogin bob false"],
    ...["sshd UserLogin nosuchuser false", "sshd UserLogin root false"],
    ...["sshd UserLogout alice true", "sudo AssumeRole root true"],
    ...["su AssumeRole bob false", "su AssumeRole alice true", "runuser AssumeRole bob true"],
    ...["cron UpdateCrontab alice true", "cron DeleteCrontab alice true"],
    ...["userdel DeleteUser alice true", "groupdel DeleteGroup deploy true"],
  ];
  for (const action of done) t.ok(found.includes(action), action);
  t.notOk(found.includes("sshd UserLogin root true"), "not what anybody wrote as sshd");
});

t.test("senderOf() believes root, system programs under their names, and who has no uid", async (t) => {
  t.equal(senderOf("sshd", "0", "/usr/bin/logger"), "genuine");
  t.equal(senderOf("sshd", undefined, undefined), "genuine");
  t.equal(senderOf("sudo", "1000", "/usr/bin/sudo"), "genuine");
  t.equal(senderOf("sshd-session", "1000", "/usr/lib/openssh/sshd-session"), "genuine");
  t.equal(senderOf("CRON", "1000", "/usr/sbin/cron"), "genuine");
  t.equal(senderOf("su", "1000", "/usr/bin/busybox"), "genuine");
  t.equal(senderOf("sshd", "1000", "/usr/bin/logger"), "other");
  t.equal(senderOf("sudo", "1000", "/home/alice/sudo"), "other");
  t.equal(senderOf("sshd", "1000", undefined), "unknown");
});

t.test("journald marks a sender that was gone too early to be known", async (t) => {
  const path = join(t.testdir(), "one.json");
  await writeFile(path, `${entry(1, { _UID: "1000" })}\n`);
  const { intake } = await readOnce(t, { files: [path] });
  t.equal(intake.takenEvents[0]?.additional?.senderUnverified, true);
});

t.test("journald keeps equal entries of one microsecond apart, also over a restart", async (t) => {
  const path = join(t.testdir(), "twins.json");
  await writeFile(path, `${entry(1)}\n${entry(1)}\n`);
  const { intake } = await readOnce(t, { files: [path] });
  await appendFile(path, `${entry(1)}\n${entry(2)}\n`);
  await readOnce(t, { files: [path] }, intake);
  const one = identity(1);
  t.strictSame(intake.ids, [one, `${one};n=2`, `${one};n=3`, identity(2)]);
});

t.test("journald reads another file of the same name from its beginning", async (t) => {
  const path = join(t.testdir(), "day.json");
  await writeFile(path, `${entry(1)}\n${entry(2)}\n`);
  const { intake } = await readOnce(t, { files: [path] });
  await writeFile(`${path}.new`, `${entry(3)}\n`);
  await copyFile(`${path}.new`, `${path}.newer`);
  await rm(path);
  execFileSync("mv", [`${path}.new`, path]);
  await readOnce(t, { files: [path] }, intake);
  t.strictSame(intake.ids, [1, 2, 3].map(identity));
  const receiver = create(t, { files: [path] }, formats(), intake);
  await receiver.start(testHost());
  await writeFile(path, "");
  const offset = () =>
    (intake.position()?.[`file:${path}`] as { offset?: number } | undefined)?.offset;
  await until(() => !offset(), "that it was seen empty");
  await appendFile(path, `${entry(4)}\n`);
  await until(() => intake.ids.length === 4, "the entry behind it");
  t.strictSame(intake.ids, [1, 2, 3, 4].map(identity), "also one that was emptied");
  await stopInTime(t, receiver);
});

t.test("journald sets entries aside that have no cursor or are too long", async (t) => {
  const path = join(t.testdir(), "bad.json");
  const long = entry(3, { MESSAGE: "x".repeat(300_000) });
  const bare = JSON.stringify({ MESSAGE: "no cursor" });
  await writeFile(path, `${entry(1)}\n${bare}\nno json\n${long}\n${entry(4)}\n`);
  const { intake } = await readOnce(t, { files: [path] });
  t.strictSame(intake.ids, [1, 4].map(identity));
  t.strictSame(intake.rejects.map(({ reason }) => reason), [
    "Has no cursor",
    "Is not JSON",
    "Line is longer than 262144 bytes",
  ]);
  t.equal(Buffer.from(intake.rejects[0]!.raw).toString(), bare);
});

t.test("journald's position waits for audit records that wait for others", async (t) => {
  const path = join(t.testdir(), "audit.json");
  const record = (number: number, type: string, text: string) =>
    entry(number, {
      _TRANSPORT: "audit",
      _AUDIT_TYPE_NAME: type,
      _AUDIT_ID: "77",
      _SOURCE_REALTIME_TIMESTAMP: `${START_US}`,
      MESSAGE: `${type} ${text}`,
    });
  const call = "arch=c000003e syscall=59 success=yes exit=0 items=0 pid=7 auid=1000 uid=0";
  const first = `${entry(1)}\n`;
  await writeFile(path, `${first}${record(2, "SYSCALL", call)}\n${entry(3)}\n`);
  const intake = recordingIntake();
  const receiver = create(t, { files: [path] }, formats(), intake);
  await receiver.start(testHost());
  await until(() => intake.ids.length === 2, "the entries beside it");
  t.match(intake.position(), { [`file:${path}`]: { offset: first.length } });
  const after = intake.crash();
  await stopInTime(t, receiver);
  await appendFile(path, `${record(4, "PROCTITLE", "proctitle=6964")}\n`);
  await readOnce(t, { files: [path] }, after);
  const made = after.takenEvents.filter(({ action }) => action === "ExecuteCommand");
  t.match(made, [{ id: "1767225600.000:77", additional: { processTitle: "id" } }]);
});

t.test("journald says that journalctl is missing, and ends --once with it", async (t) => {
  const { outcome, host } = await readOnce(t, { command: "/nonexistent/journalctl" });
  t.match(outcome, /^Cannot start "\/nonexistent\/journalctl": not found/);
  t.match(host.reports, [{ state: "degraded", reason: /not found: install systemd/ }]);
});

t.test("journald is degraded, and tries again, while journalctl fails", async (t) => {
  const folder = t.testdir();
  const config = { directory: join(folder, "none"), command: "/bin/false" };
  const receiver = create(t, config, formats(), recordingIntake());
  const host = testHost();
  await receiver.start(host);
  await until(() => host.reports.length > 0, "a report");
  t.match(host.reports, [{ state: "degraded", reason: /"\/bin\/false" ended with code 1/ }]);
  await stopInTime(t, receiver);
});

t.test("journald says that a file is missing, and reads it once it is there", async (t) => {
  const path = join(t.testdir(), "late.json");
  const intake = recordingIntake();
  const receiver = create(t, { files: [path] }, formats(), intake);
  const host = testHost();
  await receiver.start(host);
  await until(() => host.reports.length > 0, "a report");
  t.match(host.reports, [{ state: "degraded", reason: /late\.json/ }]);
  await writeFile(path, `${entry(1)}\n`);
  await until(() => intake.ids.length === 1, "the entry");
  await until(() => host.reports.at(-1)?.state === "running", "that it runs");
  await stopInTime(t, receiver);
});

t.test("journald on a real journal", { skip }, async (t) => {
  await t.test("reads the units asked for", async (t) => {
    const path = join(t.testdir(), "a.journal");
    makeJournal(path, 1, 10);
    const { intake } = await readOnce(t, { files: [path], units: ["ssh.service"] });
    t.strictSame(users(intake), ["user2", "user4", "user6", "user8", "user10"]);
  });

  await t.test("resumes behind the last durable entry, and follows what is written", async (t) => {
    const folder = t.testdir();
    const path = join(folder, "a.journal");
    makeJournal(path, 1, 10);
    const { intake } = await readOnce(t, { directory: folder });
    makeJournal(path, 11, 20);
    const receiver = create(t, { directory: folder }, formats(), intake);
    await receiver.start(testHost());
    await until(() => intake.ids.length === 20, `20 events (${intake.ids.length} came)`);
    makeJournal(path, 21, 30);
    await until(() => intake.ids.length === 30, `30 events (${intake.ids.length} came)`);
    makeJournal(path, 31, 40);
    await receiver.drain!();
    t.strictSame(users(intake), Array.from({ length: 40 }, (_, i) => `user${i + 1}`));
    await stopInTime(t, receiver);
  });

  await t.test("tells of a gap when the last entry is no longer there", async (t) => {
    const folder = t.testdir();
    makeJournal(join(folder, "a.journal"), 1, 10);
    const first = await readOnce(t, { directory: folder });
    t.strictSame(first.context.lines, []);
    await rm(join(folder, "a.journal"));
    makeJournal(join(folder, "b.journal"), 21, 25);
    const second = await readOnce(t, { directory: folder }, first.intake);
    t.match(second.context.lines, [{
      level: "error",
      message: /^Cannot go on in .* behind the last/,
    }]);
    t.match(first.intake.takenEvents[10], { service: "journald", action: "LoseEvents" });
    t.strictSame(users(first.intake).slice(11), [21, 22, 23, 24, 25].map((n) => `user${n}`));
  });

  await t.test("begins at the end when told so, and misses nothing from then on", async (t) => {
    const folder = t.testdir();
    makeJournal(join(folder, "a.journal"), 1, 10);
    const intake = recordingIntake();
    const clock = () => START_US / 1000 + 11;
    const first = create(t, { directory: folder }, formats({ clock }), intake);
    await first.start(testHost());
    await until(() => intake.position() !== undefined, "where it begins");
    await stopInTime(t, first);
    makeJournal(join(folder, "a.journal"), 11, 12);
    const second = create(t, { directory: folder }, formats(), intake);
    await second.start(testHost());
    await until(() => intake.ids.length >= 2, "what came after the first start");
    t.strictSame(users(intake), ["user11", "user12"]);
    await stopInTime(t, second);
  });
});
