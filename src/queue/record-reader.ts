// Reads stored records in order of sequence, across segments, and says which are missing. A cursor
// has one; it reads only what is durable.

import { unpackFrame } from "./codec.ts";
import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import { errorCode } from "./files.ts";
import type { Files, OpenFile } from "./files.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Damage, FoundFrame } from "./frame-reader.ts";
import type { Quarantine } from "./quarantine.ts";
import { ReadBlocks } from "./read-blocks.ts";
import { closeQuietly } from "./retention.ts";
import type { Retention } from "./retention.ts";
import type { Segment } from "./segment.ts";
import type { LogState } from "./log-state.ts";

/** What a read answers. */
export interface ReadResult {
  /** In order of sequence; never more than the limit, at least one where one is there. */
  readonly records: StoredRecord[];
  /** The first sequence that was not looked at. */
  readonly next: number;
  /** How many sequences before `next` no longer exist. */
  readonly lost: number;
}

/** The parts of an open queue that reading needs. */
export interface Source {
  readonly files: Files;
  readonly retention: Retention;
  readonly state: LogState;
  readonly quarantine: Quarantine;
}

/** What reading alone needs of them. */
export interface RecordSource {
  readonly files: Files;
  readonly retention: Pick<Retention, "segments">;
  readonly state: Pick<LogState, "next">;
  readonly quarantine: Pick<Quarantine, "keep">;
}

type Place = { -readonly [K in keyof ReadResult]: ReadResult[K] } & { bytes: number };

/** One place in the log. Calls must not overlap. */
export class RecordReader {
  readonly #source: RecordSource;
  #segment: Segment | undefined;
  #file: OpenFile | undefined;
  #frames: FrameReader | undefined;
  /** One past the last sequence that the frames read in this segment hold. */
  #reached = 0;
  #damages: Damage[] = [];
  #records: readonly StoredRecord[] = [];
  readonly #blocks = new ReadBlocks();

  constructor(source: RecordSource) {
    this.#source = source;
  }

  /** Reads from a sequence on, up to the limits; a limit may end within a frame. */
  async read(
    from: number,
    limit: { readonly records: number; readonly bytes: number },
    signal?: AbortSignal,
  ): Promise<ReadResult> {
    const place: Place = { records: [], next: from, lost: 0, bytes: 0 };
    const { state, retention } = this.#source;
    while (place.records.length < limit.records) {
      signal?.throwIfAborted();
      if (this.#holds(place.next)) {
        if (!this.#take(place, limit)) break;
        continue;
      }
      if (place.next >= state.next) break;
      const oldest = retention.segments[0]?.base ?? state.next;
      if (place.next < oldest) skipTo(place, oldest);
      else await this.#advance(place);
    }
    return { records: place.records, next: place.next, lost: place.lost };
  }

  /** Takes back the memory of the records before a sequence; see Cursor.release. */
  release(sequence: number): void {
    this.#blocks.release(sequence);
  }

  /** Closes the file it reads. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#segment = undefined;
    this.#frames = undefined;
    this.#records = [];
    await closeQuietly(file);
  }

  #holds(sequence: number): boolean {
    const first = this.#records[0];
    return first !== undefined && sequence >= first.sequence &&
      sequence < first.sequence + this.#records.length;
  }

  /** Takes records at hand; false when a limit is reached. */
  #take(place: Place, limit: { records: number; bytes: number }): boolean {
    let i = place.next - this.#records[0]!.sequence;
    for (; i < this.#records.length && place.records.length < limit.records; i++) {
      const record = this.#records[i]!;
      place.bytes += record.bytes.length;
      if (place.bytes > limit.bytes && place.records.length > 0) return false;
      place.records.push(record);
      place.next = record.sequence + 1;
    }
    // Blocks are large: they are not kept for records that have been handed out.
    if (i === this.#records.length) this.#records = [];
    return true;
  }

  /** Reads one frame further towards the place, or over the end of its segment. */
  async #advance(place: Place): Promise<void> {
    const segment = this.#source.retention.segments.find((each) => place.next < each.end);
    if (segment === undefined) return skipTo(place, this.#source.state.next);
    // Both before the first await: the segment being written grows meanwhile.
    const { bytes, end } = segment;
    if (!await this.#enter(segment, place.next)) {
      if (!segment.gone) skipTo(place, end);
      return;
    }
    const step = await this.#frames!.next(bytes);
    if (step === undefined) {
      await this.#reportDamage(segment, end);
      return skipTo(place, end);
    }
    if (step.kind === "damage") this.#damages.push(step);
    else await this.#unpack(segment, step, place);
  }

  async #unpack(segment: Segment, frame: FoundFrame, place: Place): Promise<void> {
    const { sequence, count, offset, bytes } = frame;
    // A frame that was taken back, or one that does not continue this segment.
    if (sequence + count > segment.end || sequence < this.#reached) return;
    if (count === 0) return;
    const wanted = sequence + count > place.next;
    let records: readonly StoredRecord[] = [];
    if (wanted) {
      try {
        records = unpackFrame(frame.payload, sequence, count).records;
        this.#blocks.hold(sequence + count - 1);
      } catch {
        this.#damages.push({ kind: "damage", offset, bytes });
        return;
      }
    }
    await this.#reportDamage(segment, sequence);
    this.#reached = sequence + count;
    if (!wanted) return;
    this.#records = records;
    if (sequence > place.next) skipTo(place, sequence);
  }

  /** Points the frame reader into the segment; false where its file is not there. */
  async #enter(segment: Segment, next: number): Promise<boolean> {
    if (this.#segment === segment && this.#file !== undefined && next >= this.#reached) return true;
    if (this.#segment !== segment || this.#file === undefined) {
      await this.close();
      try {
        this.#file = await this.#source.files.open(segment.path, "read");
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        return false;
      }
    }
    this.#segment = segment;
    this.#frames = new FrameReader(this.#file, segment.ordinal, segment.start, this.#blocks);
    this.#reached = segment.base;
    this.#damages = [];
    return true;
  }

  /** Keeps the damaged bytes found before a sequence, unless they are only a cut-off end. */
  async #reportDamage(segment: Segment, sequence: number): Promise<void> {
    const damages = this.#damages.splice(0);
    let lost = sequence - this.#reached;
    if (lost === 0 && sequence === segment.end) return;
    for (const { offset, bytes } of damages) {
      await this.#source.quarantine.keep(this.#file!, segment, { offset, bytes, lost });
      lost = 0;
    }
  }
}

function skipTo(place: Place, sequence: number): void {
  place.lost += sequence - place.next;
  place.next = sequence;
}
