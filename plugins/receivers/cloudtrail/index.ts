// Receiver `cloudtrail`: reads CloudTrail log files out of folders, each record once, byte for
// byte. New files are noticed while it runs; what cannot be read is set aside, and the rest goes
// on.

import {
  type ComponentContext,
  defineReceiver,
  type Host,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { FolderWatch } from "../../sdk/follow-wake.ts";
import { Batches, pause, unlessAborted } from "./batch.ts";
import { type CloudTrailConfig, config } from "./config.ts";
import { DoneFiles } from "./done-files.ts";
import { findLogFiles, type FoundFile } from "./find.ts";
import { takeLogFile } from "./read.ts";
import { WaitingFiles } from "./waiting-files.ts";

// Up to so many files are remembered for good; beyond, only those that are still there.
const REMEMBERED_MAX = 200_000;
// Folders watched: the ones that changed last. The rescan looks at the others.
const WATCHED_MAX = 64;
// Unreadable paths that were reported once; a broken tree must not fill memory.
const UNREADABLE_MAX = 10_000;
// Searching takes at most this part of the time: one in 200 when idle, one in 20 when files come.
const IDLE_FACTOR = 200;
const BUSY_FACTOR = 20;

export default defineReceiver({
  type: "cloudtrail",
  stability: "beta",
  summary: "CloudTrail log files in a folder, plain or gzip, each record byte for byte",
  config,
  create: (options, context, intake) => new CloudTrailReceiver(options, context, intake),
});

interface Run {
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly done: DoneFiles;
  readonly waiting: WaitingFiles;
  readonly batches: Batches;
  /** Unreadable paths; with a message those that are still to be set aside. */
  readonly unreadable: Map<string, string | undefined>;
  readonly watch: FolderWatch;
  /** Forget files that are gone once more than this are remembered. */
  rememberedMax: number;
  /**
   * How long the last search looked at folders, without reading files or waiting for the intake.
   */
  lookedMs: number;
  /** Folders that were watched before the last search: no change in them was missed. */
  watched: ReadonlySet<string>;
  /** The last search found folders that were not watched yet. */
  unwatched: boolean;
}

interface Drain {
  resolve(): void;
  reject(reason: unknown): void;
}

class CloudTrailReceiver implements Receiver {
  readonly #config: CloudTrailConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  #abort: AbortController | undefined;
  #watch: FolderWatch | undefined;
  #running: Promise<void> = Promise.resolve();
  #drains: Drain[] = [];

  constructor(options: CloudTrailConfig, context: ComponentContext, intake: Intake) {
    this.#config = options;
    this.#context = context;
    this.#intake = intake;
  }

  async start(host: Host): Promise<void> {
    if (this.#abort !== undefined) return;
    this.#abort = new AbortController();
    this.#watch = new FolderWatch();
    const { signal } = this.#abort;
    const onFailure = (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      host.report("degraded", `Cannot hand records on, trying again: ${message}`);
    };
    this.#running = this.#run({
      host,
      signal,
      done: new DoneFiles(this.#intake.position()),
      waiting: new WaitingFiles({
        settleMs: this.#config.settle,
        incompleteMs: this.#config.incomplete_timeout,
      }),
      batches: new Batches(this.#intake, signal, onFailure),
      unreadable: new Map(),
      watch: this.#watch,
      rememberedMax: REMEMBERED_MAX,
      lookedMs: 0,
      watched: new Set(),
      unwatched: false,
    });
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#abort?.abort(new Error("Receiver is stopped"));
    this.#abort = undefined;
    this.#watch?.close();
    await unlessAborted(this.#running, deadline).catch(() => {});
    for (const drain of this.#drains.splice(0)) drain.reject(new Error("Receiver is stopped"));
  }

  drain(): Promise<void> {
    if (this.#abort === undefined) return Promise.reject(new Error("Receiver is not started"));
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject });
      this.#watch?.poke();
    });
  }

  async #run(run: Run): Promise<void> {
    const { signal } = run;
    while (!signal.aborted) {
      const drains = this.#drains.splice(0);
      let failure: unknown;
      try {
        await this.#search(run, drains.length > 0 || this.#context.once);
      } catch (error) {
        failure = error;
      }
      for (const drain of drains) failure === undefined ? drain.resolve() : drain.reject(failure);
      if (signal.aborted) return;
      if (failure !== undefined) this.#report(run, failure);
      await this.#wait(run);
    }
  }

  async #wait({ watch, waiting, signal, lookedMs, unwatched }: Run): Promise<void> {
    const isWanted = () => this.#drains.length > 0 || signal.aborted;
    if (isWanted()) return;
    const idleMs = Math.min(Math.max(this.#config.rescan, IDLE_FACTOR * lookedMs), waiting.nextMs);
    if (!unwatched) await watch.wait(idleMs);
    // A drain was asked for, or the receiver stops: neither waits for more files to gather.
    if (isWanted()) return;
    await pause(Math.min(BUSY_FACTOR * lookedMs, this.#config.rescan), signal).catch(() => {});
  }

  /** Looks through everything once, and resolves when what it found is durable. */
  async #search(run: Run, final: boolean): Promise<void> {
    const { done, waiting, batches, signal } = run;
    const folders = new Map<string, number>();
    const present = done.size > run.rememberedMax ? new DoneFiles() : undefined;
    let problems = 0;
    let skipped = 0;
    const found = findLogFiles(this.#config.path, {
      onFolder: (path, modifiedAt) => newest(folders, path, modifiedAt),
      onProblem: (path, code, reason) => {
        problems++;
        // What is not there, or not yet, has nothing to be set aside.
        if (code !== "ENOENT") this.#unreadable(run, path, reason);
      },
      onSkipped: () => skipped++,
    });
    run.lookedMs = 0;
    run.unwatched = false;
    let since = performance.now();
    for await (const file of found) {
      signal.throwIfAborted();
      run.lookedMs += performance.now() - since;
      if (done.has(file.path)) present?.finish(file.path);
      else await this.#take(run, file, final, () => skipped++);
      since = performance.now();
    }
    run.lookedMs += performance.now() - since;
    if (present !== undefined && problems === 0) {
      batches.move(done.keep(present));
      run.rememberedMax = Math.max(REMEMBERED_MAX, 2 * done.size);
    }
    for (const [path, message] of run.unreadable) {
      if (message === undefined) continue;
      await batches.reject(new Uint8Array(0), message, `unreadable:${path}`, {});
      run.unreadable.set(path, undefined);
    }
    await batches.settled();
    waiting.endSearch();
    this.#watchFolders(run, new Set(folders.keys()));
    this.#context.log.debug("Looked through the folders", { skipped });
    if (folders.size > 0 || problems === 0) this.#reportFound(run);
    else run.host.report("waiting", `Nothing is at "${this.#config.path}" yet`);
  }

  /**
   * A file that came to a folder between its listing and its watching is found by one search more.
   */
  #watchFolders(run: Run, folders: ReadonlySet<string>): void {
    run.watch.watch(folders, new Set());
    run.unwatched = [...folders].some((folder) => !run.watched.has(folder));
    run.watched = folders;
  }

  async #take(run: Run, file: FoundFile, final: boolean, onSkipped: () => void): Promise<void> {
    const { waiting, signal, done, batches } = run;
    // An empty one is made for what is to come; should nothing come, it holds nothing to lose.
    if (file.size === 0) return;
    const now = this.#context.clock();
    const verdict = final ? "final" : waiting.judge(file, now);
    if (verdict === "wait") return;
    try {
      const ended = await takeLogFile(file, {
        done,
        batches,
        signal,
        final: verdict === "final",
        onSkipped,
      });
      if (ended) waiting.delete(file.path);
      else waiting.setCut(file, now);
      run.unreadable.delete(file.path);
    } catch (error) {
      signal.throwIfAborted();
      // Reading it is tried with every search: an operator can make it readable.
      this.#unreadable(run, file.path, error instanceof Error ? error.message : String(error));
    }
  }

  /** Notes an unreadable path, to be set aside once at the end of the search. */
  #unreadable({ unreadable, host }: Run, path: string, reason: string): void {
    const message = `Cannot read "${path}": ${reason}`;
    host.report("degraded", message);
    if (unreadable.has(path) || unreadable.size >= UNREADABLE_MAX) return;
    this.#context.log.error(message);
    unreadable.set(path, message);
  }

  #report({ host }: Run, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    host.report("degraded", `Cannot look through "${this.#config.path}": ${message}`);
  }

  #reportFound({ host, waiting, unreadable }: Run): void {
    const { cut } = waiting;
    if (cut > 0) host.report("degraded", `${cut} files break off: waiting for the rest of them`);
    else if (unreadable.size === 0) host.report("running");
  }
}

/** Keeps the folders that changed last. */
function newest(folders: Map<string, number>, path: string, modifiedAt: number): void {
  folders.set(path, modifiedAt);
  if (folders.size < 2 * WATCHED_MAX) return;
  const sorted = [...folders].sort(([, a], [, b]) => b - a);
  for (const [old] of sorted.slice(WATCHED_MAX)) folders.delete(old);
}
