// What `cairn validate --deep` asks of paths, endpoints and certificates.

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import {
  checkCertificates,
  checkConnects,
  checkListening,
  checkResolves,
  checkServerTls,
} from "./check-listen.ts";
import {
  checkReadable,
  checkReadableFolder,
  checkWritableFile,
  checkWritableFolder,
} from "./check-path.ts";
import { testCertificates } from "./conformance/certificates.ts";
import { findFiles } from "./follow-files.ts";
import type { CheckContext, Finding } from "./finding.ts";

const DAY_MS = 86_400_000;

const context = (more: Partial<CheckContext> = {}): CheckContext => ({
  clock: Date.now,
  signal: new AbortController().signal,
  agentRuns: false,
  agent: {
    accountId: "111122223333",
    region: "local",
    partition: "cairn",
    domain: "host.internal",
    host: "web",
    version: "1",
  },
  ...more,
});

const told = (findings: readonly Finding[]) =>
  findings.map(({ level, path, message }) => `${level} ${path}: ${message}`);

t.test("checkReadable() tells files that are there, missing, folders and patterns", async (t) => {
  const folder = t.testdir({ "a.log": "", "b.log": "", inner: {} });
  const look = async (path: string) => told(await checkReadable(path, "path"))[0];
  t.equal(await look(`${folder}/a.log`), `ok path: "${folder}/a.log" can be read`);
  t.match(await look(`${folder}/no.log`), /^warning path: Cannot read ".*": no such file/);
  t.match(await look(`${folder}/inner`), /^problem path: ".*" is a folder/);
  t.match(await look(`${folder}/a.log/x`), /^problem path: .*a part of the path is a file/);
  t.match(await look(`${folder}/*.log`), /^ok path: 2 files that fit/);
  t.match(await look(`${folder}/*.txt`), /^warning path: No file fits/);
  t.match(told(await checkReadableFolder(folder, "d")), [/^ok d: /]);
  t.match(told(await checkReadableFolder(`${folder}/no`, "d")), [/^warning d: Cannot read/]);
});

t.test("checkWritableFolder() and checkWritableFile() make nothing", async (t) => {
  const folder = t.testdir({ "a.log": "", inner: {} });
  const look = async (path: string) => told(await checkWritableFolder(path, "d"))[0];
  t.match(await look(folder), /^ok d: ".*" can be written/);
  t.match(await look(`${folder}/x/y`), /^ok d: ".*" can be made/);
  t.notOk(existsSync(`${folder}/x`));
  t.match(await look(`${folder}/a.log`), /^problem d: .*a part of the path is a file/);
  t.match(await look(`${folder}/a.log/x`), /^problem d: Cannot write to/);
  const file = async (path: string) => told(await checkWritableFile(path, "p"))[0];
  t.match(await file(`${folder}/a.log`), /^ok p: /);
  t.match(await file(`${folder}/new.log`), /^ok p: /);
  t.match(await file(`${folder}/inner`), /^problem p: Cannot write ".*": EISDIR/);
  t.notOk(existsSync(`${folder}/new.log`));
});

const asRoot = process.getuid?.() === 0 ? "root may read everything" : false;

t.test("what the user may not read or write is a problem", { skip: asRoot }, async (t) => {
  const folder = t.testdir({ "a.log": "", inner: { "b.log": "" } });
  chmodSync(join(folder, "a.log"), 0);
  chmodSync(join(folder, "inner"), 0o500);
  t.teardown(() => chmodSync(join(folder, "inner"), 0o700));
  t.match(told(await checkReadable(`${folder}/a.log`, "p")), [/^problem .*permission denied/]);
  t.match(told(await checkReadable(`${folder}/*.log`, "p")), [/^problem .*permission denied/]);
  t.match(told(await checkWritableFolder(`${folder}/inner`, "p")), [/^problem .*denied/]);
});

async function listen(t: Test, at: { port: number; host: string } | { path: string }) {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done) => server.listen(at, done));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test("checkListening() tells a free port from one in use, over TCP and UDP", async (t) => {
  const host = "127.0.0.1";
  const port = await listen(t, { port: 0, host });
  const look = async (endpoint: { host: string; port: number }, more?: Partial<CheckContext>) =>
    told(await checkListening({ endpoint }, context(more)))[0];
  t.equal(await look({ host, port: 0 }), 'ok endpoint: "127.0.0.1:0" is free');
  t.match(await look({ host, port }), /^problem endpoint: Cannot listen on .* already in use/);
  t.match(await look({ host, port }, { agentRuns: true }), /^warning .*by the running agent/);
  t.match(await look({ host: "192.0.2.1", port: 0 }), /^problem endpoint: Cannot listen on/);
  t.match(await look({ host: "no.such.host.invalid", port: 0 }), /^problem endpoint: /);
  const socket = createSocket("udp4");
  t.teardown(() => socket.close());
  await new Promise<void>((done) => socket.bind(0, host, done));
  const datagrams = (at: number) =>
    checkListening({ endpoint: { host, port: at } }, context(), "x.", "udp");
  t.match(told(await datagrams(socket.address().port)), [/^problem x\.endpoint: Cannot listen/]);
  t.match(told(await datagrams(0)), [/^ok x\.endpoint: /]);
});

t.test("checkListening() and checkConnects() ask a unix socket without making it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-check-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "s.sock");
  const look = async () => told(await checkListening({ endpoint: { path } }, context()))[0];
  t.match(await look(), /^ok endpoint: ".*" can be written/);
  t.notOk(existsSync(path));
  t.match(told(await checkConnects({ path }, "e", context())), [/^warning e: Cannot connect/]);
  await listen(t, { path });
  t.match(await look(), /^problem endpoint: Somebody listens/);
  const long = { endpoint: { path: join(folder, "x".repeat(108)) } };
  t.match(told(await checkListening(long, context())), [/^problem endpoint: .*longer than 107/]);
  t.match(told(await checkConnects({ path }, "e", context())), [/^ok e: ".*" answers/]);
});

t.test("checkResolves() tells a name that nobody knows", async (t) => {
  t.match(told(await checkResolves("localhost", "host")), [/^ok host: Host "localhost" is /]);
  t.match(told(await checkResolves("no.such.host.invalid", "host")), [/^problem host: Cannot/]);
});

t.test("checkServerTls() tells files that do not load, and certificates near their end", async (t) => {
  const folder = t.testdir();
  const { ca, server, client } = testCertificates(folder);
  const tls = {
    cert_file: server.cert,
    key_file: server.key,
    client_ca_file: ca,
    min_version: "1.2",
  } as const;
  const at = async (days: number) =>
    told(await checkServerTls(tls, "tls", context({ clock: () => Date.now() + days * DAY_MS })));
  t.match(await at(0), [/^warning tls\.cert_file: .* ends on/, /^warning tls\.client_ca_file: /]);
  t.match(await at(2), [/^problem tls\.cert_file: .* ended on/, /^problem tls\.client_ca_file: /]);
  t.match(await at(-2), [/^problem .* holds only from/, /^problem /]);
  const other = { ...tls, key_file: client.key };
  t.match(told(await checkServerTls(other, "tls", context())), [
    /^problem tls\.key_file: .*not that/,
  ]);
  const long = join(folder, "long.pem");
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", join(folder, "long.key"), "-out", long, "-days", "100", "-subj", "/CN=long"],
  ], { stdio: "ignore" });
  t.match(told(await checkCertificates(long, "ca", Date.now())), [/^ok ca: .*hold until 20/]);
  writeFileSync(join(folder, "none.pem"), "nothing");
  for (const name of ["none.pem", "missing.pem"]) {
    t.match(told(await checkCertificates(join(folder, name), "ca", Date.now())), [/^problem ca: /]);
  }
});

t.test("a file whose name is not UTF-8 is a problem, not one that will come", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-names-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // By a shell: Deno would spell the name out.
  execFileSync("sh", ["-c", "touch \"$(printf '\\344.log')\""], { cwd: folder });
  t.match(await checkReadable(`${folder}/*.log`, "path"), [
    { level: "problem", message: /Cannot read ".*\.log": its name is not UTF-8; give it another/ },
  ]);
  const problems: [string, boolean][] = [];
  await findFiles(
    [`${folder}/*.log`],
    [],
    (_, reason, missing) => problems.push([reason, missing]),
  );
  t.same(problems, [["its name is not UTF-8; give it another", false]]);
});
