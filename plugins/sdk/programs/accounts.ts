// Accounts and groups that change: the shadow programs (useradd, usermod, userdel, groupadd,
// groupmod, groupdel, gpasswd, chage, chfn, chsh, newusers), passwd and chpasswd, systemd-sysusers.

import type { Actor, AuditEvent, Resource } from "../event.ts";
import { account, actionEvent, groupResource, processActor, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: chatter of an account program";
const TOLD = "no action: told by another line of an account program";

interface Rule {
  readonly pattern: RegExp;
  /** Undefined: another line of the same run tells it. */
  readonly action: string | undefined;
  readonly failure?: string;
}

function rule(pattern: RegExp, action?: string, failure?: string): Rule {
  return failure === undefined ? { pattern, action } : { pattern, action, failure };
}

// Named groups: user, group, by, to (a new name), and others that become request members. Grouped
// by the first word, so that a line meets few patterns.
const RULES: Readonly<Record<string, readonly Rule[]>> = {
  __proto__: null as never,
  new: [
    rule(
      /^new user: name=(?<user>[^,]+), UID=(?<userId>\d+), GID=(?<groupId>\d+), home=(?<home>[^,]*), shell=(?<shell>[^,]*)/,
      "CreateUser",
    ),
    rule(/^new group: name=(?<group>[^,]+), GID=(?<groupId>\d+)/, "CreateGroup"),
  ],
  failed: [
    rule(
      /^failed adding user '(?<user>[^']+)'(?:, (?<detail>.+))?$/,
      "CreateUser",
      "OperationFailed",
    ),
    rule(/^failed adding group '(?<group>[^']+)'/, "CreateGroup", "OperationFailed"),
  ],
  group: [
    rule(/^group '(?<group>[^']+)' removed$/, "DeleteGroup"),
    rule(/^group '[^']+' removed from /),
    rule(/^group added to /),
    rule(
      /^group changed in \/etc\/group \(group (?<group>[^/)]+)\/(?<groupId>\d+)(?:, new name: (?<to>[^,)]+))?(?:, new gid: (?<newGroupId>\d+))?/,
      "UpdateGroup",
    ),
    rule(/^group changed in /),
  ],
  add: [
    rule(/^add '(?<user>[^']+)' to group '(?<group>[^']+)'/, "AddUserToGroup"),
    rule(/^add '[^']+' to shadow group /),
  ],
  delete: [
    rule(/^delete user '(?<user>[^']+)'/, "DeleteUser"),
    rule(/^delete '(?<user>[^']+)' from group '(?<group>[^']+)'/, "RemoveUserFromGroup"),
    rule(/^delete '[^']+' from shadow group /),
  ],
  removed: [
    rule(/^removed group '(?<group>[^']+)'/, "DeleteGroup"),
    rule(/^removed shadow group /),
  ],
  change: [
    rule(/^change user '(?<user>[^']+)' password/, "ChangePassword"),
    rule(/^change user name '(?<user>[^']+)' to '(?<to>[^']+)'/, "UpdateUser"),
    rule(
      /^change (?:user )?'?(?<user>[^' ]+)'? (?<attribute>[A-Za-z ]+?) from '(?<from>[^']*)' to '(?<value>[^']*)'/,
      "UpdateUser",
    ),
    rule(
      /^change '(?<user>[^']+)' to '(?<to>[^']+)' in (?:shadow )?group '(?<group>[^']+)'/,
      "UpdateGroup",
    ),
    rule(
      /^change (?<attribute>GID|UID) for '(?<user>[^']+)' from '(?<from>\d+)' to '(?<value>\d+)'/,
      "UpdateUser",
    ),
    rule(/^change GID for /),
  ],
  changed: [
    rule(/^changed password expiry (?:for|of) (?<user>\S+)/, "UpdateUser"),
    rule(/^changed user '(?<user>[^']+)' shell to '(?<shell>[^']*)'/, "UpdateUser"),
    rule(/^changed user '(?<user>[^']+)' information/, "UpdateUser"),
    rule(/^changed user shell `?'?(?<user>[^'`]+)'? to/, "UpdateUser"),
  ],
  lock: [rule(/^lock user '(?<user>[^']+)' password/, "LockUser")],
  unlock: [rule(/^unlock user '(?<user>[^']+)' password/, "UnlockUser")],
  user: [
    rule(/^user (?<user>\S+) added by (?<by>\S+) to group (?<group>\S+)$/, "AddUserToGroup"),
    rule(
      /^user (?<user>\S+) removed by (?<by>\S+) from group (?<group>\S+)$/,
      "RemoveUserFromGroup",
    ),
  ],
  members: [
    rule(/^members of group (?<group>\S+) set by (?<by>\S+) to (?<members>.*)$/, "UpdateGroup"),
  ],
  administrators: [
    rule(
      /^administrators of group (?<group>\S+) set by (?<by>\S+) to (?<administrators>.*)$/,
      "UpdateGroup",
    ),
  ],
  password: [
    rule(/^password of group (?<group>\S+) changed by (?<by>\S+)$/, "ChangeGroupPassword"),
    rule(/^password of group (?<group>\S+) removed by (?<by>\S+)$/, "DeleteGroupPassword"),
    rule(/^password for '?(?<user>[^' ]+)'? changed by '?(?<by>[^' ]+)'?$/, "ChangePassword"),
    rule(/^password (?:was )?expired for (?<user>\S+)/, "UpdateUser"),
  ],
  "can't": [
    rule(
      /^can't (?:view or )?(?:modify|change) password (?:information )?for '?(?<user>[^' ]+)'?/,
      "ChangePassword",
      "AccessDenied",
    ),
  ],
  Creating: [
    rule(
      /^Creating user '(?<user>[^']+)' \(.*\) with UID (?<userId>\d+) and GID (?<groupId>\d+)/,
      "CreateUser",
    ),
    rule(/^Creating group '(?<group>[^']+)' with GID (?<groupId>\d+)/, "CreateGroup"),
  ],
};

/** Describes a message of one of the programs above. */
export function describeAccounts(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const { text } = message;
  const space = text.indexOf(" ");
  for (const { pattern, action, failure } of RULES[text.slice(0, space)] ?? []) {
    const groups = pattern.exec(text)?.groups ?? (pattern.test(text) ? {} : undefined);
    if (groups === undefined) continue;
    if (action !== undefined) return event(message, action, groups, failure);
    ignored(TOLD);
    return undefined;
  }
  ignored(CHATTER);
  return undefined;
}

function event(
  message: ProgramMessage,
  action: string,
  { user, group, by, to, ...rest }: Readonly<Record<string, string | undefined>>,
  failure: string | undefined,
): AuditEvent {
  const request: Record<string, string> = {};
  const resources: Resource[] = [];
  if (user !== undefined) {
    request.userName = user;
    resources.push(userResource(user));
  }
  if (group !== undefined) {
    request.groupName = group;
    resources.push(groupResource(group));
  }
  if (to !== undefined) request.newName = to;
  for (const name in rest) {
    const value = rest[name];
    if (value !== undefined) request[name] = value;
  }
  return actionEvent(message, {
    service: message.program.toLowerCase(),
    action,
    actor: actorOf(message, by),
    ...(failure === undefined ? {} : { failure }),
    resources,
    request,
  });
}

/** Whom the line names, else whose process it was. */
function actorOf(message: ProgramMessage, by: string | undefined): Actor {
  if (message.program === "systemd-sysusers") return { type: "service", name: "systemd-sysusers" };
  return by === undefined ? processActor(message) : account(by);
}
