// Who acted. The audit login uid (auid) is the account that logged in and stays the same through
// sudo and su; uid and euid are what the process acts as. No name is invented: an id stands for
// itself.

import type { Actor, Session, UserActor } from "../../sdk/event.ts";
import { accountId, accountName, field, resolvedName } from "./facts.ts";
import type { Facts } from "./facts.ts";

// Programs that act for the person they let in: their own uid (0) says nothing about that person.
const LOGIN_PROGRAMS: ReadonlySet<string> = new Set([
  "atd",
  "cron",
  "dropbear",
  "gdm-session-worker",
  "in.rlogind",
  "lightdm",
  "login",
  "sddm-helper",
  "sshd",
  "systemd",
  "vsftpd",
  "xrdp-sesman",
]);

// What PAM and sshd write where they know no such account.
const NOBODY: ReadonlySet<string> = new Set([
  "(invalid user)",
  "(unknown user)",
  "(unknown)",
  "unknown",
]);

/** Who acted, as far as the records say. */
export function actorOf(facts: Facts): Actor {
  const { type } = facts.primary;
  const { auid } = facts;
  if (type === "LOGIN" && auid !== undefined) {
    return account(facts, auid, accountName(facts, "auid"));
  }
  if (isLogin(facts)) {
    return loginActor(facts, auid);
  }
  const uid = accountId(facts, "uid");
  const acting = accountId(facts, "euid") ?? uid;
  if (auid !== undefined) {
    const login = account(facts, auid, accountName(facts, "auid"));
    if (acting === undefined || acting === auid) return login;
    const session = sessionOf(facts);
    const name = accountName(facts, facts.call === undefined ? "uid" : "euid");
    return {
      type: "role",
      name: name ?? (acting === "0" ? "root" : acting),
      id: acting,
      assumedBy: withoutSession(login),
      ...(session !== undefined && { session }),
    };
  }
  // Nobody logged in: a daemon, or a unit's command.
  const daemon = type.startsWith("DAEMON_") ? "auditd" : facts.program;
  if (daemon !== undefined && (uid === undefined || field(facts, "auid") !== undefined)) {
    return { type: "service", name: daemon };
  }
  return uid === undefined ? { type: "user" } : account(facts, uid, accountName(facts, "uid"));
}

/** True where the account in `acct` stands for no known account. */
export function isNobody(acct: string): boolean {
  return NOBODY.has(acct);
}

/** Whether a program that lets people in tells of one. */
export function isLogin({ primary: { type }, program }: Facts): boolean {
  const isTold = type.startsWith("USER_") || type.startsWith("CRED_") ||
    type.startsWith("ANOM_LOGIN_");
  return isTold && LOGIN_PROGRAMS.has(program ?? "");
}

/** The person a login program let in or turned away. */
function loginActor(facts: Facts, auid: string | undefined): Actor {
  const acct = facts.primary.fields.get("acct");
  if (auid !== undefined) {
    const name = resolvedName(facts, "auid") ?? known(acct) ?? accountName(facts, "auid");
    return account(facts, auid, name);
  }
  const id = facts.primary.fields.get("id");
  const unknown = acct === undefined ? id === undefined : isNobody(acct);
  if (unknown) return { type: "anonymous" };
  return account(facts, id, known(acct) ?? accountName(facts, "id"));
}

function account(facts: Facts, id: string | undefined, name: string | undefined): Actor {
  const session = sessionOf(facts);
  if (id === "0" || (id === undefined && name === "root")) {
    return session === undefined ? { type: "root" } : { type: "root", session };
  }
  const user: { -readonly [K in keyof UserActor]: UserActor[K] } = { type: "user" };
  if (name !== undefined) user.name = name;
  if (id !== undefined) user.id = id;
  if (session !== undefined) user.session = session;
  return user;
}

function withoutSession(actor: Actor): Actor {
  if (actor.type === "root") return { type: "root" };
  if (actor.type !== "user") return actor;
  const { session: _, ...rest } = actor;
  return rest;
}

function sessionOf({ ses, session }: Facts): Session | undefined {
  if (ses === undefined) return undefined;
  return session === undefined ? { id: ses } : { id: ses, createdAt: session.since };
}

function known(acct: string | undefined): string | undefined {
  return acct === undefined || isNobody(acct) ? undefined : acct;
}
