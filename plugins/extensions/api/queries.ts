// The operations on queries: AWS's shapes on one side, QueryService on the other.

import { AwsFault } from "../../sdk/aws/fault.ts";
import type { JsonObject } from "../../sdk/json.ts";
import type { QueryDescription, QueryService } from "../../sdk/query-service.ts";
import { type Call, numberOf, pageOf, placeOf, queryOf, seconds, textOf, timeOf } from "./call.ts";
import { unsupported } from "./refusal.ts";
import { findStore, lakesOf, storesOf } from "./stores.ts";

const ROWS_MAX = 1000;

/** The lake that knows a query. */
async function findQuery(call: Call, id: string) {
  for (const lake of lakesOf(call)) {
    const query = await lake.describeQuery(id).catch((error: unknown) => {
      const isUnknown = error instanceof AwsFault && error.code === "QueryIdNotFoundException";
      if (!isUnknown) throw error;
    });
    if (query !== undefined) return { lake, query };
  }
  throw new AwsFault("QueryIdNotFoundException", `Query ${id} does not exist`);
}

/** StartQuery: by a statement; aliases belong to dashboards, which there are none of. */
export async function startQuery(call: Call): Promise<JsonObject> {
  const statement = textOf(call, "QueryStatement");
  if (statement === undefined) {
    const message = "Give a QueryStatement: there are no dashboards whose queries have an alias";
    throw new AwsFault("InvalidParameterException", message);
  }
  const lake = lakeOf(call, statement);
  const { caller } = call;
  const deliveryS3Uri = textOf(call, "DeliveryS3Uri");
  return { QueryId: await lake.startQuery({ statement, deliveryS3Uri, caller }) };
}

/** The lake of the first store that the statement names. */
function lakeOf(call: Call, statement: string): QueryService {
  const id = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(statement)?.[0].toLowerCase();
  const named = storesOf(call).find(({ store }) =>
    id !== undefined && store.arn.endsWith(`/${id}`)
  );
  const lake = named?.lake ?? (id === undefined ? lakesOf(call)[0] : undefined);
  if (lake !== undefined) return lake;
  const message = `Event data store ${id ?? "of the query"} does not exist`;
  throw new AwsFault("EventDataStoreNotFoundException", message);
}

/** DescribeQuery. */
export async function describeQuery(call: Call): Promise<JsonObject> {
  const id = textOf(call, "QueryId");
  if (id === undefined) {
    throw new AwsFault("InvalidParameterException", "Give a QueryId: queries have no alias here");
  }
  const { query } = await findQuery(call, id);
  return {
    QueryId: query.id,
    QueryString: query.statement,
    QueryStatus: query.status,
    QueryStatistics: {
      EventsMatched: query.eventsMatched ?? 0,
      EventsScanned: query.eventsScanned ?? 0,
      BytesScanned: query.bytesScanned ?? 0,
      ExecutionTimeInMillis: query.executionMs ?? 0,
      CreationTime: seconds(query.createdAt),
    },
    ErrorMessage: query.errorMessage,
    DeliveryS3Uri: query.deliveryS3Uri,
    DeliveryStatus: query.deliveryStatus,
    EventDataStoreOwnerAccountId: call.agent.accountId,
  };
}

/** GetQueryResults: rows as lists of single-member maps, every value a text. */
export async function getQueryResults(call: Call): Promise<JsonObject> {
  const id = textOf(call, "QueryId")!;
  const { lake } = await findQuery(call, id);
  const place = placeOf(call);
  const from = typeof place === "number" ? place : 0;
  const limit = numberOf(call, "MaxQueryResults") ?? ROWS_MAX;
  const page = await lake.results(id, from, limit);
  const answer: JsonObject = {
    QueryStatus: page.status,
    QueryStatistics: {
      ResultsCount: page.rows.length,
      TotalResultsCount: page.totalRows,
      BytesScanned: page.bytesScanned,
    },
    QueryResultRows: page.rows.map((row) =>
      page.columns.map((column, index) => ({ [column]: row[index] ?? null }))
    ),
    ErrorMessage: page.errorMessage,
  };
  return page.next === undefined
    ? answer
    : { ...answer, NextToken: call.tokens.seal(page.next, queryOf(call)) };
}

/** CancelQuery. */
export async function cancelQuery(call: Call): Promise<JsonObject> {
  const id = textOf(call, "QueryId")!;
  const { lake } = await findQuery(call, id);
  return { QueryId: id, QueryStatus: await lake.cancelQuery(id) };
}

/** ListQueries: of one store, by time and status. */
export async function listQueries(call: Call): Promise<JsonObject> {
  const { lake, store } = findStore(call, textOf(call, "EventDataStore")!);
  const [from, to] = [timeOf(call, "StartTime"), timeOf(call, "EndTime")];
  const status = textOf(call, "QueryStatus");
  if (from !== undefined && to !== undefined && from > to) {
    throw new AwsFault("InvalidDateRangeException", "StartTime is later than EndTime");
  }
  const isWanted = (query: QueryDescription) =>
    (from === undefined || query.createdAt >= from) &&
    (to === undefined || query.createdAt <= to) &&
    (status === undefined || query.status === status);
  const queries = (await lake.queries(store.arn)).filter(isWanted);
  return pageOf(
    call,
    "Queries",
    queries.map(({ id, status, createdAt }) => ({
      QueryId: id,
      QueryStatus: status,
      CreationTime: seconds(createdAt),
    })),
  );
}

/** GenerateQuery: there is no model here that would write one. */
export function generateQuery(call: Call): never {
  for (const store of call.input.EventDataStores as readonly string[]) findStore(call, store);
  throw unsupported("Queries are not generated: write the SQL, as the README shows");
}

/** SearchSampleQueries: there are no samples of AWS's here. */
export function searchSampleQueries(call: Call): JsonObject {
  return pageOf(call, "SearchResults", []);
}
