// The way into the queue: appends that arrive while a commit is under way are packed into the next
// frame together, written, and made durable by one fdatasync. Order is kept.

import type { Append } from "./append.ts";
import { FramePacker } from "./codec.ts";
import type { Condition } from "./condition.ts";
import { errorCode } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import { sealFrame } from "./frame.ts";
import { addTotals, mergePosition, positionTexts } from "./log-state.ts";
import type { LogState } from "./log-state.ts";
import { closeQuietly } from "./retention.ts";
import type { Retention } from "./retention.ts";
import { createSegment } from "./segment.ts";
import { rejectAll, settle, WaitingList } from "./waiting.ts";
import type { Waiting } from "./waiting.ts";
import { closedError, QueueWriteError, tooLarge, writeProblem } from "./write-error.ts";

/** What a writer needs of its queue. */
export interface WriterOptions {
  readonly files: Files;
  readonly directory: string;
  readonly clock: () => number;
  readonly segmentBytesMax: number;
  /** How long to wait before a full or failing disk is tried again. */
  readonly retryMs: number;
  readonly retention: Retention;
  readonly condition: Condition;
  /** Called when records have become readable. */
  readonly onCommit: () => void;
}

// A commit takes what waits up to this much: enough to make its fdatasync cheap.
const COMMIT_BYTES = 1024 * 1024;
const DISK_FULL = new Set(["ENOSPC", "EDQUOT"]);

/** One queue's writer. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #state: LogState;
  readonly #packer = new FramePacker();
  readonly #commitBytes: number;
  readonly #waiting = new WaitingList(() => this.#wake());
  #running: Promise<void> | undefined;
  #closing = false;
  #file: OpenFile | undefined;
  /** Whether the last segment may hold a frame that was not acknowledged, and no later one does. */
  #uncertain = false;
  #wake: () => void = () => {};
  lastSyncMs = 0;

  constructor(state: LogState, options: WriterOptions) {
    this.#state = state;
    this.#options = options;
    this.#commitBytes = Math.min(COMMIT_BYTES, options.segmentBytesMax);
  }

  /** See Queue.append. */
  append(append: Append): Promise<{ first: number; last: number }> {
    if (this.#closing) return Promise.reject(closedError());
    const appended = this.#waiting.add(append);
    this.#running ??= this.#run();
    return appended;
  }

  /** Tells that there may be room now. */
  wake(): void {
    this.#wake();
  }

  /** Finishes the commits that have room; rejects the rest. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await this.#running;
    await closeQuietly(this.#file);
    this.#file = undefined;
  }

  /** Ends the segment: the next commit begins another one, which exists when this resolves. */
  async roll(): Promise<void> {
    const { files, directory, clock, retention } = this.#options;
    const { next, totals } = this.#state;
    const old = this.#file;
    // Also when this fails: the new segment may appear after a crash, and supersede what the old one
    // was given after this moment.
    this.#file = undefined;
    await closeQuietly(old);
    const { file, segment } = await createSegment(files, directory, ++this.#state.ordinal, {
      base: next,
      at: clock(),
      totals,
      positions: positionTexts(this.#state),
    });
    this.#file = file;
    this.#uncertain = false;
    retention.add(segment);
  }

  async #run(): Promise<void> {
    // The rest of the current turn may bring more appends: they share the first commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      try {
        await this.#commitNext();
      } catch (error) {
        // Only a defect comes here; the batches concerned must hear of it all the same.
        rejectAll(this.#waiting.take(this.#waiting.length), error);
      }
    }
    // Those that waited may have left.
    this.#options.condition.released();
    this.#running = undefined;
  }

  async #commitNext(): Promise<void> {
    const { retention, condition } = this.#options;
    const wanted = this.#waiting.measure(this.#commitBytes);
    const room = await retention.makeRoom(wanted.bytes).catch((error) => {
      condition.set("write", writeProblem(error));
      return "wait" as const;
    });
    if (room === "wait") return await this.#pause();
    // Some may have left meanwhile, and others come.
    const { count, bytes } = this.#waiting.measure(Math.max(wanted.bytes, 1));
    const group = this.#waiting.take(count);
    if (group.length === 0) return;
    if (room === "full") return rejectAll(group, tooLarge(bytes, undefined));
    try {
      await this.#commit(group, bytes);
    } catch (error) {
      await this.#failed(group, error);
    }
  }

  async #commit(group: readonly Waiting[], bytes: number): Promise<void> {
    const { retention, segmentBytesMax, clock } = this.#options;
    const first = this.#state.next;
    const batches = group.map((waiting) => waiting.append.entries);
    const count = batches.reduce((sum, batch) => sum + batch.length, 0);
    const totals = addTotals(this.#state.totals, group.map((waiting) => waiting.append));
    const positions = group.flatMap((waiting) =>
      waiting.position === undefined ? [] : [waiting.position]
    );
    const at = clock();
    const frame = this.#packer.pack({ at, totals, positions }, batches, bytes);
    const last = retention.last;
    const begun = last !== undefined && last.bytes > last.start;
    const isFull = begun && last.bytes + frame.length > segmentBytesMax;
    // What is written to a file that somebody deleted is lost when it is closed.
    if (this.#file === undefined || isFull || !await this.#file.hasName()) await this.roll();
    const segment = retention.last!;
    sealFrame(frame, { sequence: first, count, offset: segment.bytes, ordinal: segment.ordinal });
    await this.#write(frame, segment.bytes);
    segment.bytes += frame.length;
    segment.end = first + count;
    segment.at = at;
    retention.grew(frame.length);
    this.#state.next = first + count;
    this.#state.totals = totals;
    for (const waiting of group) mergePosition(this.#state.positions, waiting.position);
    this.#options.condition.committed();
    this.#acknowledge(group, first);
  }

  /** Puts a frame on the disk; after a rejection none of it counts, unless `#uncertain` says so. */
  async #write(frame: Uint8Array, position: number): Promise<void> {
    const file = this.#file!;
    const begin = performance.now();
    try {
      await file.write(frame, position);
    } catch (error) {
      await this.#takeBack(file, position);
      throw error;
    }
    try {
      await file.datasync();
    } catch (error) {
      // What the page cache now says about the file proves nothing: this segment is done with.
      this.#file = undefined;
      this.#uncertain = true;
      await file.truncate(position).catch(() => {});
      await closeQuietly(file);
      throw error;
    }
    this.lastSyncMs = performance.now() - begin;
  }

  #acknowledge(group: readonly Waiting[], first: number): void {
    let next = first;
    for (const waiting of group) {
      const begin = next;
      next += waiting.append.entries.length;
      settle(waiting).resolve({ first: begin, last: next - 1 });
    }
    this.#options.onCommit();
  }

  /** Cuts a partial write off; where that fails too, the segment is done with. */
  async #takeBack(file: OpenFile, length: number): Promise<void> {
    try {
      await file.truncate(length);
      await file.datasync();
    } catch {
      this.#file = undefined;
      this.#uncertain = true;
      await closeQuietly(file);
    }
  }

  /**
   * After a failed commit. Nothing may be rejected, and so perhaps come again, before it is certain
   * that the failed frame will not be read: it was cut off durably, or a later segment that begins
   * with the same sequence supersedes it.
   */
  async #failed(group: readonly Waiting[], error: unknown): Promise<void> {
    const { condition, directory, retention } = this.#options;
    condition.set("write", writeProblem(error));
    while (this.#uncertain && !this.#closing) {
      try {
        await this.roll();
      } catch (rollError) {
        condition.set("write", writeProblem(rollError));
        if (!DISK_FULL.has(errorCode(rollError) ?? "")) {
          await this.#pause();
        } else if (await retention.free("disk_full").catch(() => "wait") !== "ok") {
          await this.#pause();
        }
      }
    }
    if (DISK_FULL.has(errorCode(error) ?? "") && !this.#closing) {
      const freed = await retention.free("disk_full").catch(() => "wait" as const);
      if (freed !== "full") {
        this.#waiting.putBack(group);
        if (freed === "wait") await this.#pause();
        return;
      }
    }
    const failure = new QueueWriteError(
      `Cannot append to queue "${directory}": ${writeProblem(error)}`,
      "CAIRN_QUEUE_WRITE",
      { cause: error },
    );
    rejectAll(group, failure);
  }

  /** Drops what has become too old, also while nothing is appended. */
  expire(): void {
    if (this.#closing) return;
    this.#running ??= this.#options.retention.expire().then(() => this.#run());
  }

  /** Waits for room, for a while, or for close; rejects what waits when the queue closes. */
  async #pause(): Promise<void> {
    this.#options.condition.blocked();
    if (!this.#closing) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#options.retryMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => {};
    }
    if (!this.#closing) return;
    rejectAll(this.#waiting.take(this.#waiting.length), closedError());
  }
}
