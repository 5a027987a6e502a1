// Ceph's radosgw as a real S3 for tests, where Debian's packages are on the machine: one monitor, one
// store in memory and the gateway, on free ports of 127.0.0.1, in a folder of the test's own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { AWS_KEYS } from "../../plugins/sdk/conformance/aws-signature.ts";

const PROGRAMS = ["monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw", "radosgw-admin"];
/** Name of the key that the gateway encrypts with under SSE-KMS. */
export const KMS_KEY = "testkey-1";
// A ceph that cannot reach its monitor waits for ever.
const COMMAND_MS = 60_000;
/** As the gateway and its tools need it without authentication; otherwise they hang. */
const AS_GATEWAY = ["-n", "client.rgw", "--ms_mon_client_mode=crc"];

/** Starts one for a test and gives its URL; undefined, with a comment, without the packages. */
export async function startRadosgw(t: Test): Promise<string | undefined> {
  const missing = PROGRAMS.filter((name) => spawnSync("which", [name]).status !== 0);
  if (missing.length > 0) {
    const packages = "radosgw ceph-mon ceph-osd ceph-mgr ceph-common";
    t.comment(`Skipped: ${missing.join(", ")} not on this machine (apt-get install ${packages})`);
    return undefined;
  }
  // Short: a socket's path has at most 108 bytes.
  const folder = mkdtempSync(join(tmpdir(), "rgw-"));
  const children: ChildProcess[] = [];
  t.teardown(async () => {
    await Promise.all(children.map(end));
    rmSync(folder, { recursive: true, force: true });
  });
  const ports = await freePorts(3);
  const config = writeConfiguration(folder, ports);
  const run = (program: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(program, args, { timeout: COMMAND_MS });
    if (status !== 0) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${stderr}`);
  };
  const start = (program: string, ...args: string[]) =>
    children.push(spawn(program, ["-f", "-c", config, ...args], { stdio: "ignore" }));
  run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", `${folder}/monmap`);
  start("ceph-mon", "-i", "a");
  const osd = randomUUID();
  run("timeout", "60", "ceph", "-c", config, "osd", "new", osd);
  run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", osd);
  start("ceph-osd", "-i", "0");
  const { access_key_id: id, secret_access_key: secret } = AWS_KEYS;
  const user = ["user", "create", "--uid=u", "--display-name=u"];
  const keys = [`--access-key=${id}`, `--secret-key=${secret}`];
  run("radosgw-admin", "-c", config, ...AS_GATEWAY, ...user, ...keys);
  start("radosgw", ...AS_GATEWAY);
  const url = `http://127.0.0.1:${ports[2]}`;
  const isUp = () => fetch(url).then((answer) => answer.text()).then(() => true, () => false);
  await until(isUp, "radosgw", COMMAND_MS);
  t.comment("Runs against Ceph's radosgw");
  return url;
}

function writeConfiguration(folder: string, [v2, v1, s3]: readonly number[]): string {
  const config = join(folder, "ceph.conf");
  const fsid = randomUUID();
  mkdirSync(join(folder, "mon"));
  mkdirSync(join(folder, "osd"));
  const monitor = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  writeFileSync(
    config,
    `[global]
fsid = ${fsid}
mon host = ${monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
osd objectstore = memstore
memstore device bytes = 2147483648
mon data = ${folder}/mon
osd data = ${folder}/osd
run dir = ${folder}
admin socket = ${folder}/$name.$pid.asok
log file = ${folder}/$name.log
pid file = ${folder}/$name.pid
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${s3}
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${KMS_KEY}=${randomBytes(32).toString("base64")}
`,
  );
  const made = spawnSync("monmaptool", [
    "--create",
    "--fsid",
    fsid,
    "--addv",
    "a",
    monitor,
    join(folder, "monmap"),
  ]);
  if (made.status !== 0) throw new Error(`Cannot run monmaptool: ${made.stderr}`);
  return config;
}

async function end(child: ChildProcess): Promise<void> {
  const closed = new Promise((resolve) => child.once("close", resolve));
  if (child.exitCode === null && child.signalCode === null) {
    process.kill(child.pid!, "SIGKILL");
    await closed;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
