// What is a CloudTrail record: all that were ever delivered, and strictly those the agent makes.

import t from "tap";
import { Buffer } from "node:buffer";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { formatEventTime, isEventTime, parseEventTime } from "./event-time.ts";
import { splitRecords } from "./record-splitter.ts";
import { recordTime, validateOwnRecord, validateRecord } from "./validate.ts";

const OWN = {
  eventVersion: "1.11",
  userIdentity: { type: "IAMUser", userName: "alice" },
  eventTime: "2026-03-02T08:04:57Z",
  eventSource: "sshd.host.internal",
  eventName: "UserLogin",
  awsRegion: "eu-central-1",
  sourceIPAddress: "192.0.2.7",
  requestParameters: null,
  responseElements: null,
  eventID: "0d9b0f5e-0000-8000-8000-000000000002",
  readOnly: false,
  eventType: "AwsServiceEvent",
  managementEvent: true,
  recipientAccountId: "111122223333",
  eventCategory: "Management",
};

function samples(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "deno.json"))) root = dirname(root);
  return process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
}

/** Folders whose files were delivered by CloudTrail, or hold whole records of it. */
const DELIVERED = ["invictus-aws_dataset", "trailscraper", "umccr-cloudtrail-parquet"];

t.test("validateRecord accepts every record of the sample log files", async (t) => {
  const folder = join(samples(), "cloudtrail");
  if (!existsSync(folder)) {
    if (process.env.CI) t.fail(`No samples at ${folder}`);
    return t.comment(`Skipped: no samples at ${folder}`);
  }
  let records = 0;
  const refused: string[] = [];
  for (const source of [...DELIVERED, "opensearch-catalog"]) {
    for (const name of readdirSync(join(folder, source))) {
      if (!/\.jsonl?(\.gz)?$/.test(name)) continue;
      const file = readFileSync(join(folder, source, name));
      const bytes = name.endsWith(".gz") ? gunzipSync(file) : file;
      for (const span of splitRecords(bytes)) {
        const record = JSON.parse(Buffer.from(span.bytes).toString());
        const problem = span.problem ?? validateRecord(record);
        if (problem !== undefined) refused.push(`${name}: ${problem}`);
        else if (!(recordTime(record) > 0)) refused.push(`${name}: no time`);
        records++;
      }
    }
  }
  t.strictSame(refused, []);
  t.ok(records >= 2900 + 7 + 205 + 841, `${records} records`);
});

t.test("validateRecord names the field and the problem", async (t) => {
  const cases: [unknown, string][] = [
    [[], "Record is not a JSON object"],
    [null, "Record is not a JSON object"],
    [{}, "eventTime: Missing"],
    [{ eventTime: 5 }, "eventTime: Expected a string"],
    [{ eventTime: "yesterday" }, "eventTime: Expected a time as 2026-01-31T23:59:59Z"],
    [{ ...OWN, eventVersion: "2.0" }, "eventVersion: Expected version 1, with any minor version"],
    [{ ...OWN, userIdentity: "alice" }, "userIdentity: Expected an object"],
    [{ ...OWN, resources: {} }, "resources: Expected a list"],
    [{ ...OWN, resources: [{}, 1] }, "resources: Expected a list of objects: item 1 is none"],
    [{ ...OWN, readOnly: "no" }, "readOnly: Expected true or false"],
    [{ timeWindow: { windowEnd: "x" } }, "timeWindow: windowEnd is not a time"],
  ];
  for (const [record, problem] of cases) t.equal(validateRecord(record), problem);
});

t.test("validateRecord takes unknown fields, null for absent, and aggregated events", async (t) => {
  t.equal(validateRecord({ ...OWN, userAgent: null, newField: [1] }), undefined);
  const aggregated = { eventVersion: "1.0", timeWindow: { windowEnd: "2026-01-01T00:05:00Z" } };
  t.equal(validateRecord(aggregated), undefined);
  t.equal(recordTime(aggregated), Date.UTC(2026, 0, 1, 0, 5));
});

t.test("validateOwnRecord accepts one record of each category the agent writes", async (t) => {
  const { userIdentity: _u, eventSource: _s, eventName: _n, ...insight } = OWN;
  const { readOnly: _r, managementEvent: _m, ...vpc } = OWN;
  for (
    const record of [
      OWN,
      { ...OWN, eventCategory: "Data", managementEvent: false, eventType: "AwsApiCall" },
      { ...vpc, eventCategory: "NetworkActivity", eventType: "AwsVpceEvent" },
      { ...vpc, eventCategory: "ActivityAuditLog", eventType: "ActivityLog" },
      {
        ...insight,
        managementEvent: undefined,
        eventCategory: "Insight",
        eventType: "AwsCloudTrailInsight",
        insightDetails: {},
      },
    ]
  ) t.equal(validateOwnRecord(record), undefined);
});

t.test("validateOwnRecord holds formats, enums, required fields and limits", async (t) => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ eventTime: "2026-03-02T08:04:57.5Z" }, /^eventTime: /],
    [{ eventVersion: "1.08" }, /^eventVersion: /],
    [{ eventID: "x" }, /^eventID: /],
    [{ eventName: undefined }, /^eventName: Missing/],
    [{ requestParameters: undefined }, /^requestParameters: Missing/],
    [{ recipientAccountId: "12" }, /^recipientAccountId: /],
    [{ awsRegion: "../etc" }, /^awsRegion: /],
    [{ eventCategory: "Other" }, /^eventCategory: /],
    [{ eventType: "AwsVpceEvent" }, /^eventType: /],
    [{ managementEvent: false }, /^managementEvent: /],
    [{ userIdentity: { type: "Elf" } }, /^userIdentity: /],
    [{ userAgent: "x".repeat(1025) }, /^userAgent: Longer than 1024 bytes/],
    [{ errorMessage: "\u20ac".repeat(342) }, /^errorMessage: Longer/],
    [{ additionalEventData: { a: "x".repeat(28 * 1024) } }, /^additionalEventData: Longer/],
  ];
  for (const [change, problem] of cases) {
    t.match(validateOwnRecord({ ...OWN, ...change }), problem, JSON.stringify(change).slice(0, 80));
  }
  t.equal(validateOwnRecord({ ...OWN, userAgent: "x".repeat(1024) }), undefined);
  t.equal(validateOwnRecord({ ...OWN, errorMessage: "\u20ac".repeat(341) }), undefined);
});

t.test("parseEventTime agrees with Date on every form it takes, and refuses others", async (t) => {
  for (const text of ["2026-03-02T08:04:57Z", "2024-02-29T23:59:59Z"]) {
    t.equal(parseEventTime(text), Date.parse(text));
    t.equal(formatEventTime(parseEventTime(text)!), text);
  }
  t.equal(parseEventTime("2019-02-01T03:18:19.250Z"), Date.parse("2019-02-01T03:18:19.250Z"));
  t.equal(parseEventTime("2019-02-01T03:18:19.250+0130"), Date.parse("2019-02-01T01:48:19.250Z"));
  for (const text of ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "now"]) {
    t.equal(parseEventTime(text), undefined, text);
  }
  t.equal(parseEventTime("2026-01-01T00:00:00"), undefined);
  t.equal(parseEventTime("2026-01-01T24:00:00Z"), undefined);
});

t.test("isEventTime takes what formatEventTime writes, and no other spelling", async (t) => {
  for (const ms of [0, Date.UTC(2024, 1, 29, 23, 59, 59), Date.UTC(9999, 11, 31)]) {
    t.ok(isEventTime(formatEventTime(ms)));
  }
  for (
    const text of [
      "",
      "2026-03-02T08:04:57.5Z",
      "2026-03-02 08:04:57Z",
      "2026/03/02T08:04:57Z",
      "2026-03-02T08.04.57Z",
      "2026-02-29T08:04:57Z",
      "0099-03-02T08:04:57Z",
      "2026-03-02T24:00:00Z",
    ]
  ) t.notOk(isEventTime(text), text);
});
