// Anybody on a machine may write to the journal under any name. What journald itself found out about
// the sender (uid, executable) tells a program from somebody who only uses its name.

/** What is known of a sender: it is the program, it only says so, or it was gone too early to tell. */
export type Sender = "genuine" | "other" | "unknown";

// Folders that only root writes to.
const SYSTEM = /^\/(?:usr|bin|sbin|lib|lib64|opt|snap|nix\/store|gnu\/store|run\/wrappers)\//;
// One executable under many names.
const MANY: ReadonlySet<string> = new Set(["busybox", "toybox"]);

/**
 * Judges the sender of a message under a program's name. root may write what it likes and needs no
 * name for that; where the journal knows no uid (an old one, another machine's) it is believed.
 */
export function senderOf(
  program: string,
  uid: string | undefined,
  executable: string | undefined,
): Sender {
  if (uid === undefined || uid === "0") return "genuine";
  if (executable === undefined) return "unknown";
  if (!SYSTEM.test(executable)) return "other";
  const name = executable.slice(executable.lastIndexOf("/") + 1).toLowerCase();
  const said = program.toLowerCase();
  // `polkitd`, `sshd-session` of sshd, `.sudo-wrapped` of NixOS, `crontab` for cron.
  const alike = name.includes(said) || (name.length > 2 && said.includes(name));
  return alike || MANY.has(name) ? "genuine" : "other";
}
