// Receiver auditd on auditd's socket: both of its forms, connections that end, and the names of
// accounts for a log without them. And what the kernel itself says it has lost.

import { Buffer } from "node:buffer";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { endianness, tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  compare,
  conformance,
  lineFormat,
  recordingIntake,
  stopInTime,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import { type Format, type FramePosition, NOTHING } from "../../sdk/index.ts";
import { AccountFile } from "./accounts.ts";
import { FrameSplitter } from "./frames.ts";
import auditd from "./index.ts";
import { WithLostCount } from "./lost.ts";

/** What auditd is to the receiver: a socket that writes to whoever is connected. */
class Daemon {
  readonly path: string;
  #server: Server | undefined;
  readonly #clients = new Set<Socket>();

  constructor(path: string) {
    this.path = path;
  }

  async listen(): Promise<void> {
    const server = this.#server = createServer((client) => {
      this.#clients.add(client);
      client.on("error", () => {}).on("close", () => this.#clients.delete(client));
    });
    await new Promise<void>((done) => server.listen(this.path, done));
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    await until(() => this.#clients.size > 0, "a connection");
    const [client] = this.#clients;
    await new Promise<void>((done) => client!.write(bytes, () => done()));
  }

  async hangUp(): Promise<void> {
    for (const client of this.#clients) client.end();
    await until(() => this.#clients.size === 0, "the end of the connection");
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((done) => this.#server!.close(() => done()));
  }
}

/** A folder whose path is short enough for a socket's. */
async function socketPath(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return join(folder, "s");
}

async function daemon(t: Test): Promise<Daemon> {
  const one = new Daemon(await socketPath(t));
  await one.listen();
  t.teardown(() => one.close());
  return one;
}

t.test("auditd on a socket", async (t) => {
  const noPosition = "auditd sends a line once, to whoever is connected";
  // One for all, so that the handles of the receiver are all that comes and goes.
  const one = await daemon(t);
  let number = 0;
  const source = async () => {
    await one.hangUp();
    return {
      config: { socket: one.path },
      context: { format: lineFormat },
      write: async (count: number) => {
        const ids = Array.from({ length: count }, () => String(number++));
        await one.write(ids.map((id) => `line ${id}\n`).join(""));
        return ids;
      },
      writeBad: (noise: Uint8Array) => one.write(Buffer.concat([noise, Buffer.from("\n")])),
    };
  };
  await conformance(t, auditd, { minimal: { socket: "/run/audit/af_unix" }, source, noPosition });
});

/** A format that answers each frame with an event named as it, and knows what it was told. */
function keepingFormat(told: unknown[] = []): Format {
  let count = 0;
  const line = lineFormat();
  return {
    ...line,
    decode: (frame: Uint8Array, at: FramePosition) => {
      count++;
      return line.decode(Buffer.concat([Buffer.from("line "), frame]), at);
    },
    flush: () => NOTHING,
    learned: () => ({ count }),
    recall: (learned) => told.push(learned),
  };
}

function frame(version: number, type: number, text: string, isPadded: boolean): Buffer {
  const record = Buffer.from(text);
  const header = new DataView(new ArrayBuffer(16));
  [version, 16, type, record.length].forEach((value, i) =>
    header.setUint32(i * 4, value, endianness() === "LE")
  );
  const rest = isPadded ? Buffer.alloc(8970 - record.length, "stale ") : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(header.buffer), record, rest]);
}

const FRAMES = [
  [
    0,
    1300,
    "audit(1.000:1): arch=c000003e",
    "type=UNKNOWN[1300] msg=audit(1.000:1): arch=c000003e",
  ],
  [0, 1320, "audit(1.000:1): \0", "type=UNKNOWN[1320] msg=audit(1.000:1): "],
  [1, 1300, "type=CWD msg=audit(1.000:2): a=b\n", "type=CWD msg=audit(1.000:2): a=b"],
] as const;

t.test("FrameSplitter reads frames with and without the rest of the buffer, cut anywhere", async (t) => {
  for (const isPadded of [false, true]) {
    const bytes = Buffer.concat(FRAMES.map(([v, type, text]) => frame(v, type, text, isPadded)));
    for (const chunk of [1, 7, 16, 17, 4096, bytes.length]) {
      const frames = new FrameSplitter(65_536);
      const found: string[] = [];
      const taker = {
        line: (line: Uint8Array) => found.push(Buffer.from(line).toString()) > 0,
        reject: (_: Uint8Array, offset: number, reason: string) => t.fail(`${offset} ${reason}`),
      };
      let from = 0;
      for (let end = chunk; end < bytes.length + chunk; end += chunk) {
        const part = bytes.subarray(from, Math.min(end, bytes.length));
        from += frames.split(part, 0, from, taker);
      }
      t.strictSame(found, FRAMES.map(([, , , line]) => line), `padded ${isPadded}, by ${chunk}`);
    }
  }
});

t.test("auditd reads the binary form, again after each end, and says while it cannot", async (t) => {
  const one = await daemon(t);
  const intake = recordingIntake();
  const told: unknown[] = [];
  const context = testContext({ format: () => keepingFormat(told) });
  const config = auditd.config.parse({ socket: one.path });
  const host = testHost();
  const receiver = auditd.create(config, context, intake);
  await receiver.start(host);
  const expected: string[] = [];
  for (let round = 0; round < 3; round++) {
    const [version, type, text, line] = FRAMES[round % FRAMES.length]!;
    await one.write(frame(version, type, text, true));
    expected.push(line);
    await until(() => intake.ids.length === expected.length, "the frame's event");
    if (round === 0) await one.hangUp();
  }
  await one.write("\0\0\0\0 no header of a frame, so nothing after it can be told apart");
  await until(() => intake.rejects.length > 0, "a reject");
  await until(() => host.reports.some(({ reason }) => reason?.includes("no frame")), "a report");
  await stopInTime(t, receiver);
  t.equal(compare(intake.ids, expected), "");
  t.match(intake.rejects[0], { reason: "No frame of auditd" });
  t.match(host.reports[0], { state: "running" });
  t.match(host.reports[1], { state: "waiting", reason: /^Cannot read socket ".*": auditd has/ });

  const next = auditd.create(config, context, intake);
  await next.start(testHost());
  t.strictSame(told, [{}, { count: 3 }], "what was learned stands in the position");
  await stopInTime(t, next);
});

t.test("auditd waits for a socket that is not there yet, and rejects a cut line", async (t) => {
  const one = new Daemon(await socketPath(t));
  const intake = recordingIntake();
  const host = testHost();
  const config = auditd.config.parse({ socket: one.path });
  const receiver = auditd.create(config, testContext({ format: lineFormat }), intake);
  await receiver.start(host);
  await until(() => host.reports.some(({ state }) => state === "waiting"), "a report");
  await one.listen();
  t.teardown(() => one.close());
  await one.write("line 1\nline 2, cu");
  await until(() => intake.ids.length === 1, "the whole line");
  await one.hangUp();
  await until(() => intake.rejects.length === 1, "the cut line");
  await stopInTime(t, receiver);
  t.match(intake.rejects[0], { reason: /^Cut line/ });
});

t.test("auditd makes an event of the kernel's lost count when it has grown", async (t) => {
  const intake = recordingIntake();
  const context = testContext();
  let now = { boot: "b1", lost: 7 };
  const nothing = { start: async () => {}, stop: async () => {} };
  const counted = async () => {
    await new WithLostCount(nothing, context, intake, async () => now).check();
    return intake.ids.length;
  };
  t.equal(await counted(), 0, "what was lost before the first start has no time");
  now = { boot: "b1", lost: 10 };
  intake.failNext(1);
  await t.rejects(counted(), "not taken: asked for again");
  t.equal(await counted(), 1);
  t.equal(await counted(), 1, "not again after a restart");
  now = { boot: "b1", lost: 0 };
  t.equal(await counted(), 1, "set back with auditctl --reset-lost");
  now = { boot: "b2", lost: 4 };
  t.equal(await counted(), 2, "the next boot counts from 0");
  t.strictSame(intake.ids, ["lost count b1 10", "lost count b2 4"]);
});

t.test("AccountFile finds names, notices changes, and remembers accounts that are gone", async (t) => {
  const path = join(t.testdir(), "passwd");
  let now = 0;
  const file = new AccountFile(path, () => now);
  t.equal(file.name("1000"), undefined, "no file");
  await writeFile(path, "root:x:0:0:root:/root:/bin/sh\n+nis::7:::\nalice:x:1000:0:1000:1000:\n");
  t.equal(file.name("1000"), undefined, "not looked at again within a second");
  now += 1000;
  t.equal(file.name("1000"), "alice");
  t.equal(file.name("0"), "root");
  t.equal(file.name("7"), undefined, "no account of its own");
  t.equal(file.name("x"), undefined);
  t.equal(file.name("1001"), undefined);
  await appendFile(path, "bob:x:1001:0:::\n");
  t.equal(file.name("1001"), undefined);
  now += 1000;
  t.equal(file.name("1001"), "bob");
  await writeFile(path, "root:x:0:0:root:/root:/bin/sh\nrenamed:x:1001:0:::\n");
  now += 1000;
  t.equal(file.name("1000"), "alice");
  t.equal(file.name("1001"), "renamed");
  await rm(path);
  now += 1000;
  t.equal(file.name("1001"), "renamed");
});
