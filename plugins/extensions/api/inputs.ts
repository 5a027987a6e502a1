// What each of CloudTrail's 60 operations takes, as AWS's service model has it. What LookupEvents takes
// has errors of its own, and is looked at in lookup-events.ts.

import { structure, type StructureShape } from "./input-shapes.ts";

/** By operation. */
export const INPUTS: Readonly<Record<string, StructureShape>> = {
  AddTags: structure("ResourceId*:String TagsList*:TagsList"),
  CancelQuery: structure(
    "EventDataStore:ArnOrId QueryId*:UUID EventDataStoreOwnerAccountId:AccountId",
  ),
  CreateChannel: structure(
    "Name*:ChannelName Source*:Source Destinations*:Destinations Tags:TagsList",
  ),
  CreateDashboard: structure(
    "Name*:DashboardName RefreshSchedule:RefreshSchedule TagsList:TagsList " +
      "TerminationProtectionEnabled:Boolean Widgets:RequestWidgetList",
  ),
  CreateEventDataStore: structure(
    "Name*:EventDataStoreName AdvancedEventSelectors:AdvancedEventSelectors " +
      "MultiRegionEnabled:Boolean OrganizationEnabled:Boolean " +
      "RetentionPeriod:RetentionPeriod TerminationProtectionEnabled:Boolean " +
      "TagsList:TagsList KmsKeyId:EventDataStoreKmsKeyId StartIngestion:Boolean " +
      "BillingMode:BillingMode",
  ),
  CreateTrail: structure(
    "Name*:String S3BucketName*:String S3KeyPrefix:String SnsTopicName:String " +
      "IncludeGlobalServiceEvents:Boolean IsMultiRegionTrail:Boolean " +
      "EnableLogFileValidation:Boolean CloudWatchLogsLogGroupArn:String " +
      "CloudWatchLogsRoleArn:String KmsKeyId:String IsOrganizationTrail:Boolean " +
      "TagsList:TagsList",
  ),
  DeleteChannel: structure("Channel*:ArnOrId"),
  DeleteDashboard: structure("DashboardId*:DashboardArn"),
  DeleteEventDataStore: structure("EventDataStore*:ArnOrId"),
  DeleteResourcePolicy: structure("ResourceArn*:ArnOrId"),
  DeleteTrail: structure("Name*:String"),
  DeregisterOrganizationDelegatedAdmin: structure("DelegatedAdminAccountId*:AccountId"),
  DescribeQuery: structure(
    "EventDataStore:ArnOrId QueryId:UUID QueryAlias:QueryAlias RefreshId:RefreshId " +
      "EventDataStoreOwnerAccountId:AccountId",
  ),
  DescribeTrails: structure("trailNameList:TrailNameList includeShadowTrails:Boolean"),
  DisableFederation: structure("EventDataStore*:ArnOrId"),
  EnableFederation: structure("EventDataStore*:ArnOrId FederationRoleArn*:FederationRoleArn"),
  GenerateQuery: structure("EventDataStores*:EventDataStoreList Prompt*:Prompt"),
  GetChannel: structure("Channel*:ArnOrId"),
  GetDashboard: structure("DashboardId*:DashboardArn"),
  GetEventConfiguration: structure("TrailName:String EventDataStore:String"),
  GetEventDataStore: structure("EventDataStore*:ArnOrId"),
  GetEventSelectors: structure("TrailName*:String"),
  GetImport: structure("ImportId*:UUID"),
  GetInsightSelectors: structure("TrailName:String EventDataStore:ArnOrId"),
  GetQueryResults: structure(
    "EventDataStore:ArnOrId QueryId*:UUID NextToken:PaginationToken " +
      "MaxQueryResults:PageSize EventDataStoreOwnerAccountId:AccountId",
  ),
  GetResourcePolicy: structure("ResourceArn*:ArnOrId"),
  GetTrail: structure("Name*:String"),
  GetTrailStatus: structure("Name*:String"),
  ListChannels: structure("MaxResults:PageSize NextToken:PaginationToken"),
  ListDashboards: structure(
    "NamePrefix:DashboardName Type:DashboardType NextToken:PaginationToken " +
      "MaxResults:PageSize",
  ),
  ListEventDataStores: structure("NextToken:PaginationToken MaxResults:PageSize"),
  ListImportFailures: structure("ImportId*:UUID MaxResults:PageSize NextToken:PaginationToken"),
  ListImports: structure(
    "MaxResults:PageSize Destination:ArnOrId ImportStatus:ImportStatus " +
      "NextToken:PaginationToken",
  ),
  ListInsightsData: structure(
    "InsightSource*:ArnOrId DataType*:ListInsightsDataType " +
      "Dimensions:ListInsightsDataDimensions StartTime:Date EndTime:Date " +
      "MaxResults:ListInsightsDataMaxResultsCount NextToken:PaginationToken",
  ),
  ListInsightsMetricData: structure(
    "TrailName:String EventSource*:EventSource EventName*:EventName " +
      "InsightType*:InsightType ErrorCode:ErrorCode StartTime:Date EndTime:Date " +
      "Period:InsightsMetricPeriod DataType:InsightsMetricDataType " +
      "MaxResults:InsightsMetricMaxResults NextToken:InsightsMetricNextToken",
  ),
  ListPublicKeys: structure("StartTime:Date EndTime:Date NextToken:String"),
  ListQueries: structure(
    "EventDataStore*:ArnOrId NextToken:PaginationToken MaxResults:PageSize StartTime:Date " +
      "EndTime:Date QueryStatus:QueryStatus",
  ),
  ListTags: structure("ResourceIdList*:ResourceIdList NextToken:String"),
  ListTrails: structure("NextToken:String"),
  LookupEvents: structure(
    "LookupAttributes:LookupAttributes StartTime:Date EndTime:Date EventCategory:String " +
      "MaxResults:Integer NextToken:NextToken",
  ),
  PutEventConfiguration: structure(
    "TrailName:String EventDataStore:String MaxEventSize:MaxEventSize " +
      "ContextKeySelectors:ContextKeySelectors " +
      "AggregationConfigurations:AggregationConfigurations",
  ),
  PutEventSelectors: structure(
    "TrailName*:String EventSelectors:EventSelectors " +
      "AdvancedEventSelectors:AdvancedEventSelectors",
  ),
  PutInsightSelectors: structure(
    "TrailName:String InsightSelectors*:InsightSelectors EventDataStore:ArnOrId " +
      "InsightsDestination:ArnOrId",
  ),
  PutResourcePolicy: structure("ResourceArn*:ArnOrId ResourcePolicy*:ResourcePolicy"),
  RegisterOrganizationDelegatedAdmin: structure("MemberAccountId*:AccountId"),
  RemoveTags: structure("ResourceId*:String TagsList*:TagsList"),
  RestoreEventDataStore: structure("EventDataStore*:ArnOrId"),
  SearchSampleQueries: structure(
    "SearchPhrase*:SearchSampleQueriesSearchPhrase " +
      "MaxResults:SearchSampleQueriesMaxResults NextToken:PaginationToken",
  ),
  StartDashboardRefresh: structure(
    "DashboardId*:DashboardArn QueryParameterValues:QueryParameterValues",
  ),
  StartEventDataStoreIngestion: structure("EventDataStore*:ArnOrId"),
  StartImport: structure(
    "Destinations:ImportDestinations ImportSource:ImportSource StartEventTime:Date " +
      "EndEventTime:Date ImportId:UUID",
  ),
  StartLogging: structure("Name*:String"),
  StartQuery: structure(
    "QueryStatement:QueryStatement DeliveryS3Uri:DeliveryS3Uri QueryAlias:QueryAlias " +
      "QueryParameters:QueryParameters EventDataStoreOwnerAccountId:AccountId",
  ),
  StopEventDataStoreIngestion: structure("EventDataStore*:ArnOrId"),
  StopImport: structure("ImportId*:UUID"),
  StopLogging: structure("Name*:String"),
  UpdateChannel: structure("Channel*:ArnOrId Destinations:Destinations Name:ChannelName"),
  UpdateDashboard: structure(
    "DashboardId*:DashboardArn Widgets:RequestWidgetList RefreshSchedule:RefreshSchedule " +
      "TerminationProtectionEnabled:Boolean",
  ),
  UpdateEventDataStore: structure(
    "EventDataStore*:ArnOrId Name:EventDataStoreName " +
      "AdvancedEventSelectors:AdvancedEventSelectors MultiRegionEnabled:Boolean " +
      "OrganizationEnabled:Boolean RetentionPeriod:RetentionPeriod " +
      "TerminationProtectionEnabled:Boolean KmsKeyId:EventDataStoreKmsKeyId " +
      "BillingMode:BillingMode",
  ),
  UpdateTrail: structure(
    "Name*:String S3BucketName:String S3KeyPrefix:String SnsTopicName:String " +
      "IncludeGlobalServiceEvents:Boolean IsMultiRegionTrail:Boolean " +
      "EnableLogFileValidation:Boolean CloudWatchLogsLogGroupArn:String " +
      "CloudWatchLogsRoleArn:String KmsKeyId:String IsOrganizationTrail:Boolean",
  ),
};
