// `cairn`: commands, exit codes, signals, and what it says; as a process where that matters.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { parseArguments } from "../../src/cli/command.ts";
import { userDataDir } from "../../src/cli/configuration.ts";
import { startCairn } from "../e2e/cairn.ts";
import { readTrail } from "../e2e/trail.ts";
import { callCairn } from "./call.ts";

const RECORD = {
  eventVersion: "1.11",
  eventID: "6f0e3a34-8c1d-4d5e-9f5b-0c1f0a8f7a11",
  eventTime: "2026-01-02T03:04:05Z",
  eventSource: "s3.amazonaws.com",
  eventName: "ListBuckets",
  awsRegion: "eu-central-1",
  eventType: "AwsApiCall",
  recipientAccountId: "111122223333",
};

function setUp(t: Test, more = ""): { folder: string; config: string } {
  const folder = mkdtempSync(join(tmpdir(), "cairn-cli-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "in.jsonl"), `${JSON.stringify(RECORD)}\n`);
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers:
  file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning }
exporters:
  trail: { directory: ${folder}/trail, batch: { max_age: 50ms } }
service: { pipelines: { p: { receivers: [file], exporters: [trail] } } }
${more}`,
  );
  return { folder, config };
}

const run = (...args: string[]) => startCairn(args).exit;

const call = (...args: string[]) => callCairn(args);

t.test("parseArguments() reads options and tells what it does not know", async (t) => {
  const options = {
    set: { type: "string", multiple: true, help: "" },
    json: { type: "boolean", help: "" },
    dir: { type: "string", help: "" },
  } as const;
  const { flags, values } = parseArguments(["--set", "a=b", "--json", "--set=c=d"], options);
  t.ok(flags.has("json"));
  t.same(values, { set: ["a=b", "c=d"] });
  t.throws(() => parseArguments(["--jsno"], options), {
    message: /"--jsno" \(did you mean "--json"/,
  });
  t.throws(() => parseArguments(["--set"], options), { message: /--set needs a value/ });
  t.throws(() => parseArguments(["--json=1"], options), { message: /--json takes no value/ });
  t.throws(() => parseArguments(["--dir", "a", "--dir", "b"], options), { message: /twice/ });
  t.throws(() => parseArguments(["more"], options), { message: 'Unknown argument "more"' });
  const config = { config: { type: "string", help: "" } } as const;
  t.throws(() => parseArguments(["a.yaml"], config), {
    message: 'Unknown argument "a.yaml" (did you mean "--config a.yaml"?)',
  });
});

t.test("userDataDir() heeds XDG_STATE_HOME where it is absolute, else HOME", async (t) => {
  t.equal(userDataDir({ XDG_STATE_HOME: "/x", HOME: "/h" }), "/x/cairn");
  t.equal(userDataDir({ XDG_STATE_HOME: "x", HOME: "/h" }), "/h/.local/state/cairn");
  t.equal(userDataDir({ XDG_STATE_HOME: "", HOME: "" }), "cairn-data");
});

t.test("cairn explains itself, and ends with 2 where it is not understood", async (t) => {
  const [help, runHelp, version, unknown, option] = await Promise.all([
    run("--help"),
    run("run", "--help"),
    run("--version"),
    run("rnu"),
    run("run", "--onec"),
  ]);
  t.match(help, { code: 0, stdout: /Commands:[^]*validate[^]*Exit codes:[^]*data_dir/ });
  t.match(runHelp, { code: 0, stdout: /--once/ });
  t.match(version, { code: 0, stdout: /^cairn \d/ });
  t.match(unknown, { code: 2, stderr: /Unknown command "rnu" \(did you mean "run"\?\)/ });
  t.match(option, { code: 2, stderr: /did you mean "--once"\?[^]*Try "cairn run --help"/ });
});

t.test("cairn run --once with fifteen receivers warns of no leak", async (t) => {
  const { folder, config } = setUp(t);
  const more = Array.from({ length: 15 }, (_, i) => [
    "--set",
    `receivers.file/r${i}={ path: ${folder}/in${i}.jsonl, format: cloudtrail }`,
  ]).flat();
  const ids = Array.from({ length: 15 }, (_, i) => `file/r${i}`).join(", ");
  const all = `service.pipelines.p.receivers=[${ids}]`;
  const { code, stderr } = await run("run", "--once", "--config", config, ...more, "--set", all);
  t.equal(code, 0);
  t.notMatch(stderr, /Warning/);
  t.match(stderr, /Stopped/);
});

t.test("cairn validate says ok, or every problem and 3", async (t) => {
  const { config } = setUp(t);
  t.match(await call("validate", "--config", config), {
    code: 0,
    stdout: /Configuration is valid/,
  });
  const bad = await call(
    "validate",
    "--config",
    config,
    "--set",
    "exporters.trail.nmae=x",
    "--set",
    "service.pipelines.p.queue.overflow=drop",
  );
  t.equal(bad.code, 3);
  t.match(bad.stderr, /did you mean "name"\?/);
  t.match(bad.stderr, /Expected one of "block", "drop_oldest"/);
  const none = await call("run", "--config", "/no/such.yaml");
  t.match(none, { code: 3, stderr: /such\.yaml: Cannot read configuration: no such file/ });
});

t.test("cairn run --once delivers all and ends with 0; again, it adds nothing", async (t) => {
  const { config, folder } = setUp(t);
  for (let round = 0; round < 2; round++) {
    const { code, stderr } = await run("run", "--once", "--config", config);
    t.equal(code, 0, stderr);
    t.same(readTrail(join(folder, "trail")).map(({ record }) => record), [RECORD]);
  }
});

t.test("cairn status asks the running agent, which a signal stops in order", async (t) => {
  const { config, folder } = setUp(t);
  const dataDir = join(folder, "data");
  t.match(await call("status", "--data-dir", dataDir), { code: 5, stderr: /No agent is running/ });
  const agent = startCairn(["run", "--config", config]);
  await agent.said(/"Running"/);
  const [people, machines, second] = await Promise.all([
    call("status", "--config", config),
    run("status", "--json", "--data-dir", dataDir),
    run("run", "--config", config),
  ]);
  t.match(people, { code: 0, stdout: /pipeline p\n {2}received \d+ = stored/ });
  t.match(JSON.parse(machines.stdout), { state: "running", pid: agent.pid });
  t.match(second, { code: 4, stderr: new RegExp(`Another agent, process ${agent.pid}, answers`) });
  agent.kill("SIGTERM");
  t.match(await agent.exit, { code: 0, stderr: /"Stopped"/ });
});

t.test("a data_dir that cannot be used ends with 4 and one line", async (t) => {
  const { config, folder } = setUp(t);
  const { code, stderr } = await call(
    "run",
    "--config",
    config,
    "--set",
    `agent.data_dir=${folder}/in.jsonl`,
  );
  t.equal(code, 4);
  t.match(stderr, /^cairn: Cannot use data_dir ".*": .*set agent\.data_dir/m);
});
