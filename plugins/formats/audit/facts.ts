// The records of one event, seen as one: which of them names the action, which is the system call,
// and where a field is looked up. Made when a group is complete; read by all that describe it.

import type { AccountNames } from "../../sdk/accounts.ts";
import type { ActionRule } from "./actions.ts";
import type { AuditRecord } from "./parse.ts";
import type { LoginSession, Sessions } from "./sessions.ts";

/** What is known beside the records. */
export interface Known {
  readonly sessions: Sessions;
  /** The accounts of the machine named `host`, or of records that name none. */
  readonly accounts: AccountNames | undefined;
  readonly host: string;
}

/** One event's records. */
export interface Facts {
  readonly records: readonly AuditRecord[];
  /** The record that names the action. */
  readonly primary: AuditRecord;
  readonly rule: ActionRule;
  /** The SYSCALL record, which says who and with what outcome for the records it came with. */
  readonly call: AuditRecord | undefined;
  /** The first record of each of these types. */
  readonly cwd: AuditRecord | undefined;
  readonly title: AuditRecord | undefined;
  readonly socket: AuditRecord | undefined;
  readonly execve: AuditRecord | undefined;
  /** The PATH records. */
  readonly paths: readonly AuditRecord[];
  /** Records that are none of the above. */
  readonly others: readonly AuditRecord[];
  /** The program that acted, by its file's name: `sshd`, `useradd`; undefined if not named. */
  readonly program: string | undefined;
  /** The audit login uid, the session's number, and what is known of the session. */
  readonly auid: string | undefined;
  readonly ses: string | undefined;
  readonly session: LoginSession | undefined;
  /** The accounts of the machine, where they are known. */
  readonly accounts: AccountNames | undefined;
}

// Helpers that a program runs as, and other names of the same program.
const PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["crond", "cron"],
  ["sshd-auth", "sshd"],
  ["sshd-session", "sshd"],
  ["systemd-executor", "systemd"],
]);

// Nearly every program's name.
const PLAIN = /^(?!-$)[a-z0-9._-]{1,64}$/;

const PARTS: ReadonlySet<string> = new Set(["SYSCALL", "EXECVE", "CWD", "PROCTITLE", "SOCKADDR"]);

/** Looks at a group of at least one record. */
export function factsOf(records: readonly AuditRecord[], known: Known): Facts {
  let primary = records[0]!;
  let { rule } = primary;
  const first: Partial<Record<string, AuditRecord>> = {};
  const paths: AuditRecord[] = [];
  const extra: AuditRecord[] = [];
  for (const record of records) {
    const { type } = record;
    if (record !== primary) {
      if (record.rule.rank < rule.rank) {
        primary = record;
        rule = record.rule;
      }
    }
    if (type === "PATH") paths.push(record);
    else if (PARTS.has(type)) {
      if (first[type] === undefined) first[type] = record;
      // Each EXECVE holds other arguments; a second of the others is something odd, and kept.
      else if (type !== "EXECVE") extra.push(record);
    } else extra.push(record);
  }
  const call = first["SYSCALL"];
  const { node } = primary;
  const auid = idIn(primary.fields.get("auid") ?? call?.fields.get("auid"));
  const ses = idIn(primary.fields.get("ses") ?? call?.fields.get("ses"));
  const isOpen = auid !== undefined && ses !== undefined;
  const exe = primary.fields.get("exe") ?? call?.fields.get("exe");
  const comm = primary.fields.get("comm") ?? call?.fields.get("comm");
  return {
    records,
    primary,
    rule,
    call,
    cwd: first["CWD"],
    title: first["PROCTITLE"],
    socket: first["SOCKADDR"],
    execve: first["EXECVE"],
    paths,
    others: extra.filter((record) => record !== primary),
    program: programName(exe ?? comm),
    auid,
    ses,
    session: isOpen ? known.sessions.find(node, ses, auid) : undefined,
    accounts: node === "" || node === known.host ? known.accounts : undefined,
  };
}

/** A field of the record that names the action, else of the system call. */
export function field(facts: Facts, key: string): string | undefined {
  return facts.primary.fields.get(key) ?? facts.call?.fields.get(key);
}

/** A uid, gid or session; undefined where it is unset (-1, written in one of three ways). */
export function accountId(facts: Facts, key: string): string | undefined {
  return idIn(field(facts, key));
}

/** The same, of a field's value. */
export function idIn(id: string | undefined): string | undefined {
  return id === "4294967295" || id === "-1" || id === "unset" ? undefined : id;
}

/** The name of the account whose number is in a field; undefined where nothing tells it. */
export function accountName(facts: Facts, key: string): string | undefined {
  const name = resolvedName(facts, key);
  if (name !== undefined) return name;
  const id = accountId(facts, key);
  if (id === undefined) return undefined;
  const own = id === facts.auid ? facts.session?.name : undefined;
  return own ?? facts.accounts?.user(id);
}

/** The name the daemon found for a field that holds a number; undefined where it found none. */
export function resolvedName(facts: Facts, key: string): string | undefined {
  const name = facts.primary.resolved?.get(key) ?? facts.call?.resolved?.get(key);
  return name === undefined || name === "unset" || name.startsWith("unknown(") ? undefined : name;
}

/** `/usr/sbin/sshd-session (deleted)` -> `sshd`. */
function programName(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const name = path.slice(path.lastIndexOf("/") + 1);
  return PROGRAMS.get(name) ?? (PLAIN.test(name) ? name : cleaned(name));
}

/** A name without what the kernel adds to a replaced file, and rpm while it replaces it. */
function cleaned(path: string): string | undefined {
  const added = path.search(/;| \(deleted\)/);
  const name = (added > 0 ? path.slice(0, added) : path)
    .toLowerCase().replace(/[^a-z0-9._-]+/g, "-").slice(0, 64);
  return name === "" || name === "-" ? undefined : PROGRAMS.get(name) ?? name;
}
