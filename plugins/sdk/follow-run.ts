// FollowRun: one run of a follower, from start to stop. A loop looks which files there are, reads
// each to its end block by block, and waits until something changes.

import type { ComponentContext } from "./component.ts";
import { Delivery, FollowBatch, NO_LINES } from "./follow-batch.ts";
import { describeError, errorCode } from "./follow-files.ts";
import { FollowedSet } from "./follow-set.ts";
import { type Block, BLOCK_BYTES, BlockPool } from "./follow-blocks.ts";
import { Drains } from "./follow-drain.ts";
import { type OnState, tellProblem } from "./follow-problem.ts";
import type { FileStream } from "./follow-stream.ts";
import type { Succession } from "./follow-succession.ts";
import { settledOr } from "./follow-wait.ts";
import { FolderWatch } from "./follow-wake.ts";
import type { FollowOptions } from "./follow.ts";
import { type Decoded, NOTHING } from "./format.ts";
import type { Intake, Position } from "./intake.ts";

/** How long a rotated file is still looked at: its writer may not have noticed yet. */
const GRACE_MS = 30_000;
/** Time between two looks where nothing tells of changes, and while frames wait for others. */
const POLL_MS = 2000;
const PENDING_MS = 250;
/** Looking may take one hundredth of the time, with however many files. */
const POLL_SHARE = 100;
/** More open files than this are closed as soon as they are read. */
const OPEN_FILES_MAX = 64;

/** See the top of the file. */
export class FollowRun {
  readonly #set: FollowedSet;
  readonly #watch = new FolderWatch();
  readonly #abort = new AbortController();
  readonly #delivery: Delivery;
  readonly #context: ComponentContext;
  readonly #onState: OnState;
  readonly #blocks = new BlockPool();
  readonly #drains = new Drains();
  readonly #graceMs: number;
  /** At the very first start only: keeps the next one from being the first again. */
  #since: Position | undefined;
  #failure: string | undefined;
  #scanMs = 0;
  #lastScan = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    options: FollowOptions,
    context: ComponentContext,
    intake: Intake,
    onState: OnState,
  ) {
    const limits = { lineBytesMax: options.lineBytesMax, blockBytes: BLOCK_BYTES };
    const { log, clock } = context;
    this.#context = context;
    this.#onState = onState;
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#set = new FollowedSet(options, limits, log, clock, intake.position());
    this.#since = intake.position() === undefined ? { since: clock() } : undefined;
    this.#delivery = new Delivery(intake, this.#abort.signal, (failure) => {
      this.#failure = failure;
      this.#report();
    });
  }

  /** Finds the files and where to begin; all that is written afterwards will be read. */
  async start(): Promise<void> {
    await this.#scan();
    // It may outlive a deadline by the call it is in, and must not leave open what that opened.
    this.#loop = this.#run().catch(() => {}).then(() => this.#close());
  }

  /** Resolves when all that the files held when it was called is durable. */
  drain(): Promise<void> {
    const drained = this.#drains.add();
    this.#watch.poke();
    return drained;
  }

  /** Closes all files; waits for the intake until the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    const reason = new Error("Stopped");
    this.#abort.abort(reason);
    this.#watch.close();
    this.#drains.fail(reason);
    await settledOr(this.#loop, deadline);
    await settledOr(this.#delivery.settled(), deadline);
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const stream of this.#set.streams) await stream.close().catch(() => {});
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let waitMs = 0;
    while (!signal.aborted) {
      const changes = await this.#watch.wait(waitMs);
      if (signal.aborted) return;
      try {
        for (const path of changes.paths) this.#set.wake(path);
        if (changes.names || this.#scanDue()) await this.#scan();
        await this.#readAll();
        const pending = await this.#rest();
        await this.#finishDrains();
        waitMs = pending ? PENDING_MS : POLL_MS;
      } catch (error) {
        if (signal.aborted) return;
        // Nothing known ends up here; whatever it is, the next round tries again.
        this.#context.log.error(`Cannot follow files: ${describeError(error)}`);
        waitMs = POLL_MS;
      }
    }
  }

  #scanDue(): boolean {
    const passed = performance.now() - this.#lastScan;
    return passed >= Math.max(POLL_MS, this.#scanMs * POLL_SHARE);
  }

  async #scan(): Promise<void> {
    const scanned = this.#drains.scanning();
    const begin = performance.now();
    await this.#set.scan();
    this.#lastScan = performance.now();
    this.#scanMs = this.#lastScan - begin;
    scanned();
    const anew = [...this.#set.problems.keys()].map((path) => path.slice(0, path.lastIndexOf("/")));
    this.#watch.watch(this.#set.folders(), new Set(anew));
    this.#report();
  }

  /** Reads block by block, file by file, until none has more. */
  async #readAll(): Promise<void> {
    for (let busy = true; busy && !this.#abort.signal.aborted;) {
      busy = false;
      for (const succession of this.#set.successions.values()) {
        if (await this.#advance(succession)) busy = true;
      }
      if (this.#scanDue()) await this.#scan();
      if (this.#drains.due && this.#set.isReadToTargets()) return;
    }
  }

  /** Reads one block of the oldest stream that has one. */
  async #advance(succession: Succession): Promise<boolean> {
    for (const stream of [...succession.streams]) {
      if (stream.ready && await this.#readBlock(succession, stream)) return true;
    }
    return false;
  }

  async #readBlock(succession: Succession, stream: FileStream): Promise<boolean> {
    try {
      const read = await stream.read((bytes) => this.#blocks.take(bytes));
      if (read.state === "bytes") {
        if (await this.#set.findCopies(succession, stream)) {
          read.block.users--;
          stream.rewind();
          return true;
        }
        stream.atEnd = read.last;
        stream.ready = !read.last;
        stream.grownAt = this.#context.clock();
        await this.#decode(succession, stream, read.block, read.bytes);
        return true;
      }
      stream.ready = false;
      stream.atEnd = read.state === "end";
      if (read.state === "end") await this.#spareHandle(stream);
      if (read.state === "renewed") await this.#renew(succession, stream);
      return read.state === "renewed";
    } catch (error) {
      if (this.#abort.signal.aborted) throw error;
      stream.ready = false;
      await stream.close().catch(() => {});
      // Renamed since the last scan: the next one finds it.
      if (errorCode(error) === "ENOENT") return false;
      this.#set.problems.set(stream.location, { reason: describeError(error), missing: false });
      this.#report();
      return false;
    }
  }

  async #spareHandle(stream: FileStream): Promise<void> {
    let open = 0;
    for (const other of this.#set.streams) if (other.isOpen) open++;
    if (open > OPEN_FILES_MAX) await stream.close();
  }

  async #renew(succession: Succession, stream: FileStream): Promise<void> {
    await this.#set.renew(succession, stream);
    // The rest of its last line is in the copy, or nowhere.
    const isCopied = succession.streams.some((other) => other.source === stream.source);
    if (!isCopied) await this.#finishLine(succession, stream);
  }

  async #decode(
    succession: Succession,
    stream: FileStream,
    block: Block,
    bytes: Uint8Array,
  ): Promise<void> {
    const base = stream.next - bytes.length;
    let at = 0;
    for (let full = true; full;) {
      const batch = new FollowBatch(succession.format, stream.source, stream.time, block);
      at = stream.lines.split(bytes, at, base, batch);
      stream.done = base + at;
      full = batch.isFull;
      await this.#send(succession, batch);
    }
    stream.carry = bytes.slice(at);
    block.users--;
  }

  /** Sends a batch, with all positions that moved; nothing when nothing did. */
  async #send(succession: Succession, batch: FollowBatch): Promise<void> {
    batch.position = succession.position();
    if (this.#since !== undefined) {
      batch.position = { ...this.#since, ...batch.position };
      this.#since = undefined;
    }
    if (batch.size > 0 || batch.position !== undefined) await this.#delivery.send(batch);
  }

  /** What is done when all is read: waiting groups, files that were rotated away, positions. */
  async #rest(): Promise<boolean> {
    const now = this.#context.clock();
    let pending = false;
    if (this.#set.successions.size === 0 && this.#since !== undefined) await this.#sendSince();
    for (const succession of this.#set.successions.values()) {
      for (const stream of [...succession.streams]) await this.#retire(succession, stream, now);
      await this.#flush(succession, now);
      if (succession.format.oldestPending() !== undefined) pending = true;
    }
    return pending;
  }

  /** There is no file yet: those that come while the agent is down will be new. */
  async #sendSince(): Promise<void> {
    const batch = new FollowBatch(NO_LINES, "", 0);
    batch.position = this.#since;
    this.#since = undefined;
    await this.#delivery.send(batch);
  }

  async #retire(succession: Succession, stream: FileStream, now: number): Promise<void> {
    const rotated = stream.unlinked || succession.streams.at(-1) !== stream;
    if (!rotated || !stream.atEnd || stream.ready || now - stream.grownAt < this.#graceMs) return;
    await this.#finishLine(succession, stream);
    if (succession.format.oldestPending()?.source === stream.source) return;
    if (this.#set.isFound(stream)) await stream.close();
    else await this.#set.remove(succession, stream);
  }

  /** Hands out a last line without a line end. */
  async #finishLine(succession: Succession, stream: FileStream): Promise<void> {
    if (stream.carry.length === 0) return;
    const batch = new FollowBatch(succession.format, stream.source, stream.time);
    stream.lines.finish(stream.carry, stream.done, batch);
    stream.done = stream.next;
    stream.carry = new Uint8Array(0);
    await this.#send(succession, batch);
  }

  async #flush(succession: Succession, nowMs: number): Promise<void> {
    const batch = new FollowBatch(succession.format, "", nowMs);
    let decoded: Decoded = NOTHING;
    try {
      decoded = succession.format.flush(nowMs);
    } catch (error) {
      this.#context.log.error(`Cannot flush format: ${describeError(error)}`);
    }
    batch.take(decoded);
    await this.#send(succession, batch);
  }

  async #finishDrains(): Promise<void> {
    if (!this.#drains.due || !this.#set.isReadToTargets()) return;
    const finished = this.#drains.take();
    for (const succession of this.#set.successions.values()) {
      for (const stream of succession.streams) {
        if (stream.atEnd) await this.#finishLine(succession, stream);
      }
      await this.#flush(succession, Infinity);
    }
    await this.#delivery.settled();
    finished();
  }

  #report(): void {
    if (this.#failure !== undefined) return this.#onState(this.#failure, false);
    tellProblem(this.#set.problems, this.#onState);
  }
}
