// ListInsightsMetricData: the rates that insights watch, in AWS's parallel lists.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { type InsightMetricQuery, insightService } from "../../sdk/insight-service.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { type Call, isOwner, numberOf, placeOf, queryOf, seconds, textOf, timeOf } from "./call.ts";

const PERIODS: ReadonlySet<number> = new Set([60, 300, 3600]);
const DEFAULT_PERIOD_S = 300;
const VALUES_MAX = 21_600;
const DAY_MS = 86_400_000;

/** ListInsightsMetricData; empty lists where nothing watches rates. */
export async function listInsightsMetricData(call: Call): Promise<JsonObject> {
  const query = queryOfMetric(call);
  const provider = isOwner(call) ? call.find(insightService)[0] : undefined;
  const found = provider === undefined ? [] : await provider.metric(query);
  const isSparse = textOf(call, "DataType") === "NonZeroData" || provider === undefined;
  const points = isSparse ? found : filled(found, query);
  const place = placeOf(call);
  const from = typeof place === "number" ? place : 0;
  const to = from + (numberOf(call, "MaxResults") ?? VALUES_MAX);
  const page = points.slice(from, to);
  return {
    EventSource: query.eventSource,
    EventName: query.eventName,
    InsightType: query.insightType,
    ErrorCode: query.errorCode,
    Timestamps: page.map(({ time }) => seconds(time)),
    Values: page.map(({ value }) => value),
    NextToken: to < points.length ? call.tokens.seal(to, queryOf(call)) : undefined,
  };
}

function queryOfMetric(call: Call): InsightMetricQuery {
  const periodSeconds = numberOf(call, "Period") ?? DEFAULT_PERIOD_S;
  if (!PERIODS.has(periodSeconds)) throw invalid("Period has to be 60, 300 or 3600");
  const insightType = textOf(call, "InsightType") as InsightMetricQuery["insightType"];
  const errorCode = textOf(call, "ErrorCode");
  if (insightType === "ApiErrorRateInsight" && errorCode === undefined) {
    throw invalid("ApiErrorRateInsight needs an ErrorCode");
  }
  const to = timeOf(call, "EndTime") ?? call.now;
  const from = timeOf(call, "StartTime") ?? to - DAY_MS;
  if (from > to) throw invalid("StartTime is later than EndTime");
  const periods = (to - from) / (periodSeconds * 1000);
  if (periods > VALUES_MAX) throw invalid(`The range holds more than ${VALUES_MAX} periods`);
  return {
    eventSource: textOf(call, "EventSource")!,
    eventName: textOf(call, "EventName")!,
    insightType,
    errorCode,
    from,
    to,
    periodSeconds,
  };
}

/** A value for each period, zero where none was measured. */
function filled(
  found: readonly { readonly time: number; readonly value: number }[],
  { from, to, periodSeconds }: InsightMetricQuery,
) {
  const periodMs = periodSeconds * 1000;
  const values = new Map(found.map(({ time, value }) => [time, value]));
  const points: { readonly time: number; readonly value: number }[] = [];
  for (let time = Math.ceil(from / periodMs) * periodMs; time < to; time += periodMs) {
    points.push({ time, value: values.get(time) ?? 0 });
  }
  return points;
}

function invalid(message: string): AwsFault {
  return new AwsFault("InvalidParameterException", message);
}
