// Factories: how the host learns what a plugin is, checks its configuration and makes it.

import type { z } from "zod";
import type { AccountNames } from "./accounts.ts";
import type { ComponentContext, Exporter, Extension, Processor, Receiver } from "./component.ts";
import type { EventHistory, HistoryPlace } from "./event-history.ts";
import type { CheckContext, Finding } from "./finding.ts";
import type { Format } from "./format.ts";
import type { Intake } from "./intake.ts";
import type { VerifyOptions, VerifyReport } from "./verify.ts";

/**
 * The version of this contract, as semver has it. Plugins from outside record the one they were
 * made with; the host takes those of its own major version.
 */
export const SDK_VERSION = "1.0.0";

/** How far a plugin can be relied on. */
export type Stability = "experimental" | "beta" | "stable";

interface FactoryBase<Kind extends string, Schema extends z.ZodType> {
  readonly kind: Kind;
  /** The SDK_VERSION it was made with. The define functions write it. */
  readonly sdk: string;
  /** lower_snake_case, also the plugin folder's name. */
  readonly type: string;
  readonly stability: Stability;
  /** One line for `cairn components`. */
  readonly summary: string;
  /** The configuration's schema: strict objects, each option with a default and a description. */
  readonly config: Schema;
  /**
   * Asks the world, without changing it, whether what the configuration names is there and can be
   * used; for `cairn validate --deep`, on a host where the agent may be running.
   */
  check?(config: z.output<Schema>, context: CheckContext): Promise<readonly Finding[]>;
}

/** Bytes that a format reads at once, and where they stand in their stream. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A format that a receiver will ask its context for. */
export interface FormatUse {
  readonly name: string;
  /**
   * What the receiver will pass to `context.format`: options of its own configuration under the
   * names they have there, so that a problem in them is reported where the operator wrote them.
   */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The receiver's option, a map, in which all further options of the format stand. */
  readonly under?: string;
  /** It reads messages inside of what the receiver itself reads, not the receiver's frames. */
  readonly embedded?: true;
}

/** Makes receivers. `create` only keeps what it is given; work begins with `start`. */
export interface ReceiverFactory<Schema extends z.ZodType = z.ZodType>
  extends FactoryBase<"receiver", Schema> {
  /** The formats it uses under a configuration: they are loaded, and their options checked. */
  formats?(config: z.output<Schema>): readonly FormatUse[];
  /**
   * The frames it makes of what a sender posts in one piece; without it, that is one frame. Pure:
   * tests of a configuration ask for them without a receiver.
   */
  frames?(config: z.output<Schema>, body: Uint8Array): Iterable<Frame>;
  create(config: z.output<Schema>, context: ComponentContext, intake: Intake): Receiver;
}

/** Makes one format instance per stream. */
export interface FormatFactory<Schema extends z.ZodType = z.ZodType>
  extends FactoryBase<"format", Schema> {
  create(config: z.output<Schema>, context: FormatContext): Format;
}

/** What a format may know: who the agent is, and whom to tell what it leaves out. No clock, no I/O. */
export type FormatContext = Pick<ComponentContext, "agent" | "ignored"> & FormatSources;

/** What a receiver can lend a format, because it does the I/O. */
export interface FormatSources {
  /** Given where the frames are this machine's own. */
  readonly accounts?: AccountNames;
}

/** Makes processors. */
export interface ProcessorFactory<Schema extends z.ZodType = z.ZodType>
  extends FactoryBase<"processor", Schema> {
  create(config: z.output<Schema>, context: ComponentContext): Processor;
}

/** When a delivery is full, unless the operator says otherwise. */
export interface BatchDefaults {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
}

/** Makes exporters. The host adds the common options to the schema and handles them. */
export interface ExporterFactory<Schema extends z.ZodType = z.ZodType>
  extends FactoryBase<"exporter", Schema> {
  create(config: z.output<Schema>, context: ComponentContext): Exporter;
  /** Defaults of the common `batch` options where this exporter wants others. */
  readonly batch?: BatchDefaults;
  /** The same where they depend on its options; `batch` is then what the schema tells. */
  batchOf?(config: z.output<Schema>): BatchDefaults;
  /**
   * Checks what an exporter of this type has written, without the agent and without changing
   * anything; for `cairn verify`. `place` is a folder or `s3://bucket/prefix`; undefined where what
   * lies there is not of this type. Rejects where the place cannot be read.
   */
  verify?(place: string, options: VerifyOptions): Promise<VerifyReport | undefined>;
  /**
   * Opens the event history that an exporter of this type has kept, for reading alone; for `cairn
   * history` where no agent runs. Rejects where there is none.
   */
  openHistory?(place: HistoryPlace): Promise<EventHistory>;
}

/** Makes extensions. */
export interface ExtensionFactory<Schema extends z.ZodType = z.ZodType>
  extends FactoryBase<"extension", Schema> {
  create(config: z.output<Schema>, context: ComponentContext): Extension;
}

/** Any factory, as the registry holds it. */
export type ComponentFactory =
  | ReceiverFactory
  | FormatFactory
  | ProcessorFactory
  | ExporterFactory
  | ExtensionFactory;

/** The kinds of plugin. */
export type ComponentKind = ComponentFactory["kind"];

/** What a plugin says of itself; kind and version are written for it. */
type Declared<Factory> = Omit<Factory, "kind" | "sdk">;

/** Declares a receiver; a plugin's default export. */
export function defineReceiver<S extends z.ZodType>(
  factory: Declared<ReceiverFactory<S>>,
): ReceiverFactory<S> {
  return { kind: "receiver", sdk: SDK_VERSION, ...factory };
}

/** Declares a format; a plugin's default export. */
export function defineFormat<S extends z.ZodType>(
  factory: Declared<FormatFactory<S>>,
): FormatFactory<S> {
  return { kind: "format", sdk: SDK_VERSION, ...factory };
}

/** Declares a processor; a plugin's default export. */
export function defineProcessor<S extends z.ZodType>(
  factory: Declared<ProcessorFactory<S>>,
): ProcessorFactory<S> {
  return { kind: "processor", sdk: SDK_VERSION, ...factory };
}

/** Declares an exporter; a plugin's default export. */
export function defineExporter<S extends z.ZodType>(
  factory: Declared<ExporterFactory<S>>,
): ExporterFactory<S> {
  return { kind: "exporter", sdk: SDK_VERSION, ...factory };
}

/** Declares an extension; a plugin's default export. */
export function defineExtension<S extends z.ZodType>(
  factory: Declared<ExtensionFactory<S>>,
): ExtensionFactory<S> {
  return { kind: "extension", sdk: SDK_VERSION, ...factory };
}
