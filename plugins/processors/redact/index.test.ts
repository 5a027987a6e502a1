// Processor redact: conformance, known secrets, the operator's fields and patterns, the three
// actions, and that whatever is redacted, a record stays the record it was.

import fc from "fast-check";
import { createHmac } from "node:crypto";
import t from "tap";
import { validateRecord } from "../../sdk/cloudtrail/validate.ts";
import { conformance, testContext, testHost, testRecord } from "../../sdk/conformance.ts";
import type { Batch, CloudTrailRecord } from "../../sdk/index.ts";
import factory from "./index.ts";
import { STRUCTURE } from "./structure.ts";

const HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS";
const KEY = "a key of sixteen or more";

async function redacted(options: unknown, batch: Batch): Promise<Batch> {
  const processor = factory.create(factory.config.parse(options), testContext());
  await processor.start(testHost());
  return await processor.process(batch);
}

async function one(options: unknown, members: CloudTrailRecord): Promise<CloudTrailRecord> {
  const record = { ...testRecord(1), ...members };
  const before = JSON.stringify(record);
  const [after] = await redacted(options, [record]);
  t.equal(JSON.stringify(record), before, "the record itself is not changed");
  return after!;
}

function hash(value: string): string {
  return `hmac-sha256:${createHmac("sha256", KEY).update(value).digest("hex")}`;
}

t.test("redact keeps the contract", (t) => conformance(t, factory, { minimal: {} }));

t.test("a record without a secret is the same object, and so is its batch", async (t) => {
  const batch = [testRecord(1), testRecord(2)];
  t.equal(await redacted({}, batch), batch);
  const secret = { ...testRecord(3), requestParameters: { password: "x" } };
  const after = await redacted({}, [...batch, secret]);
  t.equal(after[0], batch[0]);
  t.equal(after[1], batch[1]);
  t.not(after[2], secret);
});

t.test("known secrets are hidden as CloudTrail hides them, by name and by shape", async (t) => {
  const { requestParameters, responseElements, userIdentity, errorMessage } = await one({}, {
    userIdentity: { type: "IAMUser", accessKeyId: "AKIAIOSFODNN7EXAMPLE", principalId: "AIDAX" },
    errorMessage: "Cannot open postgres://app:hunter2@db/app",
    requestParameters: {
      masterUserPassword: "hunter2",
      pin: { password: 1234, Password: "", passwords: "kept" },
      command: "mysql --password=hunter2 -u root",
      environment: [{ name: "DB_PASSWORD", value: "hunter2" }, { name: "HOME", value: "/root" }],
      tags: [{ Key: "ApiSecret", Value: "hunter2" }],
      tokens: ["ghp_" + "aB3".repeat(12)],
      nextToken: "page-2",
      clientRequestToken: "4f1c",
    },
    responseElements: {
      credentials: {
        accessKeyId: "ASIAIOSFODNN7EXAMPLE",
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        sessionToken: "someSessionToken",
        expiration: "Jan 1, 2026",
      },
      note: "for AKIAIOSFODNN7EXAMPLE",
    },
  });
  t.equal(userIdentity?.accessKeyId, "AKIAIOSFODNN7EXAMPLE", "whose key it was stays");
  t.equal(errorMessage, `Cannot open postgres://app:${HIDDEN}@db/app`);
  t.same(requestParameters, {
    masterUserPassword: HIDDEN,
    pin: { password: HIDDEN, Password: "", passwords: "kept" },
    command: `mysql --password=${HIDDEN} -u root`,
    environment: [{ name: "DB_PASSWORD", value: HIDDEN }, { name: "HOME", value: "/root" }],
    tags: [{ Key: "ApiSecret", Value: HIDDEN }],
    tokens: [HIDDEN],
    nextToken: "page-2",
    clientRequestToken: "4f1c",
  });
  t.same(responseElements, {
    credentials: {
      accessKeyId: "ASIAIOSFODNN7EXAMPLE",
      secretAccessKey: HIDDEN,
      sessionToken: HIDDEN,
      expiration: "Jan 1, 2026",
    },
    note: `for ${HIDDEN}`,
  });
});

t.test("known_secrets: false and except_names leave them", async (t) => {
  const members = { requestParameters: { imagePullSecret: "registry", password: "x" } };
  t.same(
    (await one({ known_secrets: false }, members)).requestParameters,
    members.requestParameters,
  );
  t.same((await one({ except_names: ["imagePullSecret"] }, members)).requestParameters, {
    imagePullSecret: "registry",
    password: HIDDEN,
  });
});

t.test("fields are redacted whole, whatever they hold, and keep their type", async (t) => {
  const members = {
    requestParameters: { name: "x", deep: { list: ["a", 1, true, null], name: "y" }, other: 1 },
    resources: [{ ARN: "arn:a", type: "T" }, { ARN: "arn:b", type: "U" }],
  };
  const rules = [{ fields: ["requestParameters.deep", "resources.ARN", "**.name"] }];
  const { requestParameters, resources } = await one({ rules }, members);
  const deep = { list: [HIDDEN, HIDDEN, HIDDEN, null], name: HIDDEN };
  t.same(requestParameters, { name: HIDDEN, deep, other: 1 });
  t.same(resources, [{ ARN: HIDDEN, type: "T" }, { ARN: HIDDEN, type: "U" }]);
});

t.test("remove takes a member or item away, and of a text what matched", async (t) => {
  const rules = [
    { fields: ["requestParameters.gone", "requestParameters.list[0]", "sourceIPAddress"] },
    { patterns: ["employee-\\d+ ?"] },
  ];
  const after = await one({ action: "remove", rules }, {
    requestParameters: { gone: { x: 1 }, list: ["a", "b"], text: "by employee-123 today" },
    errorMessage: "password=hunter2 refused",
  });
  t.same(after.requestParameters, { list: ["b"], text: "by today" });
  t.equal(after.sourceIPAddress, HIDDEN, "a field that must be there says that it was removed");
  t.equal(after.errorMessage, "password= refused");
  const whole = [{ fields: ["requestParameters", "userIdentity", "resources", "userAgent"] }];
  const bare = await one({ action: "remove", rules: whole }, { userAgent: "x", resources: [] });
  t.equal(bare.requestParameters, null);
  t.same(bare.userIdentity, { type: "IAMUser" });
  t.notOk("resources" in bare || "userAgent" in bare);
});

t.test("hash is keyed, the same for the same value, and not hashed again", async (t) => {
  const rules = [{ fields: ["userIdentity.userName", "requestParameters.n"], action: "hash" }];
  const options = { rules, action: "hash", hash_key: KEY };
  const members = {
    requestParameters: { n: 7, line: "x --password 'hunter2'", password: "hunter2" },
  };
  const after = await one(options, members);
  t.equal(after.userIdentity?.userName, hash("alice"));
  t.same(after.requestParameters, {
    n: hash("7"),
    line: `x --password ${hash("hunter2")}`,
    password: hash("hunter2"),
  });
  t.same((await redacted(options, [after]))[0], after, "twice is the same as once");
  t.equal((await redacted({}, [after]))[0], after, "and another redact leaves it");
});

t.test("patterns are looked for in the fields, or everywhere, and may name the part", async (t) => {
  const rules = [
    { fields: ["requestParameters.note"], patterns: ["card (?<secret>\\d{4})"] },
    { patterns: ["EMP-\\d+"] },
  ];
  const after = await one({ rules }, {
    requestParameters: { note: "card 1234, card 5678; 9999", other: "card 1234 EMP-7" },
    userAgent: "tool/EMP-12",
  });
  t.same(after.requestParameters, {
    note: `card ${HIDDEN}, card ${HIDDEN}; 9999`,
    other: `card 1234 ${HIDDEN}`,
  });
  t.equal(after.userAgent, `tool/${HIDDEN}`);
});

t.test("what makes a record one is never touched", async (t) => {
  const rules = [{ fields: ["*"] }, { fields: ["**.eventID", "**.type"] }, { patterns: [".+"] }];
  for (const action of ["hide", "remove", "hash"]) {
    const record = testRecord(1);
    const after = await one({ rules, action, hash_key: KEY }, {});
    for (const name of STRUCTURE) t.equal(after[name], record[name], `${action}: ${name}`);
    t.equal(after.userIdentity?.type, "IAMUser");
    t.equal(validateRecord(after), undefined);
  }
});

t.test("a mistake in the configuration is told where it stands", async (t) => {
  const issue = (options: unknown) => factory.config.safeParse(options).error?.issues[0];
  t.match(issue({ action: "hash" }), { path: ["hash_key"], message: /needs a key/ });
  t.match(issue({ rules: [{ fields: ["a"], action: "hash" }] }), { path: ["hash_key"] });
  t.match(issue({ hash_key: "short" }), { message: /16 characters/ });
  t.match(issue({ rules: [{ fields: ["eventID"] }] }), {
    path: ["rules", 0, "fields", 0],
    message: /never redacted/,
  });
  t.match(issue({ rules: [{}] }), { message: /Expected fields, patterns or both/ });
  t.match(issue({ rules: [{ patterns: ["("] }] }), { path: ["rules", 0, "patterns", 0] });
  const { hash_key } = factory.config.parse({ hash_key: KEY });
  t.notMatch(JSON.stringify({ hash_key }), /sixteen/, "the key is not printed");
});

t.test("any record stays valid, keeps its identity, and is redacted once and for all", async () => {
  const name = fc.constantFrom(
    "password",
    "name",
    "value",
    "a",
    "accessKeyId",
    "__proto__",
    "type",
  );
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom("password=x", "Bearer abcdefghijklmnop1", HIDDEN),
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: "small" },
      text,
      fc.integer(),
      fc.constant(null),
      fc.array(tie("json"), { maxLength: 3 }),
      fc.dictionary(name, tie("json"), { maxKeys: 4 }),
    ),
  }));
  const members = fc.record({
    requestParameters: fc.oneof(fc.constant(null), fc.dictionary(name, json)),
    userIdentity: fc.dictionary(name, json),
    resources: fc.array(fc.dictionary(name, json)),
    errorMessage: text,
    unknown: json,
  }, { requiredKeys: [] });
  const field = fc.constantFrom(
    "*",
    "*.name",
    "**.a",
    "requestParameters",
    "resources",
    "resources[0]",
  );
  const rule = fc.record({
    fields: fc.array(field, { minLength: 1, maxLength: 2 }),
    patterns: fc.constant(["[a-m]+"]),
    action: fc.constantFrom("hide", "remove", "hash"),
  }, { requiredKeys: ["fields"] });
  const options = fc.record({
    rules: fc.array(rule, { maxLength: 3 }),
    action: fc.constantFrom("hide", "remove", "hash"),
    hash_key: fc.constant(KEY),
  });
  await fc.assert(fc.asyncProperty(members, options, async (members, options) => {
    const record = { ...testRecord(1), ...members } as CloudTrailRecord;
    const before = JSON.stringify(record);
    const [after] = await redacted(options, [record]);
    const text = JSON.stringify(after);
    return JSON.stringify(record) === before && validateRecord(after) === validateRecord(record) &&
      after!.eventID === record.eventID && (after === record || text !== before) &&
      !text.includes("password=x") && JSON.parse(text).eventTime === record.eventTime;
  }));
});
