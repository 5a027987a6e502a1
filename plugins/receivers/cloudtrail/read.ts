// Reads one log file from where its position stands, wherever it came from: records to the batches,
// everything else aside.

import { readLogFile } from "../../sdk/cloudtrail/log-file-reader.ts";
import { beginsAsRecord, parseRecord } from "../../sdk/cloudtrail/parse-record.ts";
import { EXCERPT_BYTES_MAX, type Span } from "../../sdk/cloudtrail/span.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { type Batches, identityOf } from "./batch.ts";
import type { FoundFile, Progress } from "./origin.ts";

/** What a reader needs beside the file. */
export interface ReadContext {
  readonly batches: Batches;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Told of digests, which hold no records. */
  onSkipped(path: string): void;
}

/**
 * Takes all of a file that is not taken yet. True when the file is done; false when it breaks off
 * and is not final: its whole records are taken, and it is to be read again when it has grown.
 * Rejects with the origin's error where the file cannot be read; what was read before is taken.
 */
export async function takeLogFile(file: FoundFile, context: ReadContext): Promise<boolean> {
  const { batches, progress, signal } = context;
  const { path } = file;
  const before = progress.taken(path);
  const reading = { pieces: 0, before };
  try {
    for await (const spans of readLogFile(file.open().blocks)) {
      signal.throwIfAborted();
      if (!await takeSpans(file, spans, reading, context)) return false;
    }
  } finally {
    // Whatever becomes of the file, the records in the batch do not travel without their position.
    if (reading.pieces > before) batches.move(progress.take(path, reading.pieces));
  }
  if (batches.move(file.finished())) await batches.flush();
  return true;
}

interface Reading {
  /** Pieces of the file that are taken. */
  pieces: number;
  /** How many of them were taken in an earlier run. */
  readonly before: number;
}

/** False where the file breaks off, and more of it is waited for. */
async function takeSpans(
  file: FoundFile,
  spans: readonly Span[],
  reading: Reading,
  context: ReadContext,
): Promise<boolean> {
  for (const span of spans) {
    if (span.cut && !file.final) return false;
    if (reading.pieces >= reading.before) await takeSpan(file, span, reading.pieces, context);
    reading.pieces++;
  }
  return true;
}

/** Takes one piece, before which `pieces` of its file are taken. */
async function takeSpan(
  file: FoundFile,
  span: Span,
  pieces: number,
  { batches, progress, onSkipped }: ReadContext,
): Promise<void> {
  const { path } = file;
  const { offset } = span;
  const text = span.problem === undefined ? textOf(span.bytes) : new RejectedInput(span.problem);
  if (text instanceof RejectedInput) {
    if (pieces > 0) batches.move(progress.take(path, pieces));
    const raw = span.bytes.length > 0 ? span.bytes : await beginning(file);
    await batches.reject(
      raw.subarray(0, EXCERPT_BYTES_MAX),
      `${text.message}: at byte ${offset} of "${path}"`,
      identityOf(path, offset),
      progress.take(path, pieces + 1),
    );
  } else if (text === undefined) onSkipped(path);
  else if (batches.add({ text, path, offset })) {
    batches.move(progress.take(path, pieces + 1));
    await batches.flush();
  }
}

/** A record's text without what it is wrapped in; undefined for a digest. */
function textOf(span: Uint8Array): Uint8Array | RejectedInput | undefined {
  if (beginsAsRecord(span)) return span;
  try {
    const { record, bytes } = parseRecord(span);
    const isDigest = record.eventVersion === undefined && typeof record.digestS3Object === "string";
    return isDigest ? undefined : bytes;
  } catch (error) {
    if (error instanceof RejectedInput) return error;
    throw error;
  }
}

/** The file's own first bytes, for one that nothing could be read out of. */
async function beginning(file: FoundFile): Promise<Uint8Array> {
  for await (const block of file.open().blocks) return block;
  return new Uint8Array(0);
}
