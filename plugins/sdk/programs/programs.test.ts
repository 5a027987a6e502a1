// What each program's messages become: who did what to whom, from where, and how it ended. The
// wordings are the programs' own, of their current and of older versions.

import t from "tap";
import type { Actor, AuditEvent } from "../event.ts";
import { describeProgram, type ProgramMessage } from "./index.ts";

function message(program: string, text: string, more: Partial<ProgramMessage> = {}) {
  return { id: "id-1", time: 1, program, text, ...more };
}

function who(actor: Actor): string {
  switch (actor.type) {
    case "role":
      return `${who(actor.assumedBy)}>${actor.name}`;
    case "user":
      return actor.name ?? `#${actor.id ?? ""}`;
    case "anonymous":
      return `(${actor.id ?? ""})`;
    case "service":
      return `[${actor.name}]`;
    default:
      return actor.type;
  }
}

function line({ service, action, actor, outcome, origin }: AuditEvent): string {
  const from = origin === undefined
    ? ""
    : ` @${origin.address ?? origin.host}:${origin.port ?? ""}`;
  return `${service} ${action} ${who(actor)} ${outcome.success ? "ok" : outcome.code}${from}`;
}

/** An event in a line, or the reason why there is none. */
function told(program: string, text: string, more?: Partial<ProgramMessage>): string {
  let reason = "";
  const event = describeProgram(message(program, text, more), (why) => reason = why);
  return event === undefined ? reason : line(event);
}

const key = "ED25519 SHA256:uNiVztksCsDhcc0u9e8BrswMLbnlHXzZLRxyrgxeYB0";

const SSHD = `
sshd | Accepted publickey for alice from 192.0.2.7 port 4711 ssh2: ${key}
  => sshd UserLogin alice ok @192.0.2.7:4711
sshd | Accepted password for root from ::1 port 4711 ssh2
  => sshd UserLogin root ok @::1:4711
sshd-session | Failed password for bob from 192.0.2.7 port 4711 ssh2
  => sshd UserLogin bob AuthenticationFailed @192.0.2.7:4711
sshd | Failed password for invalid user oracle from 192.0.2.7 port 4711 ssh2
  => sshd UserLogin (oracle) AuthenticationFailed @192.0.2.7:4711
sshd | Failed password for illegal user oracle from 192.0.2.7 port 4711 ssh2
  => sshd UserLogin (oracle) AuthenticationFailed @192.0.2.7:4711
sshd | Failed none for invalid user x from 192.0.2.7 port 4711 ssh2
  => no action: sshd connection chatter
sshd | Invalid user oracle from 192.0.2.7 port 4711
  => sshd UserLogin (oracle) UnknownUser @192.0.2.7:4711
sshd | Invalid user  from 192.0.2.7
  => sshd UserLogin () UnknownUser @192.0.2.7:
sshd | Invalid user root from 198.51.100.9 port 22 from 192.0.2.7 port 4711
  => sshd UserLogin (root from 198.51.100.9 port 22) UnknownUser @192.0.2.7:4711
sshd | Failed password for invalid user a from 198.51.100.9 port 1 ssh2 from 192.0.2.7 port \
4711 ssh2
  => sshd UserLogin (a from 198.51.100.9 port 1 ssh2) AuthenticationFailed @192.0.2.7:4711
sshd | Failed publickey for bob from 192.0.2.7 port 4711 ssh2: RSA-CERT SHA256:x ID a from 198.51.100.9 port 7: b (serial 1) CA RSA SHA256:"
  => sshd UserLogin bob AuthenticationFailed @192.0.2.7:4711
sshd | Accepted password for CORP\\john doe from 192.0.2.7 port 4711 ssh2
  => sshd UserLogin CORP\\john doe ok @192.0.2.7:4711
sshd | User bob from 192.0.2.7 not allowed because not listed in AllowUsers
  => sshd UserLogin bob AccessDenied @192.0.2.7:
sshd | User bob not allowed because account is locked
  => sshd UserLogin bob AccessDenied
sshd | ROOT LOGIN REFUSED FROM 192.0.2.7 port 4711
  => sshd UserLogin root AccessDenied @192.0.2.7:4711
sshd | error: maximum authentication attempts exceeded for invalid user x from 192.0.2.7 port \
4711 ssh2 [preauth]
  => sshd UserLogin (x) TooManyAuthenticationFailures @192.0.2.7:4711
sshd | Disconnecting authenticating user bob 192.0.2.7 port 4711: Too many authentication \
failures [preauth]
  => sshd UserLogin bob TooManyAuthenticationFailures @192.0.2.7:4711
sshd | Connection closed by authenticating user bob 192.0.2.7 port 4711 [preauth]
  => sshd UserLogin bob ConnectionClosed @192.0.2.7:4711
sshd | Connection reset by invalid user x 192.0.2.7 port 4711 [preauth]
  => sshd UserLogin (x) ConnectionReset @192.0.2.7:4711
sshd | Connection closed by 192.0.2.7 port 4711 [preauth]
  => sshd UserLogin () ConnectionClosed @192.0.2.7:4711
sshd | Connection closed by 192.0.2.7 port 4711
  => no action: sshd connection chatter
sshd | Disconnected from user alice 192.0.2.7 port 4711
  => sshd UserLogout alice ok @192.0.2.7:4711
sshd | Received disconnect from 192.0.2.7 port 4711:11: disconnected by user
  => no action: told by another line of sshd
sshd | fatal: Timeout before authentication for 192.0.2.7 port 4711
  => sshd UserLogin () AuthenticationTimeout @192.0.2.7:4711
sshd | refused connect from example.com (::ffff:192.0.2.7)
  => sshd UserLogin () AccessDenied @192.0.2.7:
sshd | fatal: Unable to negotiate with 192.0.2.7 port 4711: no matching MAC found. Their \
offer: x [preauth]
  => sshd UserLogin () NegotiationFailed @192.0.2.7:4711
sshd | banner exchange: Connection from 192.0.2.7 port 4711: invalid format
  => sshd UserLogin () ProtocolError @192.0.2.7:4711
sshd | error: PAM: Authentication failure for bob from 192.0.2.7
  => sshd UserLogin bob AuthenticationFailed @192.0.2.7:
sshd | error: PAM: Authentication failure for illegal user x from 192.0.2.7
  => no action: told by another line of sshd
sshd | Authentication tried for bob with correct key but not from a permitted host (host=h, \
ip=192.0.2.7).
  => sshd UserLogin bob AccessDenied @192.0.2.7:
sshd | Starting session: shell on pts/0 for alice from 192.0.2.7 port 4711 id 0
  => sshd StartSession alice ok @192.0.2.7:4711
sshd | Close session: user alice from 192.0.2.7 port 4711 id 0
  => sshd EndSession alice ok @192.0.2.7:4711
sshd | Server listening on 0.0.0.0 port 22.
  => no action: sshd connection chatter
dropbear | Bad PAM password attempt for 'bob' from 192.0.2.7:4711
  => dropbear UserLogin bob AuthenticationFailed @192.0.2.7:4711
dropbear | Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:x from 192.0.2.7:4711
  => no action: dropbear connection chatter
dropbear | Pubkey auth succeeded for 'alice' with key sha1!! 00:11 from 192.0.2.7:4711
  => dropbear UserLogin alice ok @192.0.2.7:4711
dropbear | Login attempt for nonexistent user from 192.0.2.7:4711
  => dropbear UserLogin () UnknownUser @192.0.2.7:4711
`;

const PRIVILEGES = `
sudo |    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
  => sudo AssumeRole alice>root ok
sudo | alice : command not allowed ; PWD=/ ; USER=root ; COMMAND=/bin/sh
  => sudo AssumeRole alice>root AccessDenied
sudo | alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=bob ; COMMAND=/bin/sh
  => sudo AssumeRole alice>bob AccessDenied
sudo | alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh
  => sudo AssumeRole alice>root AuthenticationFailed
sudo | alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=list
  => sudo ListPrivileges alice ok
sudo | alice : (command continued) -rf /x
  => no action: rest of a long line of sudo
sudo | pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
  => sudo StartSession alice>root ok
sudo | pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
  => sudo AuthenticateUser alice AuthenticationFailed
su | (to root) alice on pts/0
  => su AssumeRole alice>root ok
su | FAILED SU (to root) alice on pts/0
  => su AssumeRole alice>root AuthenticationFailed
su | Successful su for bob by root
  => su AssumeRole root>bob ok
su | FAILED su for root by alice
  => su AssumeRole alice>root AuthenticationFailed
su | 'su root' failed for lonvick on /dev/pts/8
  => su AssumeRole lonvick>root AuthenticationFailed
su | BAD SU alice to root on /dev/ttyp0
  => su AssumeRole alice>root AuthenticationFailed
su | + /dev/pts/0 alice:root
  => no action: told by another line of su
su | pam_unix(su-l:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=alice \
rhost=  user=bob
  => su AuthenticateUser alice AuthenticationFailed
runuser | pam_unix(runuser:session): session opened for user bob(uid=1002) by (uid=0)
  => runuser AssumeRole root>bob ok
pkexec | alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=/usr/bin/id]
  => pkexec AssumeRole alice>root ok
pkexec | alice: Error executing command as another user: Not authorized [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/bin/sh]
  => pkexec AssumeRole alice>root AccessDenied
polkitd | Operator of unix-session:2 successfully authenticated as unix-user:root to gain \
ONE-SHOT authorization for action org.freedesktop.systemd1.manage-units for \
system-bus-name::1.9 [systemctl restart ssh] (owned by unix-user:alice)
  => polkitd AuthorizeUser alice>root ok
polkitd | Operator of unix-session:2 FAILED to authenticate to gain authorization for action \
org.x.y for unix-process:7:8 [pkexec id] (owned by unix-user:alice)
  => polkitd AuthorizeUser alice AuthenticationFailed
polkitd | Registered Authentication Agent for unix-session:2
  => no action: polkit chatter
`;

const LOGINS = `
login | LOGIN ON tty1 BY alice
  => login UserLogin alice ok
login | ROOT LOGIN ON tty1 FROM 192.0.2.7
  => login UserLogin root ok @192.0.2.7:
login | FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
  => login UserLogin alice AuthenticationFailed
login | FAILED LOGIN (2) on '/dev/tty1' FOR 'UNKNOWN', Authentication failure
  => login UserLogin () AuthenticationFailed
login | FAILED LOGIN 1 FROM (null) FOR alice, Authentication failure
  => login UserLogin alice AuthenticationFailed
login | pam_unix(login:session): session opened for user root(uid=0) by LOGIN(uid=0)
  => login StartSession root ok
sshd | pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
  => sshd StartSession alice ok
sshd | pam_unix(sshd:session): session closed for user alice
  => sshd EndSession alice ok
sshd | pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= \
rhost=192.0.2.7  user=bob
  => sshd AuthenticateUser bob AuthenticationFailed @192.0.2.7:
sshd | pam_unix(sshd:auth): check pass; user unknown
  => no action: told by another line of PAM
sshd | PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= \
rhost=192.0.2.7  user=root
  => sshd AuthenticateUser root AuthenticationFailed @192.0.2.7:
sshd | pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= \
rhost=192.0.2.7 user=alice
  => sshd AuthenticateUser alice ok @192.0.2.7:
sshd | pam_faillock(sshd:auth): Consecutive login failures for user bob account temporarily locked
  => sshd LockUser [sshd] ok
sshd | pam_access(sshd:account): access denied for user \`bob' from \`192.0.2.7'
  => sshd AuthorizeUser bob AccessDenied @192.0.2.7:
sshd(pam_unix) | session opened for user tom by (uid=0)
  => sshd StartSession tom ok
CRON | pam_unix(cron:session): session opened for user root(uid=0) by root(uid=0)
  => cron StartSession root ok
CRON | (alice) CMD (/usr/local/bin/backup --all)
  => cron ExecuteCommand alice ok
crontab | (alice) REPLACE (alice)
  => cron UpdateCrontab alice ok
crontab | (root) DELETE (alice)
  => cron DeleteCrontab root ok
crontab | (alice) LIST (alice)
  => cron GetCrontab alice ok
crontab | (bob) AUTH (crontab command not allowed)
  => cron UpdateCrontab bob AccessDenied
cron | (CRON) STARTUP (fork ok)
  => no action: cron chatter
systemd-logind | New session 5 of user alice.
  => systemd-logind StartSession alice ok
systemd-logind | New session '7' of user 'alice' with class 'user' and type 'tty'.
  => systemd-logind StartSession alice ok
systemd-logind | Removed session 5.
  => systemd-logind EndSession # ok
systemd-logind | System is rebooting.
  => systemd-logind RebootSystem [systemd-logind] ok
systemd-logind | The system will power off now!
  => systemd-logind ShutDownSystem [systemd-logind] ok
systemd-logind | Watching system buttons on /dev/input/event0 (Power Button)
  => no action: systemd-logind chatter
pvedaemon | authentication failure; rhost=192.0.2.7 user=root@pam msg=Authentication failure
  => proxmox UserLogin root@pam AuthenticationFailed @192.0.2.7:
pvedaemon | <root@pam> successful auth for user 'root@pam'
  => proxmox UserLogin root@pam ok
`;

const ACCOUNTS = `
useradd | new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/1
  => useradd CreateUser # ok
useradd | failed adding user 'bob', data deleted
  => useradd CreateUser # OperationFailed
useradd | add 'bob' to group 'docker'
  => useradd AddUserToGroup # ok
useradd | add 'bob' to shadow group 'docker'
  => no action: told by another line of an account program
groupadd | group added to /etc/group: name=deploy, GID=1002
  => no action: told by another line of an account program
groupadd | new group: name=deploy, GID=1002
  => groupadd CreateGroup # ok
usermod | change user 'bob' shell from '/bin/bash' to '/bin/sh'
  => usermod UpdateUser # ok
usermod | change user name 'bob' to 'rob'
  => usermod UpdateUser # ok
usermod | lock user 'bob' password
  => usermod LockUser # ok
usermod | unlock user 'bob' password
  => usermod UnlockUser # ok
usermod | delete 'bob' from group 'docker'
  => usermod RemoveUserFromGroup # ok
userdel | delete user 'bob'
  => userdel DeleteUser # ok
userdel | removed group 'bob' owned by 'bob'
  => userdel DeleteGroup # ok
groupdel | group 'deploy' removed
  => groupdel DeleteGroup # ok
groupmod | group changed in /etc/group (group deploy/1002, new name: ship)
  => groupmod UpdateGroup # ok
gpasswd | user bob added by alice to group sudo
  => gpasswd AddUserToGroup alice ok
gpasswd | user bob removed by root from group sudo
  => gpasswd RemoveUserFromGroup root ok
gpasswd | members of group sudo set by root to alice,bob
  => gpasswd UpdateGroup root ok
gpasswd | password of group sudo changed by root
  => gpasswd ChangeGroupPassword root ok
chage | changed password expiry for bob
  => chage UpdateUser # ok
chsh | changed user 'bob' shell to '/bin/zsh'
  => chsh UpdateUser # ok
passwd | pam_unix(passwd:chauthtok): password changed for bob
  => passwd ChangePassword # ok
passwd | password for 'bob' changed by 'root'
  => passwd ChangePassword root ok
chpasswd | pam_unix(chpasswd:chauthtok): user "nobody2" does not exist in /etc/passwd
  => chpasswd ChangePassword # NoSuchUser
systemd-sysusers | Creating user 'sshd' (n/a) with UID 101 and GID 65534.
  => systemd-sysusers CreateUser [systemd-sysusers] ok
`;

const MACHINE = `
systemd | Started ssh.service - OpenBSD Secure Shell server.
  => systemd StartService [systemd] ok
systemd | Started OpenSSH server daemon.
  => systemd StartService [systemd] ok
systemd | Stopped ssh.service - OpenBSD Secure Shell server.
  => systemd StopService [systemd] ok
systemd | Finished apt-daily.service - Daily apt download activities.
  => systemd StartService [systemd] ok
systemd | Failed to start ssh.service - OpenBSD Secure Shell server.
  => systemd StartService [systemd] OperationFailed
systemd | ssh.service: Failed with result 'exit-code'.
  => systemd TerminateProgram [systemd] ExitCode
systemd | Reloaded nginx.service - A high performance web server.
  => systemd ReloadService [systemd] ok
systemd | Mounted boot.mount - /boot.
  => systemd MountFileSystem [systemd] ok
systemd | Starting ssh.service - OpenBSD Secure Shell server...
  => no action: unit's job under way
systemd | Started session-5.scope - Session 5 of User alice.
  => no action: unit that only groups others
systemd | Reached target multi-user.target - Multi-User System.
  => no action: systemd chatter
systemd | Reloading requested from client PID 812 ('systemctl') (unit session-1.scope)...
  => systemd ReloadServiceConfiguration # ok
systemd | Shutting down.
  => systemd ShutDownSystem [systemd] ok
systemd-journald | Suppressed 5127 messages from nginx.service
  => systemd-journald LoseEvents [systemd-journald] ok
systemd-journald | Missed 12 kernel messages
  => systemd-journald LoseEvents [systemd-journald] ok
systemd-journald | Journal started
  => no action: systemd-journald chatter
NetworkManager | <info>  [1700000000.1234] audit: op="connection-add" uuid="9f" name="eth1" pid=812 uid=0 result="success"
  => networkmanager CreateConnection root ok
NetworkManager | <info>  [1700000000.1234] audit: op="connection-delete" uuid="9f" name="eth1" pid=812 uid=1000 result="fail" reason="denied"
  => networkmanager DeleteConnection #1000 OperationFailed
NetworkManager | <info>  [1700000000.1234] device (eth0): carrier: link connected
  => no action: NetworkManager chatter
kernel | usb 1-1: New USB device found, idVendor=0781, idProduct=5567, bcdDevice= 1.00
  => kernel AttachDevice [kernel] ok
kernel | [  123.456789] usb 1-1: USB disconnect, device number 5
  => kernel DetachDevice [kernel] ok
kernel | Out of memory: Killed process 812 (java) total-vm:1kB
  => kernel KillProcess [kernel] ok
kernel | nginx[812]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so.6
  => kernel TerminateProgram [kernel] ProgramCrashed
kernel | device eth0 entered promiscuous mode
  => kernel ChangePromiscuousMode [kernel] ok
kernel | eth0: left promiscuous mode
  => kernel ChangePromiscuousMode [kernel] ok
kernel | EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts: (null)
  => kernel MountFileSystem [kernel] ok
kernel | rootkit: loading out-of-tree module taints kernel.
  => kernel LoadKernelModule [kernel] ok
kernel | audit: type=1400 audit(1700000000.123:45): apparmor="DENIED" operation="open" profile="/usr/sbin/cupsd" name="/etc/shadow" pid=812 comm="cupsd"
  => kernel CheckAccess [cupsd] AccessDenied
kernel | audit: type=1400 audit(1700000000.123:45): apparmor="STATUS" operation="profile_load" profile="unconfined" name="x" comm="apparmor_parser"
  => kernel LoadSecurityProfile [apparmor_parser] ok
kernel | audit: type=1130 audit(1700000000.123:45): pid=1 uid=0
  => not audited: audit record outside the audit log
kernel | Linux version 6.1.0
  => no action: kernel chatter
nginx | GET / 200
  => not audited: program without parser
`;

for (const table of [SSHD, PRIVILEGES, LOGINS, ACCOUNTS, MACHINE]) {
  const rows = table.trim().split(/\n(?! )/).map((row) => row.split(/ \| |\n {2}=> /));
  const programs = [...new Set(rows.map(([program]) => program!))].join(", ");
  t.test(`describeProgram() tells what ${programs} did`, async (t) => {
    for (const [program = "", text = "", expected] of rows) {
      t.equal(told(program, text), expected, `${program}: ${text}`);
    }
  });
}

t.test("describeProgram() keeps the message's id, time, host, process and words", async (t) => {
  const from = message("sshd", `Accepted publickey for alice from 192.0.2.7 port 1 ssh2: ${key}`, {
    pid: "812",
    host: "db-01",
    unit: "ssh.service",
  });
  t.strictSame(describeProgram(from, () => {}), {
    id: "id-1",
    time: 1,
    service: "sshd",
    action: "UserLogin",
    actor: { type: "user", name: "alice" },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
    additional: { message: from.text, processId: "812", unit: "ssh.service" },
    host: "db-01",
    origin: { address: "192.0.2.7", port: 1 },
    resources: [{ type: "IAM::User", name: "alice" }],
    request: {
      userName: "alice",
      method: "publickey",
      keyType: "ED25519",
      fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BrswMLbnlHXzZLRxyrgxeYB0",
    },
  });
});

t.test("describeProgram() reads the certificate of a login by certificate", async (t) => {
  const text = "Accepted publickey for alice from 192.0.2.7 port 1 ssh2: ED25519-CERT SHA256:a " +
    "ID alice@corp (serial 42) CA RSA SHA256:b";
  const event = describeProgram(message("sshd", text), () => {});
  t.match(event?.request, {
    certificateId: "alice@corp",
    certificateSerial: "42",
    certificateAuthority: "RSA SHA256:b",
  });
});

t.test("describeProgram() reads sudo's fields, and its command to the end", async (t) => {
  const text = "alice : HOST=db ; TTY=pts/0 ; PWD=/srv ; USER=root ; GROUP=wheel ; ENV=A=1 ; " +
    "COMMAND=/bin/sh -c echo ; USER=bob";
  t.strictSame(describeProgram(message("sudo", text), () => {})?.request, {
    host: "db",
    terminal: "pts/0",
    workingDirectory: "/srv",
    userName: "root",
    group: "wheel",
    environment: "A=1",
    command: "/bin/sh -c echo ; USER=bob",
  });
});

t.test("describeProgram() names the login behind a process where the journal knows it", async (t) => {
  const fields = { _AUDIT_LOGINUID: "1000", _AUDIT_SESSION: "7" };
  const event = describeProgram(
    message("userdel", "delete user 'bob'", { uid: "0", fields }),
    () => {},
  );
  t.strictSame(event?.actor, {
    type: "role",
    name: "root",
    id: "0",
    assumedBy: { type: "user", id: "1000", session: { id: "7" } },
  });
  const unset = { _AUDIT_LOGINUID: "4294967295" };
  t.equal(
    told("userdel", "delete user 'bob'", { uid: "0", fields: unset }),
    "userdel DeleteUser root ok",
  );
});

t.test("describeProgram() names units by the journal's field", async (t) => {
  const fields = { UNIT: "ssh.service" };
  const event = describeProgram(
    message("systemd", "Started OpenSSH server.", { fields }),
    () => {},
  );
  t.strictSame(event?.resources, [{ type: "Host::Service", name: "ssh.service" }]);
  t.strictSame(event?.request, { unit: "ssh.service", description: "OpenSSH server" });
  const own = { USER_UNIT: "app.service" };
  t.equal(
    told("systemd", "Started App.", { fields: own, uid: "1000" }),
    "systemd StartService #1000 ok",
  );
});

t.test("describeProgram() makes one event of a folded message, with the count", async (t) => {
  const once = "Failed password for root from 192.0.2.7 port 1 ssh2";
  const event = describeProgram(message("sshd", `message repeated 4 times: [ ${once}]`), () => {});
  t.match(event, { action: "UserLogin", additional: { repeated: 4 } });
  const twice = `message repeated 2 times: [ message repeated 2 times: [ ${once}]]`;
  t.equal(told("sshd", twice), "no action: sshd connection chatter");
});

t.test("describeProgram() is quick with, or leaves out, messages made to be slow", async (t) => {
  const hostile = [
    `Failed password for invalid user ${" from 1".repeat(8000)}`,
    `Disconnected from invalid user ${" 1 port 1".repeat(6000)}`,
    `User ${" from x".repeat(8000)} not allowed`,
    `pam_unix(sshd:auth): access denied for user \`${"' from `".repeat(7000)}`,
    `alice : ${"A=b ; ".repeat(10_000)}`,
    `FAILED LOGIN (1) FOR ${"', ".repeat(20_000)}`,
    `audit: type=1400 audit(1.1:1): ${"a=".repeat(30_000)}`,
    `audit: op=${'a="'.repeat(20_000)}`,
    `(${"a) CMD (".repeat(8000)}`,
    `Operator of ${" for action ".repeat(5000)}`,
  ];
  const programs = ["sshd", "sudo", "su", "login", "kernel", "NetworkManager", "CRON", "polkitd"];
  for (
    const program of [...programs, "systemd", "systemd-logind", "useradd", "dropbear", "pkexec"]
  ) {
    const began = performance.now();
    for (const text of hostile) {
      told(program, text);
    }
    const ms = performance.now() - began;
    t.ok(ms < 1000, `${program}: ${ms.toFixed(1)} ms`);
  }
  t.equal(told("sshd", "x".repeat(70_000)), "not audited: message over 64 KiB");
});
