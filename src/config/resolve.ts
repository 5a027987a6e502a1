// From the loaded tree to a configuration an agent can be built from: ids become factories, every
// part is checked with its schema, references are followed, and all problems are told at once.

import { resolve as resolvePath } from "node:path";
import type { z } from "zod";
import type { AgentIdentity, ComponentFactory, ComponentKind } from "../../plugins/sdk/index.ts";
import { check } from "./check.ts";
import { resolveComponents } from "./components.ts";
import { agentOptions, SECTIONS, serviceOptions } from "./document.ts";
import { declared } from "./declared.ts";
import type { LoadedConfig } from "./load.ts";
import { digestOf, emptyMap, find, isBlank, type MapNode, placeOf } from "./node.ts";
import { type PluginUse, pluginUses } from "./plugins.ts";
import { formatPath, type Place, type Problem, sortProblems } from "./problem.ts";
import type { ResolvedConfig, ResolvedPipeline } from "./resolved.ts";
import { suggest } from "./suggest.ts";

/** Where factories come from; the agent's registry is one. */
export interface Factories {
  /** Loads a factory; undefined when there is none of that kind and type. */
  load(kind: ComponentKind, type: string): Promise<ComponentFactory | undefined>;
  /** The types there are of a kind. */
  types(kind: ComponentKind): readonly string[];
  /** These and what the plugins bring; with any problem, only the problems are of use. */
  extend?(plugins: readonly PluginUse[]): Promise<ExtendedFactories>;
}

/** What `extend` answers. */
export interface ExtendedFactories {
  readonly factories: Factories;
  readonly problems: readonly Problem[];
}

/** What stands in for options that depend on the machine. */
export interface ResolveDefaults {
  readonly host: string;
  readonly dataDir: string;
}

/** The configuration, or every problem; warnings come with either. Both sorted by place. */
export interface Resolution {
  readonly config?: ResolvedConfig;
  /** What it could be made of, its own plugins too; left out where those have problems. */
  readonly factories?: Factories;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** A top-level map: its entries, and where its key stands. */
export interface Section {
  readonly node: MapNode;
  readonly at: Place;
}

type Service = z.output<typeof serviceOptions>;

/** Checks everything and resolves it. Never throws for what an operator wrote. */
export async function resolve(
  loaded: LoadedConfig,
  factories: Factories,
  defaults: ResolveDefaults,
): Promise<Resolution> {
  const problems: Problem[] = [...loaded.problems];
  if (!loaded.complete) return { problems: sortProblems(problems), warnings: [] };
  const sections = splitSections(loaded.root, problems);
  const agent = check(agentOptions, { ...sections.agent, path: ["agent"] });
  const service = check(serviceOptions, { ...sections.service, path: ["service"] });
  problems.push(...agent.problems, ...service.problems);
  const plugins = pluginUses(loaded.root, problems);
  const known = plugins === undefined ? undefined : await extend(factories, plugins, problems);
  // Without its plugins most of what a configuration names would be unknown.
  if (known === undefined) return { problems: sortProblems(problems), warnings: [] };
  const components = await resolveComponents(sections, known, problems);
  const references = new References(sections, problems);
  references.checkAll();
  const warnings = references.unused();
  if (problems.length > 0 || !agent.ok || !service.ok) {
    const told = { problems: sortProblems(problems), warnings: sortProblems(warnings) };
    return { factories: known, ...told };
  }
  const { used } = references;
  const keep = <C>(all: ReadonlyMap<string, C>, kind: keyof typeof used) =>
    new Map([...all].filter(([id]) => used[kind].has(id)));
  const config: ResolvedConfig = {
    agent: identity(agent.value, defaults),
    dataDir: agent.value.data_dir ?? defaults.dataDir,
    receivers: keep(components.receivers, "receivers"),
    processors: keep(components.processors, "processors"),
    exporters: keep(components.exporters, "exporters"),
    extensions: keep(components.extensions, "extensions"),
    formats: components.formats,
    pipelines: Object.entries(service.value.pipelines).map(pipeline),
    stopTimeoutMs: service.value.stop_timeout,
    startTimeoutMs: service.value.start_timeout,
    selfAudit: service.value.self_audit,
    ...watch(service.value.reload),
    fixed: fixedOptions(agent.value, defaults, sections.service.node),
    ...telemetry(service.value.telemetry),
    ...(known !== factories && { factories: known }),
    declared: declared(sections, loaded.root.at),
  };
  return { config, factories: known, problems: [], warnings: sortProblems(warnings) };
}

async function extend(
  factories: Factories,
  plugins: readonly PluginUse[],
  problems: Problem[],
): Promise<Factories | undefined> {
  if (plugins.length === 0 || factories.extend === undefined) return factories;
  const extended = await factories.extend(plugins);
  problems.push(...extended.problems);
  return extended.problems.length > 0 ? undefined : extended.factories;
}

function watch({ watch, interval }: Service["reload"]): Pick<ResolvedConfig, "watch"> {
  return watch ? { watch: { intervalMs: interval } } : {};
}

/** What components were made with, and what is set up once for the whole process. */
function fixedOptions(
  agent: z.output<typeof agentOptions>,
  defaults: ResolveDefaults,
  service: MapNode,
): Readonly<Record<string, string>> {
  const given: Readonly<Record<string, unknown>> = {
    ...agent,
    data_dir: resolvePath(agent.data_dir ?? defaults.dataDir),
    host: agent.host ?? defaults.host,
  };
  const own = Object.entries(given).map(([key, value]) => [`agent.${key}`, String(value)]);
  const telemetry = ["logs.otlp", "metrics", "traces"].map((key) => [
    `service.telemetry.${key}`,
    digestOf(find(service, ["telemetry", ...key.split(".")])),
  ]);
  return Object.fromEntries([...own, ...telemetry]);
}

/** Left out is what nobody asked for. */
function telemetry(
  { logs, metrics, traces }: Service["telemetry"],
): Pick<ResolvedConfig, "logs" | "metrics" | "traces"> {
  const isMetered = metrics.endpoint !== undefined || metrics.otlp !== undefined;
  return {
    logs,
    ...(isMetered && { metrics }),
    ...(traces.otlp && { traces: { otlp: traces.otlp, sampleRatio: traces.sample_ratio } }),
  };
}

function identity(
  options: z.output<typeof agentOptions>,
  defaults: ResolveDefaults,
): Omit<AgentIdentity, "version"> {
  return {
    accountId: options.account_id,
    region: options.region,
    partition: options.partition,
    domain: options.domain,
    host: options.host ?? defaults.host,
    ...(options.organization_id !== undefined && { organizationId: options.organization_id }),
  };
}

function pipeline([name, options]: [string, Service["pipelines"][string]]): ResolvedPipeline {
  const { queue, ...parts } = options;
  return {
    name,
    ...parts,
    queue: {
      bytesMax: queue.max_bytes,
      freeDiskBytesMin: queue.min_free_disk,
      overflow: queue.overflow,
      ...(queue.max_age !== undefined && { ageMsMax: queue.max_age }),
    },
  };
}

/** The top-level keys; unknown ones are problems, missing ones are empty. */
function splitSections(
  root: MapNode,
  problems: Problem[],
): Readonly<Record<keyof typeof SECTIONS, Section>> {
  const known = ["plugins", ...Object.keys(SECTIONS)];
  for (const [key, { at }] of root.entries) {
    if (known.includes(key)) continue;
    const fix = suggest(key, known) ?? `known here: ${known.join(", ")}`;
    problems.push({ at, path: key, problem: "Unknown option", fix });
  }
  const sections = Object.keys(SECTIONS).map((key) => {
    const entry = root.entries.get(key);
    const at = entry?.at ?? root.at;
    const node = entry?.node ?? emptyMap(at);
    if (node.kind === "map") return [key, { node, at }];
    if (!isBlank(node)) {
      problems.push({ at: node.at, path: key, problem: "Expected a map of options" });
    }
    return [key, { node: emptyMap(node.at), at }];
  });
  return Object.fromEntries(sections);
}

const KINDS = ["receivers", "processors", "exporters"] as const;

/** Follows the ids in `service` to the components they name. */
class References {
  readonly used: Readonly<Record<(typeof KINDS)[number] | "extensions", Map<string, string>>> = {
    receivers: new Map(),
    processors: new Map(),
    exporters: new Map(),
    extensions: new Map(),
  };
  readonly #sections: Readonly<Record<keyof typeof SECTIONS, Section>>;
  readonly #problems: Problem[];

  constructor(
    sections: Readonly<Record<keyof typeof SECTIONS, Section>>,
    problems: Problem[],
  ) {
    this.#sections = sections;
    this.#problems = problems;
  }

  /** Reads the tree, not the checked value: a dangling id is told even where another part is wrong. */
  checkAll(): void {
    const service = this.#sections.service.node;
    this.#checkList(["extensions"], "extensions", "the service");
    const pipelines = service.entries.get("pipelines")?.node;
    if (pipelines?.kind !== "map") return;
    for (const name of pipelines.entries.keys()) {
      for (const kind of KINDS) this.#checkList(["pipelines", name, kind], kind, name);
    }
  }

  /** A warning for every component that nothing uses. */
  unused(): readonly Problem[] {
    return [...KINDS, "extensions" as const].flatMap((kind) =>
      [...this.#sections[kind].node.entries]
        .filter(([id]) => !this.used[kind].has(id))
        .map(([id, { at }]) => ({
          at,
          path: `${kind}.${id}`,
          problem: "Not used",
          fix: kind === "extensions" ? "name it in service.extensions" : "name it in a pipeline",
        }))
    );
  }

  #checkList(path: readonly string[], kind: keyof References["used"], user: string): void {
    const service = this.#sections.service.node;
    let list = service.entries.get(path[0]!)?.node;
    for (const key of path.slice(1)) {
      list = list?.kind === "map" ? list.entries.get(key)?.node : undefined;
    }
    if (list?.kind !== "list") return;
    const seen = new Set<string>();
    for (const [index, item] of list.items.entries()) {
      if (item.kind !== "scalar" || typeof item.value !== "string") continue;
      const report = (problem: string, fix?: string) =>
        this.#problems.push({
          at: placeOf(service, [...path, index]),
          path: formatPath(["service", ...path, index]),
          problem,
          ...(fix && { fix }),
        });
      const id = item.value;
      const shown = item.secret ? "" : ` "${id}"`;
      if (seen.has(id)) report(`Names${shown} twice`);
      else if (!this.#sections[kind].node.entries.has(id)) {
        const known = this.#sections[kind].node.entries.keys();
        report(
          `No ${kind.slice(0, -1)}${shown} is configured`,
          item.secret ? undefined : suggest(id, known),
        );
      }
      const other = this.used[kind].get(id);
      // One queue and one cursor stand behind an exporter; its objects are named by their numbers.
      if (kind === "exporters" && other !== undefined && other !== user) {
        report(`Exporter${shown} is used by pipeline "${other}" already`, "configure a second one");
      }
      seen.add(id);
      this.used[kind].set(id, user);
    }
  }
}
