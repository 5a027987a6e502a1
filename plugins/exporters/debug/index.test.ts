// The debug exporter on recorded, slow and closed streams: what is printed, and what never is.

import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import t, { type Test } from "tap";
import {
  conformance,
  storedRecord,
  testBatch,
  testContext,
  testHost,
  testRecord,
} from "../../sdk/conformance.ts";
import type { CloudTrailRecord, ExportBatch } from "../../sdk/index.ts";
import type { DebugConfig } from "./config.ts";
import debug from "./index.ts";
import { DebugExporter, type Output } from "./print.ts";

const never = new AbortController().signal;

/** A stream that takes everything and remembers it. */
function recorder(isTTY = false): Output & { text(): string } {
  let text = "";
  return {
    isTTY,
    write(chunk, done) {
      text += chunk;
      done();
    },
    on: () => {},
    listeners: () => [],
    text: () => text,
  };
}

async function printed(config: object, output = recorder(), ...records: CloudTrailRecord[]) {
  const exporter = new DebugExporter(debug.config.parse(config), testContext(), output);
  await exporter.start(testHost());
  const batch: ExportBatch = {
    ...testBatch(1, records.length),
    records: records.map((record, i) => storedRecord(i + 1, record)),
  };
  await exporter.export(batch, never);
  await exporter.stop();
  return output.text();
}

await conformance(t, {
  ...debug,
  create: (config: DebugConfig, context) => new DebugExporter(config, context, recorder()),
}, {
  minimal: {},
  target: async () => ({ config: {}, delivered: async () => undefined }),
  repeats: "a terminal forgets nothing",
});

t.test("basic prints time, who, what, service, address, outcome and target in columns", async (t) => {
  const denied: CloudTrailRecord = {
    ...testRecord(2),
    userIdentity: {
      type: "AssumedRole",
      principalId: "ROOT:bob",
      sessionContext: { sessionIssuer: { userName: "root" } },
    },
    eventName: "ExecuteCommand",
    errorCode: "AccessDenied",
    resources: [{ ARN: "arn:cairn:host::111122223333:file/etc/shadow" }, { ARN: "arn:x" }],
  };
  const text = await printed({}, recorder(), testRecord(1), denied);
  t.equal(
    text,
    "2026-01-01T00:00:01Z  alice                 UserLogin                 sshd.host.internal" +
      "        192.0.2.10          ok                -\n" +
      "2026-01-01T00:00:02Z  bob as root           ExecuteCommand            sshd.host.internal" +
      "        192.0.2.10          AccessDenied      file/etc/shadow +1\n",
  );
});

t.test("detailed prints the record as indented JSON", async (t) => {
  t.equal(
    await printed({ verbosity: "detailed" }, recorder(), testRecord(1)),
    `${JSON.stringify(testRecord(1), null, 2)}\n`,
  );
});

t.test("values cannot steer the terminal", async (t) => {
  const evil = "\u001b]0;x\u0007\u009b2J\u202e\n\u2028";
  const record = { ...testRecord(1), eventName: evil, sourceIPAddress: evil };
  for (const verbosity of ["basic", "detailed"]) {
    const text = await printed({ verbosity }, recorder(), record);
    t.notMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Zl}]/u, verbosity);
    t.match(text, /\\u001b\]0;x/, "what stood there can still be read");
  }
  const basic = await printed({}, recorder(), record);
  t.equal(basic.split("\n").length, 2, "a line end in a value makes no line");
  const detailed = await printed({ verbosity: "detailed" }, recorder(), record);
  t.same(JSON.parse(detailed), record, "and detailed output is still the record's JSON");
});

t.test("long and wide values are cut so that columns stay columns", async (t) => {
  const long = { ...testRecord(1), eventName: "x".repeat(1_000_000) };
  const wide = { ...testRecord(1), eventName: "監査".repeat(40) };
  const [first, second] = (await printed({}, recorder(), long, wide)).split("\n");
  t.match(first, ` ${"x".repeat(23)}…  sshd`);
  t.match(second, ` ${"監査".repeat(5)}監…   sshd`);
});

t.test("records of others, with anything anywhere, are printed all the same", async (t) => {
  const odd = { eventName: 5, userIdentity: null, resources: [null], errorCode: {} };
  const text = await printed({}, recorder(), odd as unknown as CloudTrailRecord);
  t.match(text, /^- .* ok +-\n$/);
});

t.test("colours are for terminals, unless the configuration says otherwise", async (t) => {
  const escapes = async (color: string, isTTY: boolean) =>
    (await printed({ color }, recorder(isTTY), testRecord(1))).includes("\u001b[32m");
  t.equal(await escapes("auto", true), true);
  t.equal(await escapes("auto", false), false);
  t.equal(await escapes("always", false), true);
  t.equal(await escapes("never", true), false);
  const paints = async (hasColors: () => boolean) => {
    const output = { ...recorder(true), hasColors };
    return (await printed({}, output, testRecord(1))).includes("\u001b[32m");
  };
  t.equal(await paints(() => false), false, "NO_COLOR, as Node and Deno read it");
  const forbidden = () => {
    throw new Error("Requires env access");
  };
  t.equal(await paints(forbidden), true, "nobody can be asked");
});

function exporterOn(t: Test, output: Output) {
  const context = testContext();
  const exporter = new DebugExporter(debug.config.parse({}), context, output);
  t.teardown(() => exporter.stop());
  return { exporter, context };
}

t.test("a slow reader holds the export back, and its signal ends the wait", async (t) => {
  const pipe = new PassThrough({ highWaterMark: 16 });
  const { exporter } = exporterOn(t, pipe);
  await exporter.start(testHost());
  let done = false;
  const exporting = exporter.export(testBatch(1, 1), never).then(() => done = true);
  const abort = new AbortController();
  const second = exporter.export(testBatch(2, 2), abort.signal);
  abort.abort(new Error("Stopped by the test"));
  await t.rejects(second, { message: "Stopped by the test" });
  t.equal(done, false, "nothing was read yet");
  pipe.resume();
  t.equal(await exporting, true);
});

t.test("a reader who leaves ends neither the agent nor the deliveries", async (t) => {
  const reader = spawn("sh", ["-c", "exec <&-; sleep 60"], { stdio: ["pipe", "ignore", "ignore"] });
  t.teardown(() => reader.kill("SIGKILL"));
  const { exporter, context } = exporterOn(t, reader.stdin);
  const host = testHost();
  await exporter.start(host);
  for (let first = 1; host.reports.length === 0 && first < 1000; first++) {
    await exporter.export(testBatch(first, first), never);
  }
  t.match(host.reports, [{ state: "degraded", reason: /^Nobody reads stdout any more/ }]);
  await exporter.export(testBatch(2000, 2001), never);
  t.equal(context.lines.length, 1, "said once");
});

t.test("other errors of the stream are retried", async (t) => {
  const full: Output = {
    ...recorder(),
    write: (_text, done) => done(Object.assign(new Error("no space left"), { code: "ENOSPC" })),
  };
  const { exporter } = exporterOn(t, full);
  await exporter.start(testHost());
  await t.rejects(exporter.export(testBatch(1, 1), never), {
    name: "RetryableError",
    message: "Cannot write to stdout: no space left",
  });
});
