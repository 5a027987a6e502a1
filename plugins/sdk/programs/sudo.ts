// sudo: `alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id`, with what was wrong
// between the name and the fields where it refused.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, assumed, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: sudo chatter";
const CONTINUED = "no action: rest of a long line of sudo";

// Names of the fields before COMMAND, in the event's words.
const FIELDS: ReadonlyMap<string, string> = new Map([
  ["HOST", "host"],
  ["TTY", "terminal"],
  ["CHROOT", "rootDirectory"],
  ["PWD", "workingDirectory"],
  ["USER", "userName"],
  ["GROUP", "group"],
  ["TSID", "sessionLog"],
  ["ENV", "environment"],
]);
const HEAD = /^ *(\S+) : (.*)$/s;
// Password failures and refusals of the policy.
const WRONG_PASSWORD = /incorrect password attempt|authentication failure|password is required/;

/** Describes a message of sudo. */
export function describeSudo(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const head = HEAD.exec(message.text);
  if (head === null) {
    ignored(CHATTER);
    return undefined;
  }
  const [, by = "", rest = ""] = head;
  if (rest.startsWith("(command continued)")) {
    ignored(CONTINUED);
    return undefined;
  }
  const { reason, request } = read(rest);
  if (request.command === undefined && reason === undefined) {
    ignored(CHATTER);
    return undefined;
  }
  const user = request.userName ?? (request.group === undefined ? "root" : by);
  const listed = request.command === "list" || request.command === "validate";
  const failure = reason === undefined
    ? {}
    : { failure: WRONG_PASSWORD.test(reason) ? "AuthenticationFailed" : "AccessDenied", reason };
  if (listed) {
    return actionEvent(message, {
      service: "sudo",
      action: request.command === "list" ? "ListPrivileges" : "AuthenticateUser",
      actor: account(by),
      ...failure,
      request,
      readOnly: true,
    });
  }
  return actionEvent(message, {
    service: "sudo",
    action: "AssumeRole",
    actor: assumed(user, account(by)),
    ...failure,
    resources: [userResource(user)],
    request,
  });
}

/** The fields; COMMAND is the last one and goes to the end, whatever it holds. */
function read(rest: string): { reason: string | undefined; request: Record<string, string> } {
  const request: Record<string, string> = {};
  let reason: string | undefined;
  for (let at = 0; at < rest.length;) {
    if (rest.startsWith("COMMAND=", at)) {
      request.command = rest.slice(at + 8);
      break;
    }
    let end = rest.indexOf(" ; ", at);
    if (end < 0) end = rest.length;
    const equals = rest.indexOf("=", at);
    const name = equals > 0 && equals < end ? FIELDS.get(rest.slice(at, equals)) : undefined;
    if (name !== undefined) request[name] ??= rest.slice(equals + 1, end);
    else reason ??= rest.slice(at, end);
    at = end + 3;
  }
  return { reason, request };
}
