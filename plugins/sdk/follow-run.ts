// FollowRun: one run of a follower, from start to stop. A loop looks which files there are, reads
// each to its end block by block, and waits until something changes.

import type { ComponentContext } from "./component.ts";
import { Delivery, FollowBatch } from "./follow-batch.ts";
import { describeError } from "./follow-files.ts";
import { FollowedSet } from "./follow-set.ts";
import type { Block, FileStream } from "./follow-stream.ts";
import type { Succession } from "./follow-succession.ts";
import { FolderWatch } from "./follow-wake.ts";
import type { FollowOptions } from "./follow.ts";
import { type Decoded, type Format, NOTHING } from "./format.ts";
import type { Intake, Position } from "./intake.ts";

/** Bytes a read asks for. Between 256 KiB and 1 MiB more gains nothing. */
const BLOCK_BYTES = 512 * 1024;
/** Blocks kept for the next read. */
const BLOCKS_KEPT = 3;
/** How long a rotated file is still looked at: its writer may not have noticed yet. */
const GRACE_MS = 30_000;
/** Time between two looks where nothing tells of changes, and while frames wait for others. */
const POLL_MS = 2000;
const PENDING_MS = 250;
/** Looking may take one hundredth of the time, with however many files. */
const POLL_SHARE = 100;
/** More open files than this are closed as soon as they are read. */
const OPEN_FILES_MAX = 64;

const NO_FORMAT: Format = {
  decode: () => NOTHING,
  flush: () => NOTHING,
  oldestPending: () => undefined,
};

/** Says how the follower is doing: nothing wrong, or what. */
export type OnState = (problem: string | undefined, missing: boolean) => void;

interface Drain {
  scanned: boolean;
  resolve(): void;
  reject(reason: unknown): void;
}

/** See the top of the file. */
export class FollowRun {
  readonly #set: FollowedSet;
  readonly #watch = new FolderWatch();
  readonly #abort = new AbortController();
  readonly #delivery: Delivery;
  readonly #context: ComponentContext;
  readonly #onState: OnState;
  readonly #blocks: Block[] = [];
  readonly #drains: Drain[] = [];
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
    return new Promise((resolve, reject) => {
      this.#drains.push({ scanned: false, resolve, reject });
      this.#watch.poke();
    });
  }

  /** Ends the loop and closes all files; waits for the intake until the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    const reason = new Error("Stopped");
    this.#abort.abort(reason);
    this.#watch.close();
    for (const drain of this.#drains.splice(0)) drain.reject(reason);
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
        for (const path of changes.paths) this.#wake(path);
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

  #wake(path: string): void {
    const stream = this.#set.at(path);
    if (stream !== undefined) stream.ready = true;
  }

  #scanDue(): boolean {
    const passed = performance.now() - this.#lastScan;
    return passed >= Math.max(POLL_MS, this.#scanMs * POLL_SHARE);
  }

  async #scan(): Promise<void> {
    const drains = [...this.#drains];
    const begin = performance.now();
    await this.#set.scan();
    this.#lastScan = performance.now();
    this.#scanMs = this.#lastScan - begin;
    for (const drain of drains) drain.scanned = true;
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
      if (this.#drains.some((drain) => drain.scanned) && this.#atTargets()) return;
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
      const read = await stream.read((bytes) => this.#take(bytes));
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

  #take(bytes: number): Block {
    const at = this.#blocks.findIndex(({ users, buffer }) => users === 0 && buffer.length >= bytes);
    const block = at >= 0
      ? this.#blocks.splice(at, 1)[0]!
      : { buffer: new Uint8Array(Math.max(bytes, BLOCK_BYTES)), users: 0 };
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_KEPT) this.#blocks.shift();
    block.users = 1;
    return block;
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
    const batch = new FollowBatch(NO_FORMAT, "", 0);
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

  #atTargets(): boolean {
    for (const stream of this.#set.streams) {
      if (stream.ready && stream.next < stream.target) return false;
    }
    return true;
  }

  async #finishDrains(): Promise<void> {
    const drains = this.#drains.filter((drain) => drain.scanned);
    if (drains.length === 0 || !this.#atTargets()) return;
    for (const succession of this.#set.successions.values()) {
      for (const stream of succession.streams) {
        if (stream.atEnd) await this.#finishLine(succession, stream);
      }
      await this.#flush(succession, Infinity);
    }
    await this.#delivery.settled();
    for (const drain of drains) {
      this.#drains.splice(this.#drains.indexOf(drain), 1);
      drain.resolve();
    }
  }

  #report(): void {
    if (this.#failure !== undefined) return this.#onState(this.#failure, false);
    const problems = [...this.#set.problems].sort(([, a], [, b]) =>
      Number(a.missing) - Number(b.missing)
    );
    const first = problems[0];
    if (first === undefined) return this.#onState(undefined, false);
    const [path, { reason, missing }] = first;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    this.#onState(`Cannot read "${path}": ${reason}${more}`, missing);
  }
}

/** Waits for a promise, however it ends, but not longer than the deadline. */
async function settledOr(promise: Promise<void>, deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      deadline.removeEventListener("abort", done);
      resolve();
    };
    deadline.addEventListener("abort", done);
    promise.then(done, done);
  });
}
