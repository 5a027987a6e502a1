// Proxmox VE's daemons: logins to its web interface and API, and the tasks they start.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent, originAt, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: Proxmox chatter";

const FAILED = /^authentication failure; rhost=(\S*) user=(\S*) msg=(.*)$/;
const SUCCEEDED = /^(?:<(\S+)> )?successful auth for user '([^']+)'/;

/** Describes a message of pvedaemon or pveproxy. */
export function describeProxmox(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const failed = FAILED.exec(message.text);
  const user = failed?.[2] ?? SUCCEEDED.exec(message.text)?.[2];
  if (user === undefined) {
    ignored(CHATTER);
    return undefined;
  }
  const reason = failed?.[3];
  const unknown = reason?.startsWith("no such user");
  return actionEvent(message, {
    service: "proxmox",
    action: "UserLogin",
    actor: unknown ? { type: "anonymous", id: user } : account(user),
    ...(reason === undefined
      ? {}
      : { failure: unknown ? "UnknownUser" : "AuthenticationFailed", reason }),
    origin: originAt(failed?.[1]),
    ...(unknown ? {} : { resources: [userResource(user)] }),
    request: { userName: user },
  });
}
