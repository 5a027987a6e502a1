// Extension api over real HTTP, with services that the test plays: what each of the 60 operations
// answers AWS's own client, what is recorded of calls, and what is refused.

import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { dirname, join } from "node:path";
import {
  CloudTrailClient,
  type CloudTrailClientConfig,
  DescribeTrailsCommand,
  GetChannelCommand,
  GetEventSelectorsCommand,
  GetImportCommand,
  GetQueryResultsCommand,
  GetTrailStatusCommand,
  ListChannelsCommand,
  ListPublicKeysCommand,
  ListQueriesCommand,
  LookupEventsCommand,
  paginateListChannels,
  paginateLookupEvents,
  StartLoggingCommand,
  StartQueryCommand,
  StopLoggingCommand,
} from "@aws-sdk/client-cloudtrail";
import t, { type Test } from "tap";
import { AwsFault } from "../../sdk/aws/fault.ts";
import { type AgentHealth, agentStatusService } from "../../sdk/agent-status.ts";
import { type ChannelService, channelService } from "../../sdk/channel-service.ts";
import { conformance, memoryState, testContext, testHost } from "../../sdk/conformance.ts";
import { declarationsService } from "../../sdk/declarations.ts";
import {
  type EventHistory,
  eventHistoryService,
  HistoryPositionError,
  type HistoryQuery,
} from "../../sdk/event-history.ts";
import type { AuditEvent, JsonObject } from "../../sdk/index.ts";
import {
  type ImportDescription,
  type QueryService,
  queryService,
} from "../../sdk/query-service.ts";
import { selfAuditService } from "../../sdk/self-audit.ts";
import { type TrailService, trailService } from "../../sdk/trail-service.ts";
import api from "./index.ts";
import { INPUTS } from "./inputs.ts";
import { OPERATIONS } from "./operations.ts";

const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const ARN = `arn:cairn:cloudtrail:${REGION}:${ACCOUNT}`;
const UUID = "5a7d6a1e-0000-4000-8000-000000000001";
const ALICE = { access_key_id: "AKIDALICE", secret_access_key: "alice-secret", user: "alice" };
const APP = {
  access_key_id: "AKIDAPP",
  secret_access_key: "app-secret",
  user: "app",
  actions: ["cloudtrail-data:PutAuditEvents"],
};
const GUEST = {
  access_key_id: "AKIDGUEST",
  secret_access_key: "guest-secret",
  user: "guest",
  account_id: "444455556666",
};

conformance(t, api, { minimal: { endpoint: "127.0.0.1:0" } });

/** A world with one trail, one channel and a history of 120 events. */
function world() {
  const audited: AuditEvent[] = [];
  const logging = { isOn: true };
  const queries: HistoryQuery[] = [];
  const puts: Parameters<ChannelService["put"]>[] = [];
  const health: { state: AgentHealth["state"] } = { state: "running" };
  const trail: TrailService = {
    describe: () => ({
      name: "main",
      arn: `${ARN}:trail/main`,
      id: "trail",
      accountId: ACCOUNT,
      homeRegion: REGION,
      bucket: "audit",
      prefix: "p",
      logFileValidation: true,
      snsTopicArn: "arn:aws:sns:eu-central-1:111122223333:files",
    }),
    status: () => ({
      isLogging: logging.isOn,
      startedLoggingAt: Date.UTC(2026, 0, 2),
      delivery: { time: 5000, attemptTime: 6000, error: "AccessDenied" },
      digestDelivery: { time: 7000, attemptTime: 7000 },
      notification: {},
    }),
    publicKeys: async () => [
      { fingerprint: "ab", value: Uint8Array.of(1, 2), validFrom: 1000, validTo: 2000 },
    ],
    startLogging: async () => void (logging.isOn = true),
    stopLogging: async () => {
      if (audited.length === 0) throw new Error("nothing was recorded before");
      logging.isOn = false;
    },
  };
  const history: EventHistory = {
    lookup: async (query) => {
      queries.push(query);
      const from = Number(query.after ?? 0);
      if (Number.isNaN(from)) throw new HistoryPositionError("no position");
      // As a history may: fewer than asked for, with more to come.
      const to = Math.min(120, from + Math.min(query.limit, 7));
      const events = Array.from({ length: to - from }, (_, index) => ({
        id: `id-${from + index}`,
        name: "StopInstances",
        time: Date.UTC(2026, 0, 2) - (from + index) * 1000,
        source: "ec2.amazonaws.com",
        username: "alice",
        readOnly: false,
        resources: [{ type: "AWS::EC2::Instance", name: "i-1" }],
        accountId: ACCOUNT,
        region: REGION,
        text: `{"n":${from + index}}`,
      }));
      return to < 120 ? { events, next: String(to) } : { events };
    },
    histogram: async () => [],
    extent: () => ({ events: 120, bytes: 1 }),
  };
  const channel: ChannelService = {
    describe: () => ({
      id: "channel",
      name: "apps",
      arn: `${ARN}:channel/${UUID}`,
      source: "Custom",
      destinations: [UUID],
      resourcePolicy: '{"Version":"2012-10-17"}',
    }),
    status: () => ({ latestSuccess: { time: 1000, eventId: UUID } }),
    put: async (...call) => {
      puts.push(call);
      const { auditEvents } = call[0];
      return { successful: auditEvents.map(({ id }) => ({ id, eventID: UUID })), failed: [] };
    },
  };
  return { audited, logging, queries, puts, health, trail, history, channel };
}

/** A lake with one store, one query with 1,500 rows and one import. */
function lake(): QueryService {
  const store = {
    arn: `${ARN}:eventdatastore/${UUID}`,
    name: "all",
    status: "ENABLED",
    advancedEventSelectors: [],
    retentionDays: 366,
    multiRegion: true,
    organization: false,
    terminationProtection: true,
    createdAt: 1000,
    updatedAt: 2000,
    id: "lake",
  };
  const query = { id: UUID, statement: "SELECT 1", status: "FINISHED", createdAt: 3000 } as const;
  const imported: ImportDescription = {
    id: UUID,
    destinations: [store.arn],
    s3: { uri: "s3://b/p", region: REGION, roleArn: "arn:x" },
    status: "COMPLETED",
    createdAt: 1000,
    updatedAt: 2000,
    prefixesFound: 1,
    prefixesCompleted: 1,
    filesCompleted: 2,
    eventsCompleted: 3,
    failedEntries: 0,
  };
  return {
    stores: () => [store],
    startQuery: async () => UUID,
    describeQuery: async (id) => {
      if (id === UUID) return query;
      throw new AwsFault("QueryIdNotFoundException", "none");
    },
    results: async (_id, from, limit) => ({
      status: "FINISHED",
      columns: ["n", "none"],
      rows: Array.from({ length: Math.min(limit, 1500 - from) }, (_, i) => [`${from + i}`, null]),
      totalRows: 1500,
      bytesScanned: 9,
      ...(from + limit < 1500 && { next: from + limit }),
    }),
    cancelQuery: async () => {
      throw new AwsFault("InactiveQueryException", "It is over");
    },
    queries: async () => [query],
    startIngestion: async () => {},
    stopIngestion: async () => {},
    startImport: async () => imported,
    stopImport: async () => ({ ...imported, status: "STOPPED" }),
    describeImport: async () => imported,
    imports: async () => [imported],
    importFailures: async () => [{
      location: "s3://b/p/1",
      status: "FAILED",
      errorType: "InvalidFile",
      errorMessage: "no gzip",
      updatedAt: 1000,
    }],
  };
}

type World = ReturnType<typeof world> & { readonly lake?: QueryService };

interface Started {
  readonly world: World;
  readonly address: string;
  readonly now: { ms: number };
  readonly ignored: Readonly<Record<string, number>>;
  client(credential?: typeof ALICE, more?: CloudTrailClientConfig): CloudTrailClient;
}

async function start(
  t: Test,
  options: JsonObject = {},
  state = memoryState(),
  made: World = world(),
): Promise<Started> {
  const now = { ms: Date.now() };
  const context = testContext({ id: "api", state, clock: () => now.ms });
  const credentials = [ALICE, APP, GUEST];
  const config = api.config.parse({ endpoint: "127.0.0.1:0", credentials, ...options });
  const extension = api.create(config, context);
  const reported = testHost();
  reported.provide(trailService, made.trail);
  reported.provide(eventHistoryService, made.history);
  reported.provide(channelService, made.channel);
  if (made.lake !== undefined) reported.provide(queryService, made.lake);
  reported.provide(selfAuditService, {
    record: async (event) => void made.audited.push(event),
  });
  reported.provide(declarationsService, {
    source: "agent.yaml",
    component: (kind, id) => ({
      place: `agent.yaml:${kind}/${id}`,
      ...(id === "soc" && { advancedEventSelectors: [{ Name: "soc", FieldSelectors: [] }] }),
    }),
  });
  const host: typeof reported = {
    ...reported,
    find:
      ((kind: unknown) =>
        kind === agentStatusService
          ? [{ status: () => ({ state: made.health.state, components: [], pipelines: [] }) }]
          : reported.find(kind as never)) as typeof reported.find,
  };
  await extension.start(host);
  t.teardown(() => extension.stop(AbortSignal.timeout(2000)));
  const address = /\S+$/.exec(reported.reports[0]?.reason ?? "")![0];
  const client: Started["client"] = (credential = ALICE, more = {}) => {
    const made = new CloudTrailClient({
      region: REGION,
      endpoint: `http://${address}`,
      maxAttempts: 1,
      credentials: {
        accessKeyId: credential.access_key_id,
        secretAccessKey: credential.secret_access_key,
      },
      ...more,
    });
    t.teardown(() => made.destroy());
    return made;
  };
  return { world: made, address, now, ignored: context.ignoredCounts, client };
}

t.test("trails are described as AWS describes them", async (t) => {
  const { client } = await start(t);
  const trails = client();
  const { trailList } = await trails.send(new DescribeTrailsCommand({}));
  t.match(trailList, [{
    Name: "main",
    S3BucketName: "audit",
    S3KeyPrefix: "p",
    SnsTopicName: "files",
    TrailARN: `${ARN}:trail/main`,
    LogFileValidationEnabled: true,
    HasCustomEventSelectors: false,
  }]);
  const status = await trails.send(new GetTrailStatusCommand({ Name: `${ARN}:trail/main` }));
  t.match(status, {
    IsLogging: true,
    LatestDeliveryTime: new Date(5000),
    LatestDeliveryError: "AccessDenied",
    LatestDigestDeliveryTime: new Date(7000),
    TimeLoggingStarted: "2026-01-02T00:00:00Z",
    LatestNotificationAttemptTime: "",
  });
  const selectors = await trails.send(new GetEventSelectorsCommand({ TrailName: "main" }));
  t.equal(selectors.AdvancedEventSelectors?.length, 5, "no selectors: everything, in their words");
  const { PublicKeyList } = await trails.send(new ListPublicKeysCommand({}));
  t.match(PublicKeyList, [{ Fingerprint: "ab", Value: Uint8Array.of(1, 2) }]);
  const errors = [
    ["", "InvalidTrailNameException", /too short. Minimum allowed length: 3/],
    ["other", "TrailNotFoundException", /Unknown trail: other for the user: 111122223333/],
    ["arn:nothing", "CloudTrailARNInvalidException", /not valid/],
  ] as const;
  for (const [Name, name, message] of errors) {
    await t.rejects(trails.send(new GetTrailStatusCommand({ Name })), { name, message });
  }
  const guest = client(GUEST);
  t.same((await guest.send(new DescribeTrailsCommand({}))).trailList, [], "another account's view");
});

t.test("StopLogging and StartLogging switch the trail, and are records", async (t) => {
  const { client, world } = await start(t);
  await client().send(new StopLoggingCommand({ Name: "main" }));
  t.equal(world.logging.isOn, false, "the record came first: the trail holds it");
  await client().send(new StartLoggingCommand({ Name: "main" }));
  t.equal(world.logging.isOn, true);
  await t.rejects(client().send(new StopLoggingCommand({ Name: "other" })), {
    name: "TrailNotFoundException",
  });
  t.match(world.audited, [
    {
      service: "cairn",
      action: "StopLogging",
      actor: { type: "user", name: "alice" },
      outcome: { success: true },
      origin: { address: "127.0.0.1", userAgent: /aws-sdk-js/ },
      request: { name: "main" },
      additional: { accessKeyId: "AKIDALICE" },
      readOnly: false,
    },
    { action: "StartLogging", outcome: { success: true } },
    { action: "StopLogging", outcome: { success: false, code: "TrailNotFoundException" } },
  ]);
  t.equal(new Set(world.audited.map(({ id }) => id)).size, 3);
});

t.test("LookupEvents pages through the history in AWS's shape, and is a record", async (t) => {
  const { client, world } = await start(t);
  const ids: (string | undefined)[] = [];
  const pages = paginateLookupEvents({ client: client(), pageSize: 50 }, {
    LookupAttributes: [{ AttributeKey: "Username", AttributeValue: "alice" }],
    StartTime: new Date(Date.UTC(2025, 0, 1)),
  });
  let count = 0;
  for await (const { Events } of pages) {
    count++;
    ids.push(...Events?.map(({ EventId }) => EventId) ?? []);
  }
  t.equal(count, 3, "a page is filled though the history answers a few at a time");
  t.same(ids, Array.from({ length: 120 }, (_, index) => `id-${index}`));
  t.match(world.queries[0], {
    attributes: [{ key: "Username", value: "alice" }],
    category: "management",
    startTime: Date.UTC(2025, 0, 1),
    accountId: ACCOUNT,
    region: REGION,
  });
  t.same(world.audited.map(({ action, readOnly }) => [action, readOnly]), [
    ["LookupEvents", true],
    ["LookupEvents", true],
    ["LookupEvents", true],
  ]);
  const { Events } = await client().send(new LookupEventsCommand({ MaxResults: 1 }));
  t.same(Events, [{
    EventId: "id-0",
    EventName: "StopInstances",
    ReadOnly: "false",
    EventTime: new Date(Date.UTC(2026, 0, 2)),
    EventSource: "ec2.amazonaws.com",
    Username: "alice",
    Resources: [{ ResourceType: "AWS::EC2::Instance", ResourceName: "i-1" }],
    CloudTrailEvent: '{"n":0}',
  }]);
});

t.test("LookupEvents refuses what AWS refuses, by AWS's names", async (t) => {
  const { client } = await start(t);
  const attribute = (key: string, value: string) => ({
    LookupAttributes: [{ AttributeKey: key, AttributeValue: value }],
  });
  const two = { LookupAttributes: [...attribute("EventName", "a").LookupAttributes] };
  const cases: readonly (readonly [string, object])[] = [
    ["InvalidMaxResultsException", { MaxResults: 0 }],
    ["InvalidMaxResultsException", { MaxResults: 51 }],
    ["InvalidEventCategoryException", { EventCategory: "data" }],
    ["InvalidTimeRangeException", { StartTime: new Date(2000), EndTime: new Date(1000) }],
    ["InvalidLookupAttributesException", attribute("Nothing", "a")],
    ["InvalidLookupAttributesException", attribute("EventName", "")],
    ["InvalidLookupAttributesException", attribute("EventName", "_".repeat(1001))],
    ["InvalidLookupAttributesException", {
      ...attribute("Username", "a"),
      EventCategory: "insight",
    }],
    ["InvalidLookupAttributesException", {
      LookupAttributes: [...two.LookupAttributes, ...two.LookupAttributes],
    }],
    ["InvalidNextTokenException", { NextToken: "none" }],
  ];
  for (const [name, input] of cases) {
    await t.rejects(client().send(new LookupEventsCommand(input as never)), { name }, name);
  }
  const long = attribute("EventName", "x".repeat(2000));
  await client().send(new LookupEventsCommand(long as never));
});

t.test("a token goes on with its own query alone, also after a restart", async (t) => {
  const state = memoryState();
  const { client } = await start(t, {}, state);
  const { NextToken } = await client().send(new LookupEventsCommand({ MaxResults: 10 }));
  const again = await start(t, {}, state);
  const next = await again.client().send(new LookupEventsCommand({ MaxResults: 5, NextToken }));
  t.equal(next.Events?.[0]?.EventId, "id-10");
  const refused = { name: "InvalidNextTokenException" };
  const others = [{ StartTime: new Date(0) }, { EventCategory: "insight" as const }];
  for (const other of others) {
    await t.rejects(client().send(new LookupEventsCommand({ ...other, NextToken })), refused);
  }
  await t.rejects(client(GUEST).send(new LookupEventsCommand({ NextToken })), refused, "account");
  await t.rejects(client().send(new ListChannelsCommand({ NextToken })), refused, "operation");
  const changed = `${NextToken!.slice(0, -4)}AAAA`;
  await t.rejects(client().send(new LookupEventsCommand({ NextToken: changed })), refused);
  const foreign = await start(t);
  await t.rejects(foreign.client().send(new LookupEventsCommand({ NextToken })), refused);
});

t.test("channels are listed in pages, those linked to a service among them", async (t) => {
  const name = "aws-service-channel/soc/main";
  const { client } = await start(t, { service_channels: [{ name, exporter: "soc" }] });
  const found: (string | undefined)[] = [];
  for await (const page of paginateListChannels({ client: client(), pageSize: 1 }, {})) {
    found.push(...page.Channels?.map(({ Name }) => Name) ?? []);
  }
  t.same(found, ["apps", name]);
  const own = await client().send(new GetChannelCommand({ Channel: UUID }));
  t.match(own, {
    Source: "Custom",
    Destinations: [{ Type: "EVENT_DATA_STORE", Location: `${ARN}:eventdatastore/${UUID}` }],
    IngestionStatus: { LatestIngestionSuccessTime: new Date(1000) },
  });
  const { Channels } = await client().send(new ListChannelsCommand({}));
  const linked = await client().send(new GetChannelCommand({ Channel: Channels![1]!.ChannelArn }));
  t.match(linked, {
    Source: "CloudTrail",
    SourceConfig: { ApplyToAllRegions: true, AdvancedEventSelectors: [{ Name: "soc" }] },
    Destinations: [{ Type: "AWS_SERVICE", Location: "soc" }],
  });
});

/** A minimal input for each operation, as the shapes want it, about what there is here. */
function inputFor(operation: string): JsonObject {
  const values: Readonly<Record<string, JsonObject[string]>> = {
    Name: /Channel|Dashboard|EventDataStore/.test(operation) ? "another" : "main",
    TrailName: "main",
    Channel: `${ARN}:channel/${UUID}`,
    ResourceArn: `${ARN}:channel/${UUID}`,
    ResourceId: `${ARN}:trail/main`,
    ResourceIdList: [`${ARN}:trail/main`],
    InsightSource: `${ARN}:trail/main`,
    DataType: "InsightsEvents",
    InsightType: "ApiCallRateInsight",
    EventSource: "ec2.amazonaws.com",
    EventName: "RunInstances",
    TagsList: [{ Key: "k", Value: "v" }],
    Destinations: operation === "StartImport"
      ? [UUID]
      : [{ Type: "EVENT_DATA_STORE", Location: UUID }],
    ImportSource: {
      S3: { S3LocationUri: "s3://b/p", S3BucketRegion: REGION, S3BucketAccessRoleArn: "arn:x" },
    },
    EventDataStores: [UUID],
    InsightSelectors: [],
    QueryStatement: `SELECT eventID FROM ${UUID}`,
    Prompt: "What happened?",
    SearchPhrase: "errors",
    MemberAccountId: ACCOUNT,
    DelegatedAdminAccountId: ACCOUNT,
    S3BucketName: "bucket",
    Source: "Custom",
    ResourcePolicy: "{}",
    FederationRoleArn: "arn:aws:iam::111122223333:role/r",
  };
  const named = new Set(["QueryId", "TrailName", "ImportSource", "Destinations", "QueryStatement"]);
  const wanted = INPUTS[operation]!.members.filter(({ name, required }) =>
    required || (named.has(name) && !operation.startsWith("List"))
  );
  return Object.fromEntries(wanted.map(({ name }) => [name, values[name] ?? UUID]));
}

/** What an operation answers, as the README says it. */
async function outcomeOf(address: string, operation: string): Promise<string> {
  const { status, body } = await post(address, operation, inputFor(operation));
  const { __type: code, message = "" } = JSON.parse(body);
  const place = message.includes("agent.yaml") ? ", with the place" : "";
  return status === 200 ? "answers" : `${code}${place}`;
}

t.test("all 60 operations answer as the README's table says", async (t) => {
  const plain = await start(t, { credentials: [] });
  const withLake = await start(t, { credentials: [] }, memoryState(), { ...world(), lake: lake() });
  t.equal(Object.keys(OPERATIONS).length, 60);
  t.same(Object.keys(INPUTS), Object.keys(OPERATIONS));
  const rows: string[] = [];
  for (const [operation, { recorded }] of Object.entries(OPERATIONS)) {
    const one = await outcomeOf(plain.address, operation);
    const other = await outcomeOf(withLake.address, operation);
    const record = recorded === undefined ? "" : "yes";
    rows.push(`| ${operation} | ${one} | ${other === one ? "" : other} | ${record} |`);
  }
  const readme = readFileSync(join(root(import.meta.dirname!), README), "utf8");
  const table = readme.split("\n").filter((line) => /^\| [A-Z][A-Za-z]+ \| [A-Za-z]/.test(line));
  t.same(table, rows);
});

t.test("queries and imports have AWS's shapes", async (t) => {
  const { client } = await start(t, {}, memoryState(), { ...world(), lake: lake() });
  const lakeClient = client();
  const { QueryId } = await lakeClient.send(
    new StartQueryCommand({ QueryStatement: `SELECT n FROM ${UUID}` }),
  );
  t.equal(QueryId, UUID);
  const rows: unknown[] = [];
  let NextToken: string | undefined;
  do {
    const page = await lakeClient.send(new GetQueryResultsCommand({ QueryId, NextToken }));
    rows.push(...page.QueryResultRows ?? []);
    t.match(page.QueryStatistics, { TotalResultsCount: 1500, BytesScanned: 9 });
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  t.equal(rows.length, 1500);
  t.match(rows[1499], [{ n: "1499" }]);
  const found = await lakeClient.send(new GetImportCommand({ ImportId: UUID }));
  t.match(found, {
    ImportStatus: "COMPLETED",
    CreatedTimestamp: new Date(1000),
    ImportStatistics: { FilesCompleted: 2, EventsCompleted: 3 },
  });
  const { Queries } = await lakeClient.send(
    new ListQueriesCommand({ EventDataStore: UUID, QueryStatus: "FAILED" }),
  );
  t.same(Queries, [], "by status");
});

const README = "plugins/extensions/api/README.md";

function root(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : root(dirname(folder));
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Posted {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function post(
  address: string,
  operation: string,
  input: JsonObject | string | Buffer,
  { path = "/", method = "POST", headers = {} }: Posted = {},
): Promise<Answer> {
  const [host, port] = address.split(":");
  const target = `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.${operation}`;
  return new Promise((resolve, reject) => {
    const asking = httpRequest({
      host,
      port,
      path,
      method,
      agent: false,
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target, ...headers },
    }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk) => body += chunk);
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      });
    });
    asking.on("error", reject);
    asking.end(typeof input === "string" || Buffer.isBuffer(input) ? input : JSON.stringify(input));
  });
}
