// Receiver `journald`: what journalctl reads, live or from files. Lifecycle and wiring only; a source
// each for this machine's journal or a folder, and for every file.

import { resolve } from "node:path";
import type { ComponentContext, Host, Intake, Receiver } from "../../sdk/index.ts";
import { defineReceiver } from "../../sdk/index.ts";
import { settledOr } from "../../sdk/follow-wait.ts";
import type { z } from "zod";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { FileSource } from "./file-source.ts";
import { JournalSource } from "./journal-source.ts";
import type { Source, SourceOptions } from "./source.ts";

export default defineReceiver({
  type: "journald",
  stability: "beta",
  summary: "Follows the systemd journal, or reads exported ones",
  config,
  formats: () => [{ name: "audit", embedded: true }],
  check,
  create: (options, context, intake) => new Journald(options, context, intake),
});

/** One start to one stop. */
interface Run {
  readonly abort: AbortController;
  readonly sources: readonly Source[];
  ended: Promise<unknown>;
}

class Journald implements Receiver {
  readonly #config: z.output<typeof config>;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  #run: Run | undefined;

  constructor(options: z.output<typeof config>, context: ComponentContext, intake: Intake) {
    this.#config = options;
    this.#context = context;
    this.#intake = intake;
  }

  async start(host: Host): Promise<void> {
    if (this.#run !== undefined) return;
    const abort = new AbortController();
    const sources = this.#sources(abort.signal, reporter(host));
    const run: Run = { abort, sources, ended: Promise.resolve() };
    this.#run = run;
    // A queue that is full holds back where to begin, too; stop() must not wait for it.
    const begun = sources.map(async (source) => {
      await source.start();
      await source.run();
    });
    run.ended = Promise.allSettled(begun);
  }

  async drain(): Promise<void> {
    await Promise.all(this.#run?.sources.map((source) => source.drain()) ?? []);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    run.abort.abort(new Error("Stopped"));
    await settledOr(run.ended.then(() => {}), deadline);
  }

  #sources(signal: AbortSignal, report: Report): Source[] {
    const { directory, files, start_at } = this.#config;
    const base = { config: this.#config, context: this.#context, intake: this.#intake, signal };
    const options = (name: string): SourceOptions => ({
      ...base,
      report: (problem) => report(name, problem),
    });
    const startAt = this.#context.once ? "beginning" : start_at ?? "end";
    const sources: Source[] = files.map((path) => resolve(path)).map((path) =>
      new FileSource(path, options(path))
    );
    if (directory !== undefined) {
      const args = [`--directory=${resolve(directory)}`];
      const key = `directory:${resolve(directory)}`;
      sources.push(new JournalSource({ key, args, own: false, startAt }, options(key)));
    } else if (files.length === 0) {
      const journal = { key: "journal", args: [], own: true, startAt };
      sources.push(new JournalSource(journal, options("journal")));
    }
    return sources;
  }
}

type Report = (name: string, problem: string | undefined) => void;

/** Tells the host how all sources together are doing, when that changes. */
function reporter(host: Host): Report {
  const problems = new Map<string, string>();
  let last: string | undefined = "";
  return (name, problem) => {
    if (problem === undefined) problems.delete(name);
    else problems.set(name, problem);
    const now = [...problems.values()][0];
    if (now === last) return;
    last = now;
    host.report(now === undefined ? "running" : "degraded", now);
  };
}
