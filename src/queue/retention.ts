// Which segments stay: those that a cursor still needs, as far as the limits allow. The writer asks
// for room before each commit, cursors tell when they have moved.

import { readableSize } from "../../plugins/sdk/wording.ts";
import type { Condition } from "./condition.ts";
import { errorCode, errorText } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import type { Segment } from "./segment.ts";

/** Why records were dropped before every exporter had them. */
export type DropReason = "max_bytes" | "min_free_disk" | "max_age" | "disk_full";

/** Records that were dropped, or for count 0 would have been. */
export interface Dropped {
  readonly first: number;
  readonly last: number;
  /** Records that at least one cursor had not passed. */
  readonly count: number;
  readonly reason: DropReason;
  /** Names of the cursors that had not passed them. */
  readonly exporters: readonly string[];
}

/** The limits, as configured. */
export interface Limits {
  readonly bytesMax: number;
  readonly ageMsMax: number;
  readonly freeDiskBytesMin: number;
  readonly overflow: "block" | "drop_oldest";
}

/** What retention needs of its queue. */
export interface RetentionOptions {
  readonly files: Files;
  readonly directory: string;
  readonly limits: Limits;
  readonly clock: () => number;
  readonly condition: Condition;
  readonly onDrop: (dropped: Dropped) => void;
  /** Begins a new segment, so that the last one can go. */
  readonly roll: () => Promise<void>;
  /** Records that stay after every cursor has passed them, where there is room. */
  readonly keptRecords: number;
}

// Free space is asked for again after this much was written: a call for each commit is too dear.
const FREE_CHECK_BYTES = 8 * 1024 * 1024;
// What is kept takes no more than this, or an eighth of `bytesMax`: as a segment, which stays anyway.
const KEPT_BYTES_MAX = 64 * 1024 * 1024;
// Each start begins a segment, and opening a queue looks at each of them.
const KEPT_SEGMENTS_MAX = 64;

/** The segments of an open queue, oldest first; the last one is never removed. */
export class Retention {
  readonly segments: Segment[];
  /** Each cursor's position. */
  readonly positions = new Map<string, number>();
  readonly #options: RetentionOptions;
  #limits: Limits;
  #bytes: number;
  #uncheckedBytes = Number.POSITIVE_INFINITY;
  #removing: Promise<void> = Promise.resolve();

  constructor(segments: readonly Segment[], options: RetentionOptions) {
    this.segments = [...segments];
    this.#options = options;
    this.#limits = options.limits;
    this.#bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Other limits from now on; the writer is to be woken. */
  limit(limits: Limits): void {
    this.#limits = limits;
    this.#uncheckedBytes = Number.POSITIVE_INFINITY;
  }

  /** The segment written to, or the last one written to. */
  get last(): Segment | undefined {
    return this.segments[this.segments.length - 1];
  }

  /** Adds a new last segment. */
  add(segment: Segment): void {
    this.segments.push(segment);
    this.#bytes += segment.bytes;
  }

  /** Notes that the last segment grew. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    this.#uncheckedBytes += bytes;
  }

  /** The first sequence that some cursor still needs. */
  get floor(): number {
    let floor = Number.POSITIVE_INFINITY;
    for (const position of this.positions.values()) floor = Math.min(floor, position);
    return Number.isFinite(floor) ? floor : 0;
  }

  /** Removes the segments that every cursor has passed, but for those to be kept. Never rejects. */
  async reap(): Promise<void> {
    while (this.#isPassed() && this.#isSpare()) {
      if (!await this.#removeOldest(undefined)) return;
    }
  }

  /** The oldest segment may go: another one follows, and every cursor has passed it. */
  #isPassed(): boolean {
    return this.segments.length > 1 && this.segments[0]!.end <= this.floor;
  }

  /** The others hold what is to be kept, or as much as may be. */
  #isSpare(): boolean {
    const [oldest, next] = this.segments;
    const records = this.last!.end - next!.base;
    const bytes = this.#bytes - oldest!.bytes;
    return records >= this.#options.keptRecords ||
      bytes >= Math.min(KEPT_BYTES_MAX, this.#limits.bytesMax / 8) ||
      this.segments.length > KEPT_SEGMENTS_MAX;
  }

  /** Removes the segments whose newest record is older than the limit. Never rejects. */
  async expire(): Promise<void> {
    const oldest = this.#options.clock() - this.#limits.ageMsMax;
    const last = this.last;
    if (last !== undefined && last.at < oldest && last.bytes > last.start) {
      try {
        await this.#options.roll();
      } catch (error) {
        this.#options.condition.set("write", errorText(error));
      }
    }
    while (this.segments.length > 1 && this.segments[0]!.at < oldest) {
      if (!await this.#removeOldest("max_age")) return;
    }
  }

  /**
   * Makes room for a commit. `wait`: there will be room when a cursor has moved or the disk has space
   * again; `full`: there will not be, for these bytes and this policy.
   */
  async makeRoom(bytes: number): Promise<"ok" | "wait" | "full"> {
    await this.expire();
    for (;;) {
      const reason = await this.#over(bytes);
      if (reason === undefined) return "ok";
      await this.reap();
      if (await this.#over(bytes) === undefined) return "ok";
      const freed = await this.free(reason);
      if (freed === "wait") this.#options.condition.set("room", this.#shortage(reason));
      if (freed !== "ok") return freed;
    }
  }

  /** Frees one segment for a commit, as far as the policy and the cursors allow. */
  async free(reason: DropReason): Promise<"ok" | "wait" | "full"> {
    const { overflow } = this.#limits;
    if (this.#isPassed()) return await this.#removeOldest(undefined) ? "ok" : "wait";
    if (this.segments.length > 1) {
      if (overflow === "block") return "wait";
      return await this.#removeOldest(reason) ? "ok" : "wait";
    }
    const last = this.last;
    if (last === undefined || last.bytes === last.start) {
      return overflow === "block" && reason !== "max_bytes" ? "wait" : "full";
    }
    if (overflow === "block" && this.floor < last.end) return "wait";
    await this.#options.roll();
    return "ok";
  }

  async #over(bytes: number): Promise<DropReason | undefined> {
    const limits = this.#limits;
    if (this.#bytes + bytes > limits.bytesMax) return "max_bytes";
    if (limits.freeDiskBytesMin === 0 || this.#uncheckedBytes + bytes < FREE_CHECK_BYTES) {
      return undefined;
    }
    const free = await this.#freeBytes();
    if (free !== undefined && free - bytes < limits.freeDiskBytesMin) return "min_free_disk";
    this.#uncheckedBytes = 0;
    return undefined;
  }

  /** Free space, or undefined where nobody can tell: that is no reason to let records wait. */
  async #freeBytes(): Promise<number | undefined> {
    const { files, directory, condition } = this.#options;
    try {
      const free = await files.freeBytes(directory);
      condition.set("measure", undefined);
      return free;
    } catch (error) {
      const problem = `Cannot read the free disk space of "${directory}": ${errorText(error)}`;
      condition.set("measure", `${problem}; going on without the limit min_free_disk`);
      return undefined;
    }
  }

  #shortage(reason: DropReason): string {
    const { directory } = this.#options;
    const limits = this.#limits;
    return reason === "max_bytes"
      ? `Queue "${directory}" is full: max_bytes is ${
        readableSize(limits.bytesMax)
      }, its exporters lag behind`
      : `Disk of queue "${directory}" is full: min_free_disk is ${
        readableSize(limits.freeDiskBytesMin)
      }`;
  }

  /** Removes the oldest segment; one after the other, so that no gap can be left by a crash. */
  async #removeOldest(reason: DropReason | undefined): Promise<boolean> {
    const oldest = this.segments[0];
    const before = this.#removing;
    let done = () => {};
    this.#removing = new Promise((resolve) => done = resolve);
    await before;
    try {
      // Another caller may have removed it while this one waited.
      return oldest !== this.segments[0] || await this.#remove(reason);
    } finally {
      done();
    }
  }

  async #remove(reason: DropReason | undefined): Promise<boolean> {
    const segment = this.segments[0];
    if (segment === undefined) return false;
    const { files, directory, condition } = this.#options;
    try {
      await files.remove(segment.path).catch((error) => {
        if (errorCode(error) !== "ENOENT") throw error;
      });
      await files.syncFolder(directory);
      condition.set("remove", undefined);
    } catch (error) {
      condition.set("remove", `Cannot remove segment "${segment.path}": ${errorText(error)}`);
      return false;
    }
    segment.gone = true;
    this.segments.shift();
    this.#bytes -= segment.bytes;
    if (reason !== undefined) this.#reportDrop(segment, reason);
    return true;
  }

  #reportDrop(segment: Segment, reason: DropReason): void {
    const exporters = [...this.positions].filter(([, position]) => position < segment.end);
    const first = Math.max(segment.base, this.floor);
    const count = Math.max(0, segment.end - first);
    if (count === 0) return;
    this.#options.onDrop({
      first,
      last: segment.end - 1,
      count,
      reason,
      exporters: exporters.map(([name]) => name),
    });
  }
}

/** Closes a file whose content no longer matters. */
export async function closeQuietly(file: OpenFile | undefined): Promise<void> {
  await file?.close().catch(() => {});
}
