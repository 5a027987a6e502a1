#!/bin/bash
# Makes the audit logs in plugins/formats/audit/testdata and config/examples/first-run: starts a
# real auditd on a folder of its own, does what an auditor asks about (accounts, logins over ssh,
# sudo, su, watched files, exec, modules, rule changes), and leaves the log. Run as root on a
# throw-away Debian machine with auditd, openssh-server, sudo and perl: it makes and removes the
# users alice and bob. Usage: audit.sh RAW|ENRICHED OUT_FILE [NODE]
set -eu

format=$1
out=$(realpath "$2")
node=${3:-}
work=$(mktemp -d /tmp/capture.XXXXXX)
port=2299
# Records hold the working directory.
cd /
auditd_pid=
sshd_pid=

cleanup() {
  set +e
  [ -n "$sshd_pid" ] && kill "$sshd_pid"
  auditctl -D >/dev/null 2>&1
  auditctl -e 0 >/dev/null 2>&1
  [ -n "$auditd_pid" ] && kill "$auditd_pid" && wait "$auditd_pid"
  userdel -r -f alice >/dev/null 2>&1
  userdel -r -f bob >/dev/null 2>&1
  groupdel deploy >/dev/null 2>&1
  umount -q /srv/ledger
  rm -rf /etc/sudoers.d/capture /srv/ledger "$work"
}
trap cleanup EXIT

# The daemon, with its own configuration: the host's log and rules stay out of it.
chmod 755 "$work"
mkdir -m 700 "$work/etc" "$work/etc/plugins.d" "$work/log"
cat >"$work/etc/auditd.conf" <<CONF
local_events = yes
write_logs = yes
log_file = $work/log/audit.log
log_format = $format
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 8
num_logs = 2
max_log_file_action = ROTATE
name_format = $([ -n "$node" ] && echo user || echo none)
$([ -n "$node" ] && echo "name = $node")
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = $work/etc/plugins.d
CONF
chmod 600 "$work/etc/auditd.conf"
auditd -n -c "$work/etc" >"$work/auditd.out" 2>&1 &
auditd_pid=$!
for _ in $(seq 50); do [ -s "$work/log/audit.log" ] && break; sleep 0.1; done
auditctl -e 1 >/dev/null

# Rules name a path or a program: audit rules hold for the whole machine.
mkdir -p /srv/ledger
chmod 777 /srv/ledger
auditctl -w /srv/ledger -p wa -k ledger
auditctl -a always,exit -F arch=b64 -F path=/etc/shadow -F perm=r -F success=0 -k shadow
auditctl -a always,exit -F arch=b64 -S execve -F path=/usr/bin/printf -k programs
auditctl -a always,exit -F arch=b64 -S execve -F path=/usr/bin/id -k programs
auditctl -a always,exit -F arch=b64 -S init_module -F exe=/usr/bin/perl -k modules
auditctl -a always,exit -F arch=b64 -S mount,umount2 -F exe=/usr/bin/mount -k mounts

# Accounts.
groupadd -g 2100 deploy
useradd -m -u 2001 -s /bin/bash alice
useradd -m -u 2002 -s /bin/bash bob
usermod -a -G deploy alice
usermod -s /bin/sh bob
echo 'alice:correct horse' | chpasswd
printf 'battery staple\nbattery staple\n' | passwd bob >/dev/null 2>&1
chage -M 90 bob
printf 'alice ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/capture
chmod 440 /etc/sudoers.d/capture

# Logins over ssh, on the loopback.
ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
for user in alice bob; do
  home=/home/$user
  mkdir -p "$home/.ssh"
  cp "$work/key.pub" "$home/.ssh/authorized_keys"
  chown -R "$user:$user" "$home/.ssh"
done
mkdir -p /run/sshd
cat >"$work/sshd_config" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host
PidFile none
UsePAM yes
CONF
/usr/sbin/sshd -D -f "$work/sshd_config" 2>"$work/sshd.out" &
sshd_pid=$!
for _ in $(seq 50); do grep -q listening "$work/sshd.out" && break; sleep 0.1; done
as() {
  local user=$1
  shift
  ssh -tt -q -p "$port" -i "$work/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null "$user@127.0.0.1" "$@" </dev/null >/dev/null 2>&1 || true
}
wide=$(printf 'x%.0s' $(seq 9000))
as alice "cd /srv/ledger; echo 1 >entries; chmod 600 entries
  mv entries 'entries 2026'; rm 'entries 2026'"
as alice "/usr/bin/printf 'Grüße aus München\n'; /usr/bin/printf '%s' 'one two' '' '\$HOME=\"x\"'"
as alice "/usr/bin/printf %s $wide"
as alice "cat /etc/shadow; echo no >/srv/ledger/x && sudo -n -u bob /usr/bin/id -u
  sudo -n /usr/bin/id"
as alice "sudo -n perl -e 'syscall(175, 0, 0, 0)'; sudo -n mount -t tmpfs none /srv/ledger"
umount /srv/ledger
as alice "sudo -n su -c id bob"
as bob "sudo -n /usr/bin/id; echo wrong | su -c id alice; cat /etc/shadow"
ssh -q -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
  -i "$work/host" alice@127.0.0.1 true 2>/dev/null || true
ssh -q -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
  -i "$work/host" mallory@127.0.0.1 true 2>/dev/null || true

# The audit configuration itself, and the way back.
auditctl -b 128 >/dev/null
auditctl -m 'capture: end of the tour' >/dev/null
auditctl -d always,exit -F arch=b64 -S execve -F path=/usr/bin/id -k programs
gpasswd -d alice deploy >/dev/null
userdel -r bob >/dev/null 2>&1
groupdel deploy
kill "$sshd_pid"
sshd_pid=
auditctl -D >/dev/null 2>&1
auditctl -e 0 >/dev/null
sleep 1
kill "$auditd_pid"
wait "$auditd_pid" || true
auditd_pid=
cp "$work/log/audit.log" "$out"
chmod 644 "$out"
