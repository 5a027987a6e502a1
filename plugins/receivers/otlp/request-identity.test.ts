// Senders that lose patience and come again, over real sockets, while the agent has no time to look.

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import t from "tap";
import {
  type RecordingIntake,
  recordingIntake,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import otlp from "./index.ts";

/** The ids of each call to the intake, taken or not. */
function watchIds(intake: RecordingIntake): string[][] {
  const calls: string[][] = [];
  const events = intake.events.bind(intake);
  intake.events = (given, options) => {
    calls.push(given.map(({ id }) => id));
    return events(given, options);
  };
  return calls;
}

/** A sender in a thread of its own: it loses patience and comes again while this one stands still. */
const IMPATIENT = `
const { parentPort, workerData: { port } } = require("node:worker_threads");
const { connect } = require("node:net");
let sent;
parentPort.on("message", ({ request, again }) => {
  sent?.destroy();
  if (request === undefined) return parentPort.close();
  const send = (done) => {
    sent = connect(port, "127.0.0.1").on("error", () => {});
    sent.once("data", () => parentPort.postMessage("answered"));
    sent.write(request, done);
  };
  if (!again) return send();
  send(() => {
    sent.destroy();
    send();
  });
});
`;

t.test("a sender that comes again at once brings the same ids, also to a busy agent", async (t) => {
  const intake = recordingIntake();
  const calls = watchIds(intake);
  const host = testHost();
  const protocols = { http: { endpoint: "127.0.0.1:0" } };
  const options = otlp.config.parse({ protocols });
  const receiver = otlp.create(options, testContext({ id: "otlp" }), intake);
  t.teardown(() => receiver.stop(AbortSignal.timeout(2000)));
  await receiver.start(host);
  const port = Number(/:(\d+) \(http\)/.exec(host.reports.at(-1)?.reason ?? "")?.[1]);
  const sender = new Worker(IMPATIENT, { eval: true, workerData: { port } });
  const head = `POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 100; round++) {
    const record = { timeUnixNano: `${round + 1}000000000`, body: { stringValue: "x" } };
    const body = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });
    const request = `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const begin = calls.length;
    const came = (count: number) =>
      until(() => calls.length >= begin + count, `request ${round} at the intake, ${count}`);
    intake.block({ deaf: true });
    // The agent stands still after the first came, or before it has seen any of both.
    const before = round % 2 === 0;
    sender.postMessage({ request, again: before });
    if (!before) {
      await came(1);
      sender.postMessage({ request });
    }
    Atomics.wait(still, 0, 0, round % 20);
    // Of a sender that has left before anybody looked, a runtime may tell nothing at all.
    await came(before ? 1 : 2);
    const answered = once(sender, "message");
    intake.unblock();
    await answered;
    t.same(new Set(calls.slice(begin).flat()).size, 1, `round ${round}`);
  }
  t.equal(new Set(calls.flat()).size, 100, "and each request ids of its own");
  sender.postMessage({});
});
