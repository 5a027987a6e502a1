// The table of CloudTrail's 60 operations: each name, and what answers it. There are no other names.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { textOf } from "./call.ts";
import type { Call, Operation } from "./call.ts";
import { changeChannel, getChannel, listChannels } from "./channels.ts";
import { getImport, listImportFailures, listImports, startImport, stopImport } from "./imports.ts";
import { listInsightsMetricData } from "./insights.ts";
import { listInsightsData, lookupEvents } from "./lookup-events.ts";
import {
  cancelQuery,
  describeQuery,
  generateQuery,
  getQueryResults,
  listQueries,
  searchSampleQueries,
  startQuery,
} from "./queries.ts";
import { unsupported } from "./refusal.ts";
import {
  changeConfiguration,
  changeResource,
  getEventConfiguration,
  getResourcePolicy,
  listTags,
} from "./resources.ts";
import {
  changeFederation,
  changeStore,
  getEventDataStore,
  listEventDataStores,
  switchIngestion,
} from "./stores.ts";
import {
  changeTrail,
  checkTrail,
  describeTrails,
  getEventSelectors,
  getInsightSelectors,
  getTrail,
  getTrailStatus,
  listPublicKeys,
  listTrails,
  switchLogging,
} from "./trails.ts";

type Run = Operation["run"];

const does = (run: Run): Operation => ({ run });
/** The call is a record once it is done. */
const writes = (run: Run): Operation => ({ run, recorded: { readOnly: false, when: "after" } });
/** The call is a record before what it read is answered. */
const reads = (run: Run): Operation => ({ run, recorded: { readOnly: true, when: "after" } });

/** By name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  AddTags: does(changeResource),
  CancelQuery: writes(cancelQuery),
  CreateChannel: does(changeChannel),
  CreateDashboard: does(noDashboards),
  CreateEventDataStore: does(changeStore),
  CreateTrail: does(changeTrail),
  DeleteChannel: does(changeChannel),
  DeleteDashboard: does(noDashboard),
  DeleteEventDataStore: does(changeStore),
  DeleteResourcePolicy: does(changeResource),
  DeleteTrail: does(changeTrail),
  DeregisterOrganizationDelegatedAdmin: does(noOrganization),
  DescribeQuery: does(describeQuery),
  DescribeTrails: does(describeTrails),
  DisableFederation: does(changeFederation),
  EnableFederation: does(changeFederation),
  GenerateQuery: does(generateQuery),
  GetChannel: does(getChannel),
  GetDashboard: does(noDashboard),
  GetEventConfiguration: does(getEventConfiguration),
  GetEventDataStore: does(getEventDataStore),
  GetEventSelectors: does(getEventSelectors),
  GetImport: does(getImport),
  GetInsightSelectors: does(getInsightSelectors),
  GetQueryResults: reads(getQueryResults),
  GetResourcePolicy: does(getResourcePolicy),
  GetTrail: does(getTrail),
  GetTrailStatus: does(getTrailStatus),
  ListChannels: does(listChannels),
  ListDashboards: does(() => ({ Dashboards: [] })),
  ListEventDataStores: does(listEventDataStores),
  ListImportFailures: does(listImportFailures),
  ListImports: does(listImports),
  ListInsightsData: reads(listInsightsData),
  ListInsightsMetricData: does(listInsightsMetricData),
  ListPublicKeys: does(listPublicKeys),
  ListQueries: does(listQueries),
  ListTags: does(listTags),
  ListTrails: does(listTrails),
  LookupEvents: reads(lookupEvents),
  PutEventConfiguration: does(changeConfiguration),
  PutEventSelectors: does(changeTrail),
  PutInsightSelectors: does(changeConfiguration),
  PutResourcePolicy: does(changeResource),
  RegisterOrganizationDelegatedAdmin: does(noOrganization),
  RemoveTags: does(changeResource),
  RestoreEventDataStore: does(changeStore),
  SearchSampleQueries: does(searchSampleQueries),
  StartDashboardRefresh: does(noDashboard),
  StartEventDataStoreIngestion: writes(switchIngestion),
  StartImport: writes(startImport),
  StartLogging: writes(switchLogging),
  StartQuery: writes(startQuery),
  StopEventDataStoreIngestion: writes(switchIngestion),
  StopImport: writes(stopImport),
  StopLogging: {
    run: switchLogging,
    // Before: the trail that it stops is to hold it, too.
    recorded: { readOnly: false, when: "before", check: checkTrail },
  },
  UpdateChannel: does(changeChannel),
  UpdateDashboard: does(noDashboard),
  UpdateEventDataStore: does(changeStore),
  UpdateTrail: does(changeTrail),
};

function noDashboards(): never {
  throw unsupported("Dashboards are not kept here: the agent's console is one");
}

function noDashboard(call: Call): never {
  const message = `Dashboard ${textOf(call, "DashboardId")} does not exist`;
  throw new AwsFault("ResourceNotFoundException", message);
}

function noOrganization(): never {
  const message = "The agent keeps no organization: agent.organization_id is a name alone";
  throw new AwsFault("OrganizationsNotInUseException", message);
}
