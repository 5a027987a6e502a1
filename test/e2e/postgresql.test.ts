// Format pgaudit on the log of a real PostgreSQL: the agent killed with SIGKILL in the middle, each
// statement, also those over several lines, is in the trail exactly once.

import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";

const VERSIONS = "/usr/lib/postgresql";
const STATEMENTS_A_ROUND = 40;

/** The newest installed server that has pgaudit. */
function installed(): string | undefined {
  if (!existsSync(VERSIONS)) return undefined;
  const version = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))
    .find((name) => existsSync(join(VERSIONS, name, "lib/pgaudit.so")));
  return version === undefined ? undefined : join(VERSIONS, version, "bin");
}

/** The account the server runs as: it refuses to be root. */
function account(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = ["-u", "-g"].map((flag) =>
    Number(spawnSync("id", [flag, "postgres"]).stdout.toString())
  );
  return { uid: uid!, gid: gid! };
}

interface Server {
  readonly folder: string;
  readonly log: string;
  /** Runs statements in one session; resolves when it has ended. */
  run(statements: string): Promise<void>;
}

async function server(t: Test, bin: string): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-"));
  const who = account();
  if (who !== undefined) chownSync(folder, who.uid, who.gid);
  const data = join(folder, "data");
  const options = { cwd: folder, ...who };
  const call = (program: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(join(bin, program), args, options);
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  };
  call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--locale=C", "--no-sync");
  appendFileSync(
    join(data, "postgresql.conf"),
    `
listen_addresses = ''
unix_socket_directories = '${folder}'
shared_preload_libraries = 'pgaudit'
pgaudit.log = 'ddl'
log_destination = 'csvlog'
logging_collector = on
log_directory = '${folder}'
log_filename = 'postgresql'
log_timezone = 'UTC'
log_connections = on
fsync = off
`,
  );
  const running = spawn(join(bin, "postgres"), ["-D", data], { ...options, stdio: "ignore" });
  const ended = new Promise((resolve) => running.once("close", resolve));
  t.teardown(async () => {
    running.kill("SIGQUIT");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const args = ["-q", "-h", folder, "-U", "postgres", "-d", "postgres", "-f", "-"];
  const run = (statements: string) =>
    new Promise<void>((resolve, reject) => {
      const child = spawn(join(bin, "psql"), args, {
        ...options,
        stdio: ["pipe", "ignore", "pipe"],
      });
      let errors = "";
      child.stderr!.on("data", (chunk) => errors += chunk);
      child.on(
        "close",
        (code) => code === 0 && errors === "" ? resolve() : reject(new Error(errors)),
      );
      // One that cannot connect ends without reading; its exit says so.
      child.stdin!.on("error", () => {}).end(statements);
    });
  await until(() => run("").then(() => true, () => false), "the server to answer");
  return { folder, log: join(folder, "postgresql.csv"), run };
}

/** Tables with a column whose name needs every quote there is. */
function tables(first: number): string[] {
  return Array.from(
    { length: STATEMENTS_A_ROUND },
    (_, i) => `CREATE TABLE t${first + i}\n(\n  "a ""b"", c" int -- line ${i}\n);`,
  );
}

t.test("each statement of PostgreSQL is in the trail once, over kills of the agent", async (t) => {
  const bin = installed();
  if (bin === undefined) {
    const what = "PostgreSQL with pgaudit is missing: apt-get install postgresql-15-pgaudit";
    if (process.env.CI) t.fail(what);
    else t.pass(what, { skip: true });
    return;
  }
  const postgres = await server(t, bin);
  const folder = t.testdir();
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: h }
receivers: { file: { path: ${postgres.log}, format: pgaudit, start_at: beginning } }
exporters: { trail: { directory: ${folder}/trail, batch: { max_age: 50ms } } }
service: { pipelines: { main: { receivers: [file], exporters: [trail] } } }
`,
  );
  const made = () =>
    readTrail(join(folder, "trail")).map(({ record }) => record)
      .filter(({ eventName }) => eventName === "CreateTable");
  const statements: string[] = [];
  let agent = startCairn(["run", "--config", config]);
  for (let round = 0; round < 2; round++) {
    await agent.said(/Running/);
    const more = tables(statements.length);
    const before = made().length;
    const done = postgres.run(more.join("\n"));
    statements.push(...more);
    await until(() => made().length > before, "the first records of the round");
    agent.kill("SIGKILL");
    await agent.exit;
    await done;
    agent = startCairn(["run", "--config", config]);
  }
  await agent.said(/Running/);
  await until(() => made().length >= statements.length, "all that was made");
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.exit;
  t.equal(code, 0, stderr);
  const records = made();
  const told = records.map(({ requestParameters }) =>
    `${(requestParameters as { statement: string }).statement}`
  );
  t.same(told.sort(), statements.sort(), "each once, with all its lines");
  t.equal(new Set(records.map(({ eventID }) => eventID)).size, statements.length);
  t.match(records[0], {
    eventSource: "postgresql.host.internal",
    userIdentity: { type: "IAMUser", userName: "postgres" },
  });
});
