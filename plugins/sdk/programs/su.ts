// su, in the words of util-linux, shadow and BSD; runuser says nothing itself.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, assumed, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: su chatter";
const TOLD = "no action: told by another line of su";

// Each: the account that is assumed, by whom, on which terminal.
const UTIL_LINUX = /^(FAILED SU )?\(to (\S+)\) (\S+) on (\S+)$/;
const SHADOW = /^(Successful|FAILED) su for (\S+) by (\S+)$/;
const BSD = /^(BAD SU )?(\S+) to (\S+) on (\S+)$/;
const QUOTED = /^'su (\S+)' (failed|succeeded) for (\S+) on (\S+)$/;
const SYMBOLS = /^[+-] \S+ \S+:\S+$/;

/** Describes a message of su. */
export function describeSu(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  // A byte order mark of RFC 5424, as some write it.
  const text = message.text.replace(/^(?:BOM|\ufeff)/, "").trimEnd();
  let match = UTIL_LINUX.exec(text);
  if (match !== null) return event(message, match[2]!, match[3]!, match[1] === undefined, match[4]);
  match = SHADOW.exec(text);
  if (match !== null) return event(message, match[2]!, match[3]!, match[1] === "Successful");
  match = QUOTED.exec(text);
  if (match !== null) {
    return event(message, match[1]!, match[3]!, match[2] === "succeeded", match[4]);
  }
  match = BSD.exec(text);
  if (match !== null) return event(message, match[3]!, match[2]!, match[1] === undefined, match[4]);
  ignored(SYMBOLS.test(text) ? TOLD : CHATTER);
  return undefined;
}

function event(
  message: ProgramMessage,
  user: string,
  by: string,
  success: boolean,
  terminal?: string,
): AuditEvent {
  return actionEvent(message, {
    service: "su",
    action: "AssumeRole",
    actor: assumed(user, account(by)),
    ...(success ? {} : { failure: "AuthenticationFailed" }),
    resources: [userResource(user)],
    request: terminal === undefined ? { userName: user } : { userName: user, terminal },
  });
}
