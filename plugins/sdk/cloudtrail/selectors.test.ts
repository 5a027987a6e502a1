// Event selectors: tables of what they want of a few records, and of what they refuse.

import t from "tap";
import type { StoredRecord } from "../export-batch.ts";
import type { CloudTrailRecord } from "./record.ts";
import {
  advancedEventSelectors,
  compileAdvancedEventSelectors,
  compileEventSelectors,
  eventSelectors,
} from "./selectors.ts";

function stored(record: CloudTrailRecord): StoredRecord {
  return {
    sequence: 1,
    id: "1",
    time: 0,
    accountId: "111122223333",
    region: "eu-west-1",
    category: record.eventCategory ?? "Management",
    bytes: new TextEncoder().encode(JSON.stringify(record)),
    record,
  };
}

/** A stored record that fails the test when it is parsed. */
function unparsed(record: CloudTrailRecord): StoredRecord {
  const { record: _parsed, ...rest } = stored(record);
  return Object.defineProperty({ ...rest } as StoredRecord, "record", {
    get: () => {
      throw new Error("Record was parsed");
    },
  });
}

const object = (arn: string) => ({ type: "AWS::S3::Object", ARN: arn });
const RECORDS: Readonly<Record<string, CloudTrailRecord>> = {
  write: {
    eventCategory: "Management",
    eventSource: "ec2.amazonaws.com",
    eventName: "StopInstances",
    eventType: "AwsApiCall",
    readOnly: false,
    userIdentity: { arn: "arn:aws:iam::111122223333:user/bob" },
  },
  read: {
    eventCategory: "Management",
    eventSource: "ec2.amazonaws.com",
    eventName: "DescribeInstances",
    readOnly: true,
    sessionCredentialFromConsole: "true",
  },
  kms: { eventCategory: "Management", eventSource: "kms.amazonaws.com", readOnly: true },
  silent: { eventCategory: "Management", eventSource: "health.amazonaws.com" },
  old: { eventVersion: "1.02", eventSource: "iam.amazonaws.com", readOnly: false },
  oldData: {
    eventVersion: "1.06",
    managementEvent: false,
    readOnly: true,
    resources: [object("arn:aws:s3:::b/k")],
  },
  get: {
    eventCategory: "Data",
    eventSource: "s3.amazonaws.com",
    eventName: "GetObject",
    readOnly: true,
    resources: [object("arn:aws:s3:::pay/2026/run.csv"), {
      type: "AWS::S3::Bucket",
      ARN: "arn:aws:s3:::pay",
    }],
  },
  list: {
    eventCategory: "Data",
    eventSource: "s3.amazonaws.com",
    eventName: "ListObjects",
    readOnly: true,
    resources: [{ type: "AWS::S3::Object", ARNPrefix: "arn:aws:s3:::pay/" }],
  },
  put: {
    eventCategory: "Data",
    eventSource: "s3.amazonaws.com",
    eventName: "PutObject",
    readOnly: false,
    resources: [object("arn:aws:s3:::payroll/x")],
  },
  invoke: {
    eventCategory: "Data",
    eventSource: "lambda.amazonaws.com",
    eventName: "Invoke",
    readOnly: false,
    resources: [{
      type: "AWS::Lambda::Function",
      ARN: "arn:aws:lambda:eu-west-1:111122223333:function:f",
    }],
  },
  table: {
    eventCategory: "Data",
    eventName: "PutItem",
    readOnly: false,
    resources: [{
      type: "AWS::DynamoDB::Table",
      ARN: "arn:aws:dynamodb:eu-west-1:111122223333:table/t",
    }],
  },
  bare: { eventCategory: "Data", eventName: "PutItem", readOnly: false },
  vpce: {
    eventCategory: "NetworkActivity",
    eventSource: "secretsmanager.amazonaws.com",
    errorCode: "VpceAccessDenied",
    vpcEndpointId: "vpce-1",
  },
  vpceOk: {
    eventCategory: "NetworkActivity",
    eventSource: "secretsmanager.amazonaws.com",
    eventName: "GetSecretValue",
    vpcEndpointId: "vpce-2",
  },
  insight: { eventCategory: "Insight", eventType: "AwsCloudTrailInsight" },
  aggregated: { eventCategory: "Aggregated" },
  activity: { eventCategory: "ActivityAuditLog" },
};
const MANAGEMENT = "write read kms silent old";
const ALWAYS = "insight aggregated";

const LAMBDA = "arn:aws:lambda:eu-west-1:111122223333:function:f";
const TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/t";
const data = (Type: string, ...Values: string[]) => ({
  IncludeManagementEvents: false,
  DataResources: [{ Type, Values }],
});
const s3 = (...values: string[]) => data("AWS::S3::Object", ...values);

const BASIC: readonly (readonly [string, unknown, string])[] = [
  ["all management events by default", [{}], `${MANAGEMENT} ${ALWAYS}`],
  ["reads", [{ ReadWriteType: "ReadOnly" }], `read kms ${ALWAYS}`],
  [
    "writes, and what does not say it only reads",
    [{ ReadWriteType: "WriteOnly" }],
    `write silent old ${ALWAYS}`,
  ],
  [
    "no management events of excluded services",
    [{ ExcludeManagementEventSources: ["kms.amazonaws.com"] }],
    `write read silent old ${ALWAYS}`,
  ],
  [
    "what any selector wants",
    [{ ReadWriteType: "WriteOnly" }, { ReadWriteType: "ReadOnly" }],
    `${MANAGEMENT} ${ALWAYS}`,
  ],
  ["nothing when nothing is included", [{ IncludeManagementEvents: false }], ALWAYS],
  ["objects of every bucket", [s3("arn:aws:s3")], `oldData get list put ${ALWAYS}`],
  ["objects of every bucket, long form", [s3("arn:aws:s3:::")], `oldData get list put ${ALWAYS}`],
  ["objects of one bucket", [s3("arn:aws:s3:::pay/")], `get list ${ALWAYS}`],
  ["objects under a prefix", [s3("arn:aws:s3:::pay/2026/")], `get ${ALWAYS}`],
  ["no object under another prefix", [s3("arn:aws:s3:::pay/2025")], ALWAYS],
  ["every function", [data("AWS::Lambda::Function", "arn:aws:lambda")], `invoke ${ALWAYS}`],
  ["one function", [data("AWS::Lambda::Function", LAMBDA)], `invoke ${ALWAYS}`],
  ["no function whose name is longer", [data("AWS::Lambda::Function", `${LAMBDA}2`)], ALWAYS],
  ["every table", [data("AWS::DynamoDB::Table", "arn:aws:dynamodb")], `table ${ALWAYS}`],
  ["one table", [data("AWS::DynamoDB::Table", TABLE)], `table ${ALWAYS}`],
  [
    "data events by read or write, too",
    [{ ReadWriteType: "WriteOnly", ...s3("arn:aws:s3") }],
    `put ${ALWAYS}`,
  ],
];

for (const [title, selectors, expected] of BASIC) {
  t.test(`compileEventSelectors wants ${title}`, async (t) => {
    const wants = compileEventSelectors(eventSelectors.parse(selectors));
    const wanted = Object.keys(RECORDS).filter((name) => wants(stored(RECORDS[name]!)));
    t.strictSame(wanted, Object.keys(RECORDS).filter((name) => expected.split(" ").includes(name)));
  });
}

type Field = Readonly<Record<string, unknown>>;
const category = (value: string): Field => ({ Field: "eventCategory", Equals: [value] });
const type = (value: string): Field => ({ Field: "resources.type", Equals: [value] });
const select = (...FieldSelectors: Field[]) => ({ FieldSelectors });
const objects = (...fields: Field[]) => [
  select(category("Data"), type("AWS::S3::Object"), ...fields),
];
const network = (...fields: Field[]) => [
  select(
    category("NetworkActivity"),
    { Field: "eventSource", Equals: ["secretsmanager.amazonaws.com"] },
    ...fields,
  ),
];
const managed = (...fields: Field[]) => [select(category("Management"), ...fields)];

const ADVANCED: readonly (readonly [string, unknown, string])[] = [
  ["a whole category, and only it", managed(), MANAGEMENT],
  ["reads", managed({ Field: "readOnly", Equals: ["true"] }), "read kms"],
  ["what may write", managed({ Field: "readOnly", Equals: ["false"] }), "write silent old"],
  [
    "all but some services",
    managed({ Field: "eventSource", NotEquals: ["kms.amazonaws.com", "ec2.amazonaws.com"] }),
    "silent old",
  ],
  [
    "alternatives of the positive operators",
    managed({ Field: "eventName", StartsWith: ["Stop", "Start"], Equals: ["DescribeInstances"] }),
    "write read",
  ],
  [
    "positive and negative operators together",
    managed({ Field: "eventName", EndsWith: ["Instances"], NotStartsWith: ["Describe", "Run"] }),
    "write",
  ],
  ["text by its case", managed({ Field: "eventName", Equals: ["stopinstances"] }), ""],
  [
    "all without a hit of NotEndsWith",
    managed({ Field: "eventName", NotEndsWith: ["s"] }),
    "kms silent old",
  ],
  [
    "events of a user",
    managed({ Field: "userIdentity.arn", EndsWith: ["user/bob"] }),
    "write",
  ],
  [
    "console sessions",
    managed({ Field: "sessionCredentialFromConsole", Equals: ["true"] }),
    "read",
  ],
  [
    "all but console sessions",
    managed({ Field: "sessionCredentialFromConsole", NotEquals: ["true"] }),
    "write kms silent old",
  ],
  ["data events of one type", objects(), "oldData get list put"],
  [
    "a bucket's objects",
    objects({ Field: "resources.ARN", StartsWith: ["arn:aws:s3:::pay/"] }),
    "get list",
  ],
  [
    "all buckets but one",
    objects({ Field: "resources.ARN", NotStartsWith: ["arn:aws:s3:::pay/"] }),
    "oldData put",
  ],
  [
    "objects by ARN, not their bucket's ARN",
    objects({ Field: "resources.ARN", Equals: ["arn:aws:s3:::pay"] }),
    "",
  ],
  [
    "the same field twice, both holding",
    objects(
      { Field: "eventName", StartsWith: ["Get", "List"] },
      { Field: "eventName", NotEquals: ["ListObjects"] },
    ),
    "get",
  ],
  ["what any selector wants", [...managed(), ...network()], `${MANAGEMENT} vpce vpceOk`],
  ["network activity of one service", network(), "vpce vpceOk"],
  [
    "network activity refused",
    network({ Field: "errorCode", Equals: ["VpceAccessDenied"] }),
    "vpce",
  ],
  [
    "network activity through an endpoint",
    network({ Field: "vpcEndpointId", NotEquals: ["vpce-1"] }),
    "vpceOk",
  ],
  ["insights when named", [select(category("Insight"))], "insight"],
  ["activity logs when named", [select(category("ActivityAuditLog"))], "activity"],
];

for (const [title, selectors, expected] of ADVANCED) {
  t.test(`compileAdvancedEventSelectors wants ${title}`, async (t) => {
    const wants = compileAdvancedEventSelectors(advancedEventSelectors.parse(selectors));
    const wanted = Object.keys(RECORDS).filter((name) => wants(stored(RECORDS[name]!)));
    t.strictSame(wanted, Object.keys(RECORDS).filter((name) => expected.split(" ").includes(name)));
  });
}

t.test("compiled selectors parse no record where its category decides", async (t) => {
  const basic = compileEventSelectors(eventSelectors.parse([{}]));
  const advanced = compileAdvancedEventSelectors(advancedEventSelectors.parse(managed()));
  for (const wants of [basic, advanced]) {
    t.equal(wants(unparsed(RECORDS.write!)), true);
    t.equal(wants(unparsed(RECORDS.get!)), false);
    t.equal(wants(unparsed(RECORDS.vpce!)), false);
  }
});

t.test("eventSelectors refuses what CloudTrail refuses, and says where", async (t) => {
  const values = (n: number) => Array.from({ length: n }, (_, i) => `arn:aws:s3:::bucket-${i}/`);
  const cases: [unknown, string, RegExp][] = [
    [[{}, {}, {}, {}, {}, {}], "", /at most 5 event selectors/],
    [[s3(...values(200)), s3(...values(51))], "", /at most 250 data resources.*found 251/],
    [[s3("arn:aws:s3:::bucket")], "0.DataResources.0.Values.0", /arn:aws:s3:::BUCKET\//],
    [[data("AWS::Lambda::Function", TABLE)], "0.DataResources.0.Values.0", /function's ARN/],
    [[data("AWS::SNS::Topic", "arn:aws:sns")], "0.DataResources.0.Type", /Invalid option/],
    [[{ ReadWriteType: "Both" }], "0.ReadWriteType", /Invalid option/],
    [[{ readWriteType: "All" }], "0", /Unrecognized key/],
    [
      [{ ExcludeManagementEventSources: ["s3.amazonaws.com"] }],
      "0.ExcludeManagementEventSources.0",
      /./,
    ],
  ];
  for (const [selectors, path, message] of cases) {
    const issue = eventSelectors.safeParse(selectors).error?.issues[0];
    t.equal(issue?.path.join("."), path);
    t.match(issue?.message, message);
  }
  t.ok(eventSelectors.safeParse([s3(...values(250), "arn:aws:s3")]).success);
});

t.test("advancedEventSelectors refuses what CloudTrail refuses, and says where", async (t) => {
  const field = "0.FieldSelectors";
  const many = Array.from({ length: 500 }, (_, i) => `Name${i}`);
  const cases: [unknown, string, RegExp][] = [
    [[select({ Field: "readOnly", Equals: ["true"] })], field, /on eventCategory/],
    [[select(category("Other"))], field, /one eventCategory of Management, Data/],
    [[select({ Field: "eventCategory", Equals: ["Data", "Insight"] })], field, /one eventCategory/],
    [[select(category("Data"))], field, /exactly one field selector on resources.type/],
    [[select(category("NetworkActivity"))], field, /exactly one field selector on eventSource/],
    [
      managed({ Field: "resources.ARN", Equals: ["x"] }),
      `${field}.1.Field`,
      /for category Management/,
    ],
    [
      managed({ Field: "readOnly", NotEquals: ["true"] }),
      `${field}.1.NotEquals`,
      /takes only Equals/,
    ],
    [managed({ Field: "readOnly", Equals: ["yes"] }), `${field}.1.Equals`, /"true" or "false"/],
    [managed({ Field: "eventName" }), `${field}.1`, /Expected an operator/],
    [managed({ Field: "eventName", Equals: [] }), `${field}.1.Equals`, /./],
    [managed({ Field: "eventName", Contains: ["x"] }), `${field}.1`, /Unrecognized key/],
    [managed({ Field: "event name", Equals: ["x"] }), `${field}.1.Field`, /./],
    [managed({ Field: "eventName", Equals: ["x".repeat(2049)] }), `${field}.1.Equals.0`, /./],
    [
      network({ Field: "errorCode", Equals: ["AccessDenied"] }),
      `${field}.2.Equals`,
      /VpceAccessDenied/,
    ],
    [managed({ Field: "eventName", Equals: many }), "", /at most 500 values.*found 501/],
    [[select(category("Insight"), { Field: "eventName", Equals: ["x"] })], `${field}.1.Field`, /./],
    [[{ Name: "x".repeat(1001), ...managed()[0] }], "0.Name", /./],
  ];
  for (const [selectors, path, message] of cases) {
    const issue = advancedEventSelectors.safeParse(selectors).error?.issues[0];
    t.equal(issue?.path.join("."), path);
    t.match(issue?.message, message);
  }
});
