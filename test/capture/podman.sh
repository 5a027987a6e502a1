#!/bin/bash
# Makes the events in plugins/formats/docker/testdata: starts Podman's API service on folders of its
# own, makes and removes a container, images, volumes and a network, and leaves what GET /events
# streamed meanwhile, and the same as the text of `docker events`. Run as root on a throw-away Debian
# machine with podman, curl and the docker command. No container runs: that needs more of the
# machine. Usage: podman.sh OUT_JSON OUT_TEXT
set -eu

json=$(realpath "$1")
text=$(realpath "$2")
work=$(mktemp -d /tmp/capture.XXXXXX)
pids=

cleanup() {
  set +e
  [ -n "$pids" ] && kill $pids && wait $pids
  rm -rf "$work"
} 2>/dev/null
trap cleanup EXIT

options="--root $work/root --runroot $work/run --tmpdir $work/tmp --storage-driver=vfs
  --events-backend=file"
engine() {
  # shellcheck disable=SC2086
  podman $options "$@"
}

cd "$work"
# Not through the function: what is killed in the end has to be podman itself.
# shellcheck disable=SC2086
podman $options system service --time=0 "unix://$work/api.sock" >service.log 2>&1 &
pids=$!
for _ in $(seq 100); do [ -S api.sock ] && break; sleep 0.1; done
curl -sN --unix-socket api.sock http://engine/events >"$json" &
pids="$pids $!"
docker -H "unix://$work/api.sock" events >"$text" &
pids="$pids $!"
sleep 1

mkdir image
echo hello >image/hello
tar -C image -cf image.tar hello
engine import image.tar localhost/tiny:1
engine volume create --label team=ops ledger
engine network create inner
engine create --name web --label com.example.team=ops --label com.example.api-token=abc123 \
  -e SECRET=hunter2 -v ledger:/srv/ledger localhost/tiny:1 /hello
engine rename web shop
engine cp shop:/hello "$work/copied" || true
engine export -o exported.tar shop || true
engine commit shop localhost/shop:1
engine rm shop
engine tag localhost/tiny:1 localhost/tiny:2
engine untag localhost/tiny:1 localhost/tiny:2
engine save -o saved.tar localhost/tiny:1
engine rmi localhost/shop:1 localhost/tiny:1
engine load -i saved.tar
engine rmi localhost/tiny:1
engine volume rm ledger
engine network rm inner
engine create --name lost localhost/absent:1 || true
sleep 1
