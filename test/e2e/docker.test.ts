// Receiver docker against Podman's API: the agent killed with SIGKILL in the middle, and the API
// service restarted, each action is in the trail exactly once.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const AT_ONCE = 10;

interface Podman {
  readonly socket: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Makes volumes; answers their names. */
  make(count: number): Promise<string[]>;
}

/** Podman's API on folders of its own, away from the machine's containers. */
function podman(t: Test): Podman {
  // Paths of sockets have a short limit.
  const folder = mkdtempSync(join(tmpdir(), "cairn-"));
  const socket = join(folder, "api.sock");
  // Its locks too: the table in shared memory is the machine's, keeps what an earlier run took, and
  // is full after some of them.
  const settings = join(folder, "containers.conf");
  writeFileSync(settings, '[engine]\nlock_type = "file"\n');
  let service: ChildProcess | undefined;
  let number = 0;
  const stop = async () => {
    const child = service;
    service = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await closed;
    rmSync(socket, { force: true });
  };
  t.teardown(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    socket,
    stop,
    async start() {
      const folders = ["root", "runroot", "tmpdir"].map((name) => `--${name}=${folder}/${name}`);
      service = spawn("podman", [
        ...folders,
        "--storage-driver=vfs",
        "--events-backend=file",
        "system",
        "service",
        "--time=0",
        `unix://${socket}`,
      ], { stdio: "ignore", env: { ...process.env, CONTAINERS_CONF: settings } });
      // The file is there before anybody listens, and after a kill.
      await until(() => answers(socket), "Podman to listen");
    },
    async make(count) {
      const names = Array.from({ length: count }, () => `volume-${number++}`);
      for (let first = 0; first < count; first += AT_ONCE) {
        await Promise.all(names.slice(first, first + AT_ONCE).map((name) => create(socket, name)));
      }
      return names;
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });
}

function create(socketPath: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const path = "/v1.40/volumes/create";
    request({ socketPath, path, method: "POST", headers }, (response) => {
      response.resume().on("end", () => {
        if (response.statusCode === 201) resolve();
        else reject(new Error(`Cannot create volume: Podman answered ${response.statusCode}`));
      });
    }).on("error", reject).end(JSON.stringify({ Name: name }));
  });
}

function configuration(folder: string, socket: string): string {
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers: { docker: { endpoint: "unix://${socket}", reconnect_max: 100ms } }
exporters: { trail: { directory: ${folder}/trail, batch: { max_age: 50ms } } }
service: { pipelines: { main: { receivers: [docker], exporters: [trail] } } }
`,
  );
  return path;
}

t.test("each action of Podman is in the trail once, over kills of the agent and Podman", async (t) => {
  if (spawnSync("podman", ["--version"]).status !== 0) {
    if (process.env.CI) t.fail("podman is missing: apt-get install podman");
    else t.pass("podman is not on this machine", { skip: true });
    return;
  }
  const folder = t.testdir();
  const engine = podman(t);
  const config = configuration(folder, engine.socket);
  const trail = join(folder, "trail");
  const delivered = () =>
    readTrail(trail).map(({ record }) => record).filter(({ eventName }) =>
      eventName === "CreateVolume"
    );
  await engine.start();
  const made: string[] = [];
  let agent = startCairn(["run", "--config", config]);
  t.teardown(() => agent.kill("SIGKILL"));
  await agent.said(/Connected/);
  for (const round of [0, 1]) {
    made.push(...await engine.make(30));
    await until(() => delivered().length > made.length - 30, `records of round ${round}`);
    const pending = engine.make(30);
    agent.kill("SIGKILL");
    await agent.exit;
    made.push(...await pending);
    // While nobody listens.
    made.push(...await engine.make(10));
    if (round === 1) {
      await engine.stop();
      await engine.start();
    }
    agent = startCairn(["run", "--config", config]);
    await agent.said(/Connected/);
  }
  await engine.stop();
  await engine.start();
  made.push(...await engine.make(5));
  await until(() => delivered().length >= made.length, "all that was made");
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.exit;
  t.equal(code, 0, stderr);
  t.notMatch(stderr, /forgotten/, "no gap");
  const records = delivered();
  t.same(
    records.map(({ requestParameters }) => (requestParameters as { name: string }).name).sort(),
    made.sort(),
    "as many as were made, each once",
  );
  t.equal(new Set(records.map(({ eventID }) => eventID)).size, made.length);
  t.match(records[0], { eventSource: "docker.host.internal", userIdentity: { type: "Unknown" } });
});
