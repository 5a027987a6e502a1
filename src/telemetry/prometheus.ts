// Collected metrics as Prometheus reads them. The text is the OpenTelemetry library's; here all
// metrics of one name become one, as the format wants it, with the component that recorded them.

import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import type { MetricData, ResourceMetrics, ScopeMetrics } from "@opentelemetry/sdk-metrics";

/** What the text is served as. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

// The scope's name is an attribute already; what is no metric of ours is told by its component.
const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

/** The text. Metrics of any scope but `own` carry the attribute `component`: the scope's name. */
export function prometheusText({ resource, scopeMetrics }: ResourceMetrics, own: string): string {
  const metrics = unite(scopeMetrics, own);
  return `${serializer.serialize({ resource, scopeMetrics: [{ scope: { name: own }, metrics }] })}`;
}

function unite(scopes: readonly ScopeMetrics[], own: string): MetricData[] {
  const united = new Map<string, MetricData>();
  for (const { scope, metrics } of scopes) {
    for (const metric of metrics) {
      const found = scope.name === own ? metric : labelled(metric, scope.name);
      const name = found.descriptor.name.replace(/\W+/g, "_");
      const known = united.get(name);
      // Of two kinds under one name only the first can be told.
      if (known === undefined) united.set(name, found);
      else if (known.dataPointType === found.dataPointType) united.set(name, joined(known, found));
    }
  }
  return [...united.values()];
}

function labelled(metric: MetricData, component: string): MetricData {
  const dataPoints = metric.dataPoints.map((point) => ({
    ...point,
    attributes: { ...point.attributes, component },
  }));
  return { ...metric, dataPoints } as MetricData;
}

function joined(first: MetricData, second: MetricData): MetricData {
  return { ...first, dataPoints: [...first.dataPoints, ...second.dataPoints] } as MetricData;
}
