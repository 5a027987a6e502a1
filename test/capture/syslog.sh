#!/bin/bash
# Makes the logs in plugins/formats/syslog/testdata: a real rsyslog owns /dev/log while accounts are
# made and changed, people log in over ssh, use su and sudo, and fail to; it writes each message in
# the header of every RFC and file. Run as root on a throw-away Debian machine with rsyslog,
# openssh-server and sudo, where nothing else has /dev/log: it makes and removes the users alice
# and bob. Usage: syslog.sh OUT_FOLDER
set -eu

out=$(realpath "$1")
work=$(mktemp -d /tmp/capture.XXXXXX)
port=2298
cd /
rsyslog_pid=
sshd_pid=

cleanup() {
  set +e
  [ -n "$sshd_pid" ] && kill "$sshd_pid"
  [ -n "$rsyslog_pid" ] && kill "$rsyslog_pid" && wait "$rsyslog_pid"
  userdel -r -f alice >/dev/null 2>&1
  userdel -r -f bob >/dev/null 2>&1
  groupdel deploy >/dev/null 2>&1
  rm -rf /etc/sudoers.d/capture "$work"
}
trap cleanup EXIT

[ -e /dev/log ] && { echo "/dev/log is somebody else's" >&2; exit 1; }
chmod 755 "$work"
{
  echo "global(workDirectory=\"$work\" localHostname=\"web-02\")"
  echo 'module(load="imuxsock" SysSock.RateLimit.Interval="0")'
  # As rsyslog's own templates of these names, with a line end: on the network they have none.
  tag='%syslogtag:1:32%%msg:::sp-if-no-1st-sp%%msg%'
  cat <<CONF
template(name="rfc3164" type="string" string="<%PRI%>%TIMESTAMP% %HOSTNAME% $tag\n")
template(name="iso" type="string" string="<%PRI%>%TIMESTAMP:::date-rfc3339% %HOSTNAME% $tag\n")
template(name="rfc5424" type="string"
  string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% %STRUCTURED-DATA% %msg%\n")
*.* action(type="omfile" file="$work/rfc3164.log" template="rfc3164")
*.* action(type="omfile" file="$work/iso.log" template="iso")
*.* action(type="omfile" file="$work/rfc5424.log" template="rfc5424")
*.* action(type="omfile" file="$work/file.log" template="RSYSLOG_TraditionalFileFormat")
*.* action(type="omfile" file="$work/file-iso.log" template="RSYSLOG_FileFormat")
CONF
} >"$work/rsyslog.conf"
rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" &
rsyslog_pid=$!
for _ in $(seq 50); do [ -e /dev/log ] && break; sleep 0.1; done

useradd -m -s /bin/sh alice
useradd -m -s /bin/sh bob
groupadd deploy
usermod -aG deploy alice
printf 'alice:%s\nbob:%s\n' capture-only capture-only | chpasswd
gpasswd -d alice deploy >/dev/null
echo 'alice ALL=(ALL) NOPASSWD: /usr/bin/id' >/etc/sudoers.d/capture

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
mkdir -p /run/sshd ~alice/.ssh
cp "$work/key.pub" ~alice/.ssh/authorized_keys
chown -R alice: ~alice/.ssh
/usr/sbin/sshd -D -f /dev/null -p "$port" -h "$work/host" -o ListenAddress=127.0.0.1 \
  -o UsePAM=yes -o "PidFile=$work/sshd.pid" &
sshd_pid=$!
sleep 1
login() {
  ssh -q -p "$port" -i "$work/key" -o BatchMode=yes -o UserKnownHostsFile=/dev/null \
    -o StrictHostKeyChecking=no -F /dev/null "$@" </dev/null >/dev/null 2>&1 || true
}
login alice@127.0.0.1 'sudo -n /usr/bin/id; sudo -n /usr/bin/cat /etc/shadow'
login bob@127.0.0.1 true
login mallory@127.0.0.1 true
su bob -c true
su alice -c 'echo wrong | su bob -c true' >/dev/null 2>&1 || true
logger -t backup 'nothing that anybody did'
kill "$sshd_pid"
sshd_pid=
sleep 1
userdel -r alice 2>/dev/null
userdel -r bob 2>/dev/null
groupdel deploy
sleep 1
kill "$rsyslog_pid"
wait "$rsyslog_pid" || true
rsyslog_pid=
# rsyslog's own messages name the version and pid of the day.
for file in "$work"/*.log; do grep -v rsyslogd "$file" >"$out/$(basename "$file")"; done
