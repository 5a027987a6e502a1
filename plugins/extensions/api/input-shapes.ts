// The shapes that the inputs of CloudTrail's operations are made of, as AWS's service model has them.

/** What a value has to be. Bounds are of a text's or list's length, or of a number. */
export type Shape =
  | {
    readonly type: "string";
    readonly min?: number;
    readonly max?: number;
    readonly pattern?: RegExp;
    readonly values?: readonly string[];
  }
  | { readonly type: "integer"; readonly min?: number; readonly max?: number }
  | { readonly type: "boolean" | "timestamp" | "any" }
  | { readonly type: "list"; readonly of: string; readonly min?: number; readonly max?: number }
  | {
    readonly type: "map";
    readonly keys: string;
    readonly of: string;
    readonly min?: number;
    readonly max?: number;
  }
  | StructureShape;

/** A shape with members. */
export interface StructureShape {
  readonly type: "structure";
  readonly members: readonly Member[];
}

/** A member of a structure. */
export interface Member {
  readonly name: string;
  readonly shape: string;
  readonly required: boolean;
}

/** A structure out of `Name*:Shape Name:Shape`; a star says that the member is required. */
export function structure(text: string): StructureShape {
  const members = text.split(" ").filter(Boolean).map((member) => {
    const [name = "", shape = ""] = member.split(":");
    return { name: name.replace("*", ""), shape, required: name.endsWith("*") };
  });
  return { type: "structure", members };
}

function oneOf(...values: readonly string[]): Shape {
  return { type: "string", values };
}

/** By name. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  AccountId: { type: "string", min: 12, max: 16, pattern: /\d+/ },
  // Of cloudtrail-data; the size of eventData is the channel's to judge, event by event.
  AuditEvent: structure("id*:AuditEventId eventData*:String eventDataChecksum:String"),
  AuditEventId: { type: "string", min: 1, max: 128, pattern: /^[-_A-Za-z0-9]+$/ },
  AuditEvents: { type: "list", of: "AuditEvent", min: 1, max: 100 },
  AdvancedEventSelector: structure("Name:SelectorName FieldSelectors*:AdvancedFieldSelectors"),
  AdvancedEventSelectors: { type: "list", of: "AdvancedEventSelector" },
  AdvancedFieldSelector: structure(
    "Field*:SelectorField Equals:Operator StartsWith:Operator EndsWith:Operator NotEquals:Operator NotStartsWith:Operator NotEndsWith:Operator",
  ),
  AdvancedFieldSelectors: { type: "list", of: "AdvancedFieldSelector", min: 1 },
  AggregationConfiguration: structure(
    "Templates*:Templates EventCategory*:EventCategoryAggregation",
  ),
  AggregationConfigurations: { type: "list", of: "AggregationConfiguration", max: 1 },
  ArnOrId: { type: "string", min: 3, max: 256, pattern: /^[a-zA-Z0-9._\/\-:]+$/ },
  BillingMode: oneOf("EXTENDABLE_RETENTION_PRICING", "FIXED_RETENTION_PRICING"),
  Boolean: { type: "boolean" },
  ChannelName: { type: "string", min: 3, max: 128, pattern: /^[a-zA-Z0-9._\-]+$/ },
  ContextKeySelector: structure("Type*:Type Equals*:OperatorTargetList"),
  ContextKeySelectors: { type: "list", of: "ContextKeySelector", max: 2 },
  DashboardArn: { type: "string", pattern: /^[a-zA-Z0-9._\/\-:]+$/ },
  DashboardName: { type: "string", min: 3, max: 128, pattern: /^[a-zA-Z0-9_\-]+$/ },
  DashboardType: oneOf("MANAGED", "CUSTOM"),
  DataResource: structure("Type:String Values:DataResourceValues"),
  DataResourceValues: { type: "list", of: "String" },
  DataResources: { type: "list", of: "DataResource" },
  Date: { type: "timestamp" },
  DeliveryS3Uri: {
    type: "string",
    max: 1024,
    pattern: /s3:\/\/[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](\/.*)?/,
  },
  Destination: structure("Type*:DestinationType Location*:Location"),
  DestinationType: oneOf("EVENT_DATA_STORE", "AWS_SERVICE"),
  Destinations: { type: "list", of: "Destination", min: 1, max: 200 },
  ErrorCode: { type: "string", max: 128, pattern: /^[\w\d\s_.,\-:\[\]]+$/ },
  EventCategoryAggregation: oneOf("Data"),
  EventDataStoreKmsKeyId: { type: "string", min: 1, max: 350, pattern: /^[a-zA-Z0-9._\/\-:]+$/ },
  EventDataStoreList: { type: "list", of: "ArnOrId", min: 1, max: 1 },
  EventDataStoreName: { type: "string", min: 3, max: 128, pattern: /^[a-zA-Z0-9._\-]+$/ },
  EventName: { type: "string", max: 128, pattern: /^[A-Za-z0-9_]+$/ },
  EventSelector: structure(
    "ReadWriteType:ReadWriteType IncludeManagementEvents:Boolean DataResources:DataResources ExcludeManagementEventSources:ExcludeManagementEventSources",
  ),
  EventSelectors: { type: "list", of: "EventSelector" },
  // AWS takes its own services alone; sources here are named otherwise.
  EventSource: { type: "string", max: 256, pattern: /^[a-z0-9._-]+$/ },
  ExcludeManagementEventSources: { type: "list", of: "String" },
  FederationRoleArn: { type: "string", min: 3, max: 125, pattern: /^[a-zA-Z0-9._\/\-:@=\+,\.]+$/ },
  ImportDestinations: { type: "list", of: "ArnOrId", min: 1, max: 1 },
  ImportSource: structure("S3*:S3ImportSource"),
  ImportStatus: oneOf("INITIALIZING", "IN_PROGRESS", "FAILED", "STOPPED", "COMPLETED"),
  InsightSelector: structure("InsightType:InsightType EventCategories:SourceEventCategories"),
  InsightSelectors: { type: "list", of: "InsightSelector" },
  InsightType: oneOf("ApiCallRateInsight", "ApiErrorRateInsight"),
  InsightsMetricDataType: oneOf("FillWithZeros", "NonZeroData"),
  InsightsMetricMaxResults: { type: "integer", min: 1, max: 21600 },
  InsightsMetricNextToken: { type: "string", min: 1, max: 5000 },
  InsightsMetricPeriod: { type: "integer", min: 60, max: 3600 },
  ListInsightsDataDimensionKey: oneOf("EventId", "EventName", "EventSource"),
  ListInsightsDataDimensionValue: { type: "string", min: 1, max: 2000 },
  ListInsightsDataDimensions: {
    type: "map",
    keys: "ListInsightsDataDimensionKey",
    of: "ListInsightsDataDimensionValue",
    min: 1,
    max: 1,
  },
  ListInsightsDataMaxResultsCount: { type: "integer", min: 1, max: 50 },
  // What keys and values are is told with errors of LookupEvents' own.
  LookupAttribute: structure("AttributeKey:Any AttributeValue:Any"),
  LookupAttributes: { type: "list", of: "LookupAttribute" },
  ListInsightsDataType: oneOf("InsightsEvents"),
  Location: { type: "string", min: 3, max: 1024, pattern: /^[a-zA-Z0-9._\/\-:*]+$/ },
  MaxEventSize: oneOf("Standard", "Large"),
  NextToken: { type: "string" },
  Operator: { type: "list", of: "OperatorValue", min: 1 },
  OperatorTargetList: { type: "list", of: "OperatorTargetListMember", min: 1, max: 50 },
  OperatorTargetListMember: { type: "string", min: 1, max: 128 },
  OperatorValue: { type: "string", min: 1, max: 2048, pattern: /.+/ },
  PageSize: { type: "integer", min: 1, max: 1000 },
  PaginationToken: { type: "string", min: 4, max: 1000 },
  Prompt: { type: "string", min: 3, max: 500, pattern: /^[ -~\n]*$/ },
  QueryAlias: { type: "string", min: 1, max: 256, pattern: /^[a-zA-Z][a-zA-Z0-9._\-]*$/ },
  QueryParameter: { type: "string", min: 1, max: 1024 },
  QueryParameterKey: { type: "string", min: 3, max: 128, pattern: /^[a-zA-Z0-9._\/\-:$]+$/ },
  QueryParameterValue: { type: "string", min: 1, max: 128, pattern: /^[a-zA-Z0-9._\/\-:]+$/ },
  QueryParameterValues: { type: "map", keys: "QueryParameterKey", of: "QueryParameterValue" },
  QueryParameters: { type: "list", of: "QueryParameter", min: 1, max: 10 },
  QueryStatement: { type: "string", min: 1, max: 10000 },
  QueryStatus: oneOf("QUEUED", "RUNNING", "FINISHED", "FAILED", "CANCELLED", "TIMED_OUT"),
  ReadWriteType: oneOf("ReadOnly", "WriteOnly", "All"),
  RefreshId: { type: "string", min: 10, max: 20, pattern: /\d+/ },
  RefreshSchedule: structure(
    "Frequency:RefreshScheduleFrequency Status:RefreshScheduleStatus TimeOfDay:TimeOfDay",
  ),
  RefreshScheduleFrequency: structure(
    "Unit:RefreshScheduleFrequencyUnit Value:RefreshScheduleFrequencyValue",
  ),
  RefreshScheduleFrequencyUnit: oneOf("HOURS", "DAYS"),
  RefreshScheduleFrequencyValue: { type: "integer" },
  RefreshScheduleStatus: oneOf("ENABLED", "DISABLED"),
  RequestWidget: structure(
    "QueryStatement*:QueryStatement QueryParameters:QueryParameters ViewProperties*:ViewPropertiesMap",
  ),
  RequestWidgetList: { type: "list", of: "RequestWidget" },
  ResourceIdList: { type: "list", of: "String" },
  ResourcePolicy: { type: "string", min: 1, max: 8192 },
  RetentionPeriod: { type: "integer", min: 7, max: 3653 },
  S3ImportSource: structure(
    "S3LocationUri*:String S3BucketRegion*:String S3BucketAccessRoleArn*:String",
  ),
  SearchSampleQueriesMaxResults: { type: "integer", min: 1, max: 50 },
  SearchSampleQueriesSearchPhrase: { type: "string", min: 2, max: 1000, pattern: /^[ -~\n]*$/ },
  SelectorField: { type: "string", min: 1, max: 1000, pattern: /[\w|\d|\.|_]+/ },
  SelectorName: { type: "string", min: 0, max: 1000 },
  Source: { type: "string", min: 1, max: 256 },
  SourceEventCategories: { type: "list", of: "SourceEventCategory" },
  SourceEventCategory: oneOf("Management", "Data"),
  String: { type: "string" },
  Tag: structure("Key*:TagKey Value:TagValue"),
  TagKey: { type: "string", min: 1, max: 128 },
  TagValue: { type: "string", min: 1, max: 256 },
  TagsList: { type: "list", of: "Tag", max: 200 },
  Template: oneOf("API_ACTIVITY", "RESOURCE_ACCESS", "USER_ACTIONS"),
  Templates: { type: "list", of: "Template", min: 1, max: 50 },
  TimeOfDay: { type: "string", pattern: /^[0-9]{2}:[0-9]{2}/ },
  TrailNameList: { type: "list", of: "String" },
  Type: oneOf("TagContext", "RequestContext"),
  UUID: { type: "string", min: 36, max: 36, pattern: /^[a-f0-9\-]+$/ },
  ViewPropertiesKey: { type: "string", min: 3, max: 128, pattern: /^[a-zA-Z0-9._\-]+$/ },
  ViewPropertiesMap: { type: "map", keys: "ViewPropertiesKey", of: "ViewPropertiesValue" },
  ViewPropertiesValue: { type: "string", min: 1, max: 128, pattern: /^[a-zA-Z0-9._\- ]+$/ },
  Any: { type: "any" },
  Integer: { type: "integer" },
};
