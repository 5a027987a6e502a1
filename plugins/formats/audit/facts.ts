// The records of one event, seen as one: which of them names the action, which is the system call,
// and where a field is looked up. Made when a group is complete; read by all that describe it.

import type { ActionRule } from "./actions.ts";
import type { AuditRecord } from "./parse.ts";

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
export function factsOf(records: readonly AuditRecord[]): Facts {
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
  };
}

/** A field of the record that names the action, else of the system call. */
export function field(facts: Facts, key: string): string | undefined {
  return facts.primary.fields.get(key) ?? facts.call?.fields.get(key);
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
