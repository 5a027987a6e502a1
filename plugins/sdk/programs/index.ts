// The programs whose messages stand in syslog and the journal: one parser each, found by the
// program's name. Transports (syslog, journald, files) hand their messages to describeProgram.

import type { AuditEvent } from "../event.ts";
import { describeAccounts } from "./accounts.ts";
import { describeCron } from "./cron.ts";
import { describeDropbear } from "./dropbear.ts";
import { describeJournald } from "./journald.ts";
import { describeKernel } from "./kernel.ts";
import { describeLogin } from "./login.ts";
import { describeLogind } from "./logind.ts";
import { describeNetworkManager } from "./network-manager.ts";
import { describePam, isPam } from "./pam.ts";
import { describePolkit } from "./polkit.ts";
import type { DescribeMessage, Ignored, ProgramMessage } from "./program-message.ts";
import { describeProxmox } from "./proxmox.ts";
import { describeSshd } from "./sshd.ts";
import { describeSu } from "./su.ts";
import { describeSudo } from "./sudo.ts";
import { describeSystemd } from "./systemd.ts";

export type { Ignored, ProgramMessage } from "./program-message.ts";

const NO_PARSER = "not audited: program without parser";
const OVERLONG = "not audited: message over 64 KiB";
// The kernel's and syslog's own limits are a fraction of it; patterns need a bound.
const TEXT_MAX = 65_536;

const PARSERS: ReadonlyMap<string, DescribeMessage> = new Map(
  [
    [describeSshd, "sshd sshd-session sshd-auth"],
    [describeSudo, "sudo sudo-rs"],
    [describeSu, "su"],
    [describeLogin, "login"],
    [describeLogind, "systemd-logind"],
    [describeSystemd, "systemd"],
    [describeJournald, "systemd-journald systemd-journal"],
    [
      describeAccounts,
      "useradd usermod userdel groupadd groupmod groupdel gpasswd chage chfn chsh newusers passwd " +
      "chpasswd chgpasswd groupmems vipw vigr systemd-sysusers",
    ],
    [describePolkit, "polkitd polkit-agent-helper-1 pkexec"],
    [describeCron, "cron CRON crond CROND crontab"],
    [describeNetworkManager, "NetworkManager"],
    [describeKernel, "kernel"],
    [describeDropbear, "dropbear"],
    [describeProxmox, "pvedaemon pveproxy"],
  ].flatMap(([parse, names]) =>
    (names as string).split(" ").map((name) => [name, parse as DescribeMessage] as const)
  ),
);

// rsyslog and OpenBSD's syslogd fold equal messages into one.
const REPEATED = /^message repeated (\d+) times: \[ ?(.*)\]$/s;
// `sshd(pam_unix)`, as PAM of 2005 wrote it.
const OLD_PAM = /^(.{1,64})\((pam_[a-z0-9_]+)\)$/;

/**
 * The event a program's message tells of; undefined after `ignored` was called with the reason.
 * Never throws, whatever the message holds.
 */
export function describeProgram(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const { text } = message;
  if (text.length > TEXT_MAX) {
    ignored(OVERLONG);
    return undefined;
  }
  if (text.startsWith("message repeated ")) return repeated(message, ignored);
  if (isPam(text)) return describePam(message, ignored, message.program, text);
  const parse = PARSERS.get(message.program);
  if (parse !== undefined) {
    return text.startsWith("PAM ") && parse === describeSshd
      ? describePam(message, ignored, "sshd", text.slice(4))
      : parse(message, ignored);
  }
  const old = message.program.endsWith(")") ? OLD_PAM.exec(message.program) : null;
  if (old !== null) return describePam(message, ignored, old[1]!, text);
  ignored(NO_PARSER);
  return undefined;
}

/** One event for all of them, which says how often. */
function repeated(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  const match = REPEATED.exec(message.text);
  const text = match?.[2] ?? "";
  const once = text.startsWith("message repeated ") ? "" : text;
  const event = describeProgram({ ...message, text: once }, ignored);
  if (event === undefined) return undefined;
  return {
    ...event,
    additional: { ...event.additional, message: message.text, repeated: Number(match?.[1]) },
  };
}
