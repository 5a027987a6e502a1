// The sources this host offers, for `cairn run` without a configuration. One source for one action:
// the journal and the log files of logins are recorded where no audit log tells the same.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** A source that was looked for, and what came of it. */
export interface DetectedSource {
  /** The receiver that is to record it, by its id, with its options; left out where none is. */
  readonly receiver?: readonly [id: string, options: Readonly<Record<string, unknown>>];
  /** One line for the operator. */
  readonly message: string;
}

/** Where to look; each list in order of preference. */
export interface Places {
  readonly auditLog: string;
  /** Folders of journals. */
  readonly journals: readonly string[];
  readonly loginLogs: readonly string[];
  /** Sockets of container engines. */
  readonly engines: readonly string[];
  /** Folders of programs, as in PATH. */
  readonly programs: string;
}

/** Where Linux distributions have them. */
export const PLACES: Omit<Places, "programs"> = {
  auditLog: "/var/log/audit/audit.log",
  journals: ["/var/log/journal", "/run/log/journal"],
  loginLogs: ["/var/log/auth.log", "/var/log/secure"],
  engines: ["/var/run/docker.sock", "/run/podman/podman.sock"],
};

/** Looks for the sources of this host. Never throws: what cannot be looked at is said. */
export async function detectSources(places: Places): Promise<readonly DetectedSource[]> {
  const audit = await detectAuditLog(places.auditLog);
  const isAudited = audit.state === "readable";
  const journal = await detectJournal(places, isAudited);
  const isCovered = isAudited || journal?.receiver !== undefined;
  const logins = await detectLoginLog(places.loginLogs, isCovered);
  const engines = await Promise.all(places.engines.map(detectEngine));
  return [audit, journal, logins, ...engines].filter((each) => each !== undefined);
}

type Access = "readable" | "unreadable" | "missing";

async function detectAuditLog(path: string): Promise<DetectedSource & { readonly state: Access }> {
  const state = await look(path, constants.R_OK);
  const messages = {
    readable: `Audit log "${path}": found, recording what it tells`,
    unreadable: `Audit log "${path}": found but not readable; ` +
      "run as root, or as a member of the group in auditd's log_group",
    missing: `Audit log "${path}": not there; install auditd, it is recorded as soon as it writes`,
  };
  // The receiver waits where there is no audit log yet: one that comes later is recorded too.
  return { state, receiver: ["auditd", { path }], message: messages[state] };
}

async function detectJournal(
  { journals, programs }: Places,
  isAudited: boolean,
): Promise<DetectedSource | undefined> {
  const states = await Promise.all(journals.map((path) => look(path, constants.R_OK)));
  const found = states.findIndex((state) => state !== "missing");
  if (found < 0) return undefined;
  const about = `Journal "${journals[found]}"`;
  if (isAudited) {
    return { message: `${about}: found, not recorded beside the audit log: add receiver journald` };
  }
  const folders = programs.split(delimiter).filter((folder) => folder !== "");
  const program = await Promise.all(
    folders.map((folder) => look(join(folder, "journalctl"), constants.X_OK)),
  );
  if (!program.includes("readable")) {
    return { message: `${about}: found, but no program journalctl to read it with` };
  }
  // An audit log that comes later tells what the kernel's records in the journal tell.
  return {
    receiver: ["journald", { audit_records: false }],
    message: `${about}: found, recording what it tells`,
  };
}

async function detectLoginLog(
  paths: readonly string[],
  isCovered: boolean,
): Promise<DetectedSource | undefined> {
  for (const path of paths) {
    const state = await look(path, constants.R_OK);
    if (state === "missing" || isCovered) continue;
    if (state === "unreadable") return { message: `Log "${path}": found but not readable` };
    return {
      receiver: ["file/logins", { path, format: "syslog" }],
      message: `Log "${path}": found, recording the logins and privileges it tells`,
    };
  }
  return undefined;
}

async function detectEngine(path: string): Promise<DetectedSource | undefined> {
  const state = await look(path, constants.R_OK | constants.W_OK);
  if (state === "missing") return undefined;
  if (state === "unreadable") {
    return { message: `Container engine "${path}": found but not accessible; run as root` };
  }
  const name = path.includes("podman") ? "docker/podman" : "docker";
  return {
    receiver: [name, { endpoint: `unix://${path}` }],
    message: `Container engine "${path}": found, recording its events`,
  };
}

async function look(path: string, mode: number): Promise<Access> {
  try {
    await stat(path);
    await access(path, mode);
    return "readable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "unreadable";
  }
}
