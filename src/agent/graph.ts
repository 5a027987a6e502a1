// What runs of a configuration: its components and pipelines, as one value. `exchange.ts` leads from
// one such value to the next; the first start leads there from the empty one.

import type {
  Component,
  Exporter,
  Extension,
  Processor,
  Receiver,
} from "../../plugins/sdk/index.ts";
import type { ResolvedComponent, ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { CountedIntake } from "./counted-intake.ts";

/** A pipeline and its parts, by id, in the order of the configuration. */
export interface Line {
  readonly config: ResolvedPipeline;
  readonly pipeline: Pipeline;
  readonly exporters: ReadonlyMap<string, Exporter>;
  readonly processors: ReadonlyMap<string, Processor>;
}

/** A receiver, its way in, and the pipelines that leads to. */
export interface Source {
  readonly receiver: Receiver;
  readonly intake: CountedIntake;
  readonly pipelines: readonly Pipeline[];
}

/** Everything that runs. Never changed: a reload makes another one. */
export interface Graph {
  readonly config: ResolvedConfig;
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly lines: ReadonlyMap<string, Line>;
  readonly sources: ReadonlyMap<string, Source>;
}

/** What runs before a start. */
export function emptyGraph(config: ResolvedConfig): Graph {
  const none = { receivers: new Map(), processors: new Map(), exporters: new Map() };
  return {
    config: { ...config, ...none, extensions: new Map(), pipelines: [] },
    extensions: new Map(),
    lines: new Map(),
    sources: new Map(),
  };
}

/** Every component of a graph. */
export function componentsOf({ extensions, lines, sources }: Graph): ReadonlySet<Component> {
  return new Set<Component>([
    ...extensions.values(),
    ...[...lines.values()].flatMap((line) => [
      ...line.exporters.values(),
      ...line.processors.values(),
    ]),
    ...Array.from(sources.values(), ({ receiver }) => receiver),
  ]);
}

/** Whether two configurations say the same of a component, which is made by the same factory. */
export function isSame(
  one: ResolvedComponent<{ readonly create: unknown }> | undefined,
  other: ResolvedComponent<{ readonly create: unknown }> | undefined,
): boolean {
  if (one === undefined || other === undefined) return false;
  if (one === other) return true;
  return one.factory === other.factory && one.digest !== undefined && one.digest === other.digest;
}

/** Whether a receiver is the same, and the formats that it uses are. */
export function isSameReceiver(before: ResolvedConfig, after: ResolvedConfig, id: string): boolean {
  const one = before.receivers.get(id);
  const other = after.receivers.get(id);
  if (one === undefined || other === undefined || !isSame(one, other)) return false;
  const uses = other.factory.formats?.(other.config) ?? [];
  return uses.every(({ name }) => before.formats.get(name) === after.formats.get(name));
}

/** What differs between two graphs, one line for each part, for people. */
export function describeChanges(before: Graph, after: Graph): readonly string[] {
  const changes = [
    ...partChanges("extension", before.extensions, after.extensions),
    ...lineChanges(before, after),
    ...optionChanges(before.config, after.config),
  ];
  for (const id of new Set([...before.sources.keys(), ...after.sources.keys()])) {
    const old = before.sources.get(id);
    const now = after.sources.get(id);
    changes.push(...partChange("receiver", id, old?.receiver, now?.receiver));
    if (old === undefined || old.receiver !== now?.receiver) continue;
    if (!isSameList(old.pipelines, now.pipelines)) {
      const names = now.pipelines.map(({ name }) => `"${name}"`).join(", ");
      changes.push(`receiver "${id}" goes to ${names} now`);
    }
  }
  return changes;
}

/** What changes without any part being started or stopped. */
function optionChanges(before: ResolvedConfig, after: ResolvedConfig): readonly string[] {
  const level = after.logs.level === before.logs.level
    ? []
    : [`log level is "${after.logs.level}"`];
  const told = ({ stopTimeoutMs, startTimeoutMs, selfAudit, watch }: ResolvedConfig) =>
    JSON.stringify([stopTimeoutMs, startTimeoutMs, selfAudit ?? true, watch]);
  return told(before) === told(after) ? level : [...level, "options of the service changed"];
}

function lineChanges(before: Graph, after: Graph): readonly string[] {
  const changes: string[] = [];
  for (const name of new Set([...before.lines.keys(), ...after.lines.keys()])) {
    const old = before.lines.get(name);
    const now = after.lines.get(name);
    if (old === undefined) changes.push(`pipeline "${name}" added`);
    if (now === undefined) changes.push(`pipeline "${name}" removed; its queue stays on disk`);
    changes.push(...partChanges("exporter", old?.exporters, now?.exporters));
    changes.push(...partChanges("processor", old?.processors, now?.processors));
    if (old === undefined || now === undefined) continue;
    const orders = [[...old.processors.keys()], [...now.processors.keys()]].map(String);
    if (orders[0] !== orders[1]) changes.push(`order of processors in pipeline "${name}" changed`);
    if (!hasSameLimits(old, now)) changes.push(`limits of pipeline "${name}" changed`);
  }
  return changes;
}

/** Whether the queue's options are the same. */
export function hasSameLimits(one: Line, other: Line): boolean {
  return JSON.stringify(one.config.queue) === JSON.stringify(other.config.queue);
}

/** Whether two lists hold the same things in the same order. */
export function isSameList<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function partChanges(
  kind: string,
  before: ReadonlyMap<string, Component> = new Map(),
  after: ReadonlyMap<string, Component> = new Map(),
): readonly string[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].flatMap((id) => partChange(kind, id, before.get(id), after.get(id)));
}

function partChange(kind: string, id: string, before?: Component, after?: Component) {
  if (before === after) return [];
  if (before === undefined) return [`${kind} "${id}" started`];
  return [`${kind} "${id}" ${after === undefined ? "stopped" : "restarted"}`];
}
