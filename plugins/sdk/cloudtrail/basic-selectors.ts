// Basic event selectors: management events by read or write, and data events of three kinds of
// resource by the beginning of their ARN.

import { z } from "zod";
import { eventCategory, isReadOnly, type Selectable, type Selector } from "./event-category.ts";
import type { CloudTrailRecord } from "./record.ts";

const SELECTORS_MAX = 5;

/** Over all selectors of a trail; values that mean "all of them" do not count. */
const DATA_RESOURCES_MAX = 250;

const DATA_TYPES = ["AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"] as const;

type DataType = typeof DATA_TYPES[number];

const VALUE_FORMS: Readonly<Record<DataType, RegExp>> = {
  "AWS::S3::Object": /^arn:[a-z-]+:s3(:::)?$|^arn:[a-z-]+:s3:::[^/]+\/.*$/,
  "AWS::Lambda::Function": /^arn:[a-z-]+:lambda$|^arn:[a-z-]+:lambda:[^:]*:\d{12}:function:[^:]+$/,
  "AWS::DynamoDB::Table": /^arn:[a-z-]+:dynamodb$|^arn:[a-z-]+:dynamodb:[^:]*:\d{12}:table\/.+$/,
};

const VALUE_HELP: Readonly<Record<DataType, string>> = {
  "AWS::S3::Object":
    "arn:aws:s3 for all buckets, arn:aws:s3:::BUCKET/ or arn:aws:s3:::BUCKET/PREFIX",
  "AWS::Lambda::Function": "arn:aws:lambda for all functions, or a function's ARN without version",
  "AWS::DynamoDB::Table": "arn:aws:dynamodb for all tables, or a table's ARN",
};

const dataResource = z.strictObject({
  Type: z.enum(DATA_TYPES).describe("Kind of resource"),
  Values: z.array(z.string()).min(1).describe("ARNs, or their beginnings"),
}).superRefine(({ Type, Values }, ctx) => {
  Values.forEach((value, i) => {
    if (VALUE_FORMS[Type].test(value)) return;
    const message = `Expected ${VALUE_HELP[Type]}`;
    ctx.addIssue({ code: "custom", path: ["Values", i], message, input: value });
  });
});

const eventSelector = z.strictObject({
  ReadWriteType: z.enum(["ReadOnly", "WriteOnly", "All"]).default("All")
    .describe("Which events by what they do, management and data alike"),
  IncludeManagementEvents: z.boolean().default(true).describe(
    "Whether management events are wanted",
  ),
  DataResources: z.array(dataResource).default([]).describe("Data events wanted, by resource"),
  ExcludeManagementEventSources: z.array(z.enum(["kms.amazonaws.com", "rdsdata.amazonaws.com"]))
    .default([]).describe("Services whose management events are not wanted"),
});

/** The schema of a trail's `EventSelectors`, with AWS's member names, defaults and limits. */
export const eventSelectors = z.array(eventSelector).min(1).max(
  SELECTORS_MAX,
  `Expected at most ${SELECTORS_MAX} event selectors`,
).superRefine((selectors, ctx) => {
  const resources = selectors.flatMap((selector) => selector.DataResources);
  const values = resources.flatMap(({ Values }) => Values.filter((value) => !isAll(value)));
  if (values.length <= DATA_RESOURCES_MAX) return;
  const message =
    `Expected at most ${DATA_RESOURCES_MAX} data resources over all event selectors,` +
    ` found ${values.length}`;
  ctx.addIssue({ code: "custom", message, input: selectors });
});

/** One basic event selector, defaults filled in. */
export type EventSelector = z.output<typeof eventSelector>;

/**
 * Compiles basic selectors: a record is wanted when any of them wants it. They cannot speak of
 * network activity, activity logs, configuration items or evidence, so those are not wanted.
 * Insight and Aggregated records are wanted always: CloudTrail turns them on and off elsewhere.
 */
export function compileEventSelectors(selectors: readonly EventSelector[]): Selector {
  const management = selectors.filter((selector) => selector.IncludeManagementEvents);
  const everyManagement = management.some((selector) =>
    selector.ReadWriteType === "All" && selector.ExcludeManagementEventSources.length === 0
  );
  const data = selectors.filter((selector) => selector.DataResources.length > 0);
  return (stored: Selectable) => {
    switch (eventCategory(stored)) {
      case "Management":
        return everyManagement || wantsManagement(management, stored);
      case "Data":
        return data.length > 0 && wantsData(data, stored.record);
      case "Insight":
      case "Aggregated":
        return true;
      default:
        return false;
    }
  };
}

function wantsManagement(selectors: readonly EventSelector[], stored: Selectable): boolean {
  if (selectors.length === 0) return false;
  const { record } = stored;
  return selectors.some((selector) =>
    wantsReadWrite(selector, record) &&
    !(selector.ExcludeManagementEventSources as readonly unknown[]).includes(record.eventSource)
  );
}

function wantsData(selectors: readonly EventSelector[], record: CloudTrailRecord): boolean {
  return selectors.some((selector) =>
    wantsReadWrite(selector, record) &&
    selector.DataResources.some(({ Type, Values }) =>
      record.resources?.some((resource) =>
        resource.type === Type &&
        Values.some((value) => covers(Type, value, resource.ARN ?? resource.ARNPrefix))
      )
    )
  );
}

function wantsReadWrite(selector: EventSelector, record: CloudTrailRecord): boolean {
  if (selector.ReadWriteType === "All") return true;
  return isReadOnly(record) === (selector.ReadWriteType === "ReadOnly");
}

/** True for a value that names only the service, and so all of its resources. */
function isAll(value: string): boolean {
  const end = value.indexOf(":", value.indexOf(":", 4) + 1);
  return end < 0 || value.endsWith(":::");
}

function covers(type: DataType, value: string, arn: string | undefined): boolean {
  if (isAll(value)) return true;
  if (arn === undefined) return false;
  return type === "AWS::S3::Object" ? arn.startsWith(value) : arn === value;
}
