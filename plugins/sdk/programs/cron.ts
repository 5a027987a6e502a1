// cron, crond, crontab: commands that ran, tables that changed: `(alice) CMD (backup.sh)`.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: cron chatter";

const LINE = /^\(([^)]*)\) ([A-Za-z][A-Za-z -]*?) \((.*)\)\s*$/s;

interface Rule {
  readonly action: string;
  readonly readOnly?: boolean;
  readonly failure?: string;
}

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["CMD", { action: "ExecuteCommand" }],
  ["REPLACE", { action: "UpdateCrontab" }],
  ["DELETE", { action: "DeleteCrontab" }],
  ["LIST", { action: "GetCrontab", readOnly: true }],
  ["AUTH", { action: "UpdateCrontab", failure: "AccessDenied" }],
]);

/** Describes a message of cron or crontab. */
export function describeCron(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const match = LINE.exec(message.text);
  const rule = match === null ? undefined : RULES.get(match[2]!);
  if (match === null || rule === undefined) {
    ignored(CHATTER);
    return undefined;
  }
  const [, user = "", , what = ""] = match;
  const { action, readOnly = false, failure } = rule;
  if (action === "ExecuteCommand") {
    return actionEvent(message, {
      service: "cron",
      action,
      actor: account(user),
      request: { command: what },
      category: "Data",
    });
  }
  return actionEvent(message, {
    service: "cron",
    action,
    actor: account(user),
    ...(failure === undefined ? {} : { failure, reason: what }),
    resources: [{ type: "Host::Crontab", name: failure === undefined ? what : user }],
    request: { userName: failure === undefined ? what : user },
    readOnly,
  });
}
