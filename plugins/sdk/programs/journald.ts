// systemd-journald about itself: what it was sent and did not keep.

import type { AuditEvent } from "../event.ts";
import { actionEvent } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: systemd-journald chatter";

const SUPPRESSED = /^Suppressed (\d+) messages from (.+)$/;
const MISSED = /^Missed (\d+) (kernel|audit) messages$/;

/** Describes a message of systemd-journald. */
export function describeJournald(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const match = SUPPRESSED.exec(message.text) ?? MISSED.exec(message.text);
  if (match === null) {
    ignored(CHATTER);
    return undefined;
  }
  const [, count = "", from = ""] = match;
  return actionEvent(message, {
    service: "systemd-journald",
    action: "LoseEvents",
    actor: { type: "service", name: "systemd-journald" },
    request: { count, from },
  });
}
