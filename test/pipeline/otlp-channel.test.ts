// Exporters otlp and audit_channel behind a real pipeline: the fault table, records that come back
// the same from receiver otlp, and events that our own API takes as AWS's does.

import { Buffer } from "node:buffer";
import t from "tap";
import channelExporter from "../../plugins/exporters/audit_channel/index.ts";
import otlpExporter from "../../plugins/exporters/otlp/index.ts";
import apiExtension from "../../plugins/extensions/api/index.ts";
import channelReceiver from "../../plugins/receivers/channel/index.ts";
import otlpReceiver from "../../plugins/receivers/otlp/index.ts";
import { recordingIntake, testContext, testHost } from "../../plugins/sdk/conformance.ts";
import { AWS_KEYS } from "../../plugins/sdk/conformance/aws-server.ts";
import type { Answering } from "../../plugins/sdk/conformance/faulty-server.ts";
import { carriedRecord } from "../../plugins/sdk/otlp/carried-record.ts";
import { decodeProtobuf } from "../../plugins/sdk/otlp/decode-protobuf.ts";
import { faultTable, type FaultTarget } from "./fault-table.ts";
import { imbalance, openPipeline, patience, quick, record, texts } from "./way-in.ts";

const ARN = "arn:aws:cloudtrail:us-east-1:444455556666:channel/1";

function otlpTarget(): FaultTarget {
  const ids: string[] = [];
  const answer: Answering = ({ body }) => {
    for (const { scopes } of decodeProtobuf(body)) {
      for (const log of scopes.flatMap(({ records }) => records)) {
        const text = Buffer.from(carriedRecord(log)!).toString();
        ids.push((JSON.parse(text) as { eventID: string }).eventID);
      }
    }
    return {};
  };
  return { answer, arrived: () => ids };
}

function channelTarget(): FaultTarget {
  const ids: string[] = [];
  const answer: Answering = ({ body }, partial) => {
    const call = JSON.parse(Buffer.from(body).toString()) as {
      auditEvents: { id: string; eventData: string }[];
    };
    const successful: object[] = [];
    const failed: object[] = [];
    for (const [i, { id, eventData }] of call.auditEvents.entries()) {
      if (partial && i % 2 === 0) failed.push({ id, errorCode: "Throttling", errorMessage: "" });
      else {
        ids.push((JSON.parse(eventData) as { UID: string }).UID);
        successful.push({ id, eventID: id });
      }
    }
    return { body: JSON.stringify({ successful, failed }) };
  };
  return { answer, arrived: () => ids };
}

await faultTable(t, {
  factory: otlpExporter,
  config: (endpoint) => ({ endpoint }),
  target: otlpTarget,
  // OTLP has other ways to say so: a request that is answered 400 is never taken.
  except: ["expired credentials"],
});

await faultTable(t, {
  factory: channelExporter,
  config: (endpoint) => ({ channel_arn: ARN, endpoint, ...AWS_KEYS }),
  target: channelTarget,
  partial: true,
});

/** Records that only survive where nobody parses and writes them again. */
const AWKWARD = [
  ...texts([record(1), record(2, { eventName: "Grüße 日本 😀 \u2028\u0001" })]),
  ...[
    '"requestParameters":{"big":12345678901234567890,"float":1.0,"exp":1E+2}',
    '"requestParameters":{"a":"\\u00e9\\ud83d\\ude00\\/","lone":"\\ud800"}',
    '"requestParameters":{"twice":1,"twice":2},"vendor":null',
    `"requestParameters":{"long":"${"x".repeat(200_000)}"}`,
  ].map((field, i) => {
    const text = JSON.stringify(record(10 + i));
    return Buffer.from(`${text.slice(0, -1)},${field}}`);
  }),
];

for (const protocol of ["http/protobuf", "http/json", "grpc"]) {
  t.test(`receiver otlp takes the records of exporter otlp as they were: ${protocol}`, async (t) => {
    const intake = recordingIntake();
    const host = testHost();
    const anywhere = { endpoint: "127.0.0.1:0" };
    const protocols = { [protocol.split("/")[0]!]: anywhere };
    const receiver = otlpReceiver.create(
      otlpReceiver.config.parse({ protocols }),
      testContext({ id: "otlp" }),
      intake,
    );
    await receiver.start(host);
    const address = /127\.0\.0\.1:\d+/.exec(host.reports.at(-1)?.reason ?? "")?.[0];
    const config = { endpoint: `http://${address}`, protocol, compression: "gzip" };
    const context = testContext({ id: "otlp" });
    const exporter = otlpExporter.create(otlpExporter.config.parse(config), context);
    const pipeline = await openPipeline(t.testdir());
    t.teardown(async () => {
      await pipeline.stop(patience());
      await exporter.stop(patience());
      await receiver.stop(patience());
    });
    await pipeline.intake("file").records(AWKWARD);
    await exporter.start(testHost());
    await pipeline.addExporter("otlp", exporter, quick());
    pipeline.start();
    await pipeline.drained(patience());
    t.equal(imbalance(pipeline.status()), undefined, "the books balance");
    t.match(pipeline.status().exporters[0], { delivered: AWKWARD.length, deadLettered: 0 });
    const sent = AWKWARD.map((bytes) => Buffer.from(bytes).toString());
    const taken = intake.takenBytes.map((bytes) => Buffer.from(bytes).toString());
    t.strictSame(taken, sent, "byte for byte");
  });
}

t.test("a channel of our own takes what exporter audit_channel sends, signed", async (t) => {
  const intake = recordingIntake();
  const host = testHost();
  const name = { name: "sent", id: "11111111-2222-4333-8444-555555555555" };
  const context = testContext({ id: "channel" });
  const receiver = channelReceiver.create(channelReceiver.config.parse(name), context, intake);
  const credentials = [{ ...AWS_KEYS, user: "sender" }];
  const api = apiExtension.create(
    apiExtension.config.parse({ endpoint: "127.0.0.1:0", credentials }),
    testContext({ id: "api" }),
  );
  await receiver.start(host);
  await api.start(host);
  const reasons = host.reports.map(({ reason }) => reason).join(" ");
  const config = {
    channel_arn: /arn:\S+:channel\/[0-9a-f-]+/.exec(reasons)?.[0],
    endpoint: `http://${/127\.0\.0\.1:\d+/.exec(reasons)?.[0]}`,
    ...AWS_KEYS,
  };
  const exporter = channelExporter.create(channelExporter.config.parse(config), testContext());
  const pipeline = await openPipeline(t.testdir());
  t.teardown(async () => {
    await pipeline.stop(patience());
    await exporter.stop(patience());
    await api.stop(patience());
    await receiver.stop(patience());
  });
  await pipeline.intake("file").records(AWKWARD);
  await exporter.start(testHost());
  await pipeline.addExporter("audit_channel", exporter, quick());
  pipeline.start();
  await pipeline.drained(patience());
  t.equal(imbalance(pipeline.status()), undefined, "the books balance");
  t.match(pipeline.status().exporters[0], { delivered: AWKWARD.length, deadLettered: 0 });
  const taken = intake.takenBytes.map((bytes) =>
    JSON.parse(Buffer.from(bytes).toString()) as Record<string, Record<string, unknown>>
  );
  const uids = AWKWARD.map((bytes) => (JSON.parse(Buffer.from(bytes).toString())).eventID);
  t.same(taken.map(({ eventData }) => eventData?.UID).sort(), uids.sort());
  t.ok(taken.every(({ eventCategory }) => String(eventCategory) === "ActivityAuditLog"));
});
