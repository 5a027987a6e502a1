// The queue: one durable log on disk, written by a pipeline, read by one cursor for each exporter.
// This comment is the specification of format version 1.
//
// Constraints
// - An acknowledged append survives the process and the power: its frame was fdatasynced, and the
//   names on the way to it fsynced. One append is in one frame, with its receiver's position.
// - Sequences number records, from 1, without gaps; a sequence is never given out twice once its
//   record was acknowledged. `stored` in the books is the next sequence minus 1.
// - Damage costs the frame it is in and nothing else. Every frame can be read by itself.
// - Everything inside frames and headers is plain MessagePack: maps, arrays, strings, bins, nil, and
//   numbers (whole numbers beyond 32 bits are float64). No extension types.
// - Integers outside MessagePack are big-endian, unsigned. CRC-32 is zlib's.
//
// Folder
//   lock                      JSON {pid, incarnation, advisory}; see lock.ts
//   <20 digits>.seg           segments; the number grows, and may skip
//   cursors/<name>.a, .b      one checkpoint for each cursor, name percent-encoded; see checkpoint.ts
//   end.a, end.b              checkpoint {next}: a sequence that was reached when the queue was closed
//   quarantine/*.bin          bytes of damaged frames: <segment>-<offset>-<length>.bin
//   *.broken                  files that could not be read, out of the way
//
// Segment: its header twice, one copy behind the other, then frames up to the end of the file.
//   Header   0  8  "CAIRNSEG"
//            8  4  CRC-32 of all that follows in this copy
//           12  4  format version
//           16  4  length of the payload
//           20     payload {codec: "msgpack", base, at, totals, positions}: the sequence of the first
//                  record; when it was begun, ms since the epoch; the books and all receivers'
//                  positions before the first frame
//   Later versions keep the first 20 bytes and what the CRC covers, so that an older Cairn can tell.
//   A segment ends, in sequences, where the next one's base is: frames from there on were taken back.
//
// Frame: what one fdatasync made durable, of all appends that waited for it.
//            0  4  F7 43 52 4E; F7 is never in UTF-8, so record text cannot look like a frame
//            4  4  CRC-32 of all that follows
//            8  4  length of the payload, at most 64 MiB with these 32 bytes
//           12  4  number of records
//           16  8  sequence of the first record, or of the next one to come where there is none
//           24  4  offset of this frame in its segment
//           28  2  flags, 0
//           30  2  low 16 bits of the segment's number
//           32     payload {at, totals, positions, routes, entries}
//   at         when it was written, ms since the epoch
//   totals     [received, filtered, duplicate, rejected] since the queue was made, this frame included
//   positions  [[receiver, JSON text of what changed]…], in order; a null member removes the key
//   routes     [[account, region, category]…]; a fourth member is the one exporter they are for
//   entries    [[id, time in ms, index into routes, bin: the record's JSON text]…]
//
// Recovery reads every header and the newest segment. Bytes behind the last whole frame are torn and
// cut off, unless a cursor or `end` proves that they were acknowledged. Damage before a whole frame
// is corrupt: stepped over to the next whole frame, its bytes copied to quarantine, the sequences
// missing there counted as lost, by recovery in the newest segment and by cursors wherever they read.

import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import type { Position } from "../../plugins/sdk/intake.ts";
import type { Append, Counts } from "./append.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { Condition } from "./condition.ts";
import type { QueueState } from "./condition.ts";
import { CursorFolder } from "./cursor-folder.ts";
import type { Cursor } from "./cursor.ts";
import type { LogState } from "./log-state.ts";
import { openFolder, readEnd, RETRY_MS } from "./open.ts";
import type { Parts, QueueOptions } from "./open.ts";
import { RecordReader } from "./record-reader.ts";
import type { RecoveryReport } from "./recover.ts";
import { type Limits, Retention } from "./retention.ts";
import { Writer } from "./writer.ts";

export type { Append, Counts, Entry } from "./append.ts";
export type { QueueState } from "./condition.ts";
export type { QueueOptions } from "./open.ts";
export type { Dropped } from "./retention.ts";
export type { Quarantined } from "./quarantine.ts";
export type { RecoveryReport } from "./recover.ts";
export { QueueLockedError } from "./lock.ts";
export { QueueVersionError } from "./segment.ts";
export { QueueWriteError } from "./write-error.ts";

/** The options that can change while it is open. */
export type QueueLimits = Pick<
  QueueOptions,
  "bytesMax" | "ageMsMax" | "freeDiskBytesMin" | "overflow"
>;

/** How the queue is doing. */
export interface QueueStats extends QueueState {
  /** Of all segments. */
  readonly bytes: number;
  readonly segments: number;
  /** The oldest record still there; nextSequence where there is none. */
  readonly oldestSequence: number;
  readonly nextSequence: number;
  /** How long the last commit took to reach the disk. */
  readonly lastSyncMs: number;
}

const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
const BYTES_MAX = 1024 * 1024 * 1024;
// How often an idle queue looks for records that are too old: often enough for limits of minutes.
const EXPIRE_MS = 10_000;

/** A durable log of records, open in this process only. */
export class Queue {
  /** What opening it found. */
  readonly recovery: RecoveryReport;
  readonly #unlock: () => Promise<void>;
  readonly #state: LogState;
  readonly #condition: Condition;
  readonly #retention: Retention;
  readonly #writer: Writer;
  readonly #cursors: CursorFolder;
  readonly #end: Checkpoint;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(options: QueueOptions, parts: Parts) {
    const { files, directory, state, quarantine } = parts;
    this.recovery = parts.recovery;
    this.#unlock = parts.unlock;
    this.#state = state;
    this.#end = parts.end;
    const limits = limitsOf(options);
    const condition = this.#condition = new Condition((state) => options.onState?.(state));
    this.#retention = new Retention(parts.segments, {
      files,
      directory,
      limits,
      clock: options.clock,
      condition,
      onDrop: (dropped) => options.onDrop?.(dropped),
      roll: () => this.#writer.roll(),
      keptRecords: options.keptRecords ?? 0,
    });
    this.#cursors = new CursorFolder(
      { files, state, quarantine, retention: this.#retention },
      directory,
      parts.cursors,
      () => this.#writer.wake(),
    );
    this.#writer = new Writer(state, {
      files,
      directory,
      clock: options.clock,
      segmentBytesMax: Math.min(options.segmentBytesMax ?? SEGMENT_BYTES_MAX, limits.bytesMax / 8),
      retryMs: options.retryMs ?? RETRY_MS,
      retention: this.#retention,
      condition,
      onCommit: () => this.#cursors.grew(),
    });
    this.#watchAge(limits);
  }

  /**
   * Opens a queue, making it where there is none. Throws QueueLockedError, QueueVersionError, and
   * what the disk says where it cannot be written; never because of damage.
   */
  static async open(options: QueueOptions): Promise<Queue> {
    const queue = new Queue(options, await openFolder(options));
    // A power failure may have brought back segments that were removed.
    await queue.#retention.reap();
    return queue;
  }

  /**
   * Resolves when the batch is on disk, in the order of the calls, with the sequences it was given
   * (`last` is `first - 1` for no entries). Rejects when it was not taken and will not be there
   * later, so that it may be appended again: QueueWriteError, or the signal's reason. With
   * `overflow: block` it waits for room.
   */
  append(append: Append): Promise<{ first: number; last: number }> {
    return this.#writer.append(append);
  }

  /** A receiver's merged position, as of its last durable append. */
  position(receiver: string): Position | undefined {
    const position = this.#state.positions.get(receiver);
    return position === undefined ? undefined : Object.fromEntries(position);
  }

  /** The books since the queue was made. */
  counts(): Counts {
    const [received, filtered, duplicate, rejected] = this.#state.totals;
    return { received, filtered, duplicate, rejected, stored: this.#state.next - 1 };
  }

  /** The sequence that the next record gets. */
  nextSequence(): number {
    return this.#state.next;
  }

  /** Visits the newest records, oldest of them first; holds no more than a few at a time. */
  async eachRecent(limit: number, visit: (record: StoredRecord) => void): Promise<void> {
    const reader = new RecordReader(this.#cursors.source);
    const end = this.#state.next;
    try {
      for (let next = Math.max(1, end - limit); next < end;) {
        const read = await reader.read(next, { records: end - next, bytes: RECENT_BYTES });
        read.records.forEach(visit);
        next = read.next;
      }
    } finally {
      await reader.close();
    }
  }

  /** The cursor of that name; on first use it begins at the oldest record there is. */
  cursor(name: string): Promise<Cursor> {
    return this.#cursors.cursor(name);
  }

  /** Closes a cursor that keeps its place: asked for again, it is a new one with memory of its own. */
  releaseCursor(name: string): Promise<void> {
    return this.#cursors.release(name);
  }

  /** Other limits from now on; appends that wait for room are looked at again. */
  limit(limits: QueueLimits): void {
    const all = limitsOf(limits);
    this.#retention.limit(all);
    this.#watchAge(all);
    this.#writer.wake();
  }

  /** Names of all cursors, used in this run or not. */
  cursors(): readonly string[] {
    return this.#cursors.names();
  }

  /** Removes the cursors not named: what only they had not read is let go. */
  async retainCursors(names: readonly string[]): Promise<void> {
    for (const name of this.#cursors.names()) {
      if (!names.includes(name)) await this.#cursors.remove(name);
    }
  }

  /** How it is doing now. */
  stats(): QueueStats {
    return {
      bytes: this.#retention.bytes,
      segments: this.#retention.segments.length,
      oldestSequence: this.#retention.segments[0]?.base ?? this.#state.next,
      nextSequence: this.#state.next,
      lastSyncMs: this.#writer.lastSyncMs,
      ...this.#condition.state,
    };
  }

  /** Finishes the appends that have room, rejects the others, and gives the folder back. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writer.close();
    await this.#cursors.close();
    // Only tells torn from corrupt at the next start: a disk that refuses it must not keep us open.
    if (readEnd(this.#end) !== this.#state.next) {
      await this.#end.save({ next: this.#state.next }).catch(() => {});
    }
    await this.#unlock();
  }

  #watchAge({ ageMsMax }: Limits): void {
    clearInterval(this.#timer);
    if (!Number.isFinite(ageMsMax)) return;
    this.#timer = setInterval(() => this.#writer.expire(), EXPIRE_MS);
    if (typeof this.#timer === "object") this.#timer.unref();
  }
}

function limitsOf(limits: QueueLimits): Limits {
  return {
    bytesMax: limits.bytesMax ?? BYTES_MAX,
    ageMsMax: limits.ageMsMax ?? Number.POSITIVE_INFINITY,
    freeDiskBytesMin: limits.freeDiskBytesMin ?? 0,
    overflow: limits.overflow ?? "block",
  };
}

// Read in blocks: a long window does not hold all its records.
const RECENT_BYTES = 1024 * 1024;
