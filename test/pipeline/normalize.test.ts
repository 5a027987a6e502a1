// Promise P4, and from events to records: who acted, every field, the limits, and what no event may
// do.

import { Buffer } from "node:buffer";
import fc from "fast-check";
import t from "tap";
import type { Actor, AuditEvent, JsonObject } from "../../plugins/sdk/index.ts";
import { validateOwnRecord } from "../../plugins/sdk/cloudtrail/validate.ts";
import { fromEvents } from "../../src/pipeline/draft.ts";
import { serviceHost, userIdentity } from "../../src/pipeline/identity.ts";
import { derivedId } from "../../plugins/sdk/derived-id.ts";
import { normalize } from "../../src/pipeline/normalize.ts";
import { trim } from "../../src/pipeline/trim.ts";
import { truncate } from "../../src/pipeline/truncate.ts";
import { agent, event } from "./agent.ts";

const place = { agent, host: "web-01" };
const alice: Actor = { type: "user", name: "alice", id: "1000" };
const session = { id: "7", createdAt: Date.UTC(2026, 2, 2, 8, 0, 11), mfa: false };
const attributes = { creationDate: "2026-03-02T08:00:11Z", mfaAuthenticated: "false" };
const rootIssuer = {
  type: "Role",
  principalId: "0",
  arn: "arn:cairn:iam::111122223333:role/web-01/root",
  accountId: "111122223333",
  userName: "root",
};

const IDENTITIES: readonly [string, Actor, JsonObject][] = [
  ["root is Root, and its principal the account", { type: "root" }, {
    type: "Root",
    principalId: "111122223333",
    arn: "arn:cairn:iam::111122223333:root",
    accountId: "111122223333",
  }],
  ["a local account is IAMUser with its session", { ...alice, session }, {
    type: "IAMUser",
    principalId: "1000",
    arn: "arn:cairn:iam::111122223333:user/web-01/alice",
    accountId: "111122223333",
    userName: "alice",
    sessionContext: { attributes },
  }],
  ["an unresolved uid is a principal without a name", { type: "user", id: "4242" }, {
    type: "IAMUser",
    principalId: "4242",
    accountId: "111122223333",
  }],
  ["a user of whom nothing is known is Unknown", { type: "user" }, { type: "Unknown" }],
  ["sudo is AssumedRole", { type: "role", name: "root", id: "0", assumedBy: alice, session }, {
    type: "AssumedRole",
    principalId: "0:alice",
    arn: "arn:cairn:sts::111122223333:assumed-role/web-01/root/alice",
    accountId: "111122223333",
    sessionContext: { sessionIssuer: rootIssuer, attributes, sourceIdentity: "alice" },
  }],
  ["su within sudo keeps who began", {
    type: "role",
    name: "bob",
    assumedBy: { type: "role", name: "root", id: "0", assumedBy: alice },
  }, {
    type: "AssumedRole",
    principalId: "bob:root",
    arn: "arn:cairn:sts::111122223333:assumed-role/web-01/bob/root",
    accountId: "111122223333",
    sessionContext: {
      sessionIssuer: {
        type: "Role",
        principalId: "bob",
        arn: "arn:cairn:iam::111122223333:role/web-01/bob",
        accountId: "111122223333",
        userName: "bob",
      },
      sourceIdentity: "alice",
    },
  }],
  ["a role of an unresolved uid has no ARN", {
    type: "role",
    name: "root",
    id: "0",
    assumedBy: { type: "user", id: "4242" },
  }, {
    type: "AssumedRole",
    principalId: "0:4242",
    accountId: "111122223333",
    sessionContext: { sessionIssuer: rootIssuer },
  }],
  ["a service is AWSService", { type: "service", name: "cron" }, {
    type: "AWSService",
    invokedBy: "cron.host.internal",
  }],
  ["SAML", {
    type: "user",
    name: "Alice",
    id: "a-1",
    federation: { protocol: "saml", provider: "https://idp.example" },
  }, {
    type: "SAMLUser",
    principalId: "https://idp.example:a-1",
    userName: "Alice",
    identityProvider: "https://idp.example",
  }],
  ["OIDC", {
    type: "user",
    name: "alice",
    federation: { protocol: "oidc", provider: "accounts.example" },
  }, {
    type: "WebIdentityUser",
    principalId: "accounts.example:alice",
    userName: "alice",
    identityProvider: "accounts.example",
  }],
  ["another account is AWSAccount", { type: "account", accountId: "444455556666" }, {
    type: "AWSAccount",
    accountId: "444455556666",
  }],
  ["anonymous is Unknown", { type: "anonymous" }, { type: "Unknown" }],
  ["anonymous with an id", { type: "anonymous", id: "x" }, { type: "Unknown", principalId: "x" }],
];

for (const [name, actor, expected] of IDENTITIES) {
  t.test(`userIdentity() ${name}`, async (t) => {
    t.equal(JSON.stringify(userIdentity(actor, place)), JSON.stringify(expected));
  });
}

t.test("userIdentity() keeps the parts of an ARN apart whatever a name holds", async (t) => {
  const { arn } = userIdentity({ type: "user", name: "DOM/al:ice ü%" }, place);
  t.equal(arn, "arn:cairn:iam::111122223333:user/web-01/DOM%2Fal%3Aice%20%C3%BC%25");
});

t.test("serviceHost() makes a lower-case name, and knows the agent itself", async (t) => {
  t.equal(serviceHost("systemd-logind", agent), "systemd-logind.host.internal");
  t.equal(serviceHost("Foo Bar/1", agent), "foo-bar-1.host.internal");
  t.equal(serviceHost("", agent), "unknown.host.internal");
  t.equal(serviceHost("cairn", agent), "cairn.internal");
});

t.test("derivedId() is a version 8 UUID that each of its parts decides", async (t) => {
  const id = derivedId("cairn", "1", "ab");
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(id, derivedId("cairn", "1", "ab"));
  t.not(id, derivedId("cairn", "1a", "b"));
});

t.test("normalize() writes a whole event in the order of CloudTrail's samples", async (t) => {
  const record = normalize(
    event({
      actor: { ...alice, session },
      outcome: { success: false, code: "AccessDenied", message: "Permission denied" },
      origin: {
        address: "198.51.100.24",
        port: 52314,
        host: "laptop.example",
        userAgent: "OpenSSH_9.6",
        tls: { version: "TLSv1.3", cipherSuite: "TLS_AES_128_GCM_SHA256", serverName: "web" },
      },
      resources: [
        { type: "Host::File", name: "/etc/passwd" },
        { type: "IAM::User", name: "bob", accountId: "444455556666" },
        { type: "S3::Object", name: "k", arn: "arn:aws:s3:::b/k" },
      ],
      request: { method: "publickey" },
      response: {},
      additional: { terminal: "pts/1" },
    }),
    "auditd",
    agent,
  );
  t.equal(
    JSON.stringify(record, null, 1),
    JSON.stringify(
      {
        eventVersion: "1.11",
        userIdentity: userIdentity({ ...alice, session }, place),
        eventTime: "2026-03-02T08:04:57Z",
        eventSource: "sshd.host.internal",
        eventName: "UserLogin",
        awsRegion: "eu-central-1",
        sourceIPAddress: "198.51.100.24",
        userAgent: "OpenSSH_9.6",
        errorCode: "AccessDenied",
        errorMessage: "Permission denied",
        requestParameters: { method: "publickey" },
        responseElements: null,
        additionalEventData: {
          host: "web-01",
          sourceHost: "laptop.example",
          sourcePort: 52314,
          sessionId: "7",
          terminal: "pts/1",
        },
        eventID: derivedId("cairn", "111122223333", "web-01", "auditd", "audit:1:100"),
        readOnly: false,
        resources: [
          {
            ARN: "arn:cairn:host:eu-central-1:111122223333:file/web-01/etc/passwd",
            accountId: "111122223333",
            type: "Cairn::Host::File",
          },
          {
            ARN: "arn:cairn:iam::444455556666:user/web-01/bob",
            accountId: "444455556666",
            type: "Cairn::IAM::User",
          },
          { ARN: "arn:aws:s3:::b/k", accountId: "111122223333", type: "Cairn::S3::Object" },
        ],
        eventType: "AwsApiCall",
        managementEvent: true,
        recipientAccountId: "111122223333",
        eventCategory: "Management",
        tlsDetails: {
          tlsVersion: "TLSv1.3",
          cipherSuite: "TLS_AES_128_GCM_SHA256",
          clientProvidedHostHeader: "web",
        },
      },
      null,
      1,
    ),
  );
});

t.test("normalize() gives a local action its host's name, and invents nothing", async (t) => {
  const record = normalize(event({ host: "db-02" }), "auditd", agent);
  t.equal(record.sourceIPAddress, "db-02");
  t.equal(record.requestParameters, null);
  t.match(record.userIdentity?.arn, /user\/db-02\/alice$/);
  for (const field of ["userAgent", "errorCode", "errorMessage", "resources", "tlsDetails"]) {
    t.notOk(field in record, field);
  }
});

t.test("normalize() names the event's type as CloudTrail would", async (t) => {
  const type = (parts: Partial<AuditEvent>) => normalize(event(parts), "x", agent).eventType;
  t.equal(type({}), "AwsApiCall");
  t.equal(type({ actor: { type: "service", name: "systemd" } }), "AwsServiceEvent");
  t.equal(type({ action: "ConsoleLogin" }), "AwsConsoleSignIn");
  t.equal(type({ category: "NetworkActivity" }), "AwsVpceEvent");
  t.equal(normalize(event({ category: "Data" }), "x", agent).managementEvent, false);
  t.notOk("managementEvent" in normalize(event({ category: "NetworkActivity" }), "x", agent));
});

t.test("normalize() cuts long texts at a character and refuses a time that is none", async (t) => {
  const message = "é".repeat(600);
  const outcome = { success: false, code: "E", message } as const;
  const record = normalize(event({ outcome }), "x", agent);
  t.equal(record.errorMessage, "é".repeat(512));
  t.throws(() => normalize(event({ time: Number.NaN }), "x", agent), /time/);
  t.throws(() => normalize(event({ time: 1e18 }), "x", agent), /time/);
});

t.test("truncate() never breaks a pair of surrogates", async (t) => {
  t.equal(truncate("ab😀", 5), "ab");
  t.equal(truncate("ab😀", 6), "ab😀");
  t.equal(truncate("\ud800".repeat(3), 6), "\ud800\ud800");
});

t.test("trim() omits structured fields over their limit and leaves the rest", async (t) => {
  const long = "x".repeat(100 * 1024);
  const record = normalize(event({ request: { long }, response: { ok: true } }), "x", agent);
  const trimmed = trim(record);
  t.same(trimmed.requestParameters, { omitted: true });
  t.same(trimmed.responseElements, { ok: true });
  t.same(record.requestParameters, { long }, "its input is not changed");
  const short = normalize(event(), "x", agent);
  t.equal(trim(short), short);
});

t.test("fromEvents() brings the longest event within 256 KB and says so", async (t) => {
  const resources = Array.from({ length: 3000 }, (_, i) => ({
    type: "Host::File",
    name: `/${"d".repeat(100)}/${i}`,
  }));
  const request = { long: "x".repeat(99 * 1024) };
  const response = { long: "x".repeat(99 * 1024) };
  const { drafts, rejected } = fromEvents(
    [event({ resources, request, response })],
    "x",
    agent,
    true,
  );
  t.same(rejected, []);
  t.ok(drafts[0]!.bytes.length <= 256 * 1024);
  const { additionalEventData, resources: kept } = drafts[0]!.record!;
  t.equal(Number(additionalEventData?.resourcesOmitted) + kept!.length, 3000);
  t.ok(kept!.length > 1000);
});

t.test("fromEvents() sets aside what is no event and takes the rest", async (t) => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  const events = [
    event({ id: "good-1" }),
    event({ id: "bad-time", time: Number.NaN }),
    null,
    event({ id: "bad-actor", actor: undefined }),
    event({ id: "cycle", request: cycle as JsonObject }),
    event({ id: "bigint", request: { n: 1n } as unknown as JsonObject }),
    event({ id: "deep", request: { deep } }),
    event({ id: "bad-name", action: "" }),
    event({ id: "good-2" }),
  ] as AuditEvent[];
  const { drafts, rejected } = fromEvents(events, "x", agent, true);
  t.equal(drafts.length, 2);
  t.equal(rejected.length, 7);
  for (const { reason, code } of rejected) {
    t.ok(reason.length > 0);
    t.equal(code, "CAIRN_INVALID_RECORD");
  }
  t.equal(rejected.find(({ id }) => id === "bad-time")?.raw.toString().includes("bad-time"), true);
});

t.test("fromEvents() keeps NUL, lone surrogates and members named __proto__", async (t) => {
  const request = JSON.parse('{"__proto__":{"a":1},"nul":"\\u0000","lone":"\\ud800"}');
  const before = JSON.stringify(request);
  const { drafts } = fromEvents([event({ request, additional: request })], "x", agent, true);
  const written = JSON.parse(Buffer.from(drafts[0]!.bytes).toString());
  t.equal(JSON.stringify(written.requestParameters), before);
  t.ok(Object.hasOwn(written.additionalEventData, "__proto__"));
  t.equal(JSON.stringify(request), before);
});

const text = fc.string({ unit: "binary", maxLength: 2000 });
const actor = fc.letrec<{ actor: Actor }>((tie) => ({
  actor: fc.oneof(
    { depthSize: "small" },
    fc.constant<Actor>({ type: "root" }),
    fc.record({ type: fc.constant("user" as const), name: text, id: text }),
    fc.record({ type: fc.constant("service" as const), name: text }),
    fc.record({ type: fc.constant("anonymous" as const), id: text }),
    fc.record({ type: fc.constant("role" as const), name: text, assumedBy: tie("actor") }),
  ),
})).actor;
const anyEvent: fc.Arbitrary<AuditEvent> = fc.record({
  id: text,
  time: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  service: text,
  action: fc.stringMatching(/^[A-Z][A-Za-z]{0,40}$/),
  actor,
  outcome: fc.oneof(
    fc.constant({ success: true } as const),
    fc.record({ success: fc.constant(false as const), code: text, message: text }),
  ),
  origin: fc.record({
    address: fc.oneof(fc.ipV4(), fc.ipV6()),
    port: fc.nat(65535),
    userAgent: text,
  }),
  resources: fc.array(fc.record({ type: text, name: text }), { maxLength: 4 }),
  request: fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>,
  additional: fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>,
  readOnly: fc.boolean(),
  category: fc.constantFrom("Management", "Data", "NetworkActivity"),
});

t.test("fromEvents() makes one valid record of any event, the same each time", async (t) => {
  let seen = 0;
  fc.assert(
    fc.property(anyEvent, (any) => {
      const before = JSON.stringify(any);
      const { drafts, rejected } = fromEvents([any], "x", agent, true);
      if (rejected.length > 0) throw new Error(rejected[0]!.reason);
      const record = JSON.parse(Buffer.from(drafts[0]!.bytes).toString());
      const problem = validateOwnRecord(record);
      if (problem !== undefined) throw new Error(problem);
      const again = fromEvents([any], "x", agent, true).drafts[0]!;
      if (Buffer.compare(drafts[0]!.bytes, again.bytes) !== 0) throw new Error("not the same");
      if (JSON.stringify(any) !== before) throw new Error("changed its input");
      seen++;
    }),
    { numRuns: 300, seed: 7 },
  );
  t.equal(seen, 300);
});

t.test("fromEvents() never throws, whatever a plugin gives it", async (t) => {
  let seen = 0;
  fc.assert(
    fc.property(
      fc.array(fc.anything({ withBigInt: true, withMap: true, withDate: true })),
      (any) => {
        const { drafts, rejected } = fromEvents(any as AuditEvent[], "x", agent, true);
        if (drafts.length + rejected.length !== any.length) throw new Error("lost one");
        seen++;
      },
    ),
    { numRuns: 300, seed: 7 },
  );
  t.equal(seen, 300);
});
