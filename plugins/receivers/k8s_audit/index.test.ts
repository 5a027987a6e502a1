// Receiver k8s_audit: the webhook with a real client, requests whose stages come in two lists, and the
// log file as the API server rotates it.

import { readFileSync } from "node:fs";
import { appendFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { Agent, request } from "undici";
import {
  aboutLine,
  conformance,
  lineFormat,
  recordingIntake,
  stopInTime,
  testAgent,
  testCertificates,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import { type Format, NOTHING, RejectedInput } from "../../sdk/index.ts";
import { receivedOnlyId } from "../../sdk/received-only.ts";
import k8sAudit from "./index.ts";

/** A format as k8s_audit is one, as far as the receiver cares: `"r7"` is the receipt of `"7"`. */
function listFormat(): Format {
  const parse = (frame: Uint8Array): unknown => {
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(frame));
    } catch {
      throw new RejectedInput("Is not JSON");
    }
  };
  return {
    decode: (frame) => {
      const root = parse(frame);
      const items = typeof root === "string" ? [root] : (root as { items?: unknown[] }).items;
      if (!items?.every((item) => typeof item === "string")) throw new RejectedInput("Is bad");
      const ids = items.map((id) => id.startsWith("r") ? receivedOnlyId(id.slice(1)) : id);
      return { events: ids.map(aboutLine) };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  };
}

const list = (...items: readonly unknown[]) => JSON.stringify({ kind: "EventList", items });

function client(t: Test, path: string) {
  const dispatcher = new Agent({ connect: { socketPath: path } });
  t.teardown(() => dispatcher.destroy());
  return async (body: string | Uint8Array, headers: Record<string, string> = {}) => {
    const url = "http://localhost/audit?timeout=30s";
    const answer = await request(url, { method: "POST", body, headers, dispatcher });
    await answer.body.text();
    return answer.statusCode;
  };
}

let sockets = 0;
const socketPath = () => `/tmp/cairn-k8s-${process.pid}-${sockets++}.sock`;

async function posts(t: Test) {
  const path = socketPath();
  const post = client(t, path);
  let number = 0;
  return {
    config: { endpoint: `unix://${path}` },
    context: { format: listFormat },
    write: async (count: number) => {
      const ids = Array.from({ length: count }, () => String(number++));
      const lists: Promise<void>[] = [];
      for (let at = 0; at < count; at += 400) {
        const body = list(...ids.slice(at, at + 400));
        lists.push((async () => {
          while (await post(body) === 503);
        })());
      }
      await Promise.all(lists);
      return ids;
    },
    writeBad: async (noise: Uint8Array) => {
      await post(Buffer.concat([Buffer.from("!"), noise]));
    },
  };
}

/** A log that is rotated, as the API server does it, before every fifth write. */
async function logFile(t: Test) {
  const folder = t.testdir();
  const path = join(folder, "audit.log");
  await writeFile(path, "");
  let number = 0;
  let writes = 0;
  return {
    config: { path, start_at: "beginning" },
    context: { format: lineFormat },
    write: async (count: number) => {
      if (++writes % 5 === 0) {
        const moment = new Date(1_800_000_000_000 + writes).toISOString().replaceAll(":", "-");
        await rename(path, join(folder, `audit-${moment.slice(0, -1)}.log`));
      }
      const ids = Array.from({ length: count }, () => String(number++));
      await appendFile(path, ids.map((id) => `line ${id}\n`).join(""));
      return ids;
    },
    writeBad: async (noise: Uint8Array) => {
      await appendFile(path, Buffer.concat([noise, Buffer.from("\n")]));
    },
  };
}

t.test("k8s_audit, its webhook", async (t) => {
  await conformance(t, k8sAudit, {
    minimal: {},
    source: posts,
    noPosition: "the API server keeps what is not answered",
  });
});

t.test("k8s_audit, its file", async (t) => {
  await conformance(t, k8sAudit, { minimal: { path: "audit.log" }, source: logFile });
});

t.test("k8s_audit reads rotated files first when it starts at the beginning", async (t) => {
  const log = await logFile(t);
  const expected: string[] = [];
  for (let write = 0; write < 12; write++) expected.push(...await log.write(3));
  const intake = recordingIntake();
  const context = testContext({ ...log.context, once: true });
  const config = k8sAudit.config.parse({ path: log.config.path });
  const receiver = k8sAudit.create(config, context, intake);
  const host = testHost();
  await receiver.start(host);
  await receiver.drain?.();
  await stopInTime(t, receiver);
  t.same(intake.ids, expected, "in their order");
  t.notOk(host.reports.some(({ state }) => state === "waiting"), "nothing is missing");
});

async function start(t: Test, options: Record<string, unknown> = {}, intake = recordingIntake()) {
  const path = socketPath();
  const config = k8sAudit.config.parse({ endpoint: `unix://${path}`, ...options });
  let now = 1_800_000_000_000;
  const context = testContext({ format: listFormat, clock: () => now });
  const receiver = k8sAudit.create(config, context, intake);
  await receiver.start(testHost());
  t.teardown(() => receiver.stop(AbortSignal.timeout(1000)));
  return { post: client(t, path), intake, context, receiver, pass: (ms: number) => now += ms };
}

t.test("k8s_audit passes its options on to the format", async (t) => {
  const config = k8sAudit.config.parse({ cluster: "c", wait: "90s" });
  const uses = k8sAudit.formats?.(config) ?? [];
  t.same(uses, [
    { name: "k8s_audit", config: { cluster: "c", request_objects: true, wait: "90s" } },
  ]);
  const { default: format } = await import("../../formats/k8s_audit/index.ts");
  const own = format.config.parse(uses[0]!.config);
  t.match(own, { cluster: "c", wait: 90_000 });
  t.ok(format.create(own, { agent: testAgent, ignored: () => {} }));
});

t.test("k8s_audit has either a file or a webhook", async (t) => {
  const problem = (options: Record<string, unknown>) =>
    k8sAudit.config.safeParse(options).error?.issues[0]?.message;
  t.match(problem({ path: "a", endpoint: "127.0.0.1:1" }), /either path or endpoint/);
  t.match(problem({ path: "a", bearer_token: "t" }), /either path or bearer_token/);
  t.equal(problem({ path: "a" }), undefined);
});

t.test("k8s_audit makes one of the stages that come in two lists, over a restart too", async (t) => {
  const first = await start(t);
  t.equal(await first.post(list("1", "r2", "r3")), 200);
  t.equal(await first.post(list("r2", "r2")), 200, "a list that is repeated");
  t.equal(await first.post(list("2")), 200);
  t.same(first.intake.ids, ["1", "2"]);
  t.same(Object.keys(first.intake.position() ?? {}), ["received 3"]);
  await stopInTime(t, first.receiver);
  const second = await start(t, {}, first.intake);
  t.equal(await second.post(list("3", "4")), 200);
  t.same(first.intake.ids, ["1", "2", "3", "4"]);
  t.same(first.intake.position(), {});
});

t.test("k8s_audit keeps what it holds when a list is not taken", async (t) => {
  const { post, intake } = await start(t);
  await post(list("r1"));
  intake.failNext(1);
  t.equal(await post(list("1", "r2")), 503);
  t.same(intake.ids, []);
  t.equal(await post(list("1", "r2")), 200);
  t.same(intake.ids, ["1"]);
  t.same(Object.keys(intake.position() ?? {}), ["received 2"]);
});

t.test("k8s_audit tells a receipt by itself after a while, or when there are many", async (t) => {
  const { post, intake, pass } = await start(t, { wait: "40ms" });
  await post(list("r1"));
  pass(39);
  await post(list("r2"));
  pass(1);
  await until(() => intake.ids.length > 0, "the first");
  t.same(intake.ids, [receivedOnlyId("1")]);
  t.same(Object.keys(intake.position() ?? {}), ["received 2"]);
  const many = Array.from({ length: 1030 }, (_, index) => `r${index + 10}`);
  await post(list(...many));
  t.equal(Object.keys(intake.position() ?? {}).length, 1024);
  t.same(intake.ids.slice(1, 3), [receivedOnlyId("2"), receivedOnlyId("10")], "the oldest first");
});

t.test("k8s_audit sets aside the bad item of a list, and takes the others", async (t) => {
  const { post, intake } = await start(t);
  t.equal(await post(list("1", { not: "good" }, "2")), 200);
  t.same(intake.ids, ["1", "2"]);
  t.same(intake.rejects.map(({ raw }) => Buffer.from(raw).toString()), ['{"not":"good"}']);
  t.equal(await post("no JSON"), 400);
  t.equal(await post(""), 400);
  t.equal(intake.rejects.length, 2);
  const many = Array.from({ length: 5000 }, (_, index) => `n${index}`);
  t.equal(await post(list(...many)), 200);
  t.equal(intake.ids.length, 5002, "a list of many");
});

t.test("k8s_audit sets aside a flood of bad items as one", async (t) => {
  const { post, intake } = await start(t);
  const flood = list(...Array.from({ length: 100_001 }, () => 0));
  t.equal(await post(flood), 400);
  t.same(intake.rejects.map(({ raw }) => raw.length), [flood.length]);
});

t.test("k8s_audit wants its token", async (t) => {
  const { post, intake, context } = await start(t, { bearer_token: "t" });
  t.equal(await post(list("1")), 401);
  t.equal(await post(list("1"), { authorization: "Bearer t" }), 200);
  t.same(intake.ids, ["1"]);
  t.same(context.ignoredCounts, { "refused: no valid token or signature": 1 });
});

t.test("k8s_audit wants a certificate of its authority", async (t) => {
  const { ca, server, client } = testCertificates(t.testdir());
  const tls = { cert_file: server.cert, key_file: server.key, client_ca_file: ca };
  const intake = recordingIntake();
  const config = k8sAudit.config.parse({ endpoint: "127.0.0.1:0", tls });
  const receiver = k8sAudit.create(config, testContext({ format: listFormat }), intake);
  const host = testHost();
  await receiver.start(host);
  t.teardown(() => receiver.stop(AbortSignal.timeout(1000)));
  const address = host.reports.at(-1)!.reason!.replace("Listening on ", "");
  const read = (path: string) => readFileSync(path);
  const post = async (connect: Agent.Options["connect"]) => {
    const dispatcher = new Agent({ connect });
    t.teardown(() => dispatcher.destroy());
    const { statusCode } = await request(`https://${address}/`, {
      method: "POST",
      body: list("1"),
      dispatcher,
    });
    return statusCode;
  };
  const known = { ca: read(ca), cert: read(client.cert), key: read(client.key) };
  t.equal(await post(known), 200);
  await t.rejects(post({ ca: known.ca }));
  t.same(intake.ids, ["1"]);
});
