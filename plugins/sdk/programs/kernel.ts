// The kernel's own messages: devices, modules, file systems, crashes, what it killed and denied.
// Its audit records have a format of their own (`audit`); the two that also come where no audit
// daemon runs are told here.

import type { Actor, AuditEvent, Resource } from "../event.ts";
import { actionEvent } from "./action-event.ts";
import type { Action } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: kernel chatter";
const AUDIT = "not audited: audit record outside the audit log";

const KERNEL: Actor = { type: "service", name: "kernel" };

type What = Pick<Action, "action" | "failure" | "reason" | "resources" | "request" | "category">;

interface Rule {
  /** A cheap look before the pattern. */
  readonly has: string;
  readonly pattern: RegExp;
  readonly tell: (match: readonly string[]) => What;
}

const RULES: readonly Rule[] = [
  {
    has: "New USB device found",
    pattern: /^usb (\S+): New USB device found, idVendor=(\w+), idProduct=(\w+)/,
    tell: ([, port = "", vendorId = "", productId = ""]) => ({
      action: "AttachDevice",
      resources: [device(`usb/${port}`)],
      request: { port, vendorId, productId },
    }),
  },
  {
    has: "USB disconnect",
    pattern: /^usb (\S+): USB disconnect, device number (\d+)/,
    tell: ([, port = ""]) => ({
      action: "DetachDevice",
      resources: [device(`usb/${port}`)],
      request: { port },
    }),
  },
  {
    has: "Killed process",
    pattern: /Killed process (\d+)[, ]+\(?([^),]+)\)?/,
    tell: ([, processId = "", program = ""]) => ({
      action: "KillProcess",
      request: { processId, program, reason: "OutOfMemory" },
    }),
  },
  {
    has: "segfault at",
    pattern: /^([^[]{1,64})\[(\d+)\]: segfault at (\w+)/,
    tell: ([, program = "", processId = ""]) => ({
      action: "TerminateProgram",
      failure: "ProgramCrashed",
      request: { program, processId },
    }),
  },
  {
    has: "promiscuous mode",
    pattern: /^(?:device )?(\S+?):? (entered|left) promiscuous mode/,
    tell: ([, name = "", what = ""]) => ({
      action: "ChangePromiscuousMode",
      resources: [{ type: "Host::NetworkInterface", name }],
      request: { interface: name, promiscuous: what === "entered" },
    }),
  },
  {
    has: "mounted filesystem",
    pattern: /^\S+ \(([^)]+)\): (un)?mount(?:ed|ing) filesystem/,
    tell: ([, name = "", un]) => ({
      action: un === undefined ? "MountFileSystem" : "UnmountFileSystem",
      resources: [device(name)],
      request: { device: name },
    }),
  },
  {
    has: "taints kernel",
    pattern: /^(\S+): (?:loading out-of-tree module|module license|module verification failed)/,
    tell: ([, name = ""]) => ({
      action: "LoadKernelModule",
      resources: [{ type: "Host::KernelModule", name }],
      request: { module: name },
    }),
  },
  {
    has: "Lockdown:",
    pattern: /^Lockdown: ([^:]+): (.+) is restricted/,
    tell: ([, program = "", what = ""]) => ({
      action: "CheckAccess",
      failure: "AccessDenied",
      request: { program, operation: what },
    }),
  },
];

const AUDIT_RECORD = /^audit: type=(\d+) audit\((\d+)\.(\d+):(\d+)\): (.*)$/s;
const PAIR = /([a-z_][a-z0-9_]{0,63})=(?:"([^"]*)"|([^\s"]*))/gi;

/** Describes a message of the kernel. */
export function describeKernel(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  // Where printk shows its time: `[    0.123456] usb 1-1: …`.
  const text = message.text.replace(/^\[ *\d+\.\d+\] /, "");
  if (text.startsWith("audit: type=")) return auditRecord(message, text, ignored);
  for (const { has, pattern, tell } of RULES) {
    if (!text.includes(has)) continue;
    const match = pattern.exec(text);
    if (match === null) continue;
    return actionEvent(message, { service: "kernel", actor: KERNEL, ...tell(match) });
  }
  ignored(CHATTER);
  return undefined;
}

/** AppArmor's and SELinux's decisions (1400), and system calls stopped by seccomp (1326). */
function auditRecord(
  message: ProgramMessage,
  text: string,
  ignored: Ignored,
): AuditEvent | undefined {
  const [, type, , , , body = ""] = AUDIT_RECORD.exec(text) ?? [];
  if (type !== "1400" && type !== "1326") {
    ignored(AUDIT);
    return undefined;
  }
  const request: Record<string, string> = {};
  for (const [, name = "", quoted, bare] of body.matchAll(PAIR)) {
    request[name] ??= quoted ?? bare ?? "";
  }
  const denied = request.apparmor === "DENIED" ||
    (body.includes("avc:") && body.includes("denied") && request.permissive !== "1");
  return actionEvent(message, {
    service: "kernel",
    action: type === "1326" ? "EnforceSystemCallFilter" : accessAction(request),
    actor: request.comm === undefined ? KERNEL : { type: "service", name: request.comm },
    ...(denied ? { failure: "AccessDenied" } : {}),
    request,
    category: "Data",
  });
}

function accessAction({ operation }: Readonly<Record<string, string>>): string {
  switch (operation) {
    case "profile_load":
      return "LoadSecurityProfile";
    case "profile_replace":
      return "ReplaceSecurityProfile";
    case "profile_remove":
      return "RemoveSecurityProfile";
    default:
      return "CheckAccess";
  }
}

function device(name: string): Resource {
  return { type: "Host::Device", name };
}
