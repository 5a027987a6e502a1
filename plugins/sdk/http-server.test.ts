// HttpServer with real clients: bodies and their bounds, slow and numerous clients, stopping in time,
// and certificates. The options endpoint and secret are here too, since servers bring them together.

import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import type { PeerCertificate } from "node:tls";
import { inspect } from "node:util";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { Agent, request } from "undici";
import { z } from "zod";
import {
  randomBytes,
  seededRandom,
  testCertificates,
  type TestContext,
  testContext,
  until,
} from "./conformance.ts";
import { endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { RetryableError } from "./errors.ts";
import { type HttpHandler, HttpServer, type HttpServerOptions } from "./http-server.ts";
import {
  httpLimitOptions,
  type HttpLimits,
  httpLimits,
  type HttpRequest,
  plainAnswer,
} from "./http-message.ts";
import { Secret, secret } from "./secret.ts";

interface Started {
  readonly server: HttpServer;
  readonly origin: string;
  readonly port: number;
  readonly context: TestContext;
  /** A client without a limit of its own, closed with the test. */
  readonly dispatcher: Agent;
}

const soon = () => AbortSignal.timeout(2000);

async function start(
  t: Test,
  handle: HttpHandler,
  options: Partial<Omit<HttpServerOptions, "limits">> & { limits?: Partial<HttpLimits> } = {},
  client: Agent.Options = { connections: 1 },
): Promise<Started> {
  const context = testContext();
  const limits = { ...httpLimits(z.object(httpLimitOptions).parse({})), ...options.limits };
  const { log, clock } = context;
  const at = { host: "127.0.0.1", port: 0 };
  const server = new HttpServer({ endpoint: at, log, clock, ...options, limits }, handle);
  await server.start();
  const dispatcher = new Agent(client);
  t.teardown(async () => {
    await dispatcher.destroy();
    await server.stop(soon());
  });
  const port = Number(server.address().split(":").at(-1));
  const origin = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  return { server, origin, port, context, dispatcher };
}

const echo: HttpHandler = async ({ body }) => ({ status: 200, body });

async function post(
  { origin, dispatcher }: Started,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
) {
  const answer = await request(`${origin}/in`, { method: "POST", body, headers, dispatcher });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

/** A client that speaks by hand. */
async function dial(t: Test, port: number) {
  const state = { socket: undefined as unknown as Socket, text: "", closed: false };
  state.socket = connect({ port, host: "127.0.0.1" });
  state.socket.setEncoding("utf8").on("data", (chunk: string) => state.text += chunk);
  state.socket.on("error", () => {}).on("close", () => state.closed = true);
  t.teardown(() => state.socket.destroy());
  await new Promise<void>((resolve) => state.socket.once("connect", resolve));
  return state;
}

t.test("HttpServer hands on method, path, query, headers, body and peer", async (t) => {
  const seen: HttpRequest[] = [];
  const started = await start(t, async (one) => {
    seen.push(one);
    return { status: 201, headers: { "x-answer": "yes" }, body: "taken" };
  });
  for (let round = 0; round < 2; round++) {
    const { statusCode, headers, body } = await request(`${started.origin}/a%20b?q=1&q=2`, {
      method: "PUT",
      body: "hello",
      headers: { "X-Kind": "test" },
      dispatcher: started.dispatcher,
    });
    t.same([statusCode, headers["x-answer"], await body.text()], [201, "yes", "taken"]);
  }
  t.match(seen[0], { method: "PUT", path: "/a%20b", headers: { "x-kind": "test" } });
  t.same(seen[0]!.query.getAll("q"), ["1", "2"]);
  t.equal(seen[0]!.body.toString(), "hello");
  t.equal(seen[0]!.peer.address, "127.0.0.1");
  t.equal(seen[0]!.peer.port, seen[1]!.peer.port, "the connection is kept");
  t.not(seen[0]!.id, seen[1]!.id, "each request has an id of its own");
});

t.test("HttpServer undoes gzip and deflate, and refuses what it cannot", async (t) => {
  const started = await start(t, echo, { limits: { bodyBytesMax: 100_000 } });
  const text = "text ".repeat(1000);
  for (
    const [encoding, bytes] of [
      ["gzip", gzipSync(text)],
      ["x-gzip", gzipSync(text)],
      ["deflate", deflateSync(text)],
      ["deflate", deflateRawSync(text)],
      ["identity", text],
    ] as const
  ) {
    const answer = await post(started, bytes, { "content-encoding": encoding });
    t.same([answer.status, answer.text], [200, text], encoding);
  }
  const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024));
  t.equal((await post(started, bomb, { "content-encoding": "gzip" })).status, 413, "a bomb");
  t.equal((await post(started, "no gzip", { "content-encoding": "gzip" })).status, 400);
  const unknown = await post(started, text, { "content-encoding": "br" });
  t.same([unknown.status, unknown.headers["accept-encoding"]], [415, "gzip, deflate"]);
  t.equal((await post(started, "x".repeat(100_001))).status, 413, "a length that is too large");
  const chunks = Array.from({ length: 12 }, () => Buffer.alloc(10_000, "x"));
  const { statusCode } = await request(started.origin, {
    method: "POST",
    body: Readable.from(chunks),
    dispatcher: started.dispatcher,
  });
  t.equal(statusCode, 413, "a body that grows too large");
  t.equal((await post(started, "good")).text, "good", "others are served");
});

t.test("HttpServer turns an error of its handler into an answer", async (t) => {
  const failures = [new Error("secret inside"), new RetryableError("Full", { afterMs: 4500 })];
  const started = await start(t, async () => {
    throw failures.shift();
  });
  const first = await post(started, "x");
  t.equal(first.status, 500);
  t.notMatch(first.text, /secret/);
  const second = await post(started, "x");
  t.same([second.status, second.headers["retry-after"]], [503, "5"]);
  t.match(started.context.lines, [{ level: "error", message: /secret inside/ }]);
});

t.test("HttpServer asks admit() before it reads a body", async (t) => {
  let handled = 0;
  const started = await start(t, async () => ({ status: 204, body: String(++handled) }), {
    admit: ({ path }) => path === "/in" ? undefined : plainAnswer(404, "No such path"),
  });
  const client = await dial(t, started.port);
  client.socket.write("POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
  await until(() => client.closed, "the answer");
  t.match(client.text, /^HTTP\/1\.1 404 [\s\S]*No such path/);
  t.equal((await post(started, "x")).status, 204);
  t.equal(handled, 1);
});

t.test("HttpServer closes what is slow, and serves others meanwhile", async (t) => {
  const limits = { headerMs: 150, bodyMs: 150, idleMs: 150 };
  const started = await start(t, echo, { limits });
  const silent = await dial(t, started.port);
  const head = await dial(t, started.port);
  head.socket.write("POST / HT");
  const body = await dial(t, started.port);
  body.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  const idle = await dial(t, started.port);
  idle.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const garbage = await dial(t, started.port);
  garbage.socket.write("\x16\x03\x01 no HTTP\r\n\r\n");
  t.equal((await post(started, "meanwhile")).text, "meanwhile");
  await until(
    () => [silent, head, body, idle, garbage].every(({ closed }) => closed),
    "all are closed",
  );
  t.same([silent.text, head.text], ["", ""]);
  t.match(body.text, /^HTTP\/1\.1 408 /);
  t.match(idle.text, /^HTTP\/1\.1 200 /);
  t.match(garbage.text, /^(HTTP\/1\.1 400 |$)/);
});

t.test("HttpServer outlives damaged requests and noise", async (t) => {
  const started = await start(t, echo, { limits: { headerMs: 500, bodyMs: 500, idleMs: 500 } });
  const random = seededRandom(17);
  const body = gzipSync("text ".repeat(50));
  const head = "POST /in HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n";
  const framing = [
    Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`),
    Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`),
  ];
  const whole = framing.map((first) => Buffer.concat([first, body, Buffer.from("\r\n0\r\n\r\n")]));
  const clients: Awaited<ReturnType<typeof dial>>[] = [];
  for (let round = 0; round < 200; round++) {
    const client = await dial(t, started.port);
    const sent = Buffer.from(whole[round % 2]!);
    for (let flips = round % 4; flips > 0; flips--) {
      sent[Math.floor(random() * sent.length)] = Math.floor(random() * 256);
    }
    if (round % 5 === 0) client.socket.write(randomBytes(random, 500));
    else {client.socket.write(
        sent.subarray(0, round % 3 === 0 ? random() * sent.length : undefined),
      );}
    if (round % 7 === 0) client.socket.destroy();
    clients.push(client);
  }
  await until(() => clients.every(({ closed }) => closed), "all are closed");
  t.ok(clients.some(({ text }) => text.startsWith("HTTP/1.1 200")));
  t.equal((await post(started, "good")).text, "good", "others are served");
  t.same(started.context.lines, []);
});

t.test("HttpServer takes 1,024 connections at once, and serves those", async (t) => {
  // So long that on a busy machine the limit alone closes connections.
  const started = await start(t, echo, { limits: { headerMs: 120_000 } });
  const clients = await Promise.all(Array.from({ length: 1100 }, () => dial(t, started.port)));
  // Deno's client learns that it was closed at once only when it writes.
  for (const client of clients) client.socket.write("GET / HTTP/1.1\r\nHost: a\r\n");
  const closed = () => clients.filter((client) => client.closed);
  await until(() => closed().length >= 1100 - 1024, "one more is closed each time", 60_000);
  t.equal(closed().length, 1100 - 1024);
  const kept = clients.filter((client) => !client.closed).slice(0, 3);
  for (const client of kept) client.socket.write("\r\n");
  await until(() => kept.every(({ text }) => text.startsWith("HTTP/1.1 200")), "answers");
  for (const client of clients) client.socket.destroy();
  const isServed = () => post(started, "again").then(({ status }) => status === 200, () => false);
  await until(isServed, "room for a new one");
  const warnings = started.context.lines.filter(({ level }) => level === "warn");
  t.same(warnings.map(({ message }) => message), ["Refused a connection: all 1024 are in use"]);
});

t.test("HttpServer handles a few requests at once and bounds what waits", async (t) => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  let now = 0;
  let most = 0;
  const started = await start(
    t,
    async () => {
      most = Math.max(most, ++now);
      await gate;
      now--;
      return { status: 204 };
    },
    { limits: { handledMax: 2, waitingBytesMax: 5000 } },
    {},
  );
  const sent = Array.from({ length: 8 }, () => post(started, "x".repeat(1000)));
  const statuses: number[] = [];
  for (const one of sent) one.then(({ status }) => statuses.push(status));
  await until(() => statuses.length === 3, "three find no room");
  t.same(statuses, [503, 503, 503]);
  open();
  await Promise.all(sent);
  t.equal(most, 2);
  t.same(statuses.slice(3), [204, 204, 204, 204, 204]);
});

t.test("HttpServer warns of nothing while many requests wait", async (t) => {
  const warnings: string[] = [];
  const listen = (warning: Error) => warnings.push(warning.message);
  process.on("warning", listen);
  t.teardown(() => process.off("warning", listen));
  let open = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  let waiting = 0;
  const started = await start(
    t,
    async () => {
      waiting++;
      await gate;
      return { status: 204 };
    },
    { limits: { handledMax: 50 } },
    {},
  );
  const sent = Array.from({ length: 80 }, () => post(started, "x"));
  await until(() => waiting === 50, "50 at once");
  open();
  t.same(new Set((await Promise.all(sent)).map(({ status }) => status)), new Set([204]));
  t.same(warnings, []);
});

t.test("HttpServer answers pipelined requests in their order", async (t) => {
  const started = await start(t, echo);
  const client = await dial(t, started.port);
  const one = (text: string) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n${text}`;
  client.socket.write(one("a") + one("b") + one("c"));
  await until(() => /a[\s\S]*b[\s\S]*\r\n\r\nc$/.test(client.text), "three answers");
  t.pass();
});

t.test("HttpServer tells its handler when the client has gone", async (t) => {
  let reason: unknown;
  const started = await start(t, async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reason = signal.reason;
    return { status: 200 };
  });
  const client = await dial(t, started.port);
  client.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => started.server.address() !== "", "it listens");
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.destroy();
  await until(() => reason !== undefined, "the signal");
  t.match(reason, { message: /client has gone/ });
});

t.test("HttpServer.stop() lets a request end, and closes all at its deadline", async (t) => {
  let release = () => {};
  let handling = 0;
  const started = await start(t, async ({ path }) => {
    handling++;
    await new Promise<void>((resolve) => path === "/in" ? release = resolve : undefined);
    return { status: 200, body: "done" };
  });
  const idle = await dial(t, started.port);
  const ends = post(started, "x");
  await until(() => handling === 1, "a request in the handler");
  const stopped = started.server.stop(soon());
  await until(() => idle.closed, "idle connections are closed at once");
  release();
  t.match(await ends, { status: 200, text: "done", headers: { connection: "close" } });
  await stopped;
  t.equal(started.server.address(), "");

  await started.server.start();
  const port = Number(started.server.address().split(":").at(-1));
  const hangs = await dial(t, port);
  hangs.socket.write("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => handling === 2, "another in the handler");
  const begin = performance.now();
  await started.server.stop(AbortSignal.timeout(100));
  t.ok(performance.now() - begin < 1000, "within the deadline");
  await until(() => hangs.closed, "it is closed");
});

t.test("HttpServer.start() says why it cannot listen", async (t) => {
  const started = await start(t, echo);
  const { log, clock } = started.context;
  const limits = httpLimits(z.object(httpLimitOptions).parse({}));
  const at = { host: "127.0.0.1", port: started.port };
  const other = new HttpServer({ endpoint: at, limits, log, clock }, echo);
  await t.rejects(other.start(), {
    name: "ConfigError",
    message: `endpoint: Cannot listen on "127.0.0.1:${started.port}": address already in use`,
  });
  await other.stop(soon());
});

t.test("HttpServer listens on a unix socket, also one that was left behind", async (t) => {
  // Not in the test's own folder: such a path has at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "cairn-http-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "s");
  const former = createServer();
  await new Promise<void>((resolve) => former.listen(join(folder, "former"), resolve));
  linkSync(join(folder, "former"), path);
  await new Promise((resolve) => former.close(resolve));
  const started = await start(t, echo, { endpoint: { path } });
  t.equal(started.server.address(), `unix://${path}`);
  const socket = new Agent({ connect: { socketPath: path } });
  t.teardown(() => socket.destroy());
  const { statusCode } = await request("http://localhost/", { dispatcher: socket });
  t.equal(statusCode, 200);
});

t.test("HttpServer deletes no file that stands where its socket is to be", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-http-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "precious");
  writeFileSync(file, "precious");
  symlinkSync(file, join(folder, "link"));
  for (const path of [file, join(folder, "link")]) {
    await t.rejects(start(t, echo, { endpoint: { path } }), {
      name: "ConfigError",
      message: /what is there is no socket; name another path, or remove it$/,
    });
    t.equal(readFileSync(path, "utf8"), "precious");
  }
});

t.test("HttpServer knows clients by certificate, and renews its own", async (t) => {
  const { ca, server: own, client, issue } = testCertificates(t.testdir());
  const tls = {
    cert_file: own.cert,
    key_file: own.key,
    client_ca_file: ca,
    min_version: "1.2",
  } as const;
  const read = (path: string) => readFileSync(path);
  const known = { ca: read(ca), cert: read(client.cert), key: read(client.key) };
  const started = await start(
    t,
    async ({ peer }) => ({ status: 200, body: JSON.stringify(peer.certificate) }),
    { tls, renewEveryMs: 50, limits: { headerMs: 150 } },
    { connect: known },
  );
  const answer = JSON.parse((await post(started, "x")).text);
  t.match(answer, { commonName: "client", fingerprint: /^[0-9A-F:]{95}$/ });

  const unfinished = await dial(t, started.port);
  const stranger = new Agent({ connect: { ca: known.ca } });
  t.teardown(() => stranger.destroy());
  await t.rejects(post({ ...started, dispatcher: stranger }, "x"), "without a certificate");
  await until(() => unfinished.closed, "a handshake that does not end");
  const noise = await dial(t, started.port);
  noise.socket.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => noise.closed, "who speaks no TLS");
  const warnings = () => started.context.lines.filter(({ level }) => level === "warn");
  await until(() => warnings().length > 0, "a warning");
  t.match(warnings().map(({ message }) => message), [/^Refused a connection: /], "told once");

  const renewed = issue("renewed");
  copyFileSync(renewed.cert, own.cert);
  copyFileSync(renewed.key, own.key);
  const nameNow = async () => {
    let name = "";
    const agent = new Agent({
      connect: {
        ...known,
        checkServerIdentity: (_host: string, { subject }: PeerCertificate) => {
          name = String(subject.CN);
          return undefined;
        },
      },
    });
    await post({ ...started, dispatcher: agent }, "x");
    await agent.destroy();
    return name;
  };
  await until(async () => await nameNow() === "renewed", "the new certificate");
  t.pass();
});

t.test("endpoint reads addresses and sockets, and spells them the same", async (t) => {
  t.same(parseEndpoint("127.0.0.1:5514"), { host: "127.0.0.1", port: 5514 });
  t.same(parseEndpoint("[::1]:514"), { host: "::1", port: 514 });
  t.same(parseEndpoint("localhost:0"), { host: "localhost", port: 0 });
  t.same(parseEndpoint("unix:///run/x.sock"), { path: "/run/x.sock" });
  for (const text of ["127.0.0.1:5514", "[::1]:514", "unix:///run/x.sock"]) {
    t.equal(formatEndpoint(parseEndpoint(text)!), text);
  }
  const bad = ["", ":80", "80", "::1:80", "a:65536", "[a]:1", "http://a:1", "unix://x", "a b:1"];
  for (const text of bad) t.equal(parseEndpoint(text), undefined, text);
  t.match(endpoint.safeParse("nowhere").error?.issues, [{ message: /127\.0\.0\.1:8080/ }]);
});

t.test("Secret is printed by reveal() alone", async (t) => {
  const held = secret.parse("hunter2");
  const printed = [String(held), JSON.stringify({ held }), inspect({ held }), `${held}`];
  for (const text of printed) t.notMatch(text, "hunter2");
  t.equal(held.reveal(), "hunter2");
  t.equal(held.equals("hunter2"), true);
  t.equal(held.equals("hunter3"), false);
  t.equal(held.equals(""), false);
  t.equal(z.encode(secret, new Secret("a")), "a");
  t.equal(secret.safeParse("").success, false);
});

/** Pieces without an end, with how many were asked for and whether somebody still may ask. */
function endless() {
  const state = { asked: 0, isOver: false };
  async function* pieces() {
    try {
      for (;;) {
        state.asked++;
        yield "x".repeat(65_536);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      state.isOver = true;
    }
  }
  return { state, body: pieces() };
}

t.test("HttpServer writes pieces as the client takes them in, and none once it has gone", async (t) => {
  const { state, body } = endless();
  const { port } = await start(t, async () => ({ status: 200, body }));
  const client = await dial(t, port);
  client.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => state.asked > 2, "the first pieces");
  client.socket.pause();
  let before = -1;
  await until(async () => {
    const stands = before === state.asked;
    before = state.asked;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return stands && before === state.asked;
  }, "the client to be waited for");
  t.ok(state.asked < 1000, `${state.asked} pieces wait for a client that reads nothing`);
  client.socket.resume();
  await until(() => state.asked > before + 10, "more pieces");
  t.notOk(state.isOver);
  client.socket.destroy();
  await until(() => state.isOver, "the end of the pieces");
});

t.test("HttpServer lets a client see that a body in pieces is not whole", async (t) => {
  const { origin, context, dispatcher } = await start(t, async () => ({
    status: 200,
    body: (async function* () {
      yield "first";
      throw new Error("the disk is gone");
    })(),
  }));
  await t.rejects(request(origin, { dispatcher }).then(({ body }) => body.text()));
  t.match(context.lines, [{ level: "error", message: /the disk is gone/ }]);
});

t.test("HttpServer closes a client that takes nothing of its pieces, and stops amid them", async (t) => {
  const { state, body } = endless();
  const { port } = await start(t, async () => ({ status: 200, body }), { limits: { bodyMs: 100 } });
  const client = await dial(t, port);
  client.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  client.socket.pause();
  await until(() => state.isOver, "the end of the pieces");
  const other = endless();
  const stopping = await start(t, async () => ({ status: 200, body: other.body }));
  const reader = await dial(t, stopping.port);
  reader.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => other.state.asked > 2, "the first pieces");
  await stopping.server.stop(AbortSignal.timeout(100));
  await until(() => other.state.isOver && reader.closed, "the end");
  t.ok(state.isOver);
});
