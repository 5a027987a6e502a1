// What is known of unusual rates: provided by processor `insights`, used by the API and the console.

import { type ServiceKind, serviceKind } from "./service.ts";

/** A rate over time, by AWS's names. */
export interface InsightMetricQuery {
  readonly eventSource: string;
  readonly eventName: string;
  readonly insightType: "ApiCallRateInsight" | "ApiErrorRateInsight";
  readonly errorCode?: string | undefined;
  /** In milliseconds since the epoch: the first inclusive, the last exclusive. */
  readonly from: number;
  readonly to: number;
  readonly periodSeconds: number;
}

/** What is watched, and what was measured. */
export interface InsightService {
  /** Which rates are watched. */
  selectors(): readonly {
    readonly type: InsightMetricQuery["insightType"];
    readonly categories: readonly ("Management" | "Data")[];
  }[];
  /** Periods with a value, oldest first. */
  metric(query: InsightMetricQuery): Promise<readonly { time: number; value: number }[]>;
}

/** What an extension asks its host for. */
export const insightService: ServiceKind<InsightService> = serviceKind<InsightService>("insight");
