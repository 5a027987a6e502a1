// The operations on trails. A trail is an exporter: what it is stands in the configuration, whether it
// delivers can be changed here.

import { Buffer } from "node:buffer";
import { AwsFault } from "../../sdk/aws/fault.ts";
import { formatEventTime } from "../../sdk/cloudtrail/event-time.ts";
import { type Declaration, declarationsService } from "../../sdk/declarations.ts";
import { insightService } from "../../sdk/insight-service.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import {
  type LatestDelivery,
  type TrailDescription,
  type TrailPublicKey,
  type TrailService,
  trailService,
} from "../../sdk/trail-service.ts";
import { type Call, isOwner, pageOf, placeOf, seconds, textOf, timeOf } from "./call.ts";
import { isDeclared, toDeclare } from "./refusal.ts";

/** The categories that an exporter without selectors takes. */
const CATEGORIES = ["Management", "Data", "NetworkActivity", "Insight", "ActivityAuditLog"];

interface Trail {
  readonly service: TrailService;
  readonly about: TrailDescription;
}

/** The trails that the caller sees. */
export function trailsOf(call: Call): readonly Trail[] {
  if (!isOwner(call)) return [];
  return call.find(trailService).map((service) => ({ service, about: service.describe() }));
}

/** The trail of a name or ARN. Throws AwsFault. */
export function findTrail(call: Call, nameOrArn: string): Trail {
  checkName(nameOrArn);
  const found = trailsOf(call).find(({ about }) =>
    about.name === nameOrArn || about.arn === nameOrArn
  );
  if (found !== undefined) return found;
  const message = `Unknown trail: ${nameOrArn} for the user: ${call.caller.accountId}`;
  throw new AwsFault("TrailNotFoundException", message);
}

function checkName(text: string): void {
  if (text.startsWith("arn:")) {
    if (/^arn:[^:]+:cloudtrail:[^:]+:\d{12}:trail\/[\w.-]+$/.test(text)) return;
    const message = `The trail ARN is not valid: ${text.slice(0, 256)}`;
    throw new AwsFault("CloudTrailARNInvalidException", message);
  }
  const problem = text.length < 3
    ? `Trail name too short. Minimum allowed length: 3 characters. Specified name length: ` +
      `${text.length} characters.`
    : text.length > 128
    ? `Trail name too long. Maximum allowed length: 128 characters. Specified name length: ` +
      `${text.length} characters.`
    : !/^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?$/.test(text)
    ? "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods " +
      "(.), hyphens (-), and underscores (_), and begin and end with a letter or number."
    : undefined;
  if (problem !== undefined) throw new AwsFault("InvalidTrailNameException", problem);
}

/** DescribeTrails: of a list of names those that are there, without one all. */
export function describeTrails(call: Call): JsonObject {
  const names = call.input.trailNameList as readonly string[] | null | undefined;
  const wanted = names == null || names.length === 0 ? undefined : new Set(names);
  const hasShadows = call.input.includeShadowTrails !== false;
  const trails = trailsOf(call).filter(({ about }) =>
    (wanted === undefined || wanted.has(about.name) || wanted.has(about.arn)) &&
    (hasShadows || about.homeRegion === call.region)
  );
  return { trailList: trails.map(({ about }) => describe(call, about)) };
}

/** GetTrail. */
export function getTrail(call: Call): JsonObject {
  return { Trail: describe(call, findTrail(call, textOf(call, "Name")!).about) };
}

/** ListTrails. */
export function listTrails(call: Call): JsonObject {
  const trails = trailsOf(call).map(({ about: { arn, name, homeRegion } }) => ({
    TrailARN: arn,
    Name: name,
    HomeRegion: homeRegion,
  }));
  return pageOf(call, "Trails", trails, "InvalidTokenException");
}

function describe(call: Call, about: TrailDescription): JsonObject {
  const declared = declarationOf(call, about);
  const { snsTopicArn } = about;
  return {
    Name: about.name,
    S3BucketName: about.bucket,
    S3KeyPrefix: about.prefix === "" ? undefined : about.prefix,
    SnsTopicName: snsTopicArn?.slice(snsTopicArn.lastIndexOf(":") + 1),
    SnsTopicARN: snsTopicArn,
    IncludeGlobalServiceEvents: true,
    // Records of every region go to every trail whose selectors want them.
    IsMultiRegionTrail: true,
    HomeRegion: about.homeRegion,
    TrailARN: about.arn,
    LogFileValidationEnabled: about.logFileValidation,
    KmsKeyId: about.kmsKeyId,
    HasCustomEventSelectors: declared?.eventSelectors !== undefined ||
      declared?.advancedEventSelectors !== undefined,
    HasInsightSelectors: insightSelectors(call).length > 0,
    IsOrganizationTrail: about.organizationId !== undefined,
  };
}

function declarationOf(call: Call, { id }: TrailDescription): Declaration | undefined {
  return call.find(declarationsService)[0]?.component("exporter", id);
}

/** GetTrailStatus, with the texts that older programs read beside the times. */
export function getTrailStatus(call: Call): JsonObject {
  const { delivery, digestDelivery, notification, ...status } = findTrail(
    call,
    textOf(call, "Name")!,
  ).service.status();
  const { startedLoggingAt, stoppedLoggingAt } = status;
  return {
    IsLogging: status.isLogging,
    LatestDeliveryError: delivery.error,
    LatestNotificationError: notification.error,
    LatestDeliveryTime: seconds(delivery.time),
    LatestNotificationTime: seconds(notification.time),
    StartLoggingTime: seconds(startedLoggingAt),
    StopLoggingTime: seconds(stoppedLoggingAt),
    LatestDigestDeliveryTime: seconds(digestDelivery.time),
    LatestDigestDeliveryError: digestDelivery.error,
    LatestDeliveryAttemptTime: spelled(delivery.attemptTime),
    LatestNotificationAttemptTime: spelled(notification.attemptTime),
    LatestNotificationAttemptSucceeded: succeeded(notification),
    LatestDeliveryAttemptSucceeded: succeeded(delivery),
    TimeLoggingStarted: spelled(startedLoggingAt),
    TimeLoggingStopped: spelled(stoppedLoggingAt),
  };
}

function spelled(ms: number | undefined): string {
  return ms === undefined ? "" : formatEventTime(ms);
}

function succeeded({ attemptTime, error }: LatestDelivery): string {
  return attemptTime === undefined || error !== undefined ? "" : spelled(attemptTime);
}

/** GetEventSelectors: those of the exporter; without any, what taking everything amounts to. */
export function getEventSelectors(call: Call): JsonObject {
  const { about } = findTrail(call, textOf(call, "TrailName")!);
  const declared = declarationOf(call, about);
  const { arn: TrailARN } = about;
  const { eventSelectors, advancedEventSelectors } = declared ?? {};
  if (eventSelectors !== undefined) return { TrailARN, EventSelectors: eventSelectors };
  return { TrailARN, AdvancedEventSelectors: advancedEventSelectors ?? everything() };
}

/** What an exporter without selectors takes, in the words of selectors. */
export function everything(): readonly Json[] {
  return CATEGORIES.map((category) => ({
    Name: `All ${category} events: no selectors are configured`,
    FieldSelectors: [{ Field: "eventCategory", Equals: [category] }],
  }));
}

function insightSelectors(call: Call): readonly JsonObject[] {
  return call.find(insightService).flatMap((service) =>
    service.selectors().map(({ type, categories }) => ({
      InsightType: type,
      EventCategories: categories,
    }))
  );
}

/** GetInsightSelectors: what processor `insights` watches, for every trail alike. */
export function getInsightSelectors(call: Call): JsonObject {
  const name = textOf(call, "TrailName");
  if (name === undefined) {
    const message = "Name a trail: insights of event data stores are not configured";
    throw new AwsFault("InvalidParameterException", message);
  }
  const { about } = findTrail(call, name);
  const selectors = insightSelectors(call);
  if (selectors.length > 0) return { TrailARN: about.arn, InsightSelectors: selectors };
  const message = `Insights are not enabled for trail ${about.name}`;
  throw new AwsFault("InsightNotEnabledException", message);
}

/** Throws AwsFault where there is no such trail. */
export function checkTrail(call: Call): void {
  findTrail(call, textOf(call, "Name")!);
}

/** StartLogging, StopLogging: resolves when it is durable. */
export async function switchLogging(call: Call): Promise<JsonObject> {
  const { service } = findTrail(call, textOf(call, "Name")!);
  if (call.operation === "StartLogging") await service.startLogging();
  else await service.stopLogging();
  return {};
}

/** ListPublicKeys: the keys of all trails that were valid at a time within the range. */
export async function listPublicKeys(call: Call): Promise<JsonObject> {
  const from = timeOf(call, "StartTime");
  const to = timeOf(call, "EndTime");
  if (from !== undefined && to !== undefined && from > to) {
    throw new AwsFault("InvalidTimeRangeException", "StartTime is later than EndTime");
  }
  // There is one page alone, so there is no token to be right.
  placeOf(call, "InvalidTokenException");
  const keys = new Map<string, TrailPublicKey>();
  for (const { service } of trailsOf(call)) {
    const found = await service.publicKeys(from ?? to ?? call.now, to ?? call.now);
    for (const key of found) keys.set(key.fingerprint, key);
  }
  return {
    PublicKeyList: [...keys.values()].map((key) => ({
      Value: Buffer.from(key.value).toString("base64"),
      ValidityStartTime: seconds(key.validFrom),
      ValidityEndTime: seconds(key.validTo),
      Fingerprint: key.fingerprint,
    })),
  };
}

/** Everything that would change a trail: refused, with the place where it is declared. */
export function changeTrail(call: Call): never {
  if (call.operation === "CreateTrail") throw toDeclare(call, "Trails", "an exporter trail");
  const name = textOf(call, "Name") ?? textOf(call, "TrailName");
  if (name === undefined) {
    throw new AwsFault("InvalidParameterCombinationException", "Name a trail");
  }
  const { about } = findTrail(call, name);
  throw isDeclared(call, "exporter", about.id, `Trail "${about.name}"`);
}
