// Receiver syslog on real sockets: the contract, every protocol, and what bad senders do.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createSocket } from "node:dgram";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import {
  conformance,
  lineFormat,
  recordingIntake,
  stopInTime,
  testCertificates,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import {
  type AuditEvent,
  type ComponentContext,
  type FramePosition,
  NOTHING,
} from "../../sdk/index.ts";
import syslog from "./index.ts";

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A connection that neither throws nor keeps the test alive; resolves when it is open. */
async function dial(t: Test, to: number | string): Promise<Socket> {
  const socket = typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  t.teardown(() => socket.destroy());
  await new Promise((resolve) => socket.on("connect", resolve).on("close", resolve));
  return socket;
}

function closed(socket: Socket): Promise<unknown> {
  return socket.destroyed ? Promise.resolve() : new Promise((end) => socket.on("close", end));
}

/** Sends and hangs up in order; resolves when the other side has, too. */
async function send(t: Test, to: number | string, text: string | Uint8Array): Promise<void> {
  const socket = await dial(t, to);
  socket.end(text);
  await closed(socket);
}

await conformance(t, syslog, {
  minimal: {},
  noPosition: "the protocol has no acknowledgement: senders keep what they could not send",
  async source(t) {
    const port = await freePort();
    let number = 0;
    return {
      config: { endpoint: `127.0.0.1:${port}`, format: "line" },
      context: { format: lineFormat },
      async write(count) {
        const ids = Array.from({ length: count }, () => `${number++}`);
        // In both framings, as RFC 6587 lets them mix.
        const frames = ids.map((id) => `line ${id}`)
          .map((line, i) => i % 2 === 0 ? `${line}\n` : `${line.length} ${line}`);
        await send(t, port, frames.join(""));
        return ids;
      },
      async writeBad(noise) {
        await send(t, port, Buffer.concat([Buffer.from(`${noise.length + 4} bad `), noise]));
      },
    };
  },
});

interface Started {
  readonly to: number | string;
  readonly intake: ReturnType<typeof recordingIntake>;
  readonly context: ReturnType<typeof testContext>;
  readonly positions: FramePosition[];
  stop(): Promise<void>;
}

/** A running receiver whose format makes an event of each message that is not "bad…". */
async function start(
  t: Test,
  config: Record<string, unknown> = {},
  members: Partial<ComponentContext> = {},
): Promise<Started> {
  const positions: FramePosition[] = [];
  const lines = lineFormat();
  const format = () => ({
    ...lines,
    decode(frame: Uint8Array, at: FramePosition) {
      const decoded = lines.decode(frame, at);
      positions.push(at);
      return decoded;
    },
  });
  const context = testContext({ id: "syslog", format, ...members });
  const intake = recordingIntake();
  const options = { endpoint: "127.0.0.1:0", format: "line", ...config };
  const receiver = syslog.create(syslog.config.parse(options), context, intake);
  t.teardown(() => receiver.stop(AbortSignal.abort()));
  const host = testHost();
  await receiver.start(host);
  const [report] = host.reports;
  t.equal(report?.state, "running");
  const address = /^Listening on (.*)$/.exec(report?.reason ?? "")?.[1] ?? "";
  const to = address.startsWith("unix://")
    ? address.slice("unix://".length)
    : Number(address.slice(address.lastIndexOf(":") + 1));
  return { to, intake, context, positions, stop: () => stopInTime(t, receiver) };
}

t.test("a frame's position names connection and byte, so that equal lines differ", async (t) => {
  const { to, intake, positions, stop } = await start(t);
  await send(t, to, "line a\nline a\n6 line a");
  await send(t, to, "line a\n");
  await until(() => intake.ids.length === 4, "four events");
  const ids = positions.map(({ source, offset }) => `${source}:${offset}`);
  t.equal(new Set(ids).size, 4);
  t.same(positions.map(({ offset }) => offset), [0, 7, 14, 0]);
  t.match(positions[0]!.source, /^syslog\/127\.0\.0\.1:\d+\/\d+\.1$/);
  t.equal(positions[0]!.peer, "127.0.0.1");
  t.ok(Math.abs(positions[0]!.receivedAt! - Date.now()) < 60_000);
  await stop();
});

t.test("protocol unix takes messages that end with NUL, and replaces a dead socket", async (t) => {
  // Not t.testdir(): a socket's path has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), "cairn-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "log");
  const first = await start(t, { protocol: "unix", endpoint: `unix://${path}` });
  await send(t, first.to, "line a\0line b\0line c\n");
  await until(() => first.intake.ids.length === 3, "three events");
  t.equal(first.positions[0]!.peer, undefined);
  await first.stop();
  const second = await start(t, { protocol: "unix", endpoint: `unix://${path}` });
  t.ok(existsSync(path));
  await send(t, second.to, "line d\0");
  await until(() => second.intake.ids.length === 1, "an event after a restart");
});

t.test("protocol udp takes a message a datagram, and counts what is too fast", async (t) => {
  const { to, intake, context, stop } = await start(t, {
    protocol: "udp",
    max_messages_per_second: 5,
    max_frame_bytes: "100B",
  });
  const socket = createSocket("udp4");
  t.teardown(() => socket.close());
  const say = (text: string) =>
    new Promise((sent) => socket.send(text, to as number, "127.0.0.1", sent));
  await say("line a");
  await say("nonsense");
  await say(`line ${"x".repeat(200)}`);
  await until(() => intake.ids.length === 1 && intake.rejects.length === 2, "the first three");
  t.same(intake.rejects.map(({ reason }) => reason), [
    'Line does not begin with "line "',
    "Message is longer than 100 bytes",
  ]);
  const refused = () => context.ignoredCounts["refused: sender is too fast"] ?? 0;
  await until(async () => {
    await say("line b");
    return refused() > 0;
  }, "a refusal");
  await stop();
});

t.test("protocol udp keeps a bounded number of messages while the intake waits", async (t) => {
  const { to, intake, context } = await start(t, { protocol: "udp" });
  intake.block();
  const socket = createSocket("udp4");
  t.teardown(() => socket.close());
  let sent = 0;
  const dropped = () => context.ignoredCounts["refused: no room"] ?? 0;
  // A batch of 4 MiB in the intake, one that fills, and 16 MiB that wait: then there is no room.
  await until(async () => {
    for (let i = 0; i < 8; i++) {
      const text = `line ${sent++} ${"x".repeat(60_000)}`;
      await new Promise((done) => socket.send(text, to as number, "127.0.0.1", done));
    }
    return dropped() > 0;
  }, "a message without room");
  t.ok(intake.outstandingItems <= 1000);
  intake.unblock();
  await until(() => intake.ids.length > 250, "what waited");
  t.ok(intake.ids.length + dropped() <= sent, "nothing is taken twice");
});

t.test("tls takes senders that the authority vouches for, and only those", async (t) => {
  const { ca, server, client } = testCertificates(t.testdir());
  const tls = { cert_file: server.cert, key_file: server.key, client_ca_file: ca };
  const { to, intake, context, stop } = await start(t, { tls, handshake_timeout: "200ms" });
  const trusted = { ca: readFileSync(ca), port: to as number, host: "127.0.0.1" };
  const known = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
  const say = async (text: string, options = {}) => {
    const socket = connectTls({ ...trusted, ...options });
    socket.on("error", () => {}).on("secureConnect", () => socket.end(text)).resume();
    t.teardown(() => socket.destroy());
    await closed(socket);
  };
  const silent = await dial(t, to);
  const plain = await dial(t, to);
  plain.write("line plain\n");
  await say("line stranger\n");
  await say("line friend\n", known);
  await until(() => intake.ids.length > 0, "the friend");
  await closed(silent);
  await closed(plain);
  t.same(intake.ids, ["friend"]);
  t.equal(context.lines.filter(({ level }) => level === "warn").length, 1, "told once");
  t.match(context.lines[0]!.message, /^Refused a connection: /);
  await stop();
});

t.test("handshakes that nobody finishes keep no sender out", async (t) => {
  const { server } = testCertificates(t.testdir());
  const tls = { cert_file: server.cert, key_file: server.key };
  const { to, intake, stop } = await start(t, { tls, max_connections: 3 });
  const silent = await Promise.all(Array.from({ length: 3 }, () => dial(t, to)));
  const port = to as number;
  for (const name of ["a", "b"]) {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    t.teardown(() => socket.destroy());
    socket.on("error", () => {}).on("secureConnect", () => socket.write(`line ${name}\n`));
    await until(() => intake.ids.includes(name), `the line of ${name}`);
  }
  await Promise.all(silent.slice(0, 2).map(closed));
  t.equal(silent[2]!.destroyed, false, "no more than had to go");
  await stop();
});

t.test("bad bytes are set aside, and others are served meanwhile", async (t) => {
  const { to, intake, stop } = await start(t, { max_frame_bytes: "1KiB", frame_timeout: "500ms" });
  const slow = await dial(t, to);
  slow.write("line slo");
  const endless = await dial(t, to);
  endless.write("x".repeat(100_000));
  await send(t, to, `999999999 ${"x".repeat(100)}`);
  await send(t, to, `20000 ${"y".repeat(20_000)}line after\n`);
  await send(t, to, Buffer.from([0, 0, 0xff, 0xfe, 0x0a]));
  endless.write("\nline behind\n");
  await until(() => intake.ids.length === 2, "the good lines");
  t.same(intake.ids.toSorted(), ["after", "behind"]);
  await closed(slow);
  await until(() => intake.rejects.length === 5, "five rejects");
  t.same(intake.rejects.map(({ reason }) => reason).toSorted(), [
    "Connection broke off within a message",
    'Line does not begin with "line "',
    "Message is longer than 1024 bytes",
    "Message is longer than 1024 bytes",
    "Message of 999999999 bytes: the limit is 1024",
  ]);
  t.ok(intake.rejects.every(({ raw }) => raw.length <= 1024), "each cut at the limit");
  await stop();
});

t.test("of 2,000 connections 1,024 are served, and the next ones when these end", async (t) => {
  const { to, intake, context, stop } = await start(t);
  const sockets: Socket[] = [];
  for (let i = 0; i < 20; i++) {
    sockets.push(...await Promise.all(Array.from({ length: 100 }, () => dial(t, to))));
  }
  await until(() => sockets.filter(({ destroyed }) => destroyed).length === 976, "the refused");
  const served = sockets.filter(({ destroyed }) => !destroyed);
  served.forEach((socket, i) => socket.write(`line ${i}\n`));
  await until(() => intake.ids.length === 1024, "a line of each");
  const warnings = context.lines.filter(({ level }) => level === "warn");
  t.same(warnings.map(({ message }) => message), ["Refused a connection: all 1024 are in use"]);
  for (const socket of served) socket.end();
  await Promise.all(served.map(closed));
  await send(t, to, "line later\n");
  await until(() => intake.ids.includes("later"), "a line of a new connection");
  await stop();
});

t.test("a stream that is too fast is read more slowly, and loses nothing", async (t) => {
  const { to, intake, stop } = await start(t, { max_messages_per_second: 40 });
  const begin = performance.now();
  await send(t, to, Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(""));
  await until(() => intake.ids.length === 100, "every line");
  t.ok(performance.now() - begin > 1000, "over several seconds");
  await stop();
});

t.test("a connection that brings nothing is closed", async (t) => {
  const { to, intake } = await start(t, { idle_timeout: "500ms" });
  const socket = await dial(t, to);
  socket.write("line a\n");
  await closed(socket);
  t.same(intake.ids, ["a"]);
});

t.test("stop() reads what is on the way before it hangs up", async (t) => {
  const { to, intake, stop } = await start(t);
  const socket = await dial(t, to);
  let sent = 0;
  socket.on("end", () => socket.end());
  const timer = setInterval(() => {
    if (socket.writable) socket.write(`line ${sent++}\n`);
  }, 1);
  t.teardown(() => clearInterval(timer));
  await until(() => intake.ids.length > 20, "some lines");
  await stop();
  await closed(socket);
  clearInterval(timer);
  t.equal(intake.ids.length, sent, "all that was sent was taken");
});

t.test("a format that waits for more messages is flushed", async (t) => {
  let waiting: FramePosition | undefined;
  const event = (id: string): AuditEvent => {
    const decoded = lineFormat().decode(Buffer.from(`line ${id}`), { source: "", offset: 0 });
    return ("events" in decoded ? decoded.events[0] : undefined)!;
  };
  const format = () => ({
    decode(_frame: Uint8Array, at: FramePosition) {
      waiting = at;
      return NOTHING;
    },
    flush(nowMs: number) {
      if (waiting === undefined) return NOTHING;
      waiting = undefined;
      return { events: [event(nowMs === Infinity ? "last" : "waited")] };
    },
    oldestPending: () => waiting,
  });
  const { to, intake, stop } = await start(t, {}, { format });
  const socket = await dial(t, to);
  socket.write("one\n");
  await until(() => intake.ids.includes("waited"), "what waited");
  socket.end("two\n");
  await until(() => intake.ids.includes("last"), "what the connection's end completes");
  await stop();
});

t.test("options that do not fit together are refused, with their path", async (t) => {
  const problems = (config: Record<string, unknown>) =>
    syslog.config.safeParse(config).error?.issues.map(({ path }) => path.join("."));
  const tls = { cert_file: "a", key_file: "b" };
  t.same(problems({ protocol: "unix" }), ["endpoint"]);
  t.same(problems({ protocol: "udp", endpoint: "unix:///run/x" }), ["endpoint"]);
  t.same(problems({ protocol: "unix", endpoint: `unix:///${"x".repeat(107)}` }), ["endpoint"]);
  t.same(problems({ protocol: "udp", tls }), ["tls"]);
  t.same(problems({ tls }), undefined);
});

t.test("start() says which address cannot be had", async (t) => {
  for (const protocol of ["tcp", "udp"]) {
    const { to } = await start(t, { protocol });
    const config = syslog.config.parse({ protocol, endpoint: `127.0.0.1:${to}`, format: "line" });
    const other = syslog.create(config, testContext({ format: lineFormat }), recordingIntake());
    await t.rejects(other.start(testHost()), { name: "ConfigError", message: /127\.0\.0\.1:/ });
  }
});
