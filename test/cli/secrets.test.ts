// Promise P12: secrets do not leak. Marked ones stand everywhere a configuration can hold one, right
// or wrong; nothing that a command prints, logs or keeps beside the records holds a mark.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { gunzipSync } from "node:zlib";
import { join } from "node:path";
import t, { type Test } from "tap";
import { stringify } from "yaml";
import type { Shell } from "../../src/cli/command.ts";
import { until } from "../../plugins/sdk/conformance.ts";
import { createRegistry, loadAll } from "../../src/agent/registry.ts";
import { componentSchema } from "../../src/config/document-schema.ts";
import { agentOptions, serviceOptions } from "../../src/config/document.ts";
import { type JsonSchema, toJsonSchema } from "../../src/config/json-schema.ts";
import { isSecretKey } from "../../src/config/redact.ts";
import { startCairn } from "../e2e/cairn.ts";
import { otlpHttpServer } from "../telemetry/otlp-server.ts";
import { callCairn } from "./call.ts";

const MARK = "MARKED";

/** A new secret each time, so that one which leaks can be told. */
let marks = 0;
const mark = () => `${MARK}-${++marks}-0123456789abcdef`;

/** Names that end like those of secrets, and hold none. */
const NO_SECRETS = new Set(["signature", "key"]);

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn-secrets-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Paths of all options of a schema, with theirs. */
function optionsOf(schema: JsonSchema, path: readonly string[] = []): [string[], JsonSchema][] {
  const items = schema.items === undefined ? [] : [schema.items];
  const inner = [...schema.anyOf ?? [], ...schema.oneOf ?? [], ...items].flatMap((one) =>
    optionsOf(one, path)
  );
  const named = Object.entries(schema.properties ?? {}).flatMap((
    [name, option],
  ) => [
    [[...path, name], option] as [string[], JsonSchema],
    ...optionsOf(option, [...path, name]),
  ]);
  const { additionalProperties: open } = schema;
  const free = typeof open === "object"
    ? [[[...path, "x"], open] as [string[], JsonSchema], ...optionsOf(open, [...path, "x"])]
    : [];
  return [...inner, ...named, ...free];
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path;
  if (rest.length === 0) into[first!] = value;
  else put((into[first!] ??= {}) as Record<string, unknown>, rest, value);
}

t.test("P12: every option that is named as a secret is one, in every schema", async (t) => {
  const schemas = (await loadAll(createRegistry())).map((factory) =>
    [`${factory.kind} ${factory.type}`, componentSchema(factory)] as const
  );
  let secrets = 0;
  for (
    const [name, schema] of [
      ...schemas,
      ["agent", toJsonSchema(agentOptions)],
      ["service", toJsonSchema(serviceOptions)],
    ] as const
  ) {
    for (const [path, option] of optionsOf(schema)) {
      if (option.writeOnly === true) secrets++;
      const isNamed = isSecretKey(path.at(-1)!) && !NO_SECRETS.has(path.at(-1)!);
      if (isNamed && option.properties === undefined && option.type !== "boolean") {
        t.equal(option.writeOnly, true, `${name}: ${path.join(".")} has the schema secret`);
      }
    }
  }
  t.ok(secrets >= 3, `${secrets} secrets`);
});

/** A mark in every option of every component that is a secret. */
async function everySecret(): Promise<Record<string, unknown>> {
  const document: Record<string, unknown> = {};
  for (const factory of await loadAll(createRegistry())) {
    if (factory.kind === "format") continue;
    for (const [path, option] of optionsOf(componentSchema(factory))) {
      if (option.writeOnly !== true) continue;
      put(document, [`${factory.kind}s`, factory.type, ...path], mark());
      put(document, [`${factory.kind}s`, `${factory.type}/list`, ...path], [mark()]);
      put(document, [`${factory.kind}s`, `${factory.type}/map`, ...path], { x: mark() });
      put(document, [`${factory.kind}s`, `${factory.type}/env`, ...path], "${env:HIDDEN_TOKEN}");
    }
  }
  for (const [path, option] of optionsOf(toJsonSchema(serviceOptions))) {
    if (option.writeOnly === true) put(document, ["service", ...path], mark());
  }
  return document;
}

/** What is wrong, or has no schema, and holds a secret all the same. */
function slips(): string {
  return `receivers:
  webhook/z: { format: json, bearer_token: "\${env:HIDDEN_TOKEN}" }
  webhook/a: { format: json, secrt: ${mark()}, bearer_tokn: [${mark()}] }
  webhook/b: { format: json, mapping: { password: ${mark()}, deep: { api_key: ${mark()} } } }
  webhook/i: { format: json, secret: x, signature: ${mark()} }
  webhook/c: { format: json, max_connections: "\${env:HIDDEN_TOKEN}" }
  webhook/d: { format: "\${env:HIDDEN_TOKEN}", signature: "\${env:HIDDEN_TOKEN}" }
  webhook/e: { format: json, endpoint: "\${env:HIDDEN_TOKEN}", path: "\${env:HIDDEN_TOKEN}" }
  docker: { endpoint: "https://me:${mark()}@engine:2376/?token=${mark()}" }
  unheard_of: { token: ${mark()}, headers: { Authorization: Bearer ${mark()} } }
exporters: { trail: { directory: x, prefix: "\${env:HIDDEN_TOKEN}" } }
extensions: { api: { credentials: [{ secret_access_key: ${mark()} }] } }
service: { pipelines: { p: { receivers: ["\${env:HIDDEN_TOKEN}"] } } }
`;
}

t.test("P12: no mistake around a secret brings it into what the commands print", async (t) => {
  const folder = folderOf(t);
  const secretFile = mark();
  writeFileSync(join(folder, "token"), `${secretFile}\n`);
  writeFileSync(join(folder, "every.yaml"), stringify(await everySecret()));
  writeFileSync(join(folder, "slips.yaml"), slips());
  writeFileSync(join(folder, "broken.yaml"), `password: *${mark()}\ntoken: "${mark()}\n`);
  const env = {
    HIDDEN_TOKEN: mark(),
    HIDDEN_YAML: `receivers: { webhook: { secret: ${mark()} } }`,
  };
  const inline = `yaml:receivers::webhook/g: { bearer_token: ${mark()}, token: ${mark()} }`;
  const file = `yaml:receivers::webhook/h: { bearer_token: "\${file:${folder}/token}" }`;
  const set = ["--set", `receivers.webhook/x.bearer_token=${mark()}`, "--set", `nothing ${mark()}`];
  const closed = `http://me:${mark()}@127.0.0.1:1/${"x"}?token=${mark()}`;
  const sources = [
    [join(folder, "every.yaml")],
    [join(folder, "slips.yaml"), "env:HIDDEN_YAML", inline, file],
    [join(folder, "broken.yaml")],
    [closed, `s3://me:${mark()}@bucket/x`, `yaml:a: *${mark()}`.replace("a:", "token:")],
  ];
  const commands = [["validate"], ["validate", "--deep", "--json"], ["print-config"], [
    ...["print-config", "--defaults", "--origin"],
  ], ["run"]];
  for (const names of sources) {
    const named = names.flatMap((name) => ["--config", name]);
    for (const command of commands) {
      const { code, text } = await call([...command, ...named], env);
      t.equal(code, 3, `${command.join(" ")} ${names[0]}`);
      t.notMatch(text, MARK, command.join(" "));
    }
    t.notMatch((await call(["validate", ...named, ...set], env)).text, MARK);
    const bundle = join(folder, `${sources.findIndex((each) => each === names)}.tar.gz`);
    const place = ["--without-verify", "-o", bundle];
    t.notMatch((await call(["support-bundle", ...place, ...named, ...set], env)).text, MARK);
    // What cannot be read at all leaves nothing to gather.
    const content = gunzipSync(readFileSync(bundle)).toString();
    t.match(content, /about\.json/);
    t.notMatch(content, MARK, `bundle of ${names[0]}`);
  }
});

/** A command within this process: what it prints, on either stream. */
async function call(argv: readonly string[], env: Shell["env"]) {
  const { code, stdout, stderr } = await callCairn(argv, env);
  return { code, text: stdout + stderr };
}

/** Posts a body; resolves with the status. */
function post(port: number, authorization: string, body: string): Promise<number> {
  return new Promise((done, fail) => {
    const headers = { authorization, "content-type": "application/json" };
    const sending = request({ port, host: "127.0.0.1", method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => done(answer.statusCode!));
    });
    sending.on("error", fail);
    sending.end(body);
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** `cairn tap` of all stages: what it shows until it has shown so many, with work in between. */
function tapOf(config: string, env: Shell["env"], count: number) {
  const stages = ["received", "normalized", "stored", "exported", "rejected"].join(",");
  const tap = call(["tap", "--config", config, "--stage", stages, "--limit", `${count}`], env);
  let hasEnded = false;
  tap.finally(() => hasEnded = true);
  return {
    async until(work: () => Promise<void>): Promise<string> {
      for (let i = 0; i < 200 && !hasEnded; i++) await work();
      return (await tap).text;
    },
  };
}

function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
}

t.test("P12: an agent at work on debug level keeps its secrets from log, status and data", async (t) => {
  const folder = folderOf(t);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const [token, key] = [mark(), mark()];
  const collector = await otlpHttpServer();
  t.teardown(collector.close);
  const otlp = (name: string) =>
    `{ endpoint: "${collector.endpoint}", headers: { x-${name}: ${mark()} } }`;
  const config = join(folder, "cairn.yaml");
  writeFileSync(join(folder, "key"), key);
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers:
  webhook: { endpoint: 127.0.0.1:${port}, format: json, bearer_token: "\${env:HIDDEN_TOKEN}" }
  k8s_audit: { endpoint: "unix://${folder}/k8s.sock", bearer_token: "\${file:${folder}/key}" }
exporters: { file: { path: ${folder}/out.jsonl, batch: { max_age: 20ms } } }
service:
  pipelines: { p: { receivers: [webhook, k8s_audit], exporters: [file] } }
  telemetry:
    logs: { level: debug, otlp: ${otlp("log")} }
    traces: { otlp: ${otlp("trace")} }
    metrics: { endpoint: "127.0.0.1:${metricsPort}", otlp: ${otlp("metric")} }
`,
  );
  const env = { HIDDEN_TOKEN: token };
  const agent = startCairn(["run", "--config", config], { env });
  await agent.said(/"Running"/);
  const tapped = tapOf(config, env, 9);
  const wrong = mark();
  t.equal(await post(port, `Bearer ${wrong}`, "{}"), 401);
  const event = { time: Date.now(), service: "s", action: "Do", actor: "me" };
  const taken = await post(port, `Bearer ${token}`, JSON.stringify(event));
  t.ok(taken < 300, `taken: ${taken}`);
  t.ok(await post(port, `Bearer ${token}`, "no json") < 500);
  const out = join(folder, "out.jsonl");
  await until(() => readFileSync(out, { flag: "a+" }).length > 0, "the event is delivered");
  const files = [...filesBelow(join(folder, "data")), out];
  t.ok(files.length > 3, `${files.length} files`);
  for (const file of files) t.notOk(readFileSync(file).includes(MARK), file);
  // What a payload holds is data, and delivered as it is; whoever only looks sees no secret.
  let number = 0;
  const looked = await tapped.until(async () => {
    const request = { password: "PAYLOAD-1", url: "https://me:PAYLOAD-2@host/" };
    const more = { ...event, time: event.time + ++number, ...request, again: `Bearer ${token}` };
    await post(port, `Bearer ${token}`, JSON.stringify(more));
    await post(port, `Bearer ${token}`, `no json, but --password=PAYLOAD-3 and ${token}`);
  });
  t.match(looked, /"stage":"stored"/);
  t.match(looked, /"stage":"rejected"/);
  t.notMatch(looked, /PAYLOAD|MARKED/, "a tap");
  const served = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, {
    headers: { connection: "close" },
  });
  t.notMatch(await served.text(), /PAYLOAD|MARKED/, "metrics");
  const run = (...args: string[]) => call(args, env);
  const answers = await Promise.all([
    run("status", "--config", config),
    run("status", "--json", "--config", config),
    run("validate", "--config", config),
    run("validate", "--deep", "--config", config),
    run("print-config", "--defaults", "--origin", "--config", config),
    run("components"),
    run("components", "--json"),
    run("schema"),
    run("schema", "--reference"),
    run("support-bundle", "--config", config, "-o", join(folder, "bundle"), "--with-payload"),
    run("queue", "ls", "--config", config),
    run("queue", "verify", "--json", "--config", config),
    run("dead-letters", "ls", "--json", "--config", config),
  ]);
  const bundle = gunzipSync(readFileSync(join(folder, "bundle"))).toString();
  t.match(bundle, /log\.jsonl/);
  t.notMatch(bundle, /PAYLOAD|MARKED/, "a support bundle, with payload");
  agent.kill("SIGTERM");
  const end = await agent.exit;
  t.equal(end.code, 0, end.stderr);
  for (const { code, text } of answers) {
    t.equal(code, 0);
    t.notMatch(text, /PAYLOAD|MARKED/);
  }
  t.match(answers[4]?.text, /bearer_token: "\[secret\]"/);
  t.notMatch(end.stdout + end.stderr, /PAYLOAD|MARKED/);
  t.ok(collector.requests.length >= 3, `${collector.requests.length} requests of telemetry`);
  const sent = JSON.stringify(collector.requests.map(({ content }) => content));
  t.notMatch(sent, /PAYLOAD|MARKED/, "logs, spans and metrics");
});
