// systemd, of the machine and of a user: units that start, stop and fail, the machine's own start
// and end, reloads. Without the journal's fields the unit's description stands for its name.

import type { Actor, AuditEvent } from "../event.ts";
import { actionEvent } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: systemd chatter";
const UNDER_WAY = "no action: unit's job under way";
const GROUPING = "no action: unit that only groups others";

// First word of what is said about a unit's finished job, then the action.
const DONE: ReadonlyMap<string, string> = new Map([
  ["Started", "StartService"],
  ["Finished", "StartService"],
  ["Listening", "StartService"],
  ["Stopped", "StopService"],
  ["Closed", "StopService"],
  ["Reloaded", "ReloadService"],
  ["Mounted", "MountFileSystem"],
  ["Unmounted", "UnmountFileSystem"],
]);
const UNDER_WAY_WORDS: ReadonlySet<string> = new Set([
  "Starting",
  "Stopping",
  "Reloading",
  "Mounting",
  "Unmounting",
  "Activating",
]);
const FAILED_TO = /^Failed to (start|stop|reload|mount|unmount) (.+?)\.?$/;
const RESULT = /^(\S+): (?:Failed with result '([a-z-]+)'|Unit entered (failed) state)\.$/;
const RELOAD = /^Reloading requested from client PID (\d+) \('([^']*)'\)(?: \(unit ([^)]+)\))?/;
// Targets, slices, scopes and devices come and go with what they group.
const GROUPS = /\.(?:target|slice|scope|device|path|swap)$/;

/** Describes a message of systemd. */
export function describeSystemd(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const { text } = message;
  const space = text.indexOf(" ");
  const first = space < 0 ? text : text.slice(0, space);
  const done = DONE.get(first);
  if (done !== undefined) {
    const unit = unitOf(message, text.slice(first === "Listening" ? space + 4 : space + 1));
    if (!GROUPS.test(unit.name) && !unit.name.startsWith("Session ")) {
      return unitEvent(message, done, unit);
    }
    ignored(GROUPING);
    return undefined;
  }
  const event = UNDER_WAY_WORDS.has(first) ? reload(message) : other(message, first);
  if (event === undefined) ignored(UNDER_WAY_WORDS.has(first) ? UNDER_WAY : CHATTER);
  return event;
}

interface Unit {
  readonly name: string;
  readonly description: string;
}

/** The unit by the journal's field, else as it stands: `ssh.service - OpenBSD Secure Shell server.` */
function unitOf({ fields }: ProgramMessage, rest: string): Unit {
  let description = rest.replace(/\.{1,3}$/, "");
  let name = fields?.UNIT ?? fields?.USER_UNIT;
  const dash = description.indexOf(" - ");
  if (dash > 0 && description.lastIndexOf(".", dash) > 0) {
    name ??= description.slice(0, dash);
    description = description.slice(dash + 3);
  }
  return { name: name ?? description, description };
}

function unitEvent(
  message: ProgramMessage,
  action: string,
  unit: Unit,
  failure?: { readonly failure: string; readonly reason?: string },
): AuditEvent {
  return actionEvent(message, {
    service: "systemd",
    action,
    actor: manager(message),
    ...failure,
    resources: [{ type: "Host::Service", name: unit.name }],
    request: unit.description === unit.name
      ? { unit: unit.name }
      : { unit: unit.name, description: unit.description },
  });
}

/** The machine's manager acts by itself; a user's acts for that user. */
function manager({ uid }: ProgramMessage): Actor {
  return uid === undefined || uid === "0"
    ? { type: "service", name: "systemd" }
    : { type: "user", id: uid };
}

function other(message: ProgramMessage, first: string): AuditEvent | undefined {
  const { text } = message;
  if (first === "Failed") {
    const match = FAILED_TO.exec(text);
    if (match === null) return undefined;
    const [, verb = "", rest = ""] = match;
    const noun = verb.endsWith("mount") ? "FileSystem" : "Service";
    const action = verb.charAt(0).toUpperCase() + verb.slice(1) + noun;
    return unitEvent(message, action, unitOf(message, rest), { failure: "OperationFailed" });
  }
  if (first.endsWith(":")) {
    const match = RESULT.exec(text);
    if (match === null) return undefined;
    const unit = match[1]!;
    const failure = codeOf(match[2] ?? "failed");
    return unitEvent(message, "TerminateProgram", { name: unit, description: unit }, { failure });
  }
  if (first === "Startup" && text.includes("finished in") && message.pid === "1") {
    return machine(message, "BootSystem");
  }
  if (text === "Shutting down.") return machine(message, "ShutDownSystem");
  if (text.startsWith("Time has been changed")) return machine(message, "ChangeSystemTime");
  const host = /^(?:Set hostname|Hostname set) to <(.+)>\.?$/.exec(text)?.[1];
  return host === undefined ? undefined : machine(message, "ChangeHostName", { hostName: host });
}

function machine(
  message: ProgramMessage,
  action: string,
  request?: Readonly<Record<string, string>>,
): AuditEvent {
  return actionEvent(message, {
    service: "systemd",
    action,
    actor: manager(message),
    ...(request === undefined ? {} : { request }),
  });
}

/** A reload of all units' files, with the process that asked for it. */
function reload(message: ProgramMessage): AuditEvent | undefined {
  const match = RELOAD.exec(message.text);
  if (match === null) return undefined;
  const [, processId = "", program = "", unit] = match;
  return actionEvent(message, {
    service: "systemd",
    action: "ReloadServiceConfiguration",
    actor: { type: "user" },
    request: unit === undefined ? { processId, program } : { processId, program, unit },
  });
}

/** `exit-code` -> `ExitCode`. */
function codeOf(words: string): string {
  return words.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
