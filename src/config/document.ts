// The schema of a whole configuration file, as DESIGN.md section 7 lists it. What a component's own
// options are, its factory says; `resolve.ts` brings the two together.

import { z } from "zod";
import { endpoint } from "../../plugins/sdk/endpoint.ts";
import { duration, size } from "../../plugins/sdk/index.ts";
import { otlpTargetOptions } from "../../plugins/sdk/otlp/sender.ts";
import { advancedEventSelectors, eventSelectors } from "../../plugins/sdk/cloudtrail/selectors.ts";

/** `type` or `type/name`. No dots: `--set` separates keys with them. */
export const COMPONENT_ID = /^[a-z][a-z0-9_]*(?:\/[A-Za-z0-9][A-Za-z0-9_-]{0,63})?$/;

const PIPELINE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Who the agent is and where it keeps its data. */
export const agentOptions = z.strictObject({
  // All zeros is no account anybody can own: a default must not claim to be somebody's.
  account_id: z.string().regex(/^\d{12}$/, "Expected twelve digits").default("000000000000")
    .describe("Account that records and trail paths carry, twelve digits"),
  region: z.string().regex(
    /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
    "Expected lower-case words and digits joined by hyphens, such as eu-central-1",
  ).default("local").describe("Region that records and trail paths carry"),
  data_dir: z.string().min(1).optional().describe(
    "Folder of queue, dead letters and state; /var/lib/cairn where that can be written, else " +
      "cairn in the user's state folder",
  ),
  organization_id: z.string().regex(
    /^o-[a-z0-9]{10,32}$/,
    "Expected an organization id such as o-abcdefghij",
  ).optional().describe("AWS Organizations id, for trail paths"),
  partition: z.string().regex(/^[a-z][a-z0-9-]*$/, "Expected lower-case letters and hyphens")
    .default("cairn").describe("Partition in the ARNs that the agent makes"),
  domain: z.string().regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "Expected a domain name")
    .default("host.internal").describe("What follows the service in eventSource"),
  host: z.string().min(1).max(255).optional()
    .describe("Name of this machine in records; the host name by default"),
});

const queueOptions = z.strictObject({
  max_bytes: size.prefault("1GiB").refine((n) => n >= 1024 ** 2, "Expected at least 1MiB")
    .describe("Size on disk at which `overflow` applies"),
  max_age: duration.optional().describe("Records older than this are dropped; unlimited if unset"),
  min_free_disk: size.prefault("100MiB")
    .describe("Free space left on the disk, below which `overflow` applies; 0 for none"),
  overflow: z.enum(["block", "drop_oldest"]).default("block")
    .describe("block: receivers wait; drop_oldest: the oldest records are dropped and counted"),
});

const ids = z.array(z.string());

const pipelineOptions = z.strictObject({
  receivers: ids.min(1, "A pipeline needs a receiver").describe("Ids of receivers"),
  processors: ids.default([]).describe("Ids of processors, in order"),
  exporters: ids.min(1, "A pipeline needs an exporter").describe("Ids of exporters"),
  queue: queueOptions.prefault({}).describe("The pipeline's queue on disk"),
});

const metricsOptions = z.strictObject({
  endpoint: endpoint.optional().describe(
    "Where Prometheus text is served at /metrics, such as 127.0.0.1:8888; nowhere if unset",
  ),
  otlp: z.strictObject({
    ...otlpTargetOptions,
    interval: duration.prefault("1m").refine((ms) => ms >= 100, "Expected at least 100ms")
      .describe("How often"),
  }).optional().describe("Pushes the metrics over OTLP"),
});

/** What runs: pipelines, extensions, telemetry. */
export const serviceOptions = z.strictObject({
  extensions: ids.default([]).describe("Ids of extensions to run"),
  pipelines: z.record(
    z.string().regex(PIPELINE_NAME, "Expected letters, digits, hyphens and underscores"),
    pipelineOptions,
  ).refine((pipelines) => Object.keys(pipelines).length > 0, "Expected at least one pipeline")
    .describe("Pipelines by name"),
  stop_timeout: duration.prefault("30s")
    .describe("How long an orderly stop may take; what is not delivered stays in the queue"),
  start_timeout: duration.prefault("1m").describe(
    "How long a component may take to start in a reload, before the old configuration is brought back",
  ),
  self_audit: z.boolean().default(true).describe(
    "Whether what the agent does itself (StartAgent, StopAgent, ReloadConfiguration …) is recorded",
  ),
  reload: z.strictObject({
    watch: z.boolean().default(false)
      .describe(
        "Reload when a file or folder of the configuration changes; `cairn reload` always can",
      ),
    interval: duration.prefault("5s").refine((ms) => ms >= 100, "Expected at least 100ms")
      .describe("How often to look; web servers are asked at most once a minute"),
  }).prefault({}).describe("When the configuration is read again"),
  telemetry: z.strictObject({
    logs: z.strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).default("info")
        .describe("The least important lines to write"),
      otlp: z.strictObject(otlpTargetOptions).optional()
        .describe("Sends each line over OTLP as well"),
    }).prefault({}).describe("The agent's own log, on standard error"),
    metrics: metricsOptions.prefault({}).describe("The books and the state of every component"),
    traces: z.strictObject({
      sample_ratio: z.number().min(0).max(1).default(1).describe("Share of traces that are kept"),
      otlp: z.strictObject(otlpTargetOptions).optional()
        .describe("Sends spans over OTLP: one for each export; none without it"),
    }).prefault({}).describe("How long each export took, and how it ended"),
  }).prefault({}).describe("What the agent tells about itself"),
});

/** Options of every exporter, handled by the host. */
export const exporterOptions = z.strictObject({
  event_selectors: eventSelectors.optional()
    .describe("Basic event selectors, as `aws cloudtrail get-event-selectors` prints them"),
  advanced_event_selectors: advancedEventSelectors.optional()
    .describe("Advanced event selectors, as AWS spells them; not beside event_selectors"),
  batch: z.strictObject({
    max_records: z.int().min(1).max(1_000_000).optional().describe("Records in a delivery"),
    max_bytes: size.optional().describe("Bytes of JSON in a delivery"),
    max_age: duration.optional().describe("How long the first record of a delivery waits for more"),
  }).prefault({}).describe("When a delivery is full"),
  retry: z.strictObject({
    initial: duration.prefault("1s").describe("Wait before the first retry"),
    max: duration.prefault("1m").describe("Longest wait between retries"),
    multiplier: z.number().min(1).max(10).default(2).describe("Growth of the wait"),
    jitter: z.number().min(0).max(1).default(0.2).describe("Share of the wait that is random"),
  }).prefault({}).describe("Retries of a failed delivery; there is no limit to their number"),
  timeout: duration.prefault("30s").describe("Longest time for one attempt"),
}).refine(
  (options) => !(options.event_selectors && options.advanced_event_selectors),
  "event_selectors and advanced_event_selectors exclude each other",
);

/** One plugin that does not come with Cairn. */
const externalPlugin = z.strictObject({
  path: z.string().min(1, "Expected a path or the name of a package")
    .describe("./PATH from this file's folder, or a package's name"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/i, "Expected a SHA-256 hash, 64 hexadecimal digits")
    .optional().describe("Hash of the file that is loaded; another file is refused"),
});

/** The key `plugins`: what is loaded before components are looked up. */
export const pluginsOption = z.array(
  z.union([z.string().min(1, "Expected a path or the name of a package"), externalPlugin]),
).default([]).describe(
  "Plugins from outside, each by ./PATH from this file's folder or by a package's name, or as " +
    "{ path, sha256 }",
);

/** Where no exporter says otherwise. */
export const BATCH_DEFAULTS = {
  maxRecords: 1000,
  maxBytes: 4 * 1024 * 1024,
  maxAgeMs: 1000,
} as const;

/** The top-level keys, each with one line of help. */
export const SECTIONS = {
  agent: "Who the agent is and where it keeps its data",
  receivers: "Where events come from, by id: type or type/name",
  processors: "What reshapes records, by id",
  exporters: "Where records go, by id",
  extensions: "What serves beside the pipelines, by id",
  service: "What runs",
} as const;
