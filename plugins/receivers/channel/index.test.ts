// Receiver channel: what PutAuditEvents takes and refuses, event by event, and who may send.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import t, { type Test } from "tap";
import type { AwsCaller } from "../../sdk/aws/fault.ts";
import {
  type AuditEventEntry,
  type ChannelService,
  channelService,
  type PutAuditEvents,
} from "../../sdk/channel-service.ts";
import {
  conformance,
  type RecordingIntake,
  recordingIntake,
  testContext,
  testHost,
} from "../../sdk/conformance.ts";
import { validateRecord } from "../../sdk/cloudtrail/validate.ts";
import type { JsonObject } from "../../sdk/index.ts";
import channel from "./index.ts";

const ACCOUNT = "111122223333";
const OWNER: AwsCaller = { accountId: ACCOUNT, arn: `arn:cairn:iam::${ACCOUNT}:user/app` };
const GUEST: AwsCaller = {
  accountId: "444455556666",
  arn: "arn:cairn:iam::444455556666:user/guest",
};
const AT = Date.UTC(2026, 2, 2, 9);

const EVENT: JsonObject = {
  version: "1.0",
  userIdentity: { type: "User", principalId: "alice@host1", details: { shift: 2 } },
  userAgent: "app/1",
  eventSource: "agent.example.com",
  eventName: "SudoCommand",
  eventTime: "2026-03-02T08:04:57Z",
  UID: "evt-0001",
  requestParameters: { n: 1 },
  responseElements: null,
  sourceIPAddress: "203.0.113.9",
  recipientAccountId: ACCOUNT,
  additionalEventData: { k: "v" },
};

const entry = (members: JsonObject = {}, id = "1"): AuditEventEntry => ({
  id,
  eventData: JSON.stringify({ ...EVENT, ...members }),
});

interface Started {
  readonly intake: RecordingIntake;
  readonly service: ChannelService;
  readonly put: (entries: readonly AuditEventEntry[], more?: Partial<PutAuditEvents>) => ReturnType<
    ChannelService["put"]
  >;
}

async function start(t: Test, options: JsonObject = {}): Promise<Started> {
  const intake = recordingIntake();
  const host = testHost();
  const context = testContext({ id: "channel", clock: () => AT });
  const config = channel.config.parse({ name: "apps", ...options });
  const receiver = channel.create(config, context, intake);
  t.teardown(() => receiver.stop(AbortSignal.timeout(1000)));
  await receiver.start(host);
  const service = host.find(channelService)[0]!;
  const put: Started["put"] = (auditEvents, more = {}) =>
    service.put({ auditEvents, ...more }, OWNER);
  return { intake, service, put };
}

/** The service of the receiver that was made last, which conformance() makes and does not show. */
let made: ChannelService | undefined;
const shown: typeof channel = {
  ...channel,
  create: (options, context, intake) => {
    const receiver = channel.create(options, context, intake);
    made = receiver as unknown as ChannelService;
    return receiver;
  },
};

conformance(t, shown, {
  minimal: { name: "apps" },
  noPosition: "senders keep what is not answered",
  noBadInput: "what is unreadable is answered as failed, and the sender has it",
  source: async () => {
    let number = 0;
    return {
      config: { name: "apps" },
      // Eight senders, each of whom waits for its answer.
      write: async (count) => {
        const ids: string[] = [];
        const end = number + count;
        const send = async () => {
          while (number < end) {
            const size = Math.min(100, end - number);
            const events = Array.from(
              { length: size },
              (_, index) => entry({ UID: `uid-${number + index}` }, String(index)),
            );
            number += size;
            const { successful } = await made!.put({ auditEvents: events }, OWNER);
            ids.push(...successful.map(({ eventID }) => eventID));
          }
        };
        await Promise.all(Array.from({ length: 8 }, send));
        return ids;
      },
      writeBad: async () => {},
    };
  },
});

t.test("a record is CloudTrail's for ActivityAuditLog, with the event as it was sent", async (t) => {
  const { intake, put } = await start(t, { id: "5a7d6a1e-0000-4000-8000-000000000001" });
  const data = JSON.stringify(EVENT, null, 2).replace('"n": 1', '"n": 12345678901234567890.10');
  const { successful, failed } = await put([{ id: "e-1", eventData: data }]);
  t.same(failed, []);
  const [record] = intake.takenRecords;
  const arn = `arn:cairn:cloudtrail:eu-central-1:${ACCOUNT}:channel/` +
    "5a7d6a1e-0000-4000-8000-000000000001";
  const { eventData, ...head } = record!;
  t.same(head, {
    eventVersion: "1.11",
    eventCategory: "ActivityAuditLog",
    eventType: "ActivityLog",
    eventID: successful[0]!.eventID,
    eventTime: "2026-03-02T08:04:57Z",
    awsRegion: "eu-central-1",
    recipientAccountId: ACCOUNT,
    metadata: { ingestionTime: "2026-03-02T09:00:00Z", channelARN: arn },
  });
  t.equal(validateRecord(record), undefined);
  t.same(eventData, JSON.parse(data));
  const text = Buffer.from(intake.takenBytes[0]!).toString();
  t.ok(text.includes("12345678901234567890.10"), "a number keeps its spelling");
  t.match(successful[0], { id: "e-1", eventID: /^[0-9a-f]{8}-[0-9a-f-]{27}$/ });
});

t.test("the same UID of one source always gets the same eventID, whatever else differs", async (t) => {
  const { put } = await start(t);
  const idOf = async (members: JsonObject) =>
    (await put([entry(members, "x")])).successful[0]?.eventID;
  const first = await idOf({});
  t.equal(await idOf({}), first);
  t.equal(await idOf({ eventName: "Other", userAgent: "app/2" }), first);
  t.not(await idOf({ UID: "evt-0002" }), first);
  t.not(await idOf({ eventSource: "other.example.com" }), first, "programs count for themselves");
  const other = await start(t, { name: "others" });
  t.not((await other.put([entry()])).successful[0]!.eventID, first, "and channels, too");
});

t.test("each wrong event fails by itself, under AWS's name, and the others are taken", async (t) => {
  const { intake, service, put } = await start(t);
  const without = (name: string) => {
    const { [name]: _, ...rest } = EVENT;
    return { eventData: JSON.stringify(rest) };
  };
  const long = (characters: number) => "x".repeat(characters);
  const cases: readonly [string, string, Partial<AuditEventEntry>][] = [
    ...["version", "userIdentity", "eventSource", "eventName", "eventTime", "UID"].map((name) =>
      ["FieldNotFound", name, without(name)] as [string, string, Partial<AuditEventEntry>]
    ),
    ["FieldNotFound", "recipientAccountId", without("recipientAccountId")],
    ["FieldNotFound", "userIdentity.type", entry({ userIdentity: { principalId: "a" } })],
    ["FieldNotFound", "userIdentity.principalId", entry({ userIdentity: { type: "a" } })],
    ["FieldNotFound", "UID", entry({ UID: "" })],
    ["FieldTooLong", "version", entry({ version: long(257) })],
    [
      "FieldTooLong",
      "userIdentity.type",
      entry({ userIdentity: { type: long(129), principalId: "a" } }),
    ],
    ["FieldTooLong", "userAgent", entry({ userAgent: long(1025) })],
    ["FieldTooLong", "eventName", entry({ eventName: long(1025) })],
    ["FieldTooLong", "UID", entry({ UID: long(1025) })],
    ["FieldTooLong", "errorCode", entry({ errorCode: long(257) })],
    ["FieldTooLong", "errorMessage", entry({ errorMessage: long(257) })],
    ["FieldTooLong", "requestParameters", entry({ requestParameters: { a: long(102_400) } })],
    ["FieldTooLong", "additionalEventData", entry({ additionalEventData: { a: long(28_672) } })],
    ["FieldTooLong", "eventData", entry({ other: long(262_144) })],
    ["InvalidData", "no JSON object", { eventData: "{" }],
    ["InvalidData", "no JSON object", { eventData: "[]" }],
    ["InvalidData", "nests deeper", { eventData: `{"a":${"[".repeat(5000)}${"]".repeat(5000)}}` }],
    ["InvalidData", "requestParameters", entry({ requestParameters: "text" })],
    ["InvalidData", "userIdentity", entry({ userIdentity: "alice" })],
    [
      "InvalidData",
      "userIdentity.details",
      entry({
        userIdentity: { type: "a", principalId: "b", details: [] },
      }),
    ],
    ["InvalidData", "eventTime", entry({ eventTime: "2026-02-30T00:00:00Z" })],
    ["InvalidData", "eventTime", entry({ eventTime: "2026-03-02T08:04:57+01:00" })],
    ["InvalidData", "eventTime", entry({ eventTime: "0050-03-02T08:04:57Z" })],
    ["InvalidData", "no Unicode", { eventData: entry().eventData.replace("Sudo", "\ud800") }],
    ["InvalidData", "UID", entry({ UID: 7 })],
    ["InvalidData", "sourceIPAddress", entry({ sourceIPAddress: "localhost" })],
    ["InvalidRecipient", "recipientAccountId", entry({ recipientAccountId: "999999999999" })],
    ["InvalidChecksum", "eventDataChecksum", { eventDataChecksum: "AAAA" }],
  ];
  for (const [code, told, wrong] of cases) {
    const { successful, failed } = await put([entry({}, "good"), {
      ...entry(),
      ...wrong,
      id: "bad",
    }]);
    t.same(successful.map(({ id }) => id), ["good"], `${code} ${told}`);
    t.match(failed, [{ id: "bad", errorCode: code, errorMessage: new RegExp(told) }]);
    t.equal(service.status().latestErrorCode, code);
  }
  t.equal(intake.takenRecords.length, cases.length, "only the good ones");
  t.equal((await put([entry({ UID: "last" })])).failed.length, 0);
  t.equal(service.status().latestErrorCode, undefined);
  t.equal(service.status().latestSuccess?.time, AT);
});

t.test("times without a zone are UTC, and a right checksum is no obstacle", async (t) => {
  const { intake, put } = await start(t);
  const plain = entry({ eventTime: "2026-03-02T08:04:57", UID: "ü" });
  const eventDataChecksum = createHash("sha256").update(plain.eventData).digest("base64");
  t.same((await put([{ ...plain, eventDataChecksum }])).failed, []);
  t.equal(intake.takenRecords[0]!.eventTime, "2026-03-02T08:04:57Z");
});

t.test("a partner's channel takes the partner's source alone", async (t) => {
  const { put } = await start(t, { source: "partner.example.com" });
  const { successful, failed } = await put([
    entry({ eventSource: "partner.example.com" }, "1"),
    entry({}, "2"),
  ]);
  t.same(successful.map(({ id }) => id), ["1"]);
  t.match(failed, [{ id: "2", errorCode: "InvalidEventSource" }]);
});

t.test("a call is refused whole for its number, size or ids", async (t) => {
  const { intake, put } = await start(t);
  const many = (count: number, members: JsonObject = {}) =>
    Array.from({ length: count }, (_, index) => entry({ UID: `${index}`, ...members }, `${index}`));
  await t.rejects(put([]), { code: "ValidationException" });
  await t.rejects(put(many(101)), { code: "ValidationException" });
  await t.rejects(put([entry(), entry()]), { code: "DuplicatedAuditEventId" });
  const large = { requestParameters: { a: "x".repeat(90_000) } };
  await t.rejects(put(many(12, large)), { code: "RequestEntityTooLargeException", status: 413 });
  t.equal(intake.calls, 0);
  t.equal((await put(many(100))).successful.length, 100);
  t.equal((await put(many(11, large))).successful.length, 11, "a megabyte is taken");
});

t.test("the resource policy says who may send, beside the own account", async (t) => {
  const allow = {
    Effect: "Allow",
    Principal: { AWS: GUEST.accountId },
    Action: "cloudtrail-data:PutAuditEvents",
  };
  const Condition = { StringEquals: { "cloudtrail:ExternalId": ["ext-1"] } };
  const attempt = async (
    statements: readonly object[] | undefined,
    caller: AwsCaller,
    id?: string,
  ) => {
    const policy = statements && { resource_policy: { Statement: statements } };
    const { service } = await start(t, policy as JsonObject);
    return await service.put({ auditEvents: [entry()], externalId: id }, caller)
      .then(() => "taken", ({ code }) => code);
  };
  const refused = "ChannelInsufficientPermission";
  t.equal(await attempt(undefined, OWNER), "taken");
  t.equal(await attempt(undefined, GUEST), refused);
  t.equal(await attempt([allow], GUEST), "taken");
  t.equal(await attempt([allow], OWNER), "taken");
  for (const AWS of ["arn:aws:iam::444455556666:root", GUEST.arn, ["1", "*"]]) {
    t.equal(await attempt([{ ...allow, Principal: { AWS } }], GUEST), "taken", String(AWS));
  }
  t.equal(await attempt([{ ...allow, Principal: "*" }], GUEST), "taken");
  t.equal(await attempt([{ ...allow, Principal: { AWS: "arn:x:iam::4:user/b" } }], GUEST), refused);
  t.equal(await attempt([{ ...allow, Condition }], GUEST, "ext-1"), "taken");
  t.equal(await attempt([{ ...allow, Condition }], GUEST, "ext-2"), refused);
  t.equal(await attempt([{ ...allow, Condition }], GUEST), refused);
  t.equal(await attempt([allow, { ...allow, Effect: "Deny" }], GUEST), refused);
  const deny = { ...allow, Effect: "Deny", Principal: "*" };
  t.equal(await attempt([deny], OWNER), refused, "a denial holds for the owner, too");
});

t.test("a policy is AWS's: its resource is filled in, another one is refused", async (t) => {
  const statement = {
    Effect: "Allow",
    Principal: { AWS: "*" },
    Action: "cloudtrail-data:PutAuditEvents",
  };
  const { service } = await start(t, { resource_policy: { Statement: [statement] } });
  const { arn, resourcePolicy } = service.describe();
  t.equal(JSON.parse(resourcePolicy!).Statement[0].Resource, arn);
  await t.rejects(
    start(t, { resource_policy: { Statement: [{ ...statement, Resource: "arn:other" }] } }),
    { code: "CAIRN_CONFIG", message: /"arn:other" is not this channel/ },
  );
  for (const wrong of [{ Action: "s3:PutObject" }, { Principal: { Service: "x" } }]) {
    const resource_policy = { Statement: [{ ...statement, ...wrong }] };
    t.notOk(channel.config.safeParse({ name: "apps", resource_policy }).success);
  }
  const AWS = Array.from({ length: 51 }, (_, index) => `arn:aws:iam::111122223333:user/${index}`);
  const policies = [
    { Statement: [] },
    { Statement: Array(21).fill(statement) },
    { Statement: [{ ...statement, Principal: { AWS } }] },
  ];
  for (const resource_policy of policies) {
    t.notOk(channel.config.safeParse({ name: "apps", resource_policy }).success);
  }
});

t.test("of two channels with one name the second does not start", async (t) => {
  const host = testHost();
  const made = ["channel/a", "channel/b"].map((id) =>
    channel.create(channel.config.parse({ name: "apps" }), testContext({ id }), recordingIntake())
  );
  t.teardown(() => Promise.all(made.map((each) => each.stop(AbortSignal.timeout(1000)))));
  await made[0]!.start(host);
  await t.rejects(made[1]!.start(host), { code: "CAIRN_CONFIG", message: /"channel\/a" has the/ });
});

t.test("what cannot be stored is nobody's, and the sender is to come again", async (t) => {
  const { intake, service, put } = await start(t);
  intake.failNext(1);
  await t.rejects(put([entry()]), { code: "CAIRN_RETRYABLE" });
  t.equal(service.status().latestErrorCode, "InternalFailure");
  intake.block();
  const waiting = Array.from({ length: 48 }, (_, index) => put([entry({ UID: `w${index}` })]));
  await t.rejects(put([entry()]), { code: "ThrottlingException" }, "many wait already");
  t.ok(intake.outstanding <= 16);
  intake.unblock();
  t.equal((await Promise.all(waiting)).length, 48);
});
