// systemd-logind: sessions, and who turns the machine off.

import type { Actor, AuditEvent } from "../event.ts";
import { account, actionEvent, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: systemd-logind chatter";

const NEW = /^New session '?(\S+?)'? of user '?([^\s']+?)'?(?: with class .*| with leader .*)?\.?$/;
const REMOVED = /^Removed session '?(\S+?)'?\.$/;
const POWER =
  /^(?:The s|S)ystem (?:is |will (?:be )?)(powering (?:off|down)|power off|halting|halt|rebooting|reboot|restarting|suspend\w*|hibernat\w*)/;

/** Describes a message of systemd-logind. */
export function describeLogind(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const { text, fields } = message;
  let match = NEW.exec(text);
  if (match !== null) return session(message, "StartSession", match[1]!, match[2]);
  match = REMOVED.exec(text);
  // The line names the session only; the journal knows whose it was.
  if (match !== null) return session(message, "EndSession", match[1]!, fields?.USER_ID);
  match = POWER.exec(text);
  if (match !== null) {
    return actionEvent(message, {
      service: "systemd-logind",
      action: powerAction(match[1]!),
      actor: { type: "service", name: "systemd-logind" },
    });
  }
  ignored(CHATTER);
  return undefined;
}

function powerAction(what: string): string {
  if (what.startsWith("re")) return "RebootSystem";
  if (what.startsWith("suspend")) return "SuspendSystem";
  return what.startsWith("hibernat") ? "HibernateSystem" : "ShutDownSystem";
}

function session(
  message: ProgramMessage,
  action: string,
  id: string,
  user: string | undefined,
): AuditEvent {
  const who = account(user);
  const actor: Actor = who.type === "user" || who.type === "root"
    ? { ...who, session: { id } }
    : who;
  return actionEvent(message, {
    service: "systemd-logind",
    action,
    actor,
    ...(user === undefined ? {} : { resources: [userResource(user)] }),
    request: user === undefined ? { sessionId: id } : { sessionId: id, userName: user },
  });
}
