// The process's streams, and mistakes as an operator meets them: all of the output through a slow
// pipe, a log that cannot be written, a configuration full of slips, a disk that refuses.

import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { commandOf, runtimeName, startCairn } from "../e2e/cairn.ts";
import { callCairn } from "./call.ts";

const run = (...args: string[]) => startCairn(args).exit;

const call = (...args: string[]) => callCairn(args);

/** A shell runs what `line` makes of the command. */
function shell(
  t: Test,
  line: (cairn: string) => string,
  cwd?: string,
): Promise<{ code: number | null; stdout: string }> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-output-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // In a file: Deno rewrites the command line of a shell that names its own program.
  const script = join(folder, "line.sh");
  writeFileSync(script, line(commandOf(runtimeName).map((word) => `'${word}'`).join(" ")));
  const child = spawn("sh", [script], { cwd, stdio: ["ignore", "pipe", "ignore"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
  return new Promise((done) => child.on("close", (code) => done({ code, stdout })));
}

const CONFIG = (folder: string) =>
  `agent: { data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning } }
exporters: { file: { path: ${folder}/out.jsonl, batch: { max_age: 20ms } } }
service: { pipelines: { p: { receivers: [file], exporters: [file] } } }
`;

t.test("cairn validate tells every mistake of a file with its place, and ends with 3", async (t) => {
  const folder = t.testdir({
    "bad.yaml": `agent:
  acount_id: "111122223333"
  region: EU_Central
receivers:
  file: { path: a, format: json, start_at: begining }
  auditd/one: { pth: /x }
  adutid: {}
exporters:
  trail: { directory: /x, batch: { max_age: 5 parsecs, max_records: -1 } }
  debug: { verbosity: chatty, timeout: "\${env:CAIRN_NO_SUCH_VARIABLE}" }
service:
  pipelines:
    p: { receivers: [file, fiel], exporters: [trial], queue: { overflow: drop } }
    q: { receivers: [], exporters: [debug] }
pipelines: {}
`,
  });
  const { code, stdout, stderr } = await run("validate", "--config", join(folder, "bad.yaml"));
  t.equal(code, 3);
  t.equal(stdout, "");
  const expected = [
    /:2:3: agent\.acount_id: Unknown option \(did you mean "account_id"\?\)/,
    /:3:11: agent\.region: Expected lower-case/,
    /:5:44: receivers\.file\.start_at: .*did you mean "beginning"/,
    /:6:17: receivers\.auditd\/one\.pth: .*did you mean "path"/,
    /:7:3: receivers\.adutid: Unknown receiver type "adutid" \(did you mean "auditd"\?\)/,
    /:9:45: exporters\.trail\.batch\.max_age: Expected a duration/,
    /:9:69: exporters\.trail\.batch\.max_records: /,
    /:10:23: exporters\.debug\.verbosity: Expected one of "basic", "detailed"/,
    /:10:40: exporters\.debug\.timeout: Environment variable "CAIRN_NO_SUCH_VARIABLE" is not set/,
    /:13:28: .*No receiver "fiel" is configured \(did you mean "file"\?\)/,
    /:13:47: .*No exporter "trial" is configured \(did you mean "trail"\?\)/,
    /:13:74: .*Expected one of "block", "drop_oldest"/,
    /:14:21: service\.pipelines\.q\.receivers: A pipeline needs a receiver/,
    /:15:1: pipelines: Unknown option/,
  ];
  for (const line of expected) t.match(stderr, line);
});

t.test("cairn validate prints a hundred problems, and how many more there are", async (t) => {
  const keys = Array.from({ length: 500 }, (_, index) => `key${index}: 1\n`).join("");
  const folder = t.testdir({ "many.yaml": keys });
  const { code, stderr } = await call("validate", "--config", join(folder, "many.yaml"));
  t.equal(code, 3);
  t.match(stderr, /error: 401 problems more, not shown\n$/);
  t.equal(stderr.trimEnd().split("\n").length, 101);
});

t.test("a configuration that is no text, and one without an end, are refused at once", async (t) => {
  const folder = t.testdir({ "latin.yaml": Buffer.from("agent: { host: \xe4 }\n", "latin1") });
  const latin = await call("validate", "--config", join(folder, "latin.yaml"));
  t.match(latin, { code: 3, stderr: /latin\.yaml: Cannot read configuration: not UTF-8 text/ });
  const endless = await call("validate", "--config", "/dev/zero");
  t.match(endless, { code: 3, stderr: /Cannot read configuration: larger than 1048576 bytes/ });
});

t.test("all of the output passes through a slow pipe; a reader may leave early", async (t) => {
  // A pipe holds 64 KiB, of which the zeros take most before the command begins.
  const json = await shell(
    t,
    (cairn) => `(head -c 60000 /dev/zero; ${cairn} components --json) | (sleep 1; tail -c +60001)`,
  );
  t.type(JSON.parse(json.stdout), Array);
  t.match(await shell(t, (cairn) => `${cairn} schema | head -n 1`), { code: 0, stdout: "{\n" });
});

t.test("whatever a command prints, a reader that leaves at once ends it quietly", async (t) => {
  const folder = t.testdir({ "in.jsonl": "", "cairn.yaml": "" });
  const config = join(folder, "cairn.yaml");
  writeFileSync(config, CONFIG(folder));
  await call("run", "--once", "--config", config);
  const commands = [
    "--help",
    "components",
    `print-config --defaults --origin --config ${config}`,
    `validate --deep --config ${config}`,
    `queue ls --config ${config}`,
    `queue verify --json --config ${config}`,
    `dead-letters ls --config ${config}`,
    `support-bundle -o - --config ${config}`,
    `tap --help`,
  ];
  const { stdout } = await shell(
    t,
    (cairn) =>
      commands.map((command) =>
        `{ ${cairn} ${command} 2>err; echo $? >code; } | true; cat code err\n`
      )
        .join(""),
    folder,
  );
  t.same(stdout.replaceAll(/^Without .*\n/gm, ""), "0\n".repeat(commands.length));
});

const noFullDevice = existsSync("/dev/full") ? false : "no /dev/full here";

t.test("an output that cannot be written is a failure", { skip: noFullDevice }, async (t) => {
  t.equal((await shell(t, (cairn) => `${cairn} schema >/dev/full`)).code, 1);
});

t.test("an agent whose log cannot be written goes on", { skip: noFullDevice }, async (t) => {
  const folder = t.testdir({ "in.jsonl": "no json\n" });
  const config = join(folder, "cairn.yaml");
  writeFileSync(config, CONFIG(folder));
  const end = shell(t, (cairn) => `exec ${cairn} run --config '${config}' 2>/dev/full`);
  const ask = () => call("status", "--json", "--config", config);
  let pid = 0;
  for (let rejected = 0; rejected < 2;) {
    const { code, stdout } = await ask();
    if (code !== 0) continue;
    const status = JSON.parse(stdout) as {
      pid: number;
      pipelines: { counts: { rejected: number } }[];
    };
    if (pid === 0) appendFileSync(join(folder, "in.jsonl"), "no json either\n");
    pid = status.pid;
    rejected = status.pipelines[0]?.counts.rejected ?? 0;
  }
  process.kill(pid, "SIGTERM");
  t.equal((await end).code, 0, "it stopped in order");
});

/** A mount of its own, or the reason why there can be none. */
function mount(folder: string, options: string): string | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `cannot mount: ${(error as Error).message.split("\n").join(" ")}`;
  }
}

for (
  const [name, options, pattern] of [
    ["full", "size=64k", /^cairn: Cannot use data_dir ".*": the disk is full; free some space/],
    ["read-only", "ro", /^cairn: Cannot use data_dir ".*": the file system is read-only; set/],
  ] as const
) {
  t.test(`a data_dir on a ${name} disk ends with 4 and what to do`, async (t) => {
    const folder = t.testdir({ "in.jsonl": "" });
    const disk = mkdtempSync(join(tmpdir(), "cairn-disk-"));
    const reason = mount(disk, options);
    t.teardown(() => {
      if (reason === undefined) execFileSync("umount", ["-l", disk]);
      rmdirSync(disk);
    });
    if (reason !== undefined) return void t.comment(`# SKIP ${reason}`);
    if (name === "full") writeFileSync(join(disk, "filler"), Buffer.alloc(61_440));
    const config = join(folder, "cairn.yaml");
    writeFileSync(config, CONFIG(folder).replace(`${folder}/data`, `${disk}/data`));
    const { code, stderr } = await call("run", "--once", "--config", config);
    t.equal(code, 4, stderr);
    t.match(stderr, pattern);
  });
}
