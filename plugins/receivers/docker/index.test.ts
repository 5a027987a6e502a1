// Receiver docker against an engine that answers as Docker's and Podman's do: a real HTTP server on
// a unix socket that replays what it remembers and then streams what comes.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import {
  compare,
  conformance,
  type RecordingIntake,
  recordingIntake,
  stopInTime,
  testCertificates,
  testContext,
  type TestHost,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import dockerFormat from "../../formats/docker/index.ts";
import { parseEngine } from "./config.ts";
import docker from "./index.ts";

const format = (_name: string, config?: unknown) =>
  dockerFormat.create(dockerFormat.config.parse(config ?? {}), testContext());

interface Remembered {
  readonly timeMs: number;
  readonly bytes: Uint8Array;
}

/** What an engine is: events it remembers, and who listens. */
class Engine {
  readonly #listeners = new Set<ServerResponse>();
  readonly #rememberedMax: number;
  #remembered: Remembered[] = [];
  #server: Server | undefined;
  #number = 0;
  readonly path: string;
  readonly requests: string[] = [];
  /** What it answers instead of events. */
  refusal: number | undefined;

  constructor(path: string, rememberedMax = Infinity) {
    this.path = path;
    this.#rememberedMax = rememberedMax;
  }

  start(): Promise<void> {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url!, "http://engine");
      this.requests.push(url.pathname + url.search);
      if (this.refusal !== undefined) {
        response.writeHead(this.refusal).end('{"message":"not now"}\nmore');
        return;
      }
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      const since = Number(url.searchParams.get("since")) * 1000;
      for (const { timeMs, bytes } of this.#remembered) {
        if (timeMs >= since) response.write(bytes);
      }
      if (url.searchParams.has("until")) return void response.end();
      this.#listeners.add(response);
      response.on("close", () => this.#listeners.delete(response));
    });
    return new Promise((resolve) => this.#server!.listen(this.path, resolve));
  }

  /** Ends as a crash would; with `forget`, without what it remembered. */
  async stop(forget = false): Promise<void> {
    if (forget) this.#remembered = [];
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) =>
      server === undefined ? resolve() : server.close(() => resolve())
    );
  }

  get connections(): number {
    return this.#listeners.size;
  }

  say(bytes: Uint8Array, timeMs: number): void {
    this.#remembered.push({ timeMs, bytes });
    if (this.#remembered.length > this.#rememberedMax) this.#remembered.shift();
    for (const listener of this.#listeners) listener.write(bytes);
  }

  /** Events a millisecond apart; `late` moves one back in time, as Podman's are. Answers their ids. */
  happen(count: number, late = 0): string[] {
    return Array.from({ length: count }, () => {
      const number = this.#number++;
      const timeMs = 1_700_000_000_000 + number - (number % 7 === 3 ? late : 0);
      const nanos = `${timeMs}${String(number % 1_000_000).padStart(6, "0")}`;
      const event = `{"Type":"volume","Action":"create","Actor":{"ID":"v${number}",` +
        `"Attributes":{"driver":"local"}},"scope":"local","timeNano":${nanos}}\n`;
      this.say(new TextEncoder().encode(event), timeMs);
      return `${nanos}:volume:create:v${number}`;
    });
  }
}

/** A path for a socket: those of t.testdir() are longer than a socket's may be. */
function socketPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, "engine.sock");
}

async function engine(t: Test, rememberedMax?: number): Promise<Engine> {
  const made = new Engine(socketPath(t), rememberedMax);
  await made.start();
  t.teardown(() => made.stop());
  return made;
}

interface Running {
  readonly intake: RecordingIntake;
  readonly host: TestHost;
  readonly lines: readonly { readonly level: string; readonly message: string }[];
  stop(): Promise<void>;
  drain(): Promise<void>;
}

async function run(
  t: Test,
  path: string,
  intake: RecordingIntake,
  { once = false, ...options }: Record<string, unknown> = {},
): Promise<Running> {
  const context = testContext({ format, once: once === true });
  const host = testHost();
  const config = docker.config.parse({
    endpoint: `unix://${path}`,
    reconnect_max: "20ms",
    ...options,
  });
  const receiver = docker.create(config, context, intake);
  t.teardown(() => receiver.stop(AbortSignal.abort(new Error("Stopped: the test is over"))));
  await receiver.start(host);
  return {
    intake,
    host,
    lines: context.lines,
    stop: () => stopInTime(t, receiver),
    drain: async () => await receiver.drain?.(),
  };
}

const came = (intake: RecordingIntake, count: number) =>
  until(() => intake.ids.length >= count, `${count} events (${intake.ids.length} came)`);

t.test("docker", async (t) => {
  await conformance(t, docker, {
    minimal: {},
    backlog: 5000,
    source: async (t) => {
      const made = new Engine(socketPath(t));
      t.teardown(() => made.stop());
      // Not before there is something to say: conformance() counts open sockets, also the engine's.
      let started: Promise<void> | undefined;
      return {
        config: { endpoint: `unix://${made.path}`, start_at: "beginning", reconnect_max: "50ms" },
        context: { format },
        write: async (count) => {
          await (started ??= made.start());
          return made.happen(count, 60);
        },
        writeBad: async (noise) => {
          await (started ??= made.start());
          made.say(Buffer.concat([Buffer.from("?"), noise, Buffer.from("\n")]), 1_700_000_000_000);
        },
      };
    },
  });
});

t.test("docker names its format and options for the configuration's check", async (t) => {
  t.same(docker.formats?.(docker.config.parse({ max_labels: 3 })), [
    { name: "docker", config: { max_labels: 3 } },
  ]);
  for (const endpoint of ["unix:///run/x.sock", "tcp://10.0.0.1:2375", "https://[::1]:2376"]) {
    t.ok(docker.config.safeParse({ endpoint }).success, endpoint);
  }
  for (const endpoint of ["", "unix://x", "/var/run/docker.sock", "tcp://h", "ftp://h:1"]) {
    t.notOk(docker.config.safeParse({ endpoint }).success, endpoint);
  }
  t.equal(parseEngine("tcp://10.0.0.1:2375")?.origin, "http://10.0.0.1:2375");
});

t.test("docker reads what Podman's API streamed, whole and in its order", async (t) => {
  const made = await engine(t);
  const folder = dirname(fileURLToPath(import.meta.url));
  const captured = join(folder, "../../formats/docker/testdata/podman.jsonl");
  const lines = readFileSync(captured, "utf8").trimEnd().split("\n");
  for (const line of lines) {
    made.say(Buffer.from(`${line}\n`), Math.floor(JSON.parse(line).timeNano / 1e6));
  }
  const running = await run(t, made.path, recordingIntake(), { once: true });
  await running.drain();
  t.equal(running.intake.takenEvents.length, lines.length);
  t.match(made.requests[0], /^\/events\?until=\d+\.\d{3}/);
});

t.test("docker begins with what comes next, and goes on from there even if nothing came", async (t) => {
  const made = await engine(t);
  made.happen(5);
  const first = await run(t, made.path, recordingIntake());
  await until(() => made.connections === 1, "a connection");
  await first.stop();
  t.same(first.intake.ids, []);
  t.type(first.intake.position()?.since, "number");
  const second = await run(t, made.path, recordingIntake(first.intake.position()));
  await until(() => made.requests.length === 2, "the second connection");
  t.equal(made.requests[1], made.requests[0], "asks from the same moment");
  await second.stop();
});

t.test("docker connects again from where it was, and nothing is lost or comes twice", async (t) => {
  const made = await engine(t);
  const running = await run(t, made.path, recordingIntake(), { start_at: "beginning" });
  const expected = made.happen(700, 60);
  await came(running.intake, 700);
  await made.stop();
  await until(
    () => running.host.reports.some(({ state }) => state === "degraded"),
    "the loss of the connection reported",
  );
  expected.push(...made.happen(200, 60));
  await made.start();
  expected.push(...made.happen(100, 60));
  await came(running.intake, 1000);
  await running.stop();
  t.equal(compare(running.intake.ids, expected), "");
  t.notOk(running.lines.some(({ message }) => /forgotten/.test(message)), "no gap is told");
  const known = running.intake.position()?.known as readonly unknown[];
  t.ok(known.length <= 512, `${known.length} ids in the position`);
});

t.test("docker says so, in the log and in a record, when the engine forgot its last event", async (t) => {
  const made = await engine(t);
  const running = await run(t, made.path, recordingIntake(), { start_at: "beginning" });
  const expected = made.happen(3);
  await came(running.intake, 3);
  await made.stop(true);
  await made.start();
  await until(() => made.connections === 1, "the second connection");
  expected.push(...made.happen(2));
  await came(running.intake, 6);
  await running.stop();
  const gap = running.intake.takenEvents.find(({ action }) => action === "LoseEvents");
  t.match(gap, {
    id: `gap:1700000000002:${expected[3]}`,
    additional: { from: "2023-11-14T22:13:20.002Z", to: "2023-11-14T22:13:20.003Z" },
  });
  t.equal(compare(running.intake.ids, [...expected, gap?.id ?? ""]), "");
  t.match(running.lines.filter(({ level }) => level === "error"), [
    { message: /^Cannot tell what happened between .* has forgotten its last event/ },
  ]);
});

t.test("docker finds the gap where more happened than the engine remembers", async (t) => {
  const made = await engine(t, 256);
  const first = await run(t, made.path, recordingIntake(), { start_at: "beginning" });
  made.happen(10);
  await came(first.intake, 10);
  await first.stop();
  made.happen(300);
  const second = await run(t, made.path, recordingIntake(first.intake.position()));
  await came(second.intake, 257);
  t.equal(second.intake.takenEvents[0]?.action, "LoseEvents");
  await second.stop();
});

t.test("docker is degraded with the reason while there is no engine, and then connects", async (t) => {
  const made = new Engine(socketPath(t));
  t.teardown(() => made.stop());
  const running = await run(t, made.path, recordingIntake(), { start_at: "beginning" });
  await until(() => running.host.reports.length > 0, "a report");
  t.match(running.host.reports[0], {
    state: "degraded",
    reason: `Cannot read events of "unix://${made.path}": no such file: is the engine running, ` +
      "and the path right?",
  });
  made.refusal = 503;
  await made.start();
  await until(
    () => running.host.reports.some(({ reason }) => /it answered 503 "{.*}"$/.test(reason ?? "")),
    "the refusal reported",
  );
  made.refusal = undefined;
  made.happen(1);
  await came(running.intake, 1);
  t.match(running.host.reports.at(-1), { state: "running" });
  await running.stop();
});

t.test("docker connects over https with its own certificate, and says why it cannot", async (t) => {
  const files = testCertificates(t.testdir());
  const read = (path: string) => readFileSync(path);
  const server = createTlsServer(
    {
      cert: read(files.server.cert),
      key: read(files.server.key),
      ca: read(files.ca),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (_request, response) => response.end('{"Type":"volume","Action":"create","time":1700000000}\n'),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const endpoint = `https://127.0.0.1:${port}`;
  const { cert: cert_file, key: key_file } = files.client;
  const tls = { ca_file: files.ca, cert_file, key_file };
  const known = await run(t, "", recordingIntake(), { once: true, endpoint, tls });
  await known.drain();
  t.match(known.intake.takenEvents, [{ action: "CreateVolume" }]);
  const stranger = await run(t, "", recordingIntake(), { once: true, endpoint });
  await t.rejects(stranger.drain(), { message: /^Cannot read events of "https:.*certificate/i });
  const noFile = { ...tls, key_file: "/nowhere.pem" };
  const lost = await run(t, "", recordingIntake(), { once: true, endpoint, tls: noFile });
  await t.rejects(lost.drain(), { message: /nowhere\.pem/ });
});

t.test("docker under --once fails where there is no engine", async (t) => {
  const running = await run(t, socketPath(t), recordingIntake(), { once: true });
  await t.rejects(running.drain(), { message: /^Cannot read events of .*no such file/ });
});

t.test("a position holds no names and no commands", async (t) => {
  const made = await engine(t);
  const running = await run(t, made.path, recordingIntake(), { start_at: "beginning" });
  made.happen(2);
  await came(running.intake, 2);
  await running.stop();
  t.match(running.intake.position(), {
    known: [{ id: /^[0-9a-f]{16}$/, time: 1700000000000 }, { id: /^[0-9a-f]{16}$/ }],
  });
});
