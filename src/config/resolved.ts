// A configuration that was checked: what the agent is built from.

import type {
  AgentIdentity,
  ExporterFactory,
  ExtensionFactory,
  FormatFactory,
  ProcessorFactory,
  ReceiverFactory,
  StoredRecord,
} from "../../plugins/sdk/index.ts";
import type { Declarations } from "../../plugins/sdk/declarations.ts";
import type { Endpoint } from "../../plugins/sdk/endpoint.ts";
import type { OtlpTarget } from "../../plugins/sdk/otlp/sender.ts";
import type { Factories } from "./resolve.ts";

/** What is done with metrics. */
export interface MetricsConfig {
  /** Where Prometheus reads them. */
  readonly endpoint?: Endpoint;
  readonly otlp?: OtlpTarget & { readonly interval: number };
}

/** What is done with spans. */
export interface TracesConfig {
  readonly otlp: OtlpTarget;
  /** Share of traces that are kept, 0 to 1. */
  readonly sampleRatio: number;
}

/** A component to make: its factory, and its options as the factory's schema gave them. */
export interface ResolvedComponent<Factory> {
  readonly id: string;
  readonly factory: Factory;
  readonly config: unknown;
  /**
   * Equal for two configurations that say the same of it, secrets included: then a reload leaves it
   * running. Without it, only the same object is the same.
   */
  readonly digest?: string;
}

/** An exporter with its common options. */
export interface ResolvedExporter extends ResolvedComponent<ExporterFactory> {
  /** True for the records the exporter wants. */
  readonly selectors: (record: StoredRecord) => boolean;
  readonly batch: {
    readonly maxRecords: number;
    readonly maxBytes: number;
    readonly maxAgeMs: number;
  };
  readonly retry: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly multiplier: number;
    readonly jitter: number;
  };
  readonly timeoutMs: number;
}

/** A pipeline by the ids of its parts. */
export interface ResolvedPipeline {
  readonly name: string;
  readonly receivers: readonly string[];
  readonly processors: readonly string[];
  readonly exporters: readonly string[];
  readonly queue: {
    readonly bytesMax: number;
    readonly ageMsMax?: number;
    readonly freeDiskBytesMin: number;
    readonly overflow: "block" | "drop_oldest";
  };
}

/** Everything an agent needs to know. Holds only components that a pipeline or the service uses. */
export interface ResolvedConfig {
  /** Without the version, which the program knows. */
  readonly agent: Omit<AgentIdentity, "version">;
  readonly dataDir: string;
  readonly receivers: ReadonlyMap<string, ResolvedComponent<ReceiverFactory>>;
  readonly processors: ReadonlyMap<string, ResolvedComponent<ProcessorFactory>>;
  readonly exporters: ReadonlyMap<string, ResolvedExporter>;
  readonly extensions: ReadonlyMap<string, ResolvedComponent<ExtensionFactory>>;
  /** The formats that receivers named, by name. */
  readonly formats: ReadonlyMap<string, FormatFactory>;
  /** What else could be named, where the configuration brings plugins of its own. */
  readonly factories?: Factories;
  /** Where each component is declared. */
  readonly declared?: Declarations;
  readonly pipelines: readonly ResolvedPipeline[];
  readonly stopTimeoutMs: number;
  /** What a component gets to start in a reload; without it, as long as it likes. */
  readonly startTimeoutMs?: number;
  /** SHA-256 of what `cairn print-config` prints for it, in hexadecimal digits. */
  readonly hash?: string;
  /** Whether the agent's own actions are records, too; they are where this is left out. */
  readonly selfAudit?: boolean;
  /** Whether to reload when a source of the configuration changes, and how often to look. */
  readonly watch?: { readonly intervalMs: number };
  /** By the option's path: what cannot change while the agent runs, as texts to compare. */
  readonly fixed?: Readonly<Record<string, string>>;
  /** Left out where nobody asked for metrics. */
  readonly metrics?: MetricsConfig;
  /** Left out where nobody asked for spans. */
  readonly traces?: TracesConfig;
  readonly logs: {
    readonly level: "debug" | "info" | "warn" | "error";
    readonly otlp?: OtlpTarget | undefined;
  };
}
