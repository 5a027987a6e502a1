// dropbear, the small ssh server: `Bad password attempt for 'alice' from 192.0.2.7:4711`.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, originAt, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: dropbear connection chatter";

const SUCCEEDED =
  /^(?:PAM )?(password|pubkey) auth succeeded for '([^']+)'(?: with key (.+?))? from (\S+):(\d+)$/i;
const BAD = /^Bad (?:PAM )?password attempt for '(.*)' from (\S+):(\d+)$/;
const NOBODY = /^Login attempt for nonexistent user(?: '(.*)')? from (\S+):(\d+)$/;
const BEFORE = /^Exit before auth from <(\S+):(\d+)>: (?:\(user '(.*)', \d+ fails\): )?(.*)$/;

/** Describes a message of dropbear. */
export function describeDropbear(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const { text } = message;
  let match = SUCCEEDED.exec(text);
  if (match !== null) {
    const method = match[1]!.toLowerCase() === "pubkey" ? "publickey" : "password";
    return login(message, match[2], match[4]!, match[5]!, undefined, method, match[3]);
  }
  match = BAD.exec(text);
  if (match !== null) {
    return login(message, match[1], match[2]!, match[3]!, "AuthenticationFailed", "password");
  }
  match = NOBODY.exec(text);
  if (match !== null) return login(message, undefined, match[2]!, match[3]!, "UnknownUser");
  match = BEFORE.exec(text);
  if (match !== null) {
    const reason = match[4]!;
    const failure = /^Max auth tries/.test(reason)
      ? "TooManyAuthenticationFailures"
      : "ConnectionClosed";
    return login(message, match[3], match[1]!, match[2]!, failure);
  }
  ignored(CHATTER);
  return undefined;
}

function login(
  message: ProgramMessage,
  user: string | undefined,
  address: string,
  port: string,
  failure?: string,
  method?: string,
  fingerprint?: string,
): AuditEvent {
  const request: Record<string, string> = {};
  if (user !== undefined) request.userName = user;
  if (method !== undefined) request.method = method;
  if (fingerprint !== undefined) request.fingerprint = fingerprint;
  return actionEvent(message, {
    service: "dropbear",
    action: "UserLogin",
    actor: user === undefined ? { type: "anonymous" } : account(user),
    ...(failure === undefined ? {} : { failure }),
    origin: originAt(address.replace(/^\[|\]$/g, ""), port),
    ...(user === undefined ? {} : { resources: [userResource(user)] }),
    ...(Object.keys(request).length === 0 ? {} : { request }),
  });
}
