// One run of the receiver: round after round it takes what its origin finds, file after file, and
// what cannot be read is set aside while the rest goes on.

import {
  type ComponentContext,
  type Host,
  type Intake,
  type Position,
  RetryableError,
} from "../../sdk/index.ts";
import { pause, unlessAborted } from "../../sdk/wait.ts";
import { openAhead } from "./ahead.ts";
import { Batches } from "./batch.ts";
import type { FileEnd, FoundFile, Origin, Round, RoundEnd } from "./origin.ts";
import { takeLogFile } from "./read.ts";

// Unreadable paths that were reported once; a broken tree must not fill memory.
const UNREADABLE_MAX = 10_000;
// A connection that breaks off inside a file: what was read of it is taken, the rest asked for anew.
const ATTEMPTS_MAX = 3;
// A file that an origin fails at so often is the file's problem.
const FAILURES_MAX = 5;
const RETRY_FIRST_MS = 1000;
const RETRY_LAST_MS = 60_000;

/** Checks a digest; resolves with what is wrong, for the dead letters. */
export type CheckDigest = (file: FoundFile, signal: AbortSignal) => Promise<readonly Discrepancy[]>;

/** Something that a digest does not prove. */
export interface Discrepancy {
  /** The digest's entry, or the digest itself. */
  readonly raw: Uint8Array;
  readonly reason: string;
  readonly id: string;
}

/** What a run works with. */
export interface RunOptions {
  readonly origin: Origin;
  readonly context: ComponentContext;
  readonly intake: Intake;
  readonly host: Host;
  readonly checkDigest?: CheckDigest | undefined;
}

interface Drain {
  resolve(): void;
  reject(reason: unknown): void;
}

/** See above. */
export class CloudTrailRun {
  readonly #options: RunOptions;
  readonly #batches: Batches;
  readonly #abort = new AbortController();
  /** Unreadable paths; with a message those that are still to be set aside. */
  readonly #unreadable = new Map<string, string | undefined>();
  #rejected: Discrepancy[] = [];
  #unreadableNow = 0;
  /** The file that the origin failed at last, and how often in a row. */
  #failing = { path: "", times: 0 };
  #discrepancies = 0;
  #filesTaken = 0;
  #hasBegun = false;
  #drains: Drain[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(options: RunOptions) {
    this.#options = options;
    const { intake, host } = options;
    this.#batches = new Batches(intake, this.#abort.signal, (error) => {
      host.report("degraded", `Cannot hand records on, trying again: ${messageOf(error)}`);
    });
  }

  /** Begins to work. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when what is there is durable. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject });
      this.#options.origin.poke();
    });
  }

  /** Ends work, at the latest at the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#abort.abort(new Error("Receiver is stopped"));
    this.#options.origin.poke();
    await unlessAborted(this.#running, deadline).catch(() => {});
    await unlessAborted(this.#options.origin.close(), deadline).catch(() => {});
    for (const drain of this.#drains.splice(0)) drain.reject(new Error("Receiver is stopped"));
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let retryMs = RETRY_FIRST_MS;
    while (!signal.aborted) {
      const drains = this.#drains.splice(0);
      const takenBefore = this.#filesTaken;
      try {
        await this.#next(drains);
        retryMs = RETRY_FIRST_MS;
      } catch (error) {
        drains.forEach((drain) => drain.reject(error));
        if (signal.aborted) return;
        this.#report(error);
        if (this.#filesTaken > takenBefore) retryMs = RETRY_FIRST_MS;
        const wishMs = error instanceof RetryableError ? error.afterMs ?? 0 : 0;
        await this.#pauseUnlessDrained(Math.max(retryMs, Math.min(wishMs, RETRY_LAST_MS)));
        retryMs = Math.min(2 * retryMs, RETRY_LAST_MS);
      }
    }
  }

  /** A round, and the wait for the next one where there is no more. */
  async #next(drains: readonly Drain[]): Promise<void> {
    if (!this.#hasBegun) await this.#begin();
    this.#hasBegun = true;
    const more = await this.#round(drains.length > 0 || this.#options.context.once);
    if (more) this.#drains.unshift(...drains);
    else drains.forEach((drain) => drain.resolve());
    if (!more && this.#drains.length === 0) await this.#options.origin.wait();
  }

  async #begin(): Promise<void> {
    await this.#move(this.#options.origin.begin());
    await this.#batches.settled();
  }

  async #pauseUnlessDrained(ms: number): Promise<void> {
    if (this.#drains.length === 0) await pause(ms, this.#abort.signal).catch(() => {});
  }

  /** Looks through everything once; resolves when what it found is durable. True: there is more. */
  async #round(final: boolean): Promise<boolean> {
    const { origin } = this.#options;
    const { signal } = this.#abort;
    let end: RoundEnd = {};
    let durable = false;
    this.#unreadableNow = 0;
    try {
      await this.#take(final);
      durable = true;
    } finally {
      end = await origin.settle(durable, signal);
    }
    this.#reportRound(end);
    return end.more === true;
  }

  async #take(final: boolean): Promise<void> {
    const { origin } = this.#options;
    const { signal } = this.#abort;
    const round: Round = {
      final,
      signal,
      onUnreadable: (path, reason) => this.#noteUnreadable(path, reason),
      onRejected: (raw, reason, id) => this.#rejected.push({ raw, reason, id }),
    };
    try {
      for await (const file of openAhead(origin.find(round), origin.aheadMax)) {
        signal.throwIfAborted();
        const end = await this.#takeFile(file);
        await this.#move(origin.ended(file, end));
      }
      await this.#move(origin.found());
    } finally {
      // Also when the origin fails: records in the batch must not wait for its return.
      if (!signal.aborted) await this.#setAside();
    }
  }

  /** Hands on all that was noted and read, and waits until it is durable. */
  async #setAside(): Promise<void> {
    for (const [path, message] of this.#unreadable) {
      if (message === undefined) continue;
      await this.#batches.reject(new Uint8Array(0), message, `unreadable:${path}`, {});
      this.#unreadable.set(path, undefined);
    }
    for (const { raw, reason, id } of this.#rejected.splice(0)) {
      await this.#batches.reject(raw, reason, id, {});
    }
    await this.#batches.settled();
  }

  async #move(position: Position): Promise<void> {
    if (Object.keys(position).length === 0) return;
    if (this.#batches.move(position)) await this.#batches.flush();
  }

  async #takeFile(file: FoundFile): Promise<FileEnd> {
    const { origin } = this.#options;
    // Found twice, before it was taken for the first time.
    if (origin.progress.has(file.path)) return "done";
    for (let attempt = 1;; attempt++) {
      try {
        const ended = await this.#takeOnce(file);
        this.#unreadable.delete(file.path);
        this.#filesTaken++;
        return ended ? "done" : "cut";
      } catch (error) {
        this.#abort.signal.throwIfAborted();
        if (attempt < ATTEMPTS_MAX && isBroken(error)) continue;
        return await this.#failed(file, error);
      }
    }
  }

  async #takeOnce(file: FoundFile): Promise<boolean> {
    const { origin, checkDigest } = this.#options;
    const { signal } = this.#abort;
    if (file.isDigest !== true || checkDigest === undefined) {
      return await takeLogFile(file, {
        progress: origin.progress,
        batches: this.#batches,
        signal,
        onSkipped: () => {},
      });
    }
    for (const discrepancy of await checkDigest(file, signal)) {
      this.#discrepancies++;
      this.#options.context.log.error(discrepancy.reason);
      this.#rejected.push(discrepancy);
    }
    // What was found is durable before the digest counts as verified.
    await this.#setAside();
    await this.#move(file.finished());
    return true;
  }

  /** Reading it is tried with every round: an operator can make it readable. */
  async #failed(file: FoundFile, error: unknown): Promise<FileEnd> {
    const { origin } = this.#options;
    const { path } = file;
    const blame = origin.blame(error);
    if (blame === "gone") {
      const message = `Cannot read "${path}": it is not there any more`;
      this.#options.context.log.error(message);
      await this.#batches.reject(new Uint8Array(0), message, `gone:${path}`, file.finished());
      return "gone";
    }
    if (blame === "origin") {
      const times = this.#failing.path === path ? this.#failing.times + 1 : 1;
      this.#failing = { path, times };
      if (times < FAILURES_MAX) throw error;
    }
    this.#noteUnreadable(path, messageOf(error));
    if (++this.#unreadableNow > origin.unreadableMax) {
      throw new RetryableError(
        `More than ${origin.unreadableMax} files cannot be read: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return "unreadable";
  }

  /** Notes an unreadable path, to be set aside once at the end of the round. */
  #noteUnreadable(path: string, reason: string): void {
    const message = `Cannot read "${path}": ${reason}`;
    this.#options.host.report("degraded", message);
    if (this.#unreadable.has(path) || this.#unreadable.size >= UNREADABLE_MAX) return;
    this.#options.context.log.error(message);
    this.#unreadable.set(path, message);
  }

  #report(error: unknown): void {
    const { host, origin } = this.#options;
    host.report("degraded", `Cannot look through ${origin.name}: ${messageOf(error)}`);
  }

  #reportRound({ waiting, degraded }: RoundEnd): void {
    const { host } = this.#options;
    if (waiting !== undefined) host.report("waiting", waiting);
    else if (degraded !== undefined) host.report("degraded", degraded);
    else if (this.#discrepancies > 0) {
      host.report(
        "degraded",
        `${this.#discrepancies} discrepancies with digests: see the dead letters`,
      );
    } else if (this.#unreadable.size === 0) host.report("running");
  }
}

/** True where the connection broke, not where somebody answered. */
function isBroken(error: unknown): boolean {
  return error instanceof RetryableError && error.cause instanceof Error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
