// The operations on event data stores, which the configuration declares and a QueryService keeps.

import { AwsFault } from "../../sdk/aws/fault.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { type EventDataStore, type QueryService, queryService } from "../../sdk/query-service.ts";
import { type Call, isOwner, pageOf, seconds, textOf } from "./call.ts";
import { isDeclared, toDeclare, unsupported } from "./refusal.ts";

/** A store, and who keeps it. */
export interface FoundStore {
  readonly lake: QueryService;
  readonly store: EventDataStore;
}

/** The lakes that the caller sees. */
export function lakesOf(call: Call): readonly QueryService[] {
  return isOwner(call) ? call.find(queryService) : [];
}

/** The stores that the caller sees. */
export function storesOf(call: Call): readonly FoundStore[] {
  return lakesOf(call).flatMap((lake) => lake.stores().map((store) => ({ lake, store })));
}

/** The store of an ARN, or of an ARN's UUID. Throws AwsFault. */
export function findStore(call: Call, arnOrId: string): FoundStore {
  if (
    arnOrId.includes(":") && !/^arn:[^:]+:cloudtrail:[^:]+:\d{12}:eventdatastore\//.test(arnOrId)
  ) {
    const message = `The event data store ARN is not valid: ${arnOrId}`;
    throw new AwsFault("EventDataStoreARNInvalidException", message);
  }
  const found = storesOf(call).find(({ store: { arn } }) =>
    arn === arnOrId || arn.endsWith(`/${arnOrId}`)
  );
  if (found !== undefined) return found;
  const message = `Event data store ${arnOrId} does not exist`;
  throw new AwsFault("EventDataStoreNotFoundException", message);
}

/** ListEventDataStores. */
export function listEventDataStores(call: Call): JsonObject {
  const stores = storesOf(call).map(({ store: { arn, name } }) => ({
    EventDataStoreArn: arn,
    Name: name,
  }));
  return pageOf(call, "EventDataStores", stores);
}

/** GetEventDataStore. */
export function getEventDataStore(call: Call): JsonObject {
  const { store } = findStore(call, textOf(call, "EventDataStore")!);
  return {
    EventDataStoreArn: store.arn,
    Name: store.name,
    Status: store.status,
    AdvancedEventSelectors: store.advancedEventSelectors,
    MultiRegionEnabled: store.multiRegion,
    OrganizationEnabled: store.organization,
    RetentionPeriod: store.retentionDays,
    TerminationProtectionEnabled: store.terminationProtection,
    CreatedTimestamp: seconds(store.createdAt),
    UpdatedTimestamp: seconds(store.updatedAt),
    BillingMode: "EXTENDABLE_RETENTION_PRICING",
    FederationStatus: "DISABLED",
  };
}

/** StartEventDataStoreIngestion, StopEventDataStoreIngestion. */
export async function switchIngestion(call: Call): Promise<JsonObject> {
  const { lake, store } = findStore(call, textOf(call, "EventDataStore")!);
  if (call.operation.startsWith("Start")) await lake.startIngestion(store.arn);
  else await lake.stopIngestion(store.arn);
  return {};
}

/** Everything that would change a store: refused, with the place where it is declared. */
export function changeStore(call: Call): never {
  if (call.operation === "CreateEventDataStore") {
    throw toDeclare(call, "Event data stores", "an exporter lake with event_data_stores");
  }
  const { store } = findStore(call, textOf(call, "EventDataStore")!);
  throw isDeclared(call, "exporter", store.id, `Event data store "${store.name}"`);
}

/** EnableFederation, DisableFederation: other engines read the store's files as they are. */
export function changeFederation(call: Call): never {
  findStore(call, textOf(call, "EventDataStore")!);
  throw unsupported(
    "Federation is not needed: query engines read the store's files where they are",
  );
}
