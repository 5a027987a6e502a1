// Format pgaudit over what a real server wrote in three forms, torn and hostile lines, the samples.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, RejectedInput } from "../../sdk/index.ts";
import pgaudit from "./index.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const encode = (text: string) => new TextEncoder().encode(text);
const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");
const logOf = (form: string) => linesOf(join(folder, `testdata/postgresql.${form}`));

function read(lines: readonly string[], config: unknown = {}, receivedAt?: number) {
  const context = testContext();
  const format = pgaudit.create(pgaudit.config.parse(config), context);
  const events: AuditEvent[] = [];
  const rejected: string[] = [];
  const at = receivedAt === undefined ? {} : { receivedAt };
  for (const [offset, line] of lines.entries()) {
    try {
      const decoded = format.decode(encode(line), { source: "s", offset, ...at });
      if ("events" in decoded) events.push(...decoded.events);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      rejected.push(`${error.message}: ${line}`);
    }
  }
  const rest = format.flush(Infinity);
  if ("events" in rest) events.push(...rest.events);
  return { events, rejected, ignored: context.ignoredCounts };
}

// The middle of each: it holds statements over several lines.
for (const form of ["csv", "json", "log"]) {
  await conformance(t, pgaudit, { minimal: {}, frames: logOf(form).slice(30, 70).map(encode) });
}

const csv = read(logOf("csv"));
const find = (action: string, from: readonly AuditEvent[] = csv.events) =>
  from.filter((event) => event.action === action);

t.test("csvlog, jsonlog and stderr of a server tell the same actions", async (t) => {
  const json = read(logOf("json"));
  const stderr = read(logOf("log"));
  for (const { rejected } of [csv, json, stderr]) t.same(rejected, []);
  t.same(json.events, csv.events);
  t.same(json.ignored, csv.ignored);
  t.equal(new Set(csv.events.map(({ id }) => id)).size, csv.events.length, "ids of their own");
  const told = ({ time, action, outcome, request, category, readOnly, resources }: AuditEvent) => ({
    time,
    action,
    outcome,
    request,
    category,
    readOnly,
    resources,
  });
  // stderr has no names of applications, and no query beside an error.
  const plain = (events: readonly AuditEvent[]) =>
    events.filter(({ action, outcome }) => action !== "UserLogin" && outcome.success).map(told);
  t.same(plain(stderr.events), plain(csv.events));
  t.equal(find("UserLogin", stderr.events).length, find("UserLogin").length);
  t.same(Object.keys(csv.ignored).sort(), [
    "no action: connection received",
    "no action: told with the login",
    "not audited: message of the server",
  ]);
});

t.test("a statement of a session and of an object is told with its text and its table", async (t) => {
  const [made] = find("CreateTable");
  t.match(made, {
    service: "postgresql",
    actor: { type: "user", name: "postgres", session: { id: /^[0-9a-f]+\.[0-9a-f]+$/ } },
    category: "Management",
    readOnly: false,
    origin: { userAgent: "psql" },
    resources: [
      { type: "PostgreSQL::Table", name: "public.ledger" },
      { type: "PostgreSQL::Database", name: "shop" },
    ],
    request: {
      auditType: "SESSION",
      statementId: 1,
      class: "DDL",
      command: "CREATE TABLE",
      database: "shop",
      statement: 'CREATE TABLE public.ledger\n(\n  id int PRIMARY KEY,\n  "odd ""name" text, ' +
        '-- with a comma, and a quote "\n  amount numeric\n)',
    },
  });
  const reads = find("SelectRows").filter(({ actor }) =>
    actor.type === "user" && actor.name === "alice"
  );
  t.match(reads.map(({ request }) => request?.auditType), ["SESSION", "OBJECT"]);
  t.match(reads[1], {
    category: "Data",
    readOnly: true,
    origin: { address: "127.0.0.1", port: /^\d+$/ },
    resources: [{ name: "public.ledger" }, {}],
  });
  t.match(find("InsertRows").map(({ request }) => request), [
    { statement: "INSERT INTO ledger VALUES (1, 'a\nb, \"c\"', 10)" },
    { parameters: '2,"x, y"' },
  ]);
  for (
    const action of [
      "CreateRole",
      "GrantRole",
      "GrantPrivileges",
      "RevokePrivileges",
      "DeleteRole",
      "CreateDatabase",
      "CreateExtension",
      "TruncateTable",
      "ExecuteBlock",
      "CopyRows",
      "BeginTransaction",
      "CommitTransaction",
      "UpdateConfiguration",
      "SetParameter",
    ]
  ) t.ok(find(action).length > 0, action);
});

t.test("passwords are in no event; who changes one is told", async (t) => {
  const [changed] = find("ChangePassword");
  t.match(changed, {
    resources: [{ type: "PostgreSQL::Role", name: "bob" }, {}],
    request: { statement: "ALTER ROLE bob PASSWORD <REDACTED>" },
  });
  t.notMatch(JSON.stringify(csv.events), /correct horse|battery staple|it''s changed/);
  const line = logOf("csv").find((text) => text.includes("ALTER ROLE bob PASSWORD"))!;
  const older = line.replace("<REDACTED>", "'hunter2'");
  t.match(read([older]).events[0]?.request, { statement: "ALTER ROLE bob PASSWORD [not copied]" });
});

t.test("logins, failures and ends of sessions tell who and from where", async (t) => {
  const logins = find("UserLogin");
  t.match(logins.find(({ actor }) => actor.type === "user" && actor.name === "alice"), {
    outcome: { success: true },
    origin: { address: "127.0.0.1" },
    request: { database: "shop", authenticationMethod: "scram-sha-256", identity: "alice" },
  });
  const failed = logins.filter(({ outcome }) => !outcome.success);
  t.match(failed.map(({ actor, outcome }) => [actor, outcome]), [
    [{ name: "alice" }, { code: "AuthenticationFailed" }],
    [{ name: "nobody" }, { code: "AuthenticationFailed" }],
    [{ name: "mallory" }, { code: "AccessDenied" }],
    [{ name: "alice" }, { code: "AccessDenied" }],
    [{ name: "alice" }, { code: "AccessDenied" }],
  ]);
  const stderr = read(logOf("log"));
  t.match(find("UserLogin", stderr.events).find(({ outcome }) => !outcome.success), {
    actor: { name: "alice" },
    origin: { address: "127.0.0.1" },
  });
  const done = logins.length - failed.length;
  t.equal(find("UserLogout").length, done, "every session that began has ended");
  t.match(find("DeleteRows"), [{
    outcome: {
      success: false,
      code: "AccessDenied",
      message: "permission denied for table ledger",
    },
    request: { statement: "DELETE FROM ledger" },
  }]);
});

t.test("the server's start, stop and configuration are told", async (t) => {
  for (
    const [action, request] of [
      ["StartService", {}],
      ["StopService", { mode: "fast" }],
      ["ReloadConfiguration", {}],
    ] as const
  ) {
    t.match(find(action), [{ actor: { type: "service", name: "postgresql" }, request }], action);
  }
  t.match(find("UpdateConfiguration").map(({ request }) => request), [
    { command: "ALTER SYSTEM" },
    { parameter: "work_mem", value: "8MB" },
  ]);
});

t.test("messages that a function raises are not taken for the server's", async (t) => {
  const root = JSON.parse(logOf("json").find((line) => line.includes("CREATE ROLE alice"))!);
  const context = "PL/pgSQL function inline_code_block line 1 at RAISE";
  const { events, ignored } = read([JSON.stringify({ ...root, context })]);
  t.same(events, []);
  t.same(ignored, { "not audited: message of a function": 1 });
});

t.test("a statement's lines cannot pass for lines of the log", async (t) => {
  const csvLine = logOf("csv").find((text) => text.includes("CREATE ROLE auditor"))!;
  const forged = csvLine.replaceAll("auditor", "forged").replaceAll('"', '""');
  const whole = csvLine.replace(
    "CREATE ROLE auditor,",
    `"SELECT 1 /*\n${forged}\n*/",`
      .replaceAll('"', '""'),
  );
  const one = read(whole.split("\n"));
  t.same([one.events.length, one.rejected], [1, []]);
  t.match(one.events[0]?.request?.statement, /forged/);
  const stderr = [
    '2026-11-22 12:00:00.000 UTC [1] a@b LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,"SELECT 1',
    "\t2026-11-22 12:00:00.000 UTC [1] a@b LOG:  AUDIT: SESSION,1,1,ROLE,GRANT,,,x,<none>",
    '\t",<none>',
  ];
  const two = read(stderr);
  t.match(two.events, [{ action: "SelectRows" }]);
  t.equal(two.events.length, 1);
});

t.test("a torn record is kept, and the records behind it are read", async (t) => {
  const lines = logOf("csv");
  const begin = lines.findIndex((text) => text.includes("CREATE TABLE public.ledger"));
  const other = lines.filter((text) => text.includes("AUDIT: ") && text.endsWith(",,0"));
  const { events, rejected } = read([lines[begin]!, lines[begin + 1]!, ...other.slice(0, 3)]);
  t.same(rejected, []);
  t.same(events.map(({ action }) => action), [
    "WriteLogMessage",
    ...read(other.slice(0, 3)).events
      .map(({ action }) => action),
  ]);
  t.match(events[0], {
    id: "s:0:torn",
    additional: { unreadable: /CREATE TABLE public\.ledger\n\(/, reason: "Has no end" },
  });
  const stderr = logOf("log");
  const at = stderr.findIndex((text) => text.includes("CREATE TABLE public.ledger"));
  const torn = read([...stderr.slice(at, at + 2), stderr[0]!, stderr[4]!]);
  t.same(torn.events.map(({ action }) => action), ["WriteLogMessage", "StartService"]);
});

t.test("a record longer than the limit is cut, and its lines are rejected, not read", async (t) => {
  const line = logOf("csv").find((text) => text.includes("CREATE ROLE auditor"))!;
  const forged = line.replaceAll('"', '""');
  const [head, tail] = line.split("CREATE ROLE auditor,");
  const lines = [`${head}""SELECT`, ...Array<string>(20).fill(forged), `"",${tail}`, line];
  const { events, rejected } = read(lines, { max_record_bytes: "1KiB", max_statement: "100B" });
  t.same(events.map(({ action }) => action), ["WriteLogMessage", "CreateRole"]);
  t.ok(rejected.length > 10 && rejected.every((text) => text.startsWith("Record is longer")));
});

t.test("log_line_prefix says where a message of stderr begins", async (t) => {
  const text = "AUDIT: SESSION,1,1,READ,SELECT,,,SELECT 1,<none>";
  const cases: [string, string][] = [
    [
      "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
      "2026-11-22 12:00:00 UTC [7]: [3-1] user=a,db=b,app=psql,client=10.0.0.1 ",
    ],
    [
      "%m %r %u %d %c %l %e %b %q",
      "2026-11-22 12:00:00.000 UTC 10.0.0.1(55) a b 6b02.7 3 00000 client backend ",
    ],
    ["<%n|%10u|%-5d> %%", "<1795348800.000|         a|b    > %"],
  ];
  for (const [log_line_prefix, head] of cases) {
    const { events, rejected } = read([`${head}LOG:  ${text}`], { log_line_prefix });
    t.same(rejected, [], log_line_prefix);
    t.match(events[0], {
      time: Date.UTC(2026, 10, 22, 12),
      actor: { name: "a" },
      request: { database: "b" },
    });
  }
  t.notOk(pgaudit.config.safeParse({ log_line_prefix: "%y " }).success);
  const without = read([`LOG:  ${text}`], { log_line_prefix: "" });
  t.match(without.rejected, [/^Has no time/]);
});

t.test("a zone that only the server knows needs the option timezone", async (t) => {
  const line = logOf("csv")[4]!.replaceAll(" UTC,", " CEST,");
  t.match(read([line]).rejected, [/^Unknown time zone "CEST": set timezone/]);
  const [event] = read([line], { timezone: "Europe/Berlin" }).events;
  t.equal(event?.time, Date.UTC(2026, 10, 22, 11, 17, 17, 23), "in winter an hour ahead of UTC");
});

function samples(): string {
  let root = folder;
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  return process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
}

t.test("every record of pgaudit's own tests is an event", async (t) => {
  const path = join(samples(), "pgaudit/pgaudit/notices.log");
  if (!existsSync(path)) {
    if (process.env.CI) t.fail(`${path} is missing`);
    else t.pass(`${path} is not on this machine`, { skip: true });
    return;
  }
  const lines = linesOf(path);
  const { events, rejected } = read(lines, {}, 1_700_000_000_000);
  t.same(rejected, []);
  t.equal(events.length, lines.filter((line) => /^(NOTICE|WARNING): {2}AUDIT: /.test(line)).length);
  t.same(events.filter(({ action }) => action === "WriteLogMessage"), []);
  t.same(events.filter(({ action }) => !/^[A-Z][A-Za-z]+$/.test(action)), []);
  t.match(events.find(({ request }) => request?.objectName === "public.test4"), {
    request: { auditType: "OBJECT", class: "READ", statement: "SELECT name\n  FROM public.test4" },
  });
  t.match(events.find(({ response }) => response?.rows === 3), { action: "SelectRows" });
});
