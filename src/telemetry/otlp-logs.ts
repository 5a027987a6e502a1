// The agent's own log over OTLP, through the OpenTelemetry Logs SDK. Loaded only where a configuration
// asks for it.

import { JsonLogsSerializer, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchLogRecordProcessor,
  LoggerProvider,
  type ReadableLogRecord,
} from "@opentelemetry/sdk-logs";
import { type DeliveryOptions, openDelivery } from "./delivery.ts";
import { type LogRecord, SEVERITY } from "./logs.ts";
import { BATCH, OtlpExport } from "./otlp-export.ts";
import type { Resource } from "./telemetry.ts";

/** The log on its way to an OTLP receiver. */
export interface OtlpLogs {
  /** Takes a record; never waits, never throws. */
  emit(record: LogRecord): void;
  /** Sends what waits, for a moment at most. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Opens it; the options' log must not come back here. Throws ConfigError for certificates. */
export async function openOtlpLogs(
  options: DeliveryOptions,
  resource: Resource,
): Promise<OtlpLogs> {
  const delivery = await openDelivery("logs", "log lines", options);
  const { serializeRequest } = options.target.protocol === "http/json"
    ? JsonLogsSerializer
    : ProtobufLogsSerializer;
  const exporter = new OtlpExport<ReadableLogRecord>({
    delivery,
    serialize: (records) => serializeRequest(records),
  });
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ ...resource }),
    processors: [new BatchLogRecordProcessor({ exporter, ...BATCH })],
  });
  return {
    emit({ timeMs, level, scope, body, attributes }) {
      if (!exporter.admit()) return;
      provider.getLogger(scope).emit({
        timestamp: timeMs,
        severityNumber: SEVERITY[level],
        severityText: level.toUpperCase(),
        body,
        attributes,
      });
    },
    async stop(deadline) {
      exporter.stopping(deadline);
      await provider.shutdown();
    },
  };
}
