// What one event is told by others: the login session it belongs to, the names of accounts, and the
// numbers that never came. And that all of it is known again after a restart.

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import t from "tap";
import type { AuditEvent, Format, FormatSources, JsonObject } from "../../sdk/index.ts";
import { eventsOf, linesOf, newFormat, readLines } from "./read-log.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);

/** Lines of one login over ssh by alice, as sshd and the kernel write them. */
function login(ses: number, address: string, second = 10): string[] {
  const head = (n: number) => `msg=audit(${second}.${n}00:${second * 10 + n}):`;
  const ids = `pid=7 uid=0 auid=2001 ses=${ses}`;
  const exe = `exe="/usr/sbin/sshd" hostname=${address} addr=${address} terminal=ssh res=success`;
  return [
    `type=LOGIN ${head(1)} pid=7 uid=0 old-auid=4294967295 auid=2001 tty=(none) ` +
    `old-ses=4294967295 ses=${ses} res=1`,
    `type=USER_START ${head(2)} ${ids} msg='op=PAM:session_open acct="alice" ${exe}'`,
    `type=USER_LOGIN ${head(3)} ${ids} msg='op=login id=2001 ${exe}'`,
  ];
}

function sudo(ses: number, serial: number, auid = 2001): string {
  return `type=USER_CMD msg=audit(20.000:${serial}): pid=8 uid=${auid} auid=${auid} ses=${ses} ` +
    `msg='cwd="/" cmd="id" exe="/usr/bin/sudo" terminal=pts/0 res=success'`;
}

function execute(ses: number, serial: number): string {
  return `type=SYSCALL msg=audit(21.000:${serial}): arch=c000003e syscall=59 success=yes exit=0 ` +
    `items=0 auid=2001 uid=0 euid=0 ses=${ses} comm="id" exe="/usr/bin/id" key="root"`;
}

function feed(format: Format, lines: readonly string[]): AuditEvent[] {
  const events = lines.flatMap((line, offset) =>
    eventsOf(format.decode(Buffer.from(line, "latin1"), { source: "s", offset }))
  );
  return [...events, ...eventsOf(format.flush(Infinity))];
}

t.test("decode lets name, address and beginning of a login follow into sudo and exec", async (t) => {
  const events = feed(newFormat(), [...login(3, "192.0.2.7"), sudo(3, 104), execute(3, 105)]);
  const session = { id: "3", createdAt: 10_100 };
  const command = events.find(({ action }) => action === "AssumeRole");
  t.strictSame(command?.actor, { type: "user", name: "alice", id: "2001", session });
  t.strictSame(command?.origin, { address: "192.0.2.7", userAgent: "/usr/bin/sudo" });
  const program = events.find(({ action }) => action === "ExecuteCommand");
  const assumedBy = { type: "user", name: "alice", id: "2001" };
  t.strictSame(program?.actor, { type: "role", name: "root", id: "0", assumedBy, session });
  t.equal(program?.origin?.address, "192.0.2.7");
});

t.test("decode gives an address to nobody but the session's own login", async (t) => {
  const format = newFormat();
  const events = feed(format, [
    ...login(3, "192.0.2.7"),
    sudo(4, 104),
    sudo(3, 105, 1000),
    "type=SYSCALL msg=audit(22.000:106): arch=c000003e syscall=59 auid=4294967295 uid=0 " +
    'ses=4294967295 comm="cron" exe="/usr/sbin/cron"',
    ...login(3, "198.51.100.9", 30).slice(0, 1),
    sudo(3, 302),
  ]);
  const later = events.filter(({ action }) => /AssumeRole|ExecuteCommand/.test(action));
  t.equal(later.length, 4);
  for (const event of later) t.equal(event.origin?.address, undefined, event.id);
});

t.test("decode keeps what accept says of its peer before what the login said", async (t) => {
  const events = feed(newFormat(), [
    ...login(3, "192.0.2.7"),
    "type=SYSCALL msg=audit(21.000:105): arch=c000003e syscall=43 success=yes exit=4 items=0 " +
    'auid=2001 uid=2001 ses=3 comm="nc" exe="/usr/bin/nc"',
    "type=SOCKADDR msg=audit(21.000:105): saddr=020001BBC6336401",
  ]);
  t.match(events.at(-1), { action: "AcceptConnection", origin: { address: "198.51.100.1" } });
});

t.test("decode finds address and name for every sudo of a captured log", async (t) => {
  const { events } = readLines(linesOf(readFileSync(new URL("raw.log", TESTDATA))));
  const commands = events.filter((event) =>
    event.service === "sudo" && event.action === "AssumeRole" && event.actor.type === "user" &&
    event.actor.session !== undefined
  );
  t.ok(commands.length >= 5, `${commands.length} commands`);
  for (const { actor, origin, id } of commands) {
    t.match(actor, { name: /^(alice|bob)$/, session: { createdAt: Number } }, id);
    t.equal(origin?.address, "127.0.0.1", id);
  }
});

const accounts: FormatSources["accounts"] = {
  user: (uid) => ({ "0": "root", "2001": "alice", "2002": "bob" })[uid],
  group: (gid) => ({ "0": "wheel", "2100": "deploy" })[gid],
};

t.test("decode takes names from the log first, then from the accounts it is lent", async (t) => {
  const first = (line: string) => feed(newFormat({}, { accounts }), [line])[0]!;
  const raw = sudo(9, 1);
  t.match(first(raw).actor, { name: "alice", id: "2001" });
  t.match(first(`${raw}\x1dUID="renamed" AUID="renamed"`).actor, { name: "renamed" });
  t.match(first(`${raw}\x1dUID="unknown(2001)" AUID="unknown(2001)"`).actor, { name: "alice" });
  t.equal((first(sudo(9, 1, 4711)).actor as { name?: string }).name, undefined);
  const setuid = raw.replace("uid=2001", "uid=2002");
  t.match(first(setuid).actor, { type: "role", name: "bob", assumedBy: { name: "alice" } });
  const group = "type=DEL_GROUP msg=audit(1.000:1): pid=1 uid=0 auid=2001 ses=1 " +
    `msg='op=delete-group id=2100 exe="/usr/sbin/groupdel" res=success'`;
  t.strictSame(first(group).resources, [{ type: "IAM::Group", name: "deploy" }]);
});

t.test("decode asks the accounts of this machine about no other machine's log", async (t) => {
  const nameFrom = (node: string) =>
    feed(newFormat({}, { accounts }), [`node=${node} ${sudo(9, 1)}`])[0]!.actor;
  t.match(nameFrom("web-01"), { name: "alice" });
  t.notOk("name" in nameFrom("db-07"));
});

/** Events 1 to 9 with some left out; a second of the log's time each. */
function numbered(...serials: readonly number[]): string[] {
  return serials.map((n) =>
    `type=USER_CMD msg=audit(${n}.000:${n}): pid=1 uid=1 msg='cmd="x" res=success'`
  );
}

function gaps(events: readonly AuditEvent[]): unknown[] {
  return events.filter(({ action }) => action === "LoseEvents")
    .map(({ additional }) => Object.values(additional ?? {}));
}

t.test("decode makes an event of serials that are missing", async (t) => {
  const format = newFormat({ report_gaps: true });
  const events = feed(format, numbered(1, 2, 5, 6, 7, 9));
  t.strictSame(gaps(events), [[3, 4, 2], [8, 8, 1]]);
  t.strictSame(events.find(({ action }) => action === "LoseEvents"), {
    id: "lost 3-4 before 5000",
    time: 5000,
    service: "auditd",
    action: "LoseEvents",
    actor: { type: "service", name: "kernel" },
    outcome: { success: false, code: "EventsLost", message: "2 audit events are missing: 3-4" },
    readOnly: false,
    category: "Management",
    additional: { firstSerial: 3, lastSerial: 4, count: 2 },
  });
});

t.test("decode waits for serials that come late, and knows the next boot", async (t) => {
  const late = numbered(1, 2, 4, 5).concat(numbered(3).map((l) => l.replace("3.000", "5.000")));
  t.strictSame(gaps(feed(newFormat({ report_gaps: true }), late)), []);
  const boot = numbered(800, 801).concat(numbered(5, 6).map((l) => l.replace("(", "(9")));
  t.strictSame(gaps(feed(newFormat({ report_gaps: true }), boot)), []);
  const wrap = ["4294967294", "4294967295", "0", "1"].map((n) =>
    `type=USER_CMD msg=audit(1.000:${n}): pid=1 uid=1 msg='res=success'`
  );
  t.strictSame(gaps(feed(newFormat({ report_gaps: true }), wrap)), []);
});

t.test("an event of which only the end came is missing", async (t) => {
  // As a reader sees it whose connection began inside of event 3.
  const end = "type=EOE msg=audit(3.000:3): ";
  const events = feed(newFormat({ report_gaps: true }), [
    ...numbered(1, 2),
    end,
    ...numbered(4, 5, 6, 7),
  ]);
  t.strictSame(gaps(events), [[3, 3, 1]]);
  const whole = [...numbered(1), execute(3, 2), "type=EOE msg=audit(2.000:2): ", ...numbered(3)];
  t.strictSame(gaps(feed(newFormat({ report_gaps: true }), whole)), []);
});

t.test("decode counts each machine's serials, not the daemon's, and only when asked", async (t) => {
  const of = (node: string, ...serials: number[]) =>
    numbered(...serials).map((line) => `node=${node} ${line}`);
  const daemon = "type=DAEMON_ROTATE msg=audit(2.500:7777): op=rotate-logs auid=0 res=success";
  const lines = [...of("a", 1, 2), ...of("b", 100, 101), daemon, ...of("a", 3, 6), ...of("b", 102)];
  const events = feed(newFormat({ report_gaps: true }), lines);
  t.strictSame(gaps(events), [[4, 5, 2]]);
  t.match(events.find(({ action }) => action === "LoseEvents"), {
    host: "a",
    id: "a lost 4-5 before 6000",
  });
  t.strictSame(gaps(feed(newFormat(), lines)), []);
});

t.test("a new instance that is told what another has learned reads on as that one would", async (t) => {
  const options = { report_gaps: true };
  const lines = [
    ...login(3, "192.0.2.7"),
    ...[104, 106, 109, 110, 107].map((serial) => sudo(3, serial)),
    execute(3, 111),
    ...numbered(140, 141),
  ];
  const whole = feed(newFormat(options), lines).map((event) => JSON.stringify(event));
  for (let cut = 1; cut < lines.length; cut++) {
    const first = newFormat(options);
    let stored: Record<string, unknown> = {};
    const events: AuditEvent[] = [];
    lines.slice(0, cut).forEach((line, offset) => {
      events.push(...eventsOf(first.decode(Buffer.from(line), { source: "s", offset })));
      stored = { ...stored, ...JSON.parse(JSON.stringify(first.learned?.() ?? {})) };
    });
    const resume = first.oldestPending()?.offset ?? cut;
    const second = newFormat(options);
    second.recall?.(stored as JsonObject);
    const rest = feed(second, lines.slice(resume));
    const found = new Set([...events, ...rest].map((event) => JSON.stringify(event)));
    t.strictSame([...found].sort(), [...whole].sort(), `restart before line ${cut}`);
  }
});

t.test("learned() leaves the numbers of open events to be seen again", async (t) => {
  const format = newFormat({ report_gaps: true });
  const take = (line: string) => format.decode(Buffer.from(line), { source: "s", offset: 0 });
  for (const line of [sudo(3, 104), sudo(3, 105), execute(3, 106), sudo(3, 107)]) take(line);
  t.match(format.learned?.(), { "serial ": { next: 106, ahead: [[107, 21_000]] } });
  t.equal(format.learned?.(), undefined, "told once");
  format.flush(Infinity);
  t.match(format.learned?.(), { "serial ": { next: 108, ahead: [] } });
  t.equal(format.learned?.(), undefined);
  // As after a crash: the events that were open never came whole.
  const next = newFormat({ report_gaps: true });
  next.recall?.({ "serial ": { next: 106, time: 21_000, ahead: [[107, 21_000]] } });
  t.strictSame(gaps(feed(next, [sudo(3, 108)])), [[106, 106, 1]]);
});

t.test("learned() is bounded: the session not heard of for longest is forgotten", async (t) => {
  const format = newFormat();
  const stored = new Map<string, unknown>();
  for (let ses = 1; ses <= 600; ses++) {
    feed(format, login(ses, "192.0.2.7", ses));
    for (const [key, value] of Object.entries(format.learned?.() ?? {})) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
  }
  t.equal(stored.size, 512);
  t.notOk(stored.has("session  1"));
  t.strictSame(format.learned?.(), undefined, "nothing changed since");
});
