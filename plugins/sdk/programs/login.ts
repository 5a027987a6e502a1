// login on a terminal (util-linux and shadow).

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, originAt, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: login chatter";

const ROOT = /^ROOT LOGIN +(?:ON|on) '?([^\s']+)'?(?: +(?:FROM|from) '?([^\s']+)'?)?$/;
const USER = /^LOGIN ON (\S+) BY (\S+)(?: FROM (\S+))?$/;
const FAILED =
  /^(?:FAILED LOGIN (?:SESSION |\(\d+\) |\d+ )?|TOO MANY LOGIN TRIES \(\d+\) )(?:on '([^']+)' |ON (\S+) )?(?:from '([^']*)' |FROM (\S+) )?(?:FOR|for) '?(.*?)'?(?:, (.+))?$/;
const INVALID = /^invalid password for '(.*?)'(?: on '([^']+)')?(?: from '([^']+)')?/;

/** Describes a message of login. */
export function describeLogin(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const { text } = message;
  let match = ROOT.exec(text);
  if (match !== null) return login(message, "root", match[1], match[2]);
  match = USER.exec(text);
  if (match !== null) return login(message, match[2]!, match[1], match[3]);
  match = FAILED.exec(text);
  if (match !== null) {
    const [, tty, onTty, from, fromHost, user = "", reason] = match;
    return login(message, user, tty ?? onTty, from ?? fromHost, reason ?? "Login incorrect");
  }
  match = INVALID.exec(text);
  if (match !== null) return login(message, match[1]!, match[2], match[3], "Invalid password");
  ignored(CHATTER);
  return undefined;
}

// What is written in place of a name that is not known, or may be a password typed too early.
const NOBODY: ReadonlySet<string> = new Set(["", "(null)", "UNKNOWN", "(unknown)"]);

function login(
  message: ProgramMessage,
  user: string,
  terminal: string | undefined,
  from: string | undefined,
  reason?: string,
): AuditEvent {
  const known = !NOBODY.has(user);
  const request: Record<string, string> = known ? { userName: user } : {};
  if (terminal !== undefined) request.terminal = terminal;
  return actionEvent(message, {
    service: "login",
    action: "UserLogin",
    actor: known ? account(user) : { type: "anonymous" },
    ...(reason === undefined ? {} : { failure: "AuthenticationFailed", reason }),
    origin: from === "(null)" ? undefined : originAt(from),
    ...(known ? { resources: [userResource(user)] } : {}),
    request,
  });
}
