// Processor filter: conformance, each kind of rule on records, what is counted and under which
// reason, and which mistakes of a configuration are told.

import fc from "fast-check";
import t from "tap";
import { conformance, testContext, testHost, testRecord } from "../../sdk/conformance.ts";
import type { CloudTrailRecord } from "../../sdk/index.ts";
import factory from "./index.ts";

const read: CloudTrailRecord = {
  ...testRecord(1),
  eventName: "GetObject",
  eventSource: "s3.amazonaws.com",
  readOnly: true,
  managementEvent: false,
  eventCategory: "Data",
  sourceIPAddress: "10.1.2.3",
  resources: [
    { type: "AWS::S3::Object", ARN: "arn:aws:s3:::logs/a" },
    { type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::logs" },
  ],
  requestParameters: { size: 5, "odd.key": "x", nothing: null, tags: ["a", "b"] },
};
const login: CloudTrailRecord = {
  ...testRecord(2),
  userIdentity: { type: "IAMUser", userName: "Bob" },
};
const old: CloudTrailRecord = { eventTime: "2014-01-01T00:00:00Z", eventName: "RunInstances" };
const records = [read, login, old];

async function filtered(options: unknown, batch: readonly CloudTrailRecord[] = records) {
  const context = testContext();
  const processor = factory.create(factory.config.parse(options), context);
  await processor.start(testHost());
  return { kept: await processor.process(batch), ignored: context.ignoredCounts };
}

/** The records that a condition on a field drops. */
async function dropped(condition: object): Promise<CloudTrailRecord[]> {
  const { kept } = await filtered({ drop: [{ fields: [condition] }] });
  return records.filter((record) => !kept.includes(record));
}

t.test("filter keeps the contract", (t) => conformance(t, factory, { minimal: {} }));

t.test("drop takes out what a rule matches; what stays is the same", async (t) => {
  const drop = { event_pattern: { eventName: [{ prefix: "Get" }] }, reason: "reads" };
  const { kept, ignored } = await filtered({ drop: [drop] });
  t.equal(kept.length, 2);
  t.equal(kept[0], login);
  t.equal(kept[1], old);
  t.same(ignored, { reads: 1 });
  t.equal((await filtered({})).kept, records, "without a rule everything stays");
  const all = await filtered({ drop: [{ event_pattern: { eventName: ["None"] } }] });
  t.equal(all.kept, records, "the same batch");
  t.same(all.ignored, {});
});

t.test("keep leaves only what a rule matches, and drop takes from that", async (t) => {
  const keep = [{ event_pattern: '{"readOnly":[true]}' }, {
    fields: [{ field: "eventID", exists: false }],
  }];
  const drop = [{ fields: [{ field: "eventName", equals: "GetObject" }] }];
  const { kept, ignored } = await filtered({ keep, drop, keep_reason: "not wanted" });
  t.same(kept, [old]);
  t.same(ignored, { "not wanted": 1 });
});

t.test("selectors mean what they mean to CloudTrail", async (t) => {
  const management = [{ ReadWriteType: "All", IncludeManagementEvents: true, DataResources: [] }];
  t.same((await filtered({ keep: [{ event_selectors: management }] })).kept, [login, old]);
  const data = [{
    FieldSelectors: [
      { Field: "eventCategory", Equals: ["Data"] },
      { Field: "resources.type", Equals: ["AWS::S3::Object"] },
      { Field: "resources.ARN", StartsWith: ["arn:aws:s3:::logs/"] },
    ],
  }];
  t.same((await filtered({ keep: [{ advanced_event_selectors: data }] })).kept, [read]);
  const before107 = { ...old, managementEvent: "false" } as unknown as CloudTrailRecord;
  t.same((await filtered({ keep: [{ event_selectors: management }] }, [before107])).kept, []);
});

t.test("conditions of one rule must all hold", async (t) => {
  const fields = [{ field: "eventSource", suffix: ".com" }, { field: "readOnly", equals: false }];
  t.equal((await filtered({ drop: [{ fields }] })).kept, records);
  const both = { event_pattern: { eventName: ["GetObject"] }, fields: fields.slice(0, 1) };
  t.same((await filtered({ drop: [both] })).kept, [login, old]);
});

t.test("a condition on a field knows texts, numbers, addresses, lists and absence", async (t) => {
  t.same(await dropped({ field: "eventName", equals: ["GetObject", "RunInstances"] }), [read, old]);
  t.same(await dropped({ field: "userIdentity.userName", equals_ignore_case: "bob" }), [login]);
  t.same(await dropped({ field: "$.eventName", prefix: ["Run", "User"] }), [login, old]);
  t.same(await dropped({ field: "eventName", wildcard: "*et*" }), [read]);
  t.same(await dropped({ field: "eventName", matches: ["^(Get|Run)"] }), [read, old]);
  t.same(await dropped({ field: "requestParameters.size", numeric: [">=", 5] }), [read]);
  t.same(await dropped({ field: "sourceIPAddress", cidr: ["10.0.0.0/8", "::/0"] }), [read]);
  t.same(await dropped({ field: "resources.ARN", suffix: "/a" }), [read], "each of a list");
  t.same(await dropped({ field: "resources[0].type", equals: "AWS::S3::Bucket" }), [], "one of it");
  t.same(await dropped({ field: "resources[-1].type", equals: "AWS::S3::Bucket" }), [read]);
  t.same(await dropped({ field: "requestParameters.tags", equals: "b" }), [read], "plain lists");
  t.same(await dropped({ field: "requestParameters['odd.key']", exists: true }), [read]);
  t.same(await dropped({ field: "requestParameters.nothing", equals: null }), [read]);
  t.same(await dropped({ field: "requestParameters.nothing", exists: true }), [read]);
  t.same(await dropped({ field: "eventID", exists: false }), [old]);
  t.same(await dropped({ field: "eventID", exists: true, not: true }), [old]);
  t.same(await dropped({ field: "eventSource", prefix: "s3", not: true }), [login, old]);
  t.same(await dropped({ field: "**.ARN", exists: true }), [read], "at any depth");
  t.same(await dropped({ field: "*.userName", exists: true }), [read, login]);
});

t.test("a mistake in a rule is told where it stands", async (t) => {
  const issue = (options: unknown) => factory.config.safeParse(options).error?.issues[0];
  t.match(issue({ drop: [{}] }), { path: ["drop", 0], message: /Expected a condition/ });
  t.match(issue({ drop: [{ fields: [{ field: "a" }] }] }), { message: /Expected an operator/ });
  t.match(issue({ drop: [{ fields: [{ field: "a.", exists: true }] }] }), { message: /read path/ });
  t.match(issue({ drop: [{ fields: [{ field: "a.**", exists: true }] }] }), {
    message: /needs the name/,
  });
  t.match(issue({ drop: [{ fields: [{ field: "a", matches: ["(?=x)"] }] }] }), {
    message: /look-around/,
  });
  t.match(issue({ drop: [{ fields: [{ field: "a", cidr: "10/8" }] }] }), {
    message: /a range such as/,
  });
  t.match(issue({ keep: [{ event_pattern: { a: [{ b: 1 }] } }] }), {
    path: ["keep", 0, "event_pattern", "a", 0, "b"],
  });
});

t.test("keep and drop by the same rule divide any records", async () => {
  const names = fc.constantFrom("GetObject", "PutObject", "UserLogin", "");
  const record = fc.record({
    eventName: names,
    readOnly: fc.boolean(),
    requestParameters: fc.object(),
  });
  const rule = fc.oneof(
    names.map((name) => ({ event_pattern: { eventName: [{ "anything-but": name }] } })),
    names.map((name) => ({ fields: [{ field: "eventName", prefix: name }] })),
    fc.boolean().map((flag) => ({ fields: [{ field: "readOnly", equals: flag, not: true }] })),
  );
  await fc.assert(fc.asyncProperty(fc.array(record), rule, async (batch, rule) => {
    const given = batch as unknown as CloudTrailRecord[];
    const kept = await filtered({ keep: [rule] }, given);
    const left = await filtered({ drop: [rule] }, given);
    return kept.kept.length + left.kept.length === given.length &&
      given.every((record) => kept.kept.includes(record) !== left.kept.includes(record));
  }));
});
