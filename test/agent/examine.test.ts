// examine(): what `cairn validate --deep` finds of data_dir, queues and clock, and of components
// whose own check misbehaves.

import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { z } from "zod";
import { AWS_KEYS, AwsServer } from "../../plugins/sdk/conformance/aws-server.ts";
import { type CheckContext, defineExtension, type Finding } from "../../plugins/sdk/index.ts";
import { examine } from "../../src/agent/examine.ts";
import { loadConfig } from "../../src/mod.ts";
import type { ResolvedConfig } from "../../src/config/resolved.ts";
import { startCairn } from "../e2e/cairn.ts";
import { callCairn } from "../cli/call.ts";

const DAY_MS = 86_400_000;

const text = (folder: string, more = "") =>
  `agent: { data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning } }
exporters: { trail: { directory: ${folder}/trail } }
service: { pipelines: { p: { receivers: [file], exporters: [trail]${more} } } }
`;

const configOf = (folder: string, more?: string): Promise<ResolvedConfig> =>
  loadConfig([{ name: "x.yaml", text: text(folder, more) }]);

const told = (findings: readonly Finding[]) =>
  findings.map(({ level, path, message }) => `${level} ${path}: ${message}`).join("\n");

const look = async (config: ResolvedConfig, now = Date.now()) =>
  told(await examine(config, { clock: () => now, version: "1" }));

/** A data_dir that an agent has left. */
async function used(t: Test): Promise<string> {
  const folder = t.testdir({ "in.jsonl": "" });
  const config = join(folder, "cairn.yaml");
  writeFileSync(config, text(folder));
  const { code, stderr } = await callCairn(["run", "--once", "--config", config]);
  t.equal(code, 0, stderr);
  return folder;
}

t.test("examine() of a new host finds no problem, and makes nothing", async (t) => {
  const folder = t.testdir({});
  const findings = await look(await configOf(folder));
  t.notMatch(findings, /^problem/m);
  t.match(findings, `ok agent.data_dir: "${folder}/data" can be made`);
  t.match(findings, "ok service.pipelines.p.queue: No queue yet");
  t.match(findings, /warning receivers\.file\.path: Cannot read ".*": no such file/);
  t.match(findings, `ok exporters.trail.directory: "${folder}/trail" can be made`);
  t.same(readdirSync(folder), []);
});

t.test("examine() tells a data_dir that cannot be used, too little room and a wrong clock", async (t) => {
  const folder = t.testdir({ data: "a file" });
  const more = ", queue: { min_free_disk: 900000TiB }";
  const findings = await look(await configOf(folder, more), Date.parse("2001-01-01"));
  t.match(findings, /problem agent\.data_dir: Cannot write to /);
  t.match(findings, /problem service\.pipelines\.p\.queue\.min_free_disk: Disk .* free/);
  t.match(findings, /problem : Clock shows 2001-.*, before this program was installed/);
});

t.test("examine() looks at a queue's headers without lock or change", async (t) => {
  const folder = await used(t);
  const queue = join(folder, "data", "queue", "p");
  const names = readdirSync(queue);
  const config = await configOf(folder);
  t.match(await look(config), /ok service\.pipelines\.p\.queue: Queue has 1 segment/);
  t.same(readdirSync(queue), names);
  t.match(await look(config, Date.now() - DAY_MS), /was begun after what the clock shows/);
  const segment = join(queue, names.find((name) => name.endsWith(".seg"))!);
  const whole = readFileSync(segment);
  const damage = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(whole);
    change(bytes);
    writeFileSync(segment, bytes);
    return look(config);
  };
  t.match(await damage((bytes) => bytes[25]! ^= 1), /warning .*one damaged copy of its header/);
  t.match(await damage((bytes) => bytes.fill(0)), /warning .*no header that can be read/);
  appendFileSync(join(queue, "x.broken"), "");
  t.match(await damage(() => {}), /warning .*1 file of damaged parts are kept aside/);
});

t.test("examine() outlives a check that throws, hangs or is not there", async (t) => {
  const folder = t.testdir({});
  const config = await configOf(folder);
  const extension = (check?: (config: unknown, c: CheckContext) => Promise<Finding[]>) => ({
    id: "x",
    config: {},
    factory: defineExtension({
      type: "x",
      stability: "stable",
      summary: "",
      config: z.unknown(),
      ...(check && { check }),
      create: () => ({ start: () => Promise.resolve(), stop: () => Promise.resolve() }),
    }),
  });
  let aborted = false;
  const checks = [
    extension(),
    extension(() => {
      throw new Error("thrown");
    }),
    extension((_, { signal }) => {
      signal.addEventListener("abort", () => aborted = true);
      return new Promise(() => {});
    }),
    extension(() => Promise.resolve([{ level: "problem", path: "", message: "Found" }])),
  ];
  const extensions = new Map(checks.map((one, i) => [`x/${i}`, { ...one, id: `x/${i}` }]));
  const findings = await examine({ ...config, extensions }, {
    clock: Date.now,
    version: "1",
    checkMs: 500,
  });
  t.match(told(findings), "warning extensions.x/1: Cannot be checked: thrown");
  t.match(told(findings), "warning extensions.x/2: Check did not end within 0.5 s");
  t.match(told(findings), "problem extensions.x/3: Found");
  t.ok(aborted);
});

t.test("examine() asks a bucket, tables and metrics", async (t) => {
  const server = await new AwsServer().start();
  t.teardown(() => server.stop());
  server.put("b", "key", "{}");
  const folder = t.testdir({ "t.csv": "a,b\n" });
  const store = `endpoint: ${server.url}, access_key_id: AKIATEST, secret_access_key`;
  const lines = `agent: { data_dir: ${folder}/data }
receivers:
  cloudtrail: { bucket: b, ${store}: "${AWS_KEYS.secret_access_key}" }
  cloudtrail/denied: { bucket: b, ${store}: wrong }
  cloudtrail/queue: { sqs_queue_url: "http://no.such.host.invalid/1/q" }
  cloudtrail/folder: { path: ${folder} }
processors: { enrich: { tables: [{ path: ${folder}/t.csv, as: x, field: a, values: { b: b } }] } }
exporters: { trail: { directory: ${folder}/trail } }
service:
  pipelines:
    p:
      receivers: [cloudtrail, cloudtrail/denied, cloudtrail/queue, cloudtrail/folder]
      processors: [enrich]
      exporters: [trail]
  telemetry:
    metrics: { endpoint: "127.0.0.1:0", otlp: { endpoint: "http://no.such.host.invalid" } }
    logs: { otlp: { endpoint: "http://no.such.host.invalid:4318" } }
    traces: { otlp: { endpoint: "https://localhost:4317", tls: { ca_file: ${folder}/none.pem } } }
`;
  const findings = await look(await loadConfig([{ name: "x.yaml", text: lines }]));
  t.match(findings, 'ok receivers.cloudtrail.bucket: Bucket "b" can be listed');
  t.match(findings, /^problem receivers\.cloudtrail\/denied\.bucket: .*SignatureDoesNotMatch/m);
  t.match(findings, /^problem receivers\.cloudtrail\/queue\.sqs_queue_url: Cannot resolve/m);
  t.match(findings, /^ok receivers\.cloudtrail\/folder\.path: /m);
  t.match(findings, /^ok processors\.enrich\.tables\[0\]\.path: /m);
  t.match(findings, 'ok service.telemetry.metrics.endpoint: "127.0.0.1:0" is free');
  t.match(findings, /^problem service\.telemetry\.metrics\.otlp\.endpoint: Cannot resolve/m);
  t.match(findings, /^problem service\.telemetry\.logs\.otlp\.endpoint: Cannot resolve/m);
  t.match(findings, /^problem service\.telemetry\.traces\.otlp\.tls\.ca_file: .*none\.pem/m);
});

t.test("cairn validate --deep ends with 3 for a problem, and prints JSON if asked", async (t) => {
  const folder = t.testdir({ "in.jsonl": "", trail: "a file" });
  const config = join(folder, "cairn.yaml");
  writeFileSync(config, text(folder));
  const run = (...args: string[]) => callCairn(["validate", "--config", config, ...args]);
  const deep = await run("--deep");
  t.equal(deep.code, 3, deep.stderr);
  t.match(deep.stdout, /Configuration is valid: /);
  t.match(deep.stdout, /^problem exporters\.trail\.directory: Cannot write to .* \(let the/m);
  t.match(deep.stdout, /^Asked this host: \d+ ok, \d+ warnings, 1 problem$/m);
  const json = await run("--deep", "--json");
  t.equal(json.code, 3);
  const answer = JSON.parse(json.stdout) as { valid: boolean; findings: Finding[] };
  t.equal(answer.valid, false);
  t.match(answer.findings.filter(({ level }) => level === "problem"), [
    { path: "exporters.trail.directory" },
  ]);
  const shallow = await run("--json", "--set", "agent.regoin=x");
  t.equal(shallow.code, 3);
  t.match(JSON.parse(shallow.stdout), {
    valid: false,
    problems: [{ at: "--set agent.regoin=…", path: "agent.regoin", problem: "Unknown option" }],
    warnings: [],
  });
  t.notOk(existsSync(join(folder, "data")), "nothing was made");
});

t.test("cairn validate --deep beside the running agent takes its ports for its own", async (t) => {
  // A socket's path has to be short.
  const folder = mkdtempSync(join(tmpdir(), "cairn-examine-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers: { webhook: { endpoint: "unix://${folder}/w.sock", format: json } }
exporters: { trail: { directory: ${folder}/trail } }
service: { pipelines: { p: { receivers: [webhook], exporters: [trail] } } }
`,
  );
  const agent = startCairn(["run", "--config", config]);
  await agent.said(/"Running"/);
  const { code, stdout } = await callCairn(["validate", "--deep", "--config", config]);
  t.equal(code, 0, stdout);
  t.match(stdout, /^ok {6}agent\.data_dir: An agent runs on data_dir/m);
  t.match(stdout, /^warning receivers\.webhook\.endpoint: Somebody listens .*the running agent/m);
  agent.kill("SIGTERM");
  t.equal((await agent.exit).code, 0);
});
