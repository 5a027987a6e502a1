// Reads one segment whole: what its frames say apart from their records, and what is damaged.

import { unpackNote } from "./codec.ts";
import type { FrameNote } from "./codec.ts";
import type { OpenFile } from "./files.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Damage, FoundFrame } from "./frame-reader.ts";
import type { FoundHeader } from "./segment.ts";

/** A segment's file as it was found. */
export interface Candidate {
  readonly ordinal: number;
  readonly path: string;
  readonly size: number;
  /** Undefined where neither copy of its header can be read. */
  readonly found: FoundHeader | undefined;
}

/** What a whole segment holds. */
export interface Scan {
  readonly frames: readonly (FrameNote & { readonly sequence: number; readonly end: number })[];
  /** Damage, with the records it cost. */
  readonly damages: readonly (Damage & { readonly lost: number })[];
  readonly base: number | undefined;
  readonly end: number;
  /** Where the last whole frame ends. */
  readonly wholeBytes: number;
  /** All before this offset was durable before what follows was written. */
  readonly durableBytes: number;
}

/** Damage that cost acknowledged bytes: where, how long, and how many records went with it. */
export interface Corrupt {
  readonly offset: number;
  readonly bytes: number;
  readonly lost: number;
}

/**
 * Tells torn from corrupt: `missing` records should follow the last whole frame. Damage behind it is
 * a write that nobody was promised, unless records are missing there.
 */
export function judge(
  scan: Scan,
  missing: number,
): { readonly tornBytes: number; readonly corrupt: readonly Corrupt[] } {
  let tornBytes = 0;
  const corrupt: Corrupt[] = [];
  for (const { offset, bytes, lost } of scan.damages) {
    const atEnd = offset >= scan.wholeBytes;
    if (atEnd && missing === 0) tornBytes += bytes;
    else corrupt.push({ offset, bytes, lost: atEnd ? missing : lost });
  }
  return { tornBytes, corrupt };
}

/**
 * Reads the frames of a segment up to the sequence where the next one begins; `visit` is handed
 * each that counts.
 */
export async function scanSegment(
  file: OpenFile,
  candidate: Candidate,
  limit: number,
  visit?: (frame: FoundFrame) => Promise<void>,
): Promise<Scan> {
  const { ordinal, found, size } = candidate;
  const start = found?.start ?? 0;
  const reader = new FrameReader(file, ordinal, start);
  const frames: (FrameNote & { sequence: number; end: number })[] = [];
  const damages: (Damage & { lost: number })[] = [];
  let base = found?.header.base;
  let end = base;
  let wholeBytes = start;
  let durableBytes = 0;
  for (let step = await reader.next(size); step !== undefined; step = await reader.next(size)) {
    const note = step.kind === "frame" ? readNote(step) : undefined;
    if (step.kind === "damage" || note === undefined) {
      damages.push({ kind: "damage", offset: step.offset, bytes: step.bytes, lost: 0 });
      continue;
    }
    const { sequence, count } = step;
    if (sequence + count > limit || sequence < (end ?? 0)) continue;
    const damage = damages[damages.length - 1];
    if (damage !== undefined && end !== undefined && sequence > end) {
      damages[damages.length - 1] = { ...damage, lost: sequence - end };
    }
    base ??= sequence;
    end = sequence + count;
    if (frames.length > 0) durableBytes = wholeBytes;
    wholeBytes = step.offset + step.bytes;
    frames.push({ ...note, sequence, end });
    await visit?.(step);
  }
  return { frames, damages, base, end: end ?? 1, wholeBytes, durableBytes };
}

function readNote(frame: FoundFrame): FrameNote | undefined {
  try {
    return unpackNote(frame.payload);
  } catch {
    return undefined;
  }
}
