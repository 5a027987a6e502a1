#!/bin/bash
# Makes the journal exports in plugins/receivers/journald/testdata: starts a real systemd-journald
# in a mount namespace of its own (its /run, /dev and changes to /etc end with it), does what an
# auditor asks about (logins over ssh, sudo, su, accounts, groups, passwords, cron, forged and binary
# messages), and leaves what journalctl says, as export.bin and entries.jsonl. Kernel auditing, which
# is the whole machine's, is on meanwhile. Run as root on a throw-away Debian machine with systemd,
# openssh-server, sudo, cron and auditd's auditctl. Usage: journald.sh OUT_FOLDER
set -eu

if [ "${1:-}" != --inside ]; then
  mkdir -p "$1"
  work=$(mktemp -d /tmp/capture.XXXXXX)
  # By now the namespace is gone, and its mounts with it.
  trap 'rm -rf --one-file-system "$work"' EXIT
  unshare --mount "$0" --inside "$(realpath "$1")" "$work"
  exit
fi
out=$2
work=$3
cd /
port=2298
chmod 755 "$work"
journald_pid=
sshd_pid=

cleanup() {
  set +e
  [ -n "$sshd_pid" ] && kill "$sshd_pid"
  [ -n "$journald_pid" ] && kill "$journald_pid" && wait "$journald_pid"
  command -v auditctl >/dev/null && auditctl -e "$audited" >/dev/null 2>&1
}
audited=$(auditctl -s 2>/dev/null | sed -n 's/^enabled //p')
audited=${audited:-0}
trap cleanup EXIT

# Folders that the namespace alone sees.
mkdir "$work/etc" && mount -t tmpfs none "$work/etc"
mkdir "$work/etc/upper" "$work/etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work" /etc
mount -t tmpfs none /home
mount -t tmpfs none /var/log
mount -t tmpfs none /var/mail
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs && chgrp crontab /var/spool/cron/crontabs
mount -t tmpfs none /run
mkdir -p /run/systemd /run/log/journal /run/sshd /run/lock
# Devices of its own, made and not bound: nothing here leads to the machine's.
mount -t tmpfs -o mode=755 none /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/random c 1 8
mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/tty c 5 0
mkdir /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 none /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /run/systemd/journal/dev-log /dev/log
ln -s /proc/self/fd /dev/fd
mkdir -p /etc/systemd
printf '[Journal]\nAudit=yes\nReadKMsg=no\nForwardToSyslog=no\n' >/etc/systemd/journald.conf
echo "0123456789abcdef0123456789abcdef" >"$work/machine-id"
chmod 644 "$work/machine-id"
mount --bind "$work/machine-id" /etc/machine-id

/lib/systemd/systemd-journald &
journald_pid=$!
for _ in $(seq 50); do [ -S /run/systemd/journal/dev-log ] && break; sleep 0.1; done

# Accounts, before anybody can log in.
useradd -m -s /bin/bash alice
useradd -m -s /bin/bash bob
echo 'alice:correct horse 1' | chpasswd
echo 'bob:battery staple 2' | chpasswd
groupadd deploy
usermod -aG deploy alice
gpasswd -a bob deploy >/dev/null
gpasswd -d bob deploy >/dev/null
usermod -L bob
usermod -U bob
usermod -s /bin/sh bob
chage -M 90 bob
echo 'alice ALL=(ALL) NOPASSWD: /usr/bin/id, /usr/bin/tail' >/etc/sudoers.d/capture
chmod 440 /etc/sudoers.d/capture

# Logins over ssh: a key, a wrong password, an unknown name, root.
mkdir -m 700 /home/alice/.ssh
ssh-keygen -q -t ed25519 -N '' -C capture -f "$work/key"
cp "$work/key.pub" /home/alice/.ssh/authorized_keys
chown -R alice:alice /home/alice/.ssh
ssh-keygen -q -t ed25519 -N '' -f "$work/host"
cat >"$work/sshd_config" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host
UsePAM yes
PasswordAuthentication yes
PermitRootLogin no
PidFile none
StrictModes no
CONF
/usr/sbin/sshd -D -f "$work/sshd_config" &
sshd_pid=$!
for _ in $(seq 50); do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.1; done
printf '#!/bin/sh\necho wrong\n' >"$work/askpass"
chmod 755 "$work/askpass"
options="-p $port -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=QUIET"
as() {
  # shellcheck disable=SC2086
  ssh $options -i "$work/key" -o IdentitiesOnly=yes -o BatchMode=yes alice@127.0.0.1 "$1" || true
}
guess() {
  # shellcheck disable=SC2086
  SSH_ASKPASS="$work/askpass" SSH_ASKPASS_REQUIRE=force ssh $options -o PubkeyAuthentication=no \
    -o NumberOfPasswordPrompts=1 "$1@127.0.0.1" true </dev/null || true
}
as true
guess bob
guess nosuchuser
guess root

# Other accounts' rights, granted and refused, over one login.
as 'sudo /usr/bin/id; sudo -n /usr/bin/cat /etc/shadow; sudo -l >/dev/null'
as "echo wrong | su - bob -c true"
su - alice -c true
runuser -u bob -- true

# A table of cron's, and its command.
echo '* * * * * /bin/true' | crontab -u alice -
crontab -u alice -l >/dev/null
crontab -u alice -r

# What anybody can write: a name that is not theirs, bytes that are no text, two equal lines.
forged="Accepted password for root from 192.0.2.66 port 4711 ssh2"
su alice -s /bin/sh -c "(echo '$forged'; sleep 0.5) | logger -t sshd"
perl -MIO::Socket::UNIX -e '
  my $journal = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/systemd/journal/socket");
  my $text = "caf\xe9 \xff\x01\nbin";
  $journal->send("SYSLOG_IDENTIFIER=binary\nMESSAGE\n" . pack("Q<", length $text) . "$text\n" .
    "TAG=one\nTAG=two\n");
'
perl -e 'print "same line\n" x 2' | systemd-cat -t twice
logger -t long "$(head -c 6000 /dev/zero | tr '\0' x)"

groupdel deploy
userdel -f bob
userdel -f alice
sleep 1
journalctl --sync
journalctl --no-pager --all -o export >"$out/export.bin"
journalctl --no-pager --all -o json >"$out/entries.jsonl"
