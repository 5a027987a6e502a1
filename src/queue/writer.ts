// The way into the queue: appends that arrive while a commit is under way are packed into the next
// frame together, written, and made durable by one fdatasync. Order is kept.

import type { Position } from "../../plugins/sdk/intake.ts";
import type { Json } from "../../plugins/sdk/json.ts";
import { FramePacker } from "./codec.ts";
import type { PositionText, Totals } from "./codec.ts";
import { errorCode, errorText } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import { FRAME_BYTES_MAX, sealFrame } from "./frame.ts";
import type { Append } from "./queue.ts";
import { closeQuietly } from "./retention.ts";
import type { Retention } from "./retention.ts";
import { createSegment } from "./segment.ts";

/** A batch was not taken; the caller keeps it and may append it again. */
export class QueueWriteError extends Error {
  override readonly name = "QueueWriteError";
  readonly code: "CAIRN_QUEUE_WRITE" | "CAIRN_QUEUE_FULL" | "CAIRN_QUEUE_CLOSED";
  constructor(
    message: string,
    code: "CAIRN_QUEUE_WRITE" | "CAIRN_QUEUE_FULL" | "CAIRN_QUEUE_CLOSED",
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
  }
}

/** What the frames on disk add up to. */
export interface LogState {
  next: number;
  totals: Totals;
  readonly positions: Map<string, Map<string, Json>>;
  /** Greatest number that a segment has, or had. */
  ordinal: number;
}

export interface WriterOptions {
  readonly files: Files;
  readonly directory: string;
  readonly clock: () => number;
  readonly segmentBytesMax: number;
  /** How long to wait before a full or failing disk is tried again. */
  readonly retryMs: number;
  readonly retention: Retention;
  /** Called when records have become readable. */
  readonly onCommit: () => void;
}

interface Waiting {
  readonly append: Append;
  readonly position: PositionText | undefined;
  readonly bytes: number;
  readonly resolve: (range: { first: number; last: number }) => void;
  readonly reject: (error: unknown) => void;
  readonly abort: (() => void) | undefined;
}

// A commit takes what waits up to this much: enough to make its fdatasync cheap.
const COMMIT_BYTES = 1024 * 1024;
// MessagePack around an entry's bytes: id, time, lengths; and around all entries of a frame.
const ENTRY_BYTES = 96;
const NOTE_BYTES = 1024;

const DISK_FULL = new Set(["ENOSPC", "EDQUOT"]);

/** One queue's writer. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #state: LogState;
  readonly #packer = new FramePacker();
  readonly #commitBytes: number;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closing = false;
  #file: OpenFile | undefined;
  /** Whether the last segment may hold a frame that was not acknowledged, and no later one does. */
  #uncertain = false;
  #wake: () => void = () => {};
  /** Whether appends wait for room or for the disk. */
  blocked = false;
  lastSyncMs = 0;
  /** What the disk last refused, until it worked again. */
  problem: string | undefined;

  constructor(state: LogState, options: WriterOptions) {
    this.#state = state;
    this.#options = options;
    this.#commitBytes = Math.min(COMMIT_BYTES, options.segmentBytesMax);
  }

  /** See Queue.append. */
  append(append: Append): Promise<{ first: number; last: number }> {
    const { signal } = append;
    return new Promise((resolve, reject) => {
      if (this.#closing) throw closedError();
      signal?.throwIfAborted();
      const position = positionText(append);
      let bytes = NOTE_BYTES + (position === undefined ? 0 : 3 * position[1].length);
      for (const entry of append.entries) {
        bytes += entry.bytes.length + 3 * entry.id.length + ENTRY_BYTES;
      }
      if (bytes > FRAME_BYTES_MAX) throw tooLarge(bytes, FRAME_BYTES_MAX);
      const abort = signal === undefined ? undefined : () => this.#abort(waiting);
      const waiting: Waiting = { append, position, bytes, resolve, reject, abort };
      if (abort !== undefined) signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiting);
      this.#running ??= this.#run();
    });
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
      positions: [...this.#state.positions].map(([receiver, position]) => [
        receiver,
        JSON.stringify(Object.fromEntries(position)),
      ]),
    });
    this.#file = file;
    this.#uncertain = false;
    retention.add(segment);
  }

  #abort(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    // Not there: its commit is under way and can no longer be called off.
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    waiting.reject(waiting.append.signal?.reason);
    this.#wake();
  }

  async #run(): Promise<void> {
    // The rest of the current turn may bring more appends: they share the first commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      try {
        await this.#commitNext();
      } catch (error) {
        // Only a defect comes here; the batches concerned must hear of it all the same.
        for (const waiting of this.#waiting.splice(0)) settle(waiting).reject(error);
      }
    }
    this.#running = undefined;
  }

  async #commitNext(): Promise<void> {
    const { retention } = this.#options;
    const room = await retention.makeRoom(this.#group().bytes).catch((error) => {
      this.problem = errorText(error);
      return "wait" as const;
    });
    if (room === "wait") return await this.#pause();
    const { group, bytes } = this.#group();
    if (group.length === 0) return;
    this.#waiting.splice(0, group.length);
    if (room === "full") {
      const error = tooLarge(bytes, undefined);
      for (const waiting of group) settle(waiting).reject(error);
      return;
    }
    try {
      await this.#commit(group, bytes);
      this.blocked = false;
      this.problem = undefined;
    } catch (error) {
      await this.#failed(group, error);
    }
  }

  /** The appends that the next commit takes. */
  #group(): { group: Waiting[]; bytes: number } {
    let bytes = 0;
    let length = 0;
    while (length < this.#waiting.length) {
      const more = this.#waiting[length]!.bytes;
      if (length > 0 && bytes + more > this.#commitBytes) break;
      bytes += more;
      length++;
    }
    return { group: this.#waiting.slice(0, length), bytes };
  }

  async #commit(group: readonly Waiting[], bytes: number): Promise<void> {
    const { retention, segmentBytesMax, clock } = this.#options;
    const last = retention.last;
    const begun = last !== undefined && last.bytes > last.start;
    if (this.#file === undefined || (begun && last.bytes + bytes > segmentBytesMax)) {
      await this.roll();
    }
    const segment = retention.last!;
    const file = this.#file!;
    const first = this.#state.next;
    const batches = group.map((waiting) => waiting.append.entries);
    const count = batches.reduce((sum, batch) => sum + batch.length, 0);
    const totals = addTotals(this.#state.totals, group);
    const positions = group.flatMap((waiting) =>
      waiting.position === undefined ? [] : [waiting.position]
    );
    const at = clock();
    const frame = this.#packer.pack({ at, totals, positions }, batches, bytes);
    sealFrame(frame, { sequence: first, count, offset: segment.bytes, ordinal: segment.ordinal });
    const begin = performance.now();
    try {
      await file.write(frame, segment.bytes);
    } catch (error) {
      await this.#takeBack(file, segment.bytes);
      throw error;
    }
    try {
      await file.datasync();
    } catch (error) {
      // What the page cache now says about the file proves nothing: this segment is done with.
      this.#file = undefined;
      this.#uncertain = true;
      await file.truncate(segment.bytes).catch(() => {});
      await closeQuietly(file);
      throw error;
    }
    this.lastSyncMs = performance.now() - begin;
    segment.bytes += frame.length;
    segment.end = first + count;
    segment.at = at;
    retention.grew(frame.length);
    this.#state.next = first + count;
    this.#state.totals = totals;
    for (const waiting of group) mergePosition(this.#state.positions, waiting.position);
    this.#acknowledge(group, first);
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
    this.problem = errorText(error);
    while (this.#uncertain && !this.#closing) {
      try {
        await this.roll();
      } catch (rollError) {
        this.problem = errorText(rollError);
        if (!DISK_FULL.has(errorCode(rollError) ?? "")) {
          await this.#pause();
        } else if (await this.#options.retention.free("disk_full").catch(() => "wait") !== "ok") {
          await this.#pause();
        }
      }
    }
    if (DISK_FULL.has(errorCode(error) ?? "") && !this.#closing) {
      const freed = await this.#options.retention.free("disk_full").catch(() => "wait" as const);
      if (freed !== "full") {
        this.#waiting.unshift(...group);
        if (freed === "wait") await this.#pause();
        return;
      }
    }
    const failure = new QueueWriteError(
      `Cannot append to queue "${this.#options.directory}": ${errorText(error)}`,
      "CAIRN_QUEUE_WRITE",
      { cause: error },
    );
    for (const waiting of group) settle(waiting).reject(failure);
  }

  /** Drops what has become too old, also while nothing is appended. */
  expire(): void {
    if (this.#closing) return;
    this.#running ??= this.#options.retention.expire().then(() => this.#run());
  }

  /** Waits for room, for a while, or for close; rejects what waits when the queue closes. */
  async #pause(): Promise<void> {
    this.blocked = true;
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
    for (const waiting of this.#waiting.splice(0)) settle(waiting).reject(closedError());
  }
}

/** Takes the listener off, so that a long-lived signal does not gather them. */
function settle(waiting: Waiting): Waiting {
  if (waiting.abort !== undefined) {
    waiting.append.signal?.removeEventListener("abort", waiting.abort);
  }
  return waiting;
}

function positionText({ receiver, position }: Append): PositionText | undefined {
  if (position === undefined) return undefined;
  if (receiver === undefined) throw new TypeError("Cannot append a position: no receiver is named");
  return [receiver, JSON.stringify(position)];
}

/** Merges a position delta by top-level key; null removes. */
export function mergePosition(
  positions: Map<string, Map<string, Json>>,
  text: PositionText | undefined,
): void {
  if (text === undefined) return;
  const delta: Position = JSON.parse(text[1]);
  let position = positions.get(text[0]);
  if (position === undefined) positions.set(text[0], position = new Map());
  for (const [key, value] of Object.entries(delta)) {
    if (value === null || value === undefined) position.delete(key);
    else position.set(key, value);
  }
}

function addTotals(totals: Totals, group: readonly Waiting[]): Totals {
  let [received, filtered, duplicate, rejected] = totals;
  for (const { append: { counts } } of group) {
    if (counts === undefined) continue;
    received += counts.received ?? 0;
    filtered += counts.filtered ?? 0;
    duplicate += counts.duplicate ?? 0;
    rejected += counts.rejected ?? 0;
  }
  return [received, filtered, duplicate, rejected];
}

function closedError(): QueueWriteError {
  return new QueueWriteError("Cannot append to queue: closed", "CAIRN_QUEUE_CLOSED");
}

function tooLarge(bytes: number, limit: number | undefined): QueueWriteError {
  const problem = limit === undefined
    ? "does not fit into max_bytes and min_free_disk, with nothing left to drop"
    : `is larger than a frame's ${limit} bytes; append fewer records at once`;
  return new QueueWriteError(
    `Cannot append to queue: batch of ${bytes} bytes ${problem}`,
    "CAIRN_QUEUE_FULL",
  );
}
