// PAM modules speak through the program that uses them: `pam_unix(sshd:session): session opened for
// user alice(uid=1000) by (uid=0)`. One place for all of them, whatever the program.

import type { Actor, AuditEvent, Resource } from "../event.ts";
import {
  account,
  actionEvent,
  assumed,
  originAt,
  processActor,
  userResource,
} from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: PAM chatter";
const TOLD = "no action: told by another line of PAM";

const HEAD = /^(pam_[a-z0-9_]+)(?:\(([^():]+):([a-z]+)\))?: (.*)$/s;
const SESSION =
  /^session (opened|closed) for user ([^\s(]+)(?:\(uid=(\d+)\))?(?: by ([^\s(]*)\(uid=(\d+)\))?/;
const FAILURES = /^(?:authentication failure|(\d+) more authentication failures?);/;
const CHANGED = /^password changed for (\S+)$/;
const MISSING = /^user "(.*)" does not exist in \S+$/;
const TALLY = /^user (\S+) \((\d+)\) tally (\d+), deny (\d+)/;
const LOCKED = /^Consecutive login failures for user (\S+) account temporarily locked/;
const DENIED =
  /^(?:access denied for user [`'](.*)' from [`'](\S+)'|Access denied for user (\S+): |Refused user (\S+) for service |account (\S+) has (?:expired|password changed in future)|expired password for user (\S+))/;
const NO_PASSWORD = /^auth could not identify password for \[(.*)\]$/;

// Their own uid says nothing about the person they let in.
const SWITCHERS: ReadonlySet<string> = new Set(["su", "su-l", "sudo", "sudo-i", "runuser", "doas"]);
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["su-l", "su"],
  ["sudo-i", "sudo"],
  ["sudo-rs", "sudo"],
  ["runuser-l", "runuser"],
  ["crond", "cron"],
  ["systemd-user", "systemd"],
  ["polkit-1", "polkitd"],
]);

/** Whether a text is a PAM module's; describePam() is for these only. */
export function isPam(text: string): boolean {
  return text.startsWith("pam_");
}

/** Describes what a PAM module said. `program` is the service where the module names none. */
export function describePam(
  message: ProgramMessage,
  ignored: Ignored,
  program: string,
  text: string,
): AuditEvent | undefined {
  const head = HEAD.exec(text);
  const service = head?.[2] ?? program;
  const named = ALIASES.get(service) ?? service.toLowerCase();
  const found = describe(message, named, head?.[4] ?? text);
  if (typeof found !== "string") return found;
  ignored(found);
  return undefined;
}

function describe(message: ProgramMessage, service: string, text: string): AuditEvent | string {
  switch (text.slice(0, text.indexOf(" "))) {
    case "session":
      return session(message, service, text);
    case "authentication":
      if (text.startsWith("authentication success;")) return authentication(message, service, text);
      return FAILURES.test(text) ? authentication(message, service, text) : CHATTER;
    case "check":
      return TOLD;
    case "password":
    case "user":
      return password(message, service, text);
    case "auth": {
      const match = NO_PASSWORD.exec(text);
      if (match === null) return CHATTER;
      return refused(message, service, "AuthenticateUser", match[1]!, "AuthenticationFailed");
    }
    case "Consecutive": {
      const name = LOCKED.exec(text)?.[1];
      if (name === undefined) return CHATTER;
      return actionEvent(message, {
        service,
        action: "LockUser",
        actor: { type: "service", name: service },
        resources: [userResource(name)],
        request: { userName: name },
      });
    }
    default:
      return FAILURES.test(text)
        ? authentication(message, service, text)
        : denial(message, service, text);
  }
}

function session(message: ProgramMessage, service: string, text: string): AuditEvent | string {
  const match = SESSION.exec(text);
  if (match === null) return CHATTER;
  const [, what, user = "", uid, by, byUid] = match;
  const switches = SWITCHERS.has(service) || service === "pkexec";
  const request: Record<string, string> = { userName: user };
  if (uid !== undefined) request.userId = uid;
  let actor: Actor = account(user, uid);
  if (switches && what === "opened" && (by || (byUid !== undefined && byUid !== uid))) {
    actor = assumed(user, account(by, byUid), uid);
  } else if (switches && what === "closed") {
    // Who acted as this account is not said; the journal may know.
    actor = loginActor(message) ?? actor;
  }
  return actionEvent(message, {
    service,
    // runuser says nothing itself; sudo, su and pkexec have told who becomes whom.
    action: what === "closed"
      ? "EndSession"
      : service === "runuser"
      ? "AssumeRole"
      : "StartSession",
    actor,
    resources: [userResource(user)],
    request,
  });
}

function loginActor(message: ProgramMessage): Actor | undefined {
  return message.fields?._AUDIT_LOGINUID === undefined ? undefined : processActor(message);
}

/** `authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice`. */
export function authentication(
  message: ProgramMessage,
  service: string,
  text: string,
): AuditEvent {
  const user = keyed(text, " user=");
  const ruser = keyed(text, " ruser=");
  const tty = keyed(text, " tty=");
  const count = FAILURES.exec(text)?.[1];
  const request: Record<string, string> = {};
  if (user !== undefined) request.userName = user;
  if (tty !== undefined) request.terminal = tty;
  if (count !== undefined) request.count = count;
  const acting = SWITCHERS.has(service) ? ruser ?? user : user;
  return actionEvent(message, {
    service,
    action: "AuthenticateUser",
    actor: acting === undefined ? { type: "anonymous" } : account(acting),
    ...(text.startsWith("authentication success") ? {} : { failure: "AuthenticationFailed" }),
    origin: originAt(keyed(text, " rhost=")),
    ...(user === undefined ? {} : { resources: [userResource(user)] }),
    ...(Object.keys(request).length === 0 ? {} : { request }),
  });
}

/** A value of `key=value key=value`, up to the next key; undefined where it is empty. */
function keyed(text: string, key: string): string | undefined {
  const at = text.indexOf(key);
  if (at < 0) return undefined;
  const begin = at + key.length;
  let end = text.indexOf(" ", begin);
  if (end < 0) end = text.length;
  return end === begin ? undefined : text.slice(begin, end);
}

function password(message: ProgramMessage, service: string, text: string): AuditEvent | string {
  const changed = CHANGED.exec(text)?.[1];
  const missing = MISSING.exec(text)?.[1];
  const name = changed ?? missing;
  if (name !== undefined) {
    const acting = processActor(message);
    return actionEvent(message, {
      service,
      action: "ChangePassword",
      actor: acting,
      ...(changed === undefined ? { failure: "NoSuchUser" } : { resources: [userResource(name)] }),
      request: { userName: name },
    });
  }
  const tally = TALLY.exec(text);
  if (tally === null) return CHATTER;
  return refused(message, service, "AuthenticateUser", tally[1]!, "AccountLocked", tally[2]);
}

function denial(message: ProgramMessage, service: string, text: string): AuditEvent | string {
  const match = DENIED.exec(text);
  if (match === null) return CHATTER;
  const name = match[1] ?? match[3] ?? match[4] ?? match[5] ?? match[6] ?? "";
  const event = refused(message, service, "AuthorizeUser", name, "AccessDenied");
  const origin = originAt(match[2]);
  return origin === undefined ? event : { ...event, origin };
}

function refused(
  message: ProgramMessage,
  service: string,
  action: string,
  name: string,
  failure: string,
  id?: string,
): AuditEvent {
  const resources: Resource[] = name === "" ? [] : [userResource(name)];
  return actionEvent(message, {
    service,
    action,
    actor: account(name, id),
    failure,
    resources,
    request: { userName: name },
  });
}
