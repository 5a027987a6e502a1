// What --config names: files, folders, variables, inline text, web servers; and each way to fail.

import { execFile, execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { testCertificates } from "../../plugins/sdk/conformance/certificates.ts";
import { fetchText } from "../../src/config/fetch-source.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { readText } from "../../src/config/read-text.ts";
import { SourceWatch } from "../../src/config/source-watch.ts";
import { digestFile, readSources } from "../../src/config/sources.ts";
import { startCairn } from "../e2e/cairn.ts";

const environment = {
  env: (name: string) => name === "CAIRN_YAML" ? "a: 1\n" : undefined,
  readFile: () => "",
};

const read = async (...named: string[]) => {
  const { sources, problems } = await readSources(named, environment);
  return { sources, told: problems.map(formatProblem) };
};

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn-sources-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function serve(t: Test, server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const web = (t: Test, listener: RequestListener) => serve(t, createServer(listener));

t.test("readSources() reads files, variables and inline text in the order they are named", async (t) => {
  const folder = folderOf(t);
  const file = join(folder, "x.yaml");
  writeFileSync(file, "b: 2\n");
  const { sources, told } = await read(file, "env:CAIRN_YAML", `file:${file}`, "yaml:c: 3");
  t.same(told, []);
  t.same(sources, [
    { name: file, text: "b: 2\n" },
    { name: "env:CAIRN_YAML", text: "a: 1\n" },
    { name: file, text: "b: 2\n" },
    { name: "yaml:#4", text: "c: 3", joinedKeys: true },
  ]);
  t.same((await read(`file://${file}`)).sources, [{ name: file, text: "b: 2\n" }]);
});

t.test("readSources() takes a folder's *.yaml in order of name, ConfigMap links too", async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, "..data"));
  writeFileSync(join(folder, "..data", "20.yaml"), "second");
  symlinkSync(join("..data", "20.yaml"), join(folder, "20.yaml"));
  for (const name of ["9.yaml", "10.yaml", "notes.txt", ".hidden.yaml", "x.yaml~"]) {
    writeFileSync(join(folder, name), name);
  }
  const { sources, told } = await read(folder);
  t.same(told, []);
  t.same(sources.map(({ text }) => text), ["10.yaml", "second", "9.yaml"]);
  t.same((await read(join(folder, "..data", ".."))).told, []);
});

t.test("readSources() tells every source it cannot read", async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, "no.yaml"));
  const { told } = await read(
    join(folder, "missing.yaml"),
    folder,
    "env:NOT_SET",
    "s3://user:hunter2@bucket/x.yaml",
    "http://example.com/x.yaml?token=hunter2",
    "https:// nowhere",
  );
  t.same(told, [
    `${folder}/missing.yaml: Cannot read configuration: no such file`,
    `${folder}/no.yaml: Cannot read configuration: is a directory`,
    "env:NOT_SET: Cannot read configuration: the variable is not set",
    's3://bucket/x.yaml: Cannot read configuration: no scheme "s3"; ' +
    "there are file:, env:, yaml: and https:",
    "http://example.com/x.yaml: Cannot read configuration: " +
    "http is only for this machine itself; write https",
    "https:…: Cannot read configuration: not a URL",
  ]);
  if (process.getuid?.() === 0) return;
  writeFileSync(join(folder, "closed.yaml"), "");
  chmodSync(join(folder, "closed.yaml"), 0);
  t.match((await read(join(folder, "closed.yaml"))).told[0], /permission denied/);
});

t.test("readSources() reads from this machine's web server, with the URL's credentials", async (t) => {
  const seen: (string | undefined)[] = [];
  const port = await web(t, (request, response) => {
    seen.push(request.headers.authorization, request.url);
    response.end("a: 1\n");
  });
  const { sources, told } = await read(`http://me:hunter2@127.0.0.1:${port}/x.yaml?token=hunter2`);
  t.same(told, []);
  t.same(sources, [{ name: `http://127.0.0.1:${port}/x.yaml`, text: "a: 1\n" }]);
  t.same(seen, [`Basic ${btoa("me:hunter2")}`, "/x.yaml?token=hunter2"]);
});

t.test("a web server that refuses, sends on, floods, sends no text or hangs is a problem", async (t) => {
  const answers: Readonly<Record<string, RequestListener>> = {
    "/refused": (_, response) => void response.writeHead(403).end("hunter2"),
    "/moved": (_, response) => void response.writeHead(302, { location: "/ok" }).end(),
    "/latin": (_, response) => void response.end(Buffer.from("a: \xe4", "latin1")),
    "/flood": (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    },
    "/hang": (_, response) => void response.write("a: 1\n"),
  };
  const port = await web(t, (request, response) => answers[request.url!]!(request, response));
  const at = (path: string) => fetchText(`http://localhost:${port}${path}`, 1000);
  await t.rejects(at("/refused"), { message: "answered 403" });
  await t.rejects(at("/moved"), { message: "answered 302; name the place it leads to" });
  await t.rejects(at("/latin"), { message: "not UTF-8 text" });
  await t.rejects(at("/flood"), { message: "larger than 1048576 bytes" });
  await t.rejects(at("/hang"), { message: "no whole answer within 1 s" });
  await t.rejects(fetchText("http://127.0.0.1:1/x"), /ECONNREFUSED|refused/i);
});

t.test("cairn verifies who serves a configuration over https", async (t) => {
  const certificates = testCertificates(t.testdir());
  const { cert, key } = certificates.server;
  const options = { cert: readFileSync(cert), key: readFileSync(key) };
  const port = await serve(
    t,
    createTlsServer(options, (_, response) => {
      response.end("receivers: {}\n\nexporter: {}\n");
    }),
  );
  const url = `https://localhost:${port}/x.yaml`;
  const args = ["validate", "--config", url];
  const strange = await startCairn(args).exit;
  t.equal(strange.code, 3);
  t.match(strange.stderr, `${url}: Cannot read configuration: `);
  t.notMatch(strange.stderr, /Unknown option/);
  const trust = { NODE_EXTRA_CA_CERTS: certificates.ca, DENO_CERT: certificates.ca };
  const known = await startCairn(args, { env: trust }).exit;
  t.match(known.stderr, `${url}:3:1: exporter: Unknown option (did you mean "exporters"?)`);
});

t.test("readSources() takes *.yml too, and tells a folder that holds no configuration", async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "notes.txt"), "");
  t.match((await read(folder)).told, [
    /: Cannot read configuration: there is no \*\.yaml or \*\.yml/,
  ]);
  writeFileSync(join(folder, "b.yml"), "b: 2\n");
  writeFileSync(join(folder, "a.yaml"), "a: 1\n");
  t.same((await read(folder)).sources.map(({ text }) => text), ["a: 1\n", "b: 2\n"]);
});

t.test("readSources() tells a name that is not UTF-8 from a file that is missing", async (t) => {
  const folder = folderOf(t);
  // By a shell: Deno would spell the name out.
  execFileSync("sh", ["-c", "touch \"$(printf '\\344.yaml')\""], { cwd: folder });
  t.match((await read(folder)).told, [/Cannot read configuration: its name is not UTF-8; give/]);
  t.match((await read(join(folder, "none.yaml"))).told, [
    /Cannot read configuration: no such file/,
  ]);
});

t.test("SourceWatch tells once of each change that has settled, a web server's by its ETag", async (t) => {
  const folder = folderOf(t);
  const place = join(folder, "secret");
  writeFileSync(place, "one");
  const page = { text: "a: 1\n", whole: 0, known: 0 };
  const port = await web(t, ({ headers }, answer) => {
    const etag = `"${page.text.length}"`;
    const isKnown = headers["if-none-match"] === etag;
    isKnown ? page.known++ : page.whole++;
    answer.writeHead(isKnown ? 304 : 200, { etag }).end(isKnown ? undefined : page.text);
  });
  const named = [`http://127.0.0.1:${port}/`, folder];
  writeFileSync(join(folder, "a.yaml"), "b: 1\n");
  const outside = { ...environment, readFile: (path: string) => readFileSync(path, "utf8") };
  const known = { sources: new Map<string, string>(), files: new Map<string, string>() };
  const readAgain = async () => {
    known.sources = new Map((await readSources(named, outside)).digests);
    known.files.set(place, digestFile(place, outside));
  };
  await readAgain();
  let changes = 0;
  const watch = new SourceWatch({
    sources: () => known.sources,
    files: () => known.files,
    environment: outside,
    intervalMs: () => 5,
    fetchEveryMs: 20,
    onChange: async () => {
      await readAgain();
      changes++;
    },
  });
  t.teardown(() => watch.stop());
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(() => page.known > 1);
  t.equal(changes, 0, "nothing has changed");
  t.equal(page.whole, 2, "read by the configuration, and once by the watch");
  writeFileSync(place, "two");
  await until(() => changes === 1);
  writeFileSync(join(folder, "b.yaml"), "c: 1\n");
  await until(() => changes === 2);
  page.text = "a: 1234\n";
  await until(() => changes === 3);
  rmSync(join(folder, "a.yaml"));
  await until(() => changes === 4);
  const { known: asked } = page;
  await until(() => page.known > asked + 1);
  t.equal(changes, 4);
});

t.test("readText() refuses a pipe that nobody writes into, and reads one that is written", async (t) => {
  const pipe = join(t.testdir(), "pipe");
  execFileSync("mkfifo", [pipe]);
  t.throws(() => readText(pipe), /is a pipe into which nothing is written/);
  const writing = execFile("sh", ["-c", 'sleep 0.1; echo "a: 1" > "$0"', pipe]);
  t.equal(readText(pipe), "a: 1\n");
  await once(writing, "close");
});
