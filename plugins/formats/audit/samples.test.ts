// Other people's logs, and go-libaudit's own reading of them to compare with.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { AuditEvent } from "../../sdk/event.ts";
import { RecordParser } from "./parse.ts";
import { linesOf, readLines } from "./read-log.ts";

// Other people's audit logs, read where they are; see their README for what they are.
function samplesFolder(): string | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json")) || /\bdist\b/.test(root)) root = dirname(root);
  const folder = join(
    process.env.CAIRN_SAMPLES ?? resolve(root, "../shared/samples"),
    "linux-audit",
  );
  if (existsSync(folder)) return folder;
  if (process.env.CI) throw new Error(`Cannot find the samples: no folder "${folder}"`);
  return undefined;
}

const FOLDER = samplesFolder();
const skip = FOLDER === undefined ? "no samples here; set CAIRN_SAMPLES" : false;
const LIBAUDIT = join(FOLDER ?? "", "go-libaudit");

function read(...path: string[]): string[] {
  return linesOf(readFileSync(join(FOLDER!, ...path)));
}

t.test("format audit reads every line of the samples, or says why not", { skip }, async (t) => {
  // AUOMS's own output, and a line whose stamp was taken out.
  const reasons = new Map([["No audit record", 2]]);
  const found = new Map<string, number>();
  for (const folder of readdirSync(FOLDER!).sort()) {
    if (!/^[a-z-]+(_content)?$/.test(folder)) continue;
    for (const file of readdirSync(join(FOLDER!, folder)).sort()) {
      if (!file.endsWith(".log") || file.startsWith("laurel")) continue;
      const lines = read(folder, file);
      const { events, rejected } = readLines(lines);
      t.comment(
        `${file}: ${lines.length} lines, ${events.length} events, ${rejected.length} rejected`,
      );
      t.ok(events.length > 0, file);
      for (const { reason } of rejected) {
        const kind = reason.slice(0, reason.indexOf(":"));
        found.set(kind, (found.get(kind) ?? 0) + 1);
      }
    }
  }
  t.strictSame([...found].sort(), [...reasons].sort());
});

interface GoldenRecord {
  readonly "@timestamp": string;
  readonly record_type: string;
  readonly sequence: number;
  readonly raw_msg: string;
  readonly data?: Readonly<Record<string, string>>;
}

// What go-libaudit takes apart further, or names instead of numbering.
const DERIVED = /^(subj|obj)_|^(seresult|seperms|result|family|addr|port|path|saddr)$/;
// Its names for what old kernels wrote as `old auid` and `new auid`.
const RENAMED = new Map([["old_auid", "old-auid"], ["new_auid", "auid"]]);
const NUMBERED: ReadonlySet<string> = new Set(["arch", "syscall", "exit", "sig"]);

t.test("parse finds the fields that go-libaudit finds", { skip }, async (t) => {
  const parser = new RecordParser();
  let compared = 0;
  for (const file of readdirSync(LIBAUDIT).filter((name) => /^auparse.*golden$/.test(name))) {
    const golden: (GoldenRecord | null)[] = JSON.parse(readFileSync(join(LIBAUDIT, file), "utf8"));
    for (const expected of golden) {
      if (expected === null || expected.raw_msg === undefined || expected.raw_msg === "") continue;
      const line = `type=${expected.record_type.toUpperCase()} msg=${expected.raw_msg}`;
      const record = parser.parse(line, false);
      t.equal(record.time, Date.parse(expected["@timestamp"]), line);
      t.equal(record.stamp.split(":")[1], String(expected.sequence));
      for (const [key, value] of Object.entries(expected.data ?? {})) {
        if (DERIVED.test(key) || NUMBERED.has(key)) continue;
        const own = record.fields.get(RENAMED.get(key) ?? key);
        t.equal(
          own === "4294967295" && value === "unset" ? "unset" : own,
          value,
          `${key}: ${line}`,
        );
        compared++;
      }
    }
  }
  t.comment(`${compared} fields compared`);
  t.ok(compared > 500);
});

interface GoldenEvent {
  readonly test_name: string;
  readonly event: {
    readonly "@timestamp": string;
    readonly sequence: number;
    readonly result?: string;
    readonly session?: string;
    readonly user?: { readonly ids?: Readonly<Record<string, string>> };
    readonly source?: { readonly ip?: string };
    readonly destination?: { readonly ip?: string };
    readonly summary?: {
      readonly action?: string;
      readonly actor?: { readonly primary?: string; readonly secondary?: string };
      readonly object?: { readonly type?: string; readonly primary?: string };
    };
    readonly process?: { readonly exe?: string; readonly cwd?: string; readonly args?: string[] };
  };
}

/** The named groups of lines in one of go-libaudit's YAML files. */
function groupsOf(file: string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of read("go-libaudit", file)) {
    const name = /^ {2}(\S[^|>]*): [|>]/.exec(line);
    if (name !== null) groups.set(name[1]!.replace(/^["']|["']$/g, ""), lines = []);
    else if (line.startsWith("    ")) lines.push(line.slice(4));
  }
  return groups;
}

// Its words for what was done, and ours.
const ACTIONS = new Map(
  `accepted-connection-from AcceptConnection
acquired-credentials AcquireCredentials
authenticated AuthenticateUser
changed-audit-configuration CreateAuditRule DeleteAuditRule UpdateAuditConfiguration
changed-login-id-to SetLoginUser
changed-password ChangePassword
changed-promiscuous-mode-on-device ChangePromiscuousMode
changed-system-time ChangeSystemTime
connected-to OpenConnection
crashed-program TerminateProgram
deleted DeleteFile
disposed-credentials ReleaseCredentials
ended-session EndSession
error ReportUserError
executed ExecuteCommand
linked CreateLink
listen-for-connections ListenOnSocket
loaded-firewall-rule-to UpdateFirewallConfiguration
logged-in UserLogin
logged-out UserLogout
make-device CreateSpecialFile
mounted MountFileSystem
negotiated-crypto-key DeleteCryptoKey ManageCryptoKey
ran-command AssumeRole
renamed RenameFile
started-crypto-session StartCryptoSession
started-service StartService
started-session StartSession
violated-apparmor-policy CheckAccess
was-authorized AuthorizeUser`.split("\n").map((line) => {
    const [theirs = "", ...ours] = line.split(" ");
    return [theirs, ours] as const;
  }),
);

/** Every name and number of an account in an event. */
function accountsIn({ actor, resources }: AuditEvent): (string | undefined)[] {
  const list = actor.type === "role" ? [actor, actor.assumedBy] : [actor];
  return [
    ...list.flatMap((one) => "name" in one ? [one.name, "id" in one ? one.id : undefined] : []),
    ...list.flatMap((one) => one.type === "user" ? [one.id] : []),
    ...list.flatMap((one) => one.type === "root" ? ["root", "0"] : []),
    ...(resources ?? []).map(({ name }) => name),
  ];
}

/** The audit login uid of the one who acts. */
function loginId(event: AuditEvent): string | undefined {
  const actor = event.actor.type === "role" ? event.actor.assumedBy : event.actor;
  return actor.type === "root" ? "0" : actor.type === "user" ? actor.id : undefined;
}

t.test(
  "format audit makes one event of each group that go-libaudit makes one of",
  { skip },
  async (t) => {
    let compared = 0;
    for (const file of readdirSync(LIBAUDIT).filter((name) => /^aucoalesce.*yaml$/.test(name))) {
      const golden: GoldenEvent[] = JSON.parse(
        readFileSync(join(LIBAUDIT, file.replace(".yaml", ".json.golden")), "utf8"),
      );
      const groups = groupsOf(file);
      t.equal(groups.size, golden.length, file);
      for (const { test_name, event: expected } of golden) {
        const { events, rejected } = readLines(groups.get(test_name)!);
        t.same(rejected, [], test_name);
        t.equal(events.length, 1, test_name);
        const event = events[0]!;
        t.equal(event.time, Date.parse(expected["@timestamp"]), test_name);
        t.ok(event.id.endsWith(`:${expected.sequence}`), test_name);
        // go-libaudit takes the call's result where a security module reports a denial beside it.
        const denied = event.action === "CheckAccess";
        if (expected.result !== "unknown" && !denied) {
          t.equal(event.outcome.success, expected.result === "success", test_name);
        }
        const { action, actor, object } = expected.summary ?? {};
        if (action) t.ok(ACTIONS.get(action)?.includes(event.action), `${action}: ${event.action}`);
        const address = event.origin?.address ?? event.request?.socket;
        if (expected.source?.ip) t.equal(address, expected.source.ip, test_name);
        if (expected.destination?.ip) t.match(address, { address: expected.destination.ip });
        const { primary, secondary } = actor ?? {};
        const isSomebody = primary !== "unset" && !secondary?.startsWith("(");
        if (secondary && isSomebody) {
          t.ok(accountsIn(event).includes(secondary), `${test_name}: ${secondary}`);
        }
        if (object?.type === "file" && object.primary) {
          const names = event.resources?.map(({ name }) => name) ?? [];
          t.ok(names.some((name) => name.startsWith(object.primary!)), object.primary);
        }
        const auid = expected.user?.ids?.auid;
        // Nobody has logged in: no account's number may stand for one.
        if (auid === "unset") t.notOk("id" in event.actor && event.actor.id, test_name);
        else if (auid !== undefined) t.equal(loginId(event), auid, test_name);
        if (expected.process?.exe) {
          t.equal(
            event.origin?.userAgent,
            expected.process.exe,
            test_name,
          );
        }
        if (expected.process?.args) t.strictSame(event.request?.arguments, expected.process.args);
        compared++;
      }
    }
    t.comment(`${compared} events compared`);
    t.ok(compared >= 40);
  },
);

t.test("format audit finds as many events lost as go-libaudit", { skip }, async (t) => {
  const lost = new Map([["normal", 0], ["out_of_order", 0], ["rollover", 0], ["lost_messages", 9]]);
  for (const [name, count] of lost) {
    const { events } = readLines(read("go-libaudit", `root__${name}.log`), { report_gaps: true });
    const gaps = events.filter(({ action }) => action === "LoseEvents");
    const sum = gaps.reduce((all, { additional }) => all + Number(additional?.count), 0);
    t.equal(sum, count, name);
  }
});
