// TLS options from files, on a real tls server: refused with the path, and renewed while it runs.

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createServer, type Server } from "node:tls";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { ConfigError } from "./errors.ts";
import { testCertificates, testContext, until } from "./conformance.ts";
import { loadServerTls, serverTls } from "./tls.ts";

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** The server's common name as a client sees it, or why there is none. */
function meet(port: number, options: Record<string, unknown>): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", ...options });
    socket.on("error", (error) => resolve(error.message));
    socket.on("data", () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
  });
}

t.test("loadServerTls() gives a server that knows clients by their authority", async (t) => {
  const { ca, server: own, client } = testCertificates(t.testdir());
  const config = { cert_file: own.cert, key_file: own.key, client_ca_file: ca };
  const { options } = await loadServerTls(serverTls.parse({ ...config, min_version: "1.3" }));
  const server = createServer(options, (socket) => socket.on("error", () => {}).end("hello"));
  server.on("tlsClientError", () => {});
  const port = await listen(t, server);
  const known = {
    ca: readFileSync(ca),
    cert: readFileSync(client.cert),
    key: readFileSync(client.key),
  };
  t.equal(await meet(port, known), "server");
  t.match(await meet(port, { ca: known.ca }), /certificate required|CertificateRequired/i);
  t.match(await meet(port, { ...known, maxVersion: "TLSv1.2" }), /version/i);
});

t.test("loadServerTls() names each option and file that cannot be used", async (t) => {
  const folder = t.testdir({ "not.pem": "no certificate" });
  const { server, client } = testCertificates(folder);
  const load = (cert_file: string, key_file: string, client_ca_file?: string) =>
    loadServerTls(serverTls.parse({ cert_file, key_file, client_ca_file }), "receivers.syslog.tls")
      .then(() => [], (error: ConfigError) => error.problems);
  const missing = join(folder, "missing.pem");
  const not = join(folder, "not.pem");
  t.match(await load(missing, not, not), [
    { path: "receivers.syslog.tls.cert_file", problem: `Cannot read "${missing}": ENOENT` },
    { path: "receivers.syslog.tls.key_file", problem: `Cannot use "${not}"` },
    { path: "receivers.syslog.tls.client_ca_file", problem: `Cannot use "${not}"` },
  ]);
  t.match(await load(server.cert, client.key), [
    { path: "receivers.syslog.tls.key_file", problem: /is not that of/ },
  ]);
});

t.test("follow() uses renewed files, and keeps the old ones while they do not fit", async (t) => {
  const { ca, server: own, issue } = testCertificates(t.testdir());
  const tls = await loadServerTls(serverTls.parse({ cert_file: own.cert, key_file: own.key }));
  const server = createServer(tls.options, (socket) => socket.on("error", () => {}).end("hello"));
  server.on("tlsClientError", () => {});
  const port = await listen(t, server);
  const context = testContext();
  t.teardown(tls.follow(server, context.log, 5));
  const renewed = issue("renewed");
  const trusted = { ca: readFileSync(ca) };
  writeFileSync(own.cert, readFileSync(renewed.cert));
  await until(() => context.lines.some(({ level }) => level === "warn"), "a warning");
  t.match(context.lines[0]!.message, /Cannot renew certificates, the old ones stay: .*key_file/);
  t.equal(await meet(port, trusted), "server");
  copyFileSync(renewed.key, own.key);
  await until(() => context.lines.some(({ level }) => level === "info"), "the renewal");
  t.equal(await meet(port, trusted), "renewed");
  t.equal(context.lines.length, 2, "each change is told once");
});
