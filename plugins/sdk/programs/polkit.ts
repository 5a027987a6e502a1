// polkitd (who was allowed what) and pkexec (commands as another account).

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, assumed, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: polkit chatter";

const OPERATOR =
  /^Operator of (\S+) (successfully authenticated|FAILED to authenticate) (?:as unix-user:(\S+) )?to gain (?:(\S+) )?authorization for action (\S+) for (\S+) \[(.*)\] \(owned by unix-user:(\S+)\)$/;
const PKEXEC =
  /^(\S+): (Executing command|Error executing command as another user: [^[]+?) \[USER=([^\]]+)\](?: \[TTY=([^\]]*)\])?(?: \[CWD=([^\]]*)\])?(?: \[COMMAND=(.*)\])?$/;

/** Describes a message of polkitd or pkexec. */
export function describePolkit(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const { text } = message;
  const match = message.program === "pkexec" ? PKEXEC.exec(text) : OPERATOR.exec(text);
  if (match === null) {
    ignored(CHATTER);
    return undefined;
  }
  return message.program === "pkexec" ? execution(message, match) : authorization(message, match);
}

function authorization(message: ProgramMessage, match: readonly string[]): AuditEvent {
  const [, session = "", how = "", as, kind, action = "", subject = "", command = "", owner] =
    match;
  return actionEvent(message, {
    service: "polkitd",
    action: "AuthorizeUser",
    actor: as === undefined || as === owner ? account(owner) : assumed(as, account(owner)),
    ...(how.startsWith("FAILED") ? { failure: "AuthenticationFailed" } : {}),
    resources: [{ type: "Polkit::Action", name: action }],
    request: {
      action,
      ...(kind === undefined ? {} : { kind: kind.toLowerCase() }),
      session,
      subject,
      command,
    },
  });
}

function execution(message: ProgramMessage, match: readonly string[]): AuditEvent {
  const [, by = "", how = "", user = "", terminal, directory, command] = match;
  const request: Record<string, string> = { userName: user };
  if (terminal) request.terminal = terminal;
  if (directory) request.workingDirectory = directory;
  if (command !== undefined) request.command = command;
  return actionEvent(message, {
    service: "pkexec",
    action: "AssumeRole",
    actor: assumed(user, account(by)),
    ...(how.startsWith("Error")
      ? { failure: "AccessDenied", reason: how.slice(how.indexOf(": ") + 2).trim() }
      : {}),
    resources: [userResource(user)],
    request,
  });
}
