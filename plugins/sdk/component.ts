// Components: what the host starts, runs and stops, and what it hands them.

import type { Meter, Tracer } from "@opentelemetry/api";
import type { Batch } from "./cloudtrail/record.ts";
import type { Datagrams } from "./datagrams.ts";
import type { ExportBatch, StoredRecord } from "./export-batch.ts";
import type { FormatSources } from "./factory.ts";
import type { Format } from "./format.ts";
import type { Json } from "./json.ts";
import type { ServiceKind } from "./service.ts";

/** How a component is doing. `failed` asks for a human; `waiting` means nothing to do yet. */
export type ComponentState = "starting" | "running" | "waiting" | "degraded" | "failed" | "stopped";

/** What a running component may ask of its host. */
export interface Host {
  /** Offers a service to others, until the component stops. */
  provide<S>(kind: ServiceKind<S>, service: S): void;
  /** The services of a kind that are on offer now. */
  find<S>(kind: ServiceKind<S>): readonly S[];
  /** Says how the component is doing; shown by `cairn status` and logged when it changes. */
  report(state: ComponentState, reason?: string): void;
}

/**
 * A running part of the agent. `stop` is safe without `start`, and twice; `start` may follow it.
 * `start` rejects only for what an operator must mend; a source that is not there yet is no reason.
 * `stop` ends background work and closes what is open, at the latest when the deadline aborts.
 */
export interface Component {
  start(host: Host): Promise<void>;
  stop(deadline: AbortSignal): Promise<void>;
}

/** Takes events in and passes them to its Intake. */
export interface Receiver extends Component {
  /**
   * For a source that has an end: resolves when all it held when called is read and durable.
   * Used by `--once`, after `start`. A receiver that waits for senders leaves it out.
   */
  drain?(): Promise<void>;
}

/** Reshapes batches. An unchanged record is returned as the same object: its bytes are kept. */
export interface Processor extends Component {
  process(batch: Batch): Batch | Promise<Batch>;
}

/**
 * Sends batches out. Resolved means delivered, durably. Throws RetryableError or PermanentError; an
 * unknown error is retried. Called with one batch at a time; the same range may come again.
 */
export interface Exporter extends Component {
  export(batch: ExportBatch, signal: AbortSignal): Promise<void>;
  /**
   * Asked beside the selectors, before a batch is planned: a record it does not accept is excluded,
   * and counted so. Cheap, and the same for the same record until something durable has changed.
   */
  accepts?(record: StoredRecord): boolean;
}

/** Serves beside the path: an API, a page, a health endpoint. */
export type Extension = Component;

/** Attributes of a log line: plain values, no secrets. */
export type LogAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A component's log. info: a change of state; warn: nothing was lost; error: something was. */
export interface Log {
  debug(message: string, attributes?: LogAttributes): void;
  info(message: string, attributes?: LogAttributes): void;
  warn(message: string, attributes?: LogAttributes): void;
  error(message: string, attributes?: LogAttributes): void;
}

/** Small durable state of one component: `set` resolves when it is on disk. */
export interface StateStore {
  get(key: string): Json | undefined;
  set(key: string, value: Json | undefined): Promise<void>;
}

/** Who this agent is, for ids, ARNs and object keys. */
export interface AgentIdentity {
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
  /** First part of the agent's ARNs after `arn:`. */
  readonly partition: string;
  /** What follows the service in eventSource. */
  readonly domain: string;
  /** Name of the machine. */
  readonly host: string;
  readonly organizationId?: string;
  readonly version: string;
}

/** What differs between Node and Deno. */
export interface Runtime {
  readonly name: "node" | "deno";
  /** Gzips the chunks, joined, off the main thread. The same input gives the same bytes. */
  gzip(chunks: readonly Uint8Array[], level?: number): Promise<Uint8Array>;
  /**
   * Compresses off the main thread into blocks of raw deflate that end on a byte, none of them the
   * last: joined with others they are one stream. The same input gives the same bytes.
   */
  deflate(piece: Uint8Array, level: number): Promise<Uint8Array>;
  /** Opens a UDP socket; node:dgram loses datagrams on Deno. */
  readonly datagrams: Datagrams;
}

/** What a factory's `create` is handed. */
export interface ComponentContext {
  /** `type` or `type/name`, as in the configuration. */
  readonly id: string;
  readonly log: Log;
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly state: StateStore;
  /**
   * A folder of this component's own in data_dir, for what is more than `state` should hold. It is
   * there when the component has made it (mode 0700), and survives restarts.
   */
  readonly directory: string;
  readonly agent: AgentIdentity;
  readonly runtime: Runtime;
  /** True under `--once`: a source without a stored position is read from its beginning. */
  readonly once: boolean;
  /**
   * Counts input that was read and left out on purpose, by a reason of a few words; shown by
   * `cairn status` for each receiver. A component uses a handful of reasons, never one of the input.
   */
  ignored(reason: string, count?: number): void;
  /** A new instance of a format by name. `config` was checked when the configuration was. */
  format(name: string, config?: unknown, sources?: FormatSources): Format;
}
