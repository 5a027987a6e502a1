// The file follower: reads files that others write to, across rotation and restarts, so that every
// line comes out exactly once. Receivers of files are this with a format. The files of a follower:
// follow-run (the loop), -set (which files), -succession (one path over time), -stream (one file),
// -batch (lines to the intake), -wake (when to look), -files (what folders hold).

import { resolve } from "node:path";
import type { ComponentContext, Host, Receiver } from "./component.ts";
import { FollowRun } from "./follow-run.ts";
import type { Format } from "./format.ts";
import type { Intake } from "./intake.ts";

/** What to follow, and how. */
export interface FollowOptions {
  /** Paths and patterns (see glob.ts), in the order in which they are first read. */
  readonly paths: readonly string[];
  /** Patterns of paths to leave out. */
  readonly exclude: readonly string[];
  /** Where to begin with what is there at the first start; later files are read from their beginning. */
  readonly startAt: "beginning" | "end";
  /** Whether beginning means with the oldest rotated sibling, `audit.log.4` before `audit.log`. */
  readonly siblings: boolean;
  readonly lineBytesMax: number;
  /** How long a rotated file is still looked at; default 30 s. */
  readonly graceMs?: number;
  /** Makes the format of one path. */
  readonly format: () => Format;
}

/**
 * Follows files. The position has one key per file (device and inode) with the offset behind the
 * last durable line, so a restart goes on there, also when the file has another name by then.
 */
export class Follower implements Receiver {
  readonly #options: FollowOptions;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  #run: FollowRun | undefined;

  constructor(options: FollowOptions, context: ComponentContext, intake: Intake) {
    this.#options = {
      ...options,
      paths: options.paths.map((path) => resolve(path)),
      exclude: options.exclude.map((path) => resolve(path)),
    };
    this.#context = context;
    this.#intake = intake;
  }

  async start(host: Host): Promise<void> {
    if (this.#run !== undefined) return;
    let last: string | undefined;
    const run = new FollowRun(this.#options, this.#context, this.#intake, (problem, missing) => {
      const state = problem === undefined ? "running" : missing ? "waiting" : "degraded";
      if (last === `${state} ${problem}`) return;
      last = `${state} ${problem}`;
      host.report(state, problem);
    });
    this.#run = run;
    await run.start();
  }

  async drain(): Promise<void> {
    await this.#run?.drain();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    await run?.stop(deadline);
  }
}
