// Event data stores and what is done with them: queries and imports. Provided by exporter `lake`, used
// by the API and the console. Whatever is refused is an AwsFault with the name AWS has for it; times
// are in milliseconds since the epoch.

import type { AwsCaller } from "./aws/fault.ts";
import type { Json } from "./json.ts";
import { type ServiceKind, serviceKind } from "./service.ts";

/** An event data store. */
export interface EventDataStore {
  readonly arn: string;
  readonly name: string;
  /** As AWS names them: `ENABLED`, `STOPPED_INGESTION` … */
  readonly status: string;
  /** In AWS's spelling. */
  readonly advancedEventSelectors: readonly Json[];
  readonly retentionDays: number;
  readonly multiRegion: boolean;
  readonly organization: boolean;
  readonly terminationProtection: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly resourcePolicy?: string;
  /** Of the exporter in the configuration. */
  readonly id: string;
}

/** As AWS names them. */
export type QueryStatus =
  | "QUEUED"
  | "RUNNING"
  | "FINISHED"
  | "FAILED"
  | "CANCELLED"
  | "TIMED_OUT";

/** A query to start. */
export interface QueryStart {
  readonly statement: string;
  /** Where the results are written, beside being kept. */
  readonly deliveryS3Uri?: string | undefined;
  readonly caller: AwsCaller;
}

/** A query and how far it got. */
export interface QueryDescription {
  readonly id: string;
  readonly statement: string;
  readonly status: QueryStatus;
  readonly createdAt: number;
  readonly eventsMatched?: number;
  readonly eventsScanned?: number;
  readonly bytesScanned?: number;
  readonly executionMs?: number;
  readonly errorMessage?: string;
  readonly deliveryS3Uri?: string;
  readonly deliveryStatus?: string;
}

/** A page of a query's rows. */
export interface QueryPage {
  readonly status: QueryStatus;
  readonly columns: readonly string[];
  /** As AWS answers them: every value as text; null where there is none. */
  readonly rows: readonly (readonly (string | null)[])[];
  readonly totalRows: number;
  readonly bytesScanned: number;
  readonly errorMessage?: string;
  /** Number of the first row of the next page; left out at the end. */
  readonly next?: number;
}

/** As AWS names them. */
export type ImportStatus = "INITIALIZING" | "IN_PROGRESS" | "FAILED" | "STOPPED" | "COMPLETED";

/** An import of trail files to start, or with `id` to take up again. */
export interface ImportStart {
  readonly id?: string | undefined;
  /** ARN of the event data store. */
  readonly destination?: string | undefined;
  readonly s3?: { readonly uri: string; readonly region: string; readonly roleArn: string };
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly caller: AwsCaller;
}

/** An import and how far it got. */
export interface ImportDescription {
  readonly id: string;
  readonly destinations: readonly string[];
  readonly s3: { readonly uri: string; readonly region: string; readonly roleArn: string };
  readonly status: ImportStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly from?: number;
  readonly to?: number;
  readonly prefixesFound: number;
  readonly prefixesCompleted: number;
  readonly filesCompleted: number;
  readonly eventsCompleted: number;
  readonly failedEntries: number;
}

/** A file that an import could not read. */
export interface ImportFailure {
  readonly location: string;
  readonly status: "FAILED" | "RETRY" | "SUCCEEDED";
  readonly errorType: string;
  readonly errorMessage: string;
  readonly updatedAt: number;
}

/** The lake of an agent. */
export interface QueryService {
  stores(): readonly EventDataStore[];
  /** Resolves with the query's id when it is queued. */
  startQuery(query: QueryStart): Promise<string>;
  describeQuery(id: string): Promise<QueryDescription>;
  results(id: string, from: number, limit: number): Promise<QueryPage>;
  cancelQuery(id: string): Promise<QueryStatus>;
  /** Those of a store in the past seven days, newest first. */
  queries(storeArn: string): Promise<readonly QueryDescription[]>;
  startIngestion(storeArn: string): Promise<void>;
  stopIngestion(storeArn: string): Promise<void>;
  startImport(start: ImportStart): Promise<ImportDescription>;
  stopImport(id: string): Promise<ImportDescription>;
  describeImport(id: string): Promise<ImportDescription>;
  /** Newest first. */
  imports(): Promise<readonly ImportDescription[]>;
  importFailures(id: string): Promise<readonly ImportFailure[]>;
}

/** What an extension asks its host for. */
export const queryService: ServiceKind<QueryService> = serviceKind<QueryService>("query");
