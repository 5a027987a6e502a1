// The components of a configuration: each id to its factory, each map of options to its schema.

import type {
  ComponentFactory,
  ComponentKind,
  FormatFactory,
  StoredRecord,
} from "../../plugins/sdk/index.ts";
import {
  compileAdvancedEventSelectors,
  compileEventSelectors,
} from "../../plugins/sdk/cloudtrail/selectors.ts";
import { check } from "./check.ts";
import { BATCH_DEFAULTS, COMPONENT_ID, exporterOptions } from "./document.ts";
import {
  type ConfigNode,
  digestOf,
  emptyMap,
  isBlank,
  type MapNode,
  merge,
  only,
  without,
} from "./node.ts";
import { formatPath, type Place, type Problem } from "./problem.ts";
import type { Factories, Section } from "./resolve.ts";
import type { ResolvedComponent, ResolvedConfig, ResolvedExporter } from "./resolved.ts";
import { suggest } from "./suggest.ts";

type Factory<Kind extends ComponentKind> = Extract<ComponentFactory, { kind: Kind }>;
type Sections = Readonly<
  Record<"receivers" | "processors" | "exporters" | "extensions", Section>
>;

/** What the four maps of components resolve to, and the formats that receivers named. */
export type ResolvedComponents = Pick<
  ResolvedConfig,
  "receivers" | "processors" | "exporters" | "extensions" | "formats"
>;

/** One entry of a map of components. */
interface Entry {
  readonly id: string;
  readonly path: readonly string[];
  readonly at: Place;
  readonly node: MapNode;
}

/** Resolves all components, adding what is wrong with them to `problems`. */
export async function resolveComponents(
  sections: Sections,
  factories: Factories,
  problems: Problem[],
): Promise<ResolvedComponents> {
  const resolver = new ComponentResolver(factories, problems);
  return {
    receivers: await resolver.section(
      "receiver",
      sections.receivers,
      (factory, entry) => resolver.receiver(factory, entry),
    ),
    processors: await resolver.section(
      "processor",
      sections.processors,
      (factory, entry) => resolver.plain(factory, entry),
    ),
    exporters: await resolver.section(
      "exporter",
      sections.exporters,
      (factory, entry) => resolver.exporter(factory, entry),
    ),
    extensions: await resolver.section(
      "extension",
      sections.extensions,
      (factory, entry) => resolver.plain(factory, entry),
    ),
    formats: resolver.formats,
  };
}

class ComponentResolver {
  readonly formats = new Map<string, FormatFactory>();
  readonly #factories: Factories;
  readonly #problems: Problem[];

  constructor(factories: Factories, problems: Problem[]) {
    this.#factories = factories;
    this.#problems = problems;
  }

  /** Every entry of one section; what cannot be resolved is reported and left out. */
  async section<Kind extends ComponentKind, Resolved>(
    kind: Kind,
    { node }: Section,
    resolveEntry: (
      factory: Factory<Kind>,
      entry: Entry,
    ) => Resolved | undefined | Promise<Resolved | undefined>,
  ): Promise<ReadonlyMap<string, Resolved>> {
    const resolved = new Map<string, Resolved>();
    for (const [id, { at, node: options }] of node.entries) {
      const path = [`${kind}s`, id];
      const factory = await this.#factory(kind, id, path, at);
      const map = this.#optionsOf(options, path);
      if (factory === undefined || map === undefined) continue;
      const component = await this.#guarded(
        { id, path, at, node: map },
        (entry) => resolveEntry(factory, entry),
      );
      if (component !== undefined) resolved.set(id, component);
    }
    return resolved;
  }

  /** A plugin that throws while it reads its options is a problem like any other. */
  async #guarded<Resolved>(
    entry: Entry,
    resolveEntry: (entry: Entry) => Resolved | Promise<Resolved>,
  ): Promise<Resolved | undefined> {
    try {
      return await resolveEntry(entry);
    } catch (error) {
      // What it says may quote an option, and that may be a secret.
      const { name } = error instanceof Error ? error : { name: "what is no error" };
      const problem = `Plugin failed while its options were read: it threw ${name}`;
      this.#problems.push({ at: entry.at, path: formatPath(entry.path), problem });
      return undefined;
    }
  }

  /** A component with nothing but its own options. */
  plain<F extends ComponentFactory>(factory: F, entry: Entry): ResolvedComponent<F> | undefined {
    const checked = check(factory.config, entry);
    this.#problems.push(...checked.problems);
    if (!checked.ok) return undefined;
    return { id: entry.id, factory, config: checked.value, digest: digestOf(entry.node) };
  }

  async receiver(factory: Factory<"receiver">, entry: Entry) {
    const receiver = this.plain(factory, entry);
    if (receiver === undefined || factory.formats === undefined) return receiver;
    for (const { name, config = {}, under } of factory.formats(receiver.config)) {
      const format = await this.#factories.load("format", name);
      if (format?.kind !== "format") {
        const fix = suggest(name, this.#factories.types("format")) ??
          `formats: ${this.#factories.types("format").join(", ")}`;
        this.#report(entry, ["format"], "Unknown format", fix);
        return undefined;
      }
      this.formats.set(name, format);
      const own = only(entry.node, new Set(Object.keys(config)));
      const below = under === undefined ? undefined : entry.node.entries.get(under)?.node;
      const node = below === undefined || isBlank(below) ? own : merge(own, below);
      const checked = check(format.config, { ...entry, node });
      for (const problem of checked.problems) {
        const path = under === undefined
          ? problem.path
          : pathUnder(problem.path, entry, under, own);
        this.#problems.push({ ...problem, path });
      }
      if (!checked.ok) return undefined;
    }
    // Again: the formats may have asked for other readings of scalars.
    return this.plain(factory, entry);
  }

  exporter(factory: Factory<"exporter">, entry: Entry): ResolvedExporter | undefined {
    const commonKeys = new Set(Object.keys(exporterOptions.shape));
    const own = check(factory.config, {
      ...entry,
      node: without(entry.node, commonKeys),
      alsoKnown: [...commonKeys],
    });
    const common = check(exporterOptions, { ...entry, node: only(entry.node, commonKeys) });
    this.#problems.push(...own.problems, ...common.problems);
    if (!own.ok || !common.ok) return undefined;
    const { batch, retry, timeout } = common.value;
    const batchOf = factory.batchOf?.(own.value) ?? factory.batch;
    const defaults = { ...BATCH_DEFAULTS, ...batchOf };
    return {
      id: entry.id,
      factory,
      config: own.value,
      digest: digestOf(entry.node),
      selectors: compileSelectors(common.value),
      batch: {
        maxRecords: batch.max_records ?? defaults.maxRecords,
        maxBytes: batch.max_bytes ?? defaults.maxBytes,
        maxAgeMs: batch.max_age ?? defaults.maxAgeMs,
      },
      retry: {
        initialMs: retry.initial,
        maxMs: retry.max,
        multiplier: retry.multiplier,
        jitter: retry.jitter,
      },
      timeoutMs: timeout,
    };
  }

  async #factory<Kind extends ComponentKind>(
    kind: Kind,
    id: string,
    path: readonly string[],
    at: Place,
  ): Promise<Factory<Kind> | undefined> {
    const type = id.split("/", 1)[0]!;
    const factory = await this.#factories.load(kind, type);
    const report = (problem: string, fix: string) =>
      this.#problems.push({ at, path: formatPath(path), problem, fix });
    if (factory === undefined) {
      const types = this.#factories.types(kind);
      const known = types.length === 0 ? `there is no ${kind} yet` : `types: ${types.join(", ")}`;
      report(`Unknown ${kind} type "${type}"`, suggest(type, types) ?? known);
      return undefined;
    }
    if (!COMPONENT_ID.test(id)) {
      report(
        "Component id is not valid",
        "write type or type/name; a name is letters, digits, - _",
      );
      return undefined;
    }
    return factory as Factory<Kind>;
  }

  #optionsOf(node: ConfigNode, path: readonly string[]): MapNode | undefined {
    if (node.kind === "map") return node;
    if (isBlank(node)) return emptyMap(node.at);
    const problem = "Expected a map of options";
    this.#problems.push({ at: node.at, path: formatPath(path), problem });
    return undefined;
  }

  #report(entry: Entry, key: readonly string[], problem: string, fix: string): void {
    const at = entry.node.entries.get(key[0]!)?.node.at ?? entry.at;
    this.#problems.push({ at, path: formatPath([...entry.path, ...key]), problem, fix });
  }
}

type Selectors = Pick<
  ReturnType<typeof exporterOptions.parse>,
  "event_selectors" | "advanced_event_selectors"
>;

function compileSelectors(options: Selectors): (record: StoredRecord) => boolean {
  if (options.event_selectors !== undefined) return compileEventSelectors(options.event_selectors);
  if (options.advanced_event_selectors !== undefined) {
    return compileAdvancedEventSelectors(options.advanced_event_selectors);
  }
  return () => true;
}

/** The path of a format's option that stands below one of the receiver's. */
function pathUnder(path: string, entry: Entry, under: string, own: MapNode): string {
  const base = formatPath(entry.path);
  const rest = path.slice(base.length + 1);
  const first = /^[^.[]*/.exec(rest)![0];
  return rest === "" || own.entries.has(first) ? path : `${base}.${under}.${rest}`;
}
