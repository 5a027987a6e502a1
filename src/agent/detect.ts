// The sources this host offers, for `cairn run` without a configuration.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";

/** A source that was looked for, and what came of it. */
export interface DetectedSource {
  /** Id of the receiver that reads it. */
  readonly receiver: string;
  readonly path: string;
  readonly found: "readable" | "unreadable" | "missing";
  /** One line for the operator. */
  readonly message: string;
}

/** Where auditd writes unless it is told otherwise. */
export const AUDIT_LOG = "/var/log/audit/audit.log";

/** Looks for the sources of this host. Never throws: what cannot be looked at is said. */
export async function detectSources(auditLog = AUDIT_LOG): Promise<readonly DetectedSource[]> {
  const found = await look(auditLog);
  const messages = {
    readable: `Audit log "${auditLog}": found, recording what it tells`,
    unreadable: `Audit log "${auditLog}": found but not readable; ` +
      "run as root, or as a member of the group in auditd's log_group",
    missing:
      `Audit log "${auditLog}": not there; install auditd, it is recorded as soon as it writes`,
  };
  return [{ receiver: "auditd", path: auditLog, found, message: messages[found] }];
}

async function look(path: string): Promise<DetectedSource["found"]> {
  try {
    await stat(path);
    await access(path, constants.R_OK);
    return "readable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "unreadable";
  }
}
