// From a test file to cases that can be run: its configuration is resolved as the agent would, each
// case gets its format, its pipeline and its input, and all problems are told at once.

import type { AgentIdentity, Format, FormatContext, Frame } from "../../plugins/sdk/index.ts";
import { check } from "../config/check.ts";
import { emptyMap, find, placeOf } from "../config/node.ts";
import type { Problem } from "../config/problem.ts";
import { formatPath } from "../config/problem.ts";
import type { ResolvedConfig, ResolvedPipeline } from "../config/resolved.ts";
import { suggest } from "../config/suggest.ts";
import { loadConfiguration, type PrepareOptions } from "./configuration.ts";
import { InputError, type InputStream, readInput } from "./input.ts";
import { type BadPattern, compileExpected, type Expected } from "./match.ts";
import type { Expect, TestCase, TestFile } from "./test-file.ts";

/** A case that can be run. */
export interface PreparedCase {
  readonly name: string;
  /** Where it stands in its file. */
  readonly line: number;
  readonly config: ResolvedConfig;
  readonly agent: AgentIdentity;
  /** Id of the receiver; eventIDs derive from its type. */
  readonly receiver: string;
  /** Ids of the processors that follow. */
  readonly processors: readonly string[];
  readonly format: (context: FormatContext) => Format;
  /** What the receiver makes of bytes that come in one piece. */
  readonly frames: (body: Uint8Array) => Iterable<Frame>;
  /** Longest line that the receiver would read. */
  readonly lineBytesMax: number;
  readonly input: readonly InputStream[];
  readonly nowMs: number;
  readonly expect: Expect;
  /** Nothing is expected yet: it is still to be written. */
  readonly isNew: boolean;
  /** The expected records, compiled. */
  readonly records: readonly Expected[] | undefined;
}

/** The cases, or what is wrong. */
export interface Prepared {
  readonly cases: readonly PreparedCase[];
  readonly problems: readonly Problem[];
}

/** What the agent calls itself; no record says it. */
const VERSION = "0.0.0";

// What `file` and most receivers allow by default.
const LINE_BYTES_MAX = 256 * 1024;

/** The receiver that reads lines in any format. */
const ANY_FORMAT_RECEIVER = "file";

/** Prepares all cases of a file. */
export async function prepare(file: TestFile, options: PrepareOptions): Promise<Prepared> {
  const { config, problems } = await loadConfiguration(file, options);
  if (config === undefined) return { cases: [], problems };
  const agent = { ...config.agent, version: VERSION };
  const found: Problem[] = [];
  const cases: PreparedCase[] = [];
  for (const [index, one] of file.cases.entries()) {
    const preparer = new CasePreparer({ file, index, config, options }, found);
    const reading = await preparer.reading(one);
    const input = await preparer.input(one);
    const records = preparer.records(one);
    if (reading === undefined || input === undefined) continue;
    cases.push({
      ...reading,
      name: one.name,
      line: preparer.line,
      config,
      agent,
      input,
      nowMs: one.now ?? file.now,
      expect: one.expect,
      isNew: expectsNothing(one.expect),
      records,
    });
  }
  return { cases, problems: found };
}

function expectsNothing({ records, ignored, rejected, counts }: Expect): boolean {
  return records === undefined && ignored === undefined && rejected.length === 0 &&
    Object.keys(counts).length === 0;
}

/** What a case reads with, and what follows. */
type Reading = Pick<PreparedCase, "receiver" | "processors" | "format" | "frames" | "lineBytesMax">;

interface CaseParts {
  readonly file: TestFile;
  readonly index: number;
  readonly config: ResolvedConfig;
  readonly options: PrepareOptions;
}

class CasePreparer {
  readonly #parts: CaseParts;
  readonly #problems: Problem[];

  constructor(parts: CaseParts, problems: Problem[]) {
    this.#parts = parts;
    this.#problems = problems;
  }

  get line(): number {
    const { file, index } = this.#parts;
    return placeOf(file.node, ["cases", index]).line ?? 1;
  }

  async input(one: TestCase): Promise<readonly InputStream[] | undefined> {
    try {
      return await readInput(one.input, this.#parts.file.name);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return this.#report(["input", ...error.path], error.message);
    }
  }

  records({ expect }: TestCase): readonly Expected[] | undefined {
    if (expectsNothing(expect)) {
      if (this.#parts.options.update) return undefined;
      return this.#report(["expect"], "Expects nothing", "write records, or run with --update");
    }
    const { records } = expect;
    const bad: BadPattern[] = [];
    const list = records === "none" ? [] : records;
    const compiled = list?.map((record, i) =>
      compileExpected(record, ["expect", "records", i], bad)
    );
    for (const { path, problem } of bad) this.#report(path, problem);
    return compiled;
  }

  async reading(one: TestCase): Promise<Reading | undefined> {
    return one.format === undefined ? this.#throughReceiver(one) : await this.#direct(one);
  }

  #throughReceiver(one: TestCase): Reading | undefined {
    const { receivers } = this.#parts.config;
    const id = one.receiver ?? this.#onlyReceiver();
    if (id === undefined) return undefined;
    const receiver = receivers.get(id);
    if (receiver === undefined) {
      const fix = suggest(id, receivers.keys()) ?? `receivers: ${[...receivers.keys()].join(", ")}`;
      return this.#report(["receiver"], `No receiver "${id}" in a pipeline`, fix);
    }
    const { factory, config } = receiver;
    const use = factory.formats?.(config).find(({ embedded }) => embedded !== true);
    if (use === undefined) {
      const problem = `Receiver "${id}" knows itself what its input means: it uses no format`;
      return this.#report(["receiver"], problem, "name a format in its place");
    }
    const pipeline = this.#pipeline(one, (each) => each.receivers.includes(id));
    if (pipeline === undefined) return undefined;
    const options = config as Readonly<Record<string, unknown>>;
    const further = use.under === undefined ? {} : options[use.under];
    const format = this.#parts.config.formats.get(use.name)!;
    const checked = format.config.parse({ ...use.config, ...(further as object | undefined) });
    const limit = options.max_line_bytes;
    return {
      receiver: id,
      processors: pipeline.processors,
      format: (context) => format.create(checked, context),
      frames: (body) => factory.frames?.(config, body) ?? [{ bytes: body, offset: 0 }],
      lineBytesMax: typeof limit === "number" ? limit : LINE_BYTES_MAX,
    };
  }

  async #direct(one: TestCase): Promise<Reading | undefined> {
    const name = one.format!;
    const { file, index, config, options } = this.#parts;
    const { factories = options.factories } = config;
    const format = await factories.load("format", name);
    if (format?.kind !== "format") {
      const known = factories.types("format");
      const fix = suggest(name, known) ?? `formats: ${known.join(", ")}`;
      return this.#report(["format"], "Unknown format", fix);
    }
    const path = ["cases", index, "options"];
    const at = placeOf(file.node, path);
    const node = find(file.node, path) ?? emptyMap(at);
    const checked = check(format.config, { node, path, at });
    this.#problems.push(...checked.problems);
    const pipeline = this.#pipeline(one, () => true);
    if (!checked.ok || pipeline === undefined) return undefined;
    return {
      receiver: ANY_FORMAT_RECEIVER,
      processors: pipeline.processors,
      format: (context) => format.create(checked.value, context),
      frames: (body) => [{ bytes: body, offset: 0 }],
      lineBytesMax: LINE_BYTES_MAX,
    };
  }

  #onlyReceiver(): string | undefined {
    const { receivers } = this.#parts.config;
    const ids = [...receivers.keys()];
    if (ids.length === 1) return ids[0];
    return this.#report([], "More than one receiver", `say which: receiver: ${ids.join(" | ")}`);
  }

  #pipeline(
    { pipeline: name }: TestCase,
    fits: (pipeline: ResolvedPipeline) => boolean,
  ): ResolvedPipeline | undefined {
    const { pipelines } = this.#parts.config;
    const fitting = pipelines.filter(fits);
    const names = fitting.map((each) => each.name);
    if (name === undefined) {
      if (fitting.length === 1) return fitting[0];
      return this.#report(
        [],
        "More than one pipeline",
        `say which: pipeline: ${names.join(" | ")}`,
      );
    }
    const named = fitting.find((each) => each.name === name);
    if (named !== undefined) return named;
    const fix = suggest(name, names) ?? `pipelines: ${names.join(", ")}`;
    return this.#report(["pipeline"], `No pipeline "${name}" with this receiver`, fix);
  }

  #report(within: readonly PropertyKey[], problem: string, fix?: string): undefined {
    const path = ["cases", this.#parts.index, ...within];
    const at = placeOf(this.#parts.file.node, path);
    this.#problems.push({
      at,
      path: formatPath(path),
      problem,
      ...(fix === undefined ? {} : { fix }),
    });
  }
}
