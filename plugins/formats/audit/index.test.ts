// Whole logs and single events through the format: golden pairs in testdata, then who acted, how it
// ended, and what it is called.

import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { conformance } from "../../sdk/conformance.ts";
import audit from "./index.ts";
import { linesOf, readLines } from "./read-log.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);

function firstEvent(...lines: string[]) {
  const { events, rejected } = readLines(lines);
  if (rejected.length > 0) throw new Error(rejected[0]!.reason);
  return events[0]!;
}

for (const file of readdirSync(TESTDATA).filter((name) => name.endsWith(".expected.json"))) {
  const log = file.replace(".expected.json", ".log");
  t.test(`format audit reads ${log} as the events in ${file}`, async (t) => {
    const { events, rejected } = readLines(linesOf(readFileSync(new URL(log, TESTDATA))));
    const expected = JSON.parse(readFileSync(new URL(file, TESTDATA), "utf8"));
    t.same(rejected, []);
    t.equal(events.length, expected.length);
    events.forEach((event, at) => t.strictSame(JSON.parse(JSON.stringify(event)), expected[at]));
  });
}

t.test("format audit keeps the contract of formats", async (t) => {
  const encoder = new TextEncoder();
  const lines = linesOf(readFileSync(new URL("files.log", TESTDATA)));
  const frames = lines.map((line) => encoder.encode(line));
  await conformance(t, audit, { minimal: {}, frames });
});

t.test("format audit reads the bundled first-run log whole", async (t) => {
  // From the sources, or from what the compiler made of them.
  const root = import.meta.url.replace(/(dist\/)?plugins\/formats\/audit\/[^/]*$/, "");
  const log = readFileSync(new URL("config/examples/first-run/audit.log", root));
  const { events, rejected } = readLines(linesOf(log));
  t.same(rejected, []);
  t.ok(events.length > 100);
  const actions = new Set(events.map((event) => event.action));
  for (const action of ["UserLogin", "AssumeRole", "CreateUser", "ExecuteCommand", "DeleteFile"]) {
    t.ok(actions.has(action), action);
  }
});

t.test("format audit makes the same actions of a raw and an enriched log", async (t) => {
  const [raw, enriched] = ["raw.log", "enriched.log"].map((name) =>
    readLines(linesOf(readFileSync(new URL(name, TESTDATA)))).events
  );
  t.strictSame(raw!.map((e) => e.action), enriched!.map((e) => e.action));
  t.strictSame(raw!.map((e) => e.outcome), enriched!.map((e) => e.outcome));
  t.strictSame(raw!.map((e) => e.actor.type), enriched!.map((e) => e.actor.type));
});

t.test("format audit joins an argument that lies across records", async (t) => {
  const { events } = readLines(linesOf(readFileSync(new URL("raw.log", TESTDATA))));
  const wide = events.find((e) => JSON.stringify(e.request ?? {}).length > 9000)!;
  t.strictSame(wide.request!.arguments, ["/usr/bin/printf", "%s", "x".repeat(9000)]);
});

t.test("actor of an account acting as another is a role assumed by the login", async (t) => {
  const event = firstEvent(
    "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=0 " +
      'auid=1000 uid=1000 euid=0 ses=3 comm="passwd" exe="/usr/bin/passwd" key=(null)',
  );
  t.strictSame(event.actor, {
    type: "role",
    name: "root",
    id: "0",
    assumedBy: { type: "user", id: "1000" },
    session: { id: "3" },
  });
});

t.test("actor without a login is the daemon, by its program's name", async (t) => {
  const event = firstEvent(
    "type=SYSCALL msg=audit(1.000:1): arch=c00000b7 syscall=221 success=yes exit=0 items=0 " +
      'auid=4294967295 uid=0 euid=0 ses=4294967295 comm="cron" exe="/usr/sbin/crond" key=(null)',
  );
  t.strictSame(event.actor, { type: "service", name: "cron" });
  t.equal(event.action, "ExecuteCommand");
});

t.test("actor of a login with no such account is anonymous, whatever name was tried", async (t) => {
  for (const acct of ['"(unknown)"', "28696E76616C6964207573657229", '"?"', "?"]) {
    const event = firstEvent(
      `type=USER_LOGIN msg=audit(1.000:1): pid=1 uid=0 auid=4294967295 ses=4294967295 ` +
        `msg='op=login acct=${acct} exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 res=failed'`,
    );
    t.strictSame(event.actor, { type: "anonymous" });
    t.strictSame(event.outcome, { success: false, code: "AuthenticationFailed" });
    t.strictSame(event.origin, { address: "192.0.2.7", userAgent: "/usr/sbin/sshd" });
    t.equal(event.resources, undefined);
  }
});

t.test("actor is what the kernel wrote, though a program writes other ids itself", async (t) => {
  const event = firstEvent(
    `type=USER_CMD msg=audit(1.000:1): pid=1 uid=1000 auid=1000 ses=2 ` +
      `msg='auid=0 uid=0 AUID="root" cwd="/" cmd="id" exe="/usr/bin/sudo" res=success'`,
  );
  t.strictSame(event.actor, { type: "user", id: "1000", session: { id: "2" } });
  t.equal(event.additional!["auid#2"], "0");
});

t.test("outcome gives the error's name for every spelling of exit", async (t) => {
  for (const exit of ["-13", "EACCES"]) {
    const event = firstEvent(
      `type=SYSCALL msg=audit(1.000:1): arch=40000003 syscall=5 success=no exit=${exit} auid=1`,
    );
    t.strictSame(event.outcome, { success: false, code: "EACCES" });
    t.equal(event.action, "OpenFile");
  }
});

t.test("outcome of an access check is its verdict; a permissive policy lets pass", async (t) => {
  const avc = 'avc:  denied  { read write } for  pid=1 comm="x" name=6120622063 scontext=a:b:c:s0';
  const denied = firstEvent(`type=AVC msg=audit(1.000:1): ${avc} permissive=0`);
  t.strictSame(denied.outcome, { success: false, code: "AccessDenied" });
  t.equal(denied.action, "CheckAccess");
  t.equal(denied.additional!.name, "a b c");
  const passed = firstEvent(`type=AVC msg=audit(1.000:1): ${avc} permissive=1`);
  t.strictSame(passed.outcome, { success: true });
});

t.test("action tells taking away from adding, where one type stands for both", async (t) => {
  const call = (number: number) => [
    'type=KERN_MODULE msg=audit(1.000:1): name="loop"',
    `type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=${number} success=yes auid=0 uid=0`,
  ];
  t.match(firstEvent(...call(313)), { action: "LoadKernelModule" });
  t.match(firstEvent(...call(176)), {
    action: "UnloadKernelModule",
    resources: [{ type: "Host::KernelModule", name: "loop" }],
  });
  const alone = (line: string) => firstEvent(line.replace(":", " msg=audit(1.000:1):")).action;
  t.equal(alone("type=BPF: prog-id=37 op=LOAD"), "LoadBpfProgram");
  t.equal(alone("type=BPF: prog-id=37 op=UNLOAD"), "UnloadBpfProgram");
  t.equal(alone("type=CONFIG_CHANGE: op=set lost=0 old=17 auid=0 res=1"), "ResetLostAuditCount");
  t.equal(alone("type=UNKNOWN[1421]: old_default=a"), "UpdateSecurityEnforcement");
});

t.test("action of an unknown type is its name, with every field kept", async (t) => {
  const event = firstEvent('type=NEW_THING msg=audit(1.000:1): __proto__=1 op=start it="that" n=2');
  t.equal(event.action, "NewThing");
  t.equal(event.service, "kernel");
  t.equal(
    JSON.stringify(event.additional),
    '{"recordType":"NEW_THING","__proto__":"1","it":"that","n":"2"}',
  );
  t.strictSame(event.request, { operation: "start" });
});

t.test("action of open tells reading from writing from creating", async (t) => {
  const open = (flags: string) =>
    firstEvent(
      `type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=257 a0=ffffff9c a2=${flags} auid=1`,
    );
  t.match(open("0"), { action: "OpenFile", readOnly: true });
  t.match(open("80000"), { action: "OpenFile", readOnly: true });
  t.match(open("1"), { action: "OpenFile", readOnly: false });
  t.match(open("241"), { action: "OpenFile", readOnly: false });
});

t.test("paths relative to another folder than the working directory are not guessed", async (t) => {
  const lines = (dir: string) => [
    `type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=263 a0=${dir} items=2 auid=1`,
    'type=CWD msg=audit(1.000:1): cwd="/home"',
    'type=PATH msg=audit(1.000:1): item=0 name="/srv/" nametype=PARENT',
    'type=PATH msg=audit(1.000:1): item=1 name="x/../y" nametype=DELETE',
  ];
  t.strictSame(firstEvent(...lines("ffffff9c")).resources, [{
    type: "Host::File",
    name: "/home/y",
  }]);
  t.strictSame(firstEvent(...lines("5")).resources, [{ type: "Host::File", name: "/srv/y" }]);
});

t.test("config refuses unknown options and fills in the defaults", async (t) => {
  t.equal(audit.config.safeParse({ waitt: "1s" }).success, false);
  t.strictSame(audit.config.parse({}), {
    max_line_bytes: 65_536,
    max_event_bytes: 1_048_576,
    max_open_bytes: 16_777_216,
    max_open_events: 1024,
    report_gaps: false,
    wait: 2000,
  });
});
