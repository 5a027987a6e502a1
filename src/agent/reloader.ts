// Reads the configuration again when asked to, one time after the other: requests that come while one
// is under way share the next. A configuration with a problem changes nothing (promise P11).

import type { Log } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { type ReloadReport, type ReloadTrigger, summarizeReload } from "./reload-report.ts";

/** A configuration read again, or what is wrong with it, as lines for people. */
export interface ReadAgain {
  readonly config?: ResolvedConfig;
  /** Of what was read, where that can be told. */
  readonly hash?: string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What a reloader works with. */
export interface ReloaderOptions {
  /** The configuration that runs. */
  readonly current: () => ResolvedConfig;
  /** Reads the next one. */
  readonly read: () => Promise<ReadAgain>;
  /** Makes it run, and answers what has changed; rejects where the old one runs on. */
  readonly apply: (config: ResolvedConfig) => Promise<readonly string[]>;
  /** Told of every report before who asked is. */
  readonly note: (report: ReloadReport) => Promise<void>;
  readonly clock: () => number;
  readonly log: Log;
}

/** Reloads the configuration. */
export class Reloader {
  readonly #options: ReloaderOptions;
  #running: Promise<ReloadReport> | undefined;
  #next: Promise<ReloadReport> | undefined;
  #last: ReloadReport | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** How the last one ended. */
  get last(): ReloadReport | undefined {
    return this.#last;
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#next !== undefined) {
      await (this.#next ?? this.#running);
    }
  }

  /** Reads what there is from now on, and resolves when that runs or is refused. Never rejects. */
  request(trigger: ReloadTrigger): Promise<ReloadReport> {
    if (this.#running === undefined && this.#next === undefined) return this.#begin(trigger);
    // The one under way may have read already: what has changed since is for the next.
    this.#next ??= this.#running!.then(() => {
      this.#next = undefined;
      return this.#begin(trigger);
    });
    return this.#next;
  }

  #begin(trigger: ReloadTrigger): Promise<ReloadReport> {
    const running = this.#reload(trigger).finally(() => this.#running = undefined);
    this.#running = running;
    return running;
  }

  async #reload(trigger: ReloadTrigger): Promise<ReloadReport> {
    const { clock, log, note, current } = this.#options;
    const begin = performance.now();
    const from = current().hash;
    const ended = await this.#attempt();
    const report: ReloadReport = {
      ...ended,
      at: clock(),
      durationMs: Math.round(performance.now() - begin),
      trigger,
      ...(from !== undefined && { from }),
    };
    this.#last = report;
    const isDone = report.outcome === "applied" || report.outcome === "unchanged";
    if (isDone) log.info(summarizeReload(report));
    else log.error(summarizeReload(report));
    await note(report);
    return report;
  }

  async #attempt(): Promise<Omit<ReloadReport, "at" | "durationMs" | "trigger" | "from">> {
    const nothing = { problems: [], warnings: [], changes: [] };
    const { read, apply, current } = this.#options;
    let again: ReadAgain;
    try {
      again = await read();
    } catch (error) {
      return { ...nothing, outcome: "refused", problems: [messageOf(error)] };
    }
    const { config, hash, problems, warnings } = again;
    const to = hash === undefined ? {} : { to: hash };
    if (config === undefined) return { ...nothing, ...to, outcome: "refused", problems, warnings };
    const fixed = fixedProblems(current(), config);
    if (fixed.length > 0) {
      return { ...nothing, ...to, outcome: "refused", problems: fixed, warnings };
    }
    try {
      const changes = await apply(config);
      const outcome = changes.length > 0 ? "applied" : "unchanged";
      return { ...nothing, ...to, outcome, warnings, changes };
    } catch (error) {
      return { ...nothing, ...to, outcome: "failed", problems: [messageOf(error)], warnings };
    }
  }
}

/** A problem for each option that is set once for the life of the process and would change. */
function fixedProblems(
  { fixed: before = {} }: ResolvedConfig,
  { fixed: after = {} }: ResolvedConfig,
): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => before[path] !== after[path])
    .map((path) => `${path}: Cannot change while the agent runs (restart it, or set it back)`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
